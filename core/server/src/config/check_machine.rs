//! Checking values that name what is on this machine: files, directories, users and groups.

use nix::unistd::{Group, User};

use super::check::{Refusal, list, refuse, text};
use super::start::{from_start, start_directory};
use super::value::Value;

pub(super) fn files(value: Value) -> Result<Value, Refusal> {
    let mut items = list(value)?;
    for item in &mut items {
        let Value::Str(given) = &*item else { continue };
        let path = from_start(given);
        if !given.contains(['*', '?', '[']) && !path.exists() {
            return refuse(
                format!("{item} does not exist"),
                "name a file that exists, or a pattern",
            );
        }
        *item = path.display().to_string().as_str().into();
    }
    Ok(Value::List(items))
}

pub(super) fn directory(value: Value) -> Result<Value, Refusal> {
    let path = match text(value)? {
        Value::Str(path) if !path.is_empty() => path,
        _ => return Ok(start_directory().display().to_string().as_str().into()),
    };
    let absolute = from_start(&path);
    if absolute.is_dir() {
        Ok(absolute.display().to_string().as_str().into())
    } else {
        refuse(
            format!("'{path}' is not a directory"),
            "name a directory that exists",
        )
    }
}

pub(super) fn user(value: Value) -> Result<Value, Refusal> {
    identity(value, "user", |name| {
        User::from_name(name)
            .ok()
            .flatten()
            .map(|user| user.uid.as_raw())
    })
}

pub(super) fn group(value: Value) -> Result<Value, Refusal> {
    identity(value, "group", |name| {
        Group::from_name(name)
            .ok()
            .flatten()
            .map(|group| group.gid.as_raw())
    })
}

/// A number stands for itself; a name is looked up.
fn identity(
    value: Value,
    what: &str,
    find: impl Fn(&str) -> Option<u32>,
) -> Result<Value, Refusal> {
    match &value {
        Value::None => Ok(Value::None),
        Value::Int(number) if u32::try_from(*number).is_ok() => Ok(value),
        Value::Str(name) if !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit()) => {
            match name.parse::<u32>() {
                Ok(number) => Ok(Value::Int(i64::from(number))),
                Err(_) => refuse(
                    format!("{value} is not a {what}"),
                    format!("give a name or a number of a {what}"),
                ),
            }
        }
        Value::Str(name) => match find(name) {
            Some(id) => Ok(Value::Int(i64::from(id))),
            None => refuse(
                format!("there is no {what} {value}"),
                format!("name a {what} of this machine"),
            ),
        },
        _ => refuse(
            format!("{value} is not a {what}"),
            format!("give a name or a number of a {what}"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::tests::checked;
    use super::*;

    #[test]
    fn what_must_exist_is_looked_for() {
        assert!(
            checked("chdir", "/nowhere/at/all")
                .unwrap_err()
                .contains("not a directory")
        );
        assert!(checked("reload_extra_files", "/nowhere/at/all").is_err());
        assert!(checked("reload_extra_files", "/nowhere/*.html").is_ok());
        assert_eq!(checked("user", "root"), Ok("0".into()));
        assert_eq!(checked("user", "010"), Ok("10".into()));
        assert!(checked("user", "4294967296").is_err());
        assert!(
            checked("user", "nobody-of-this-name")
                .unwrap_err()
                .contains("there is no user")
        );
        assert!(checked("group", Value::Bool(true)).is_err());
    }
}
