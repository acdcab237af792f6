//! Checking a value against the kind of its setting, and bringing it into its one form.

use tricorn_http::network::AllowList;

use super::check_machine as machine;
use super::check_words as words;
use super::setting::{Kind, Setting};
use super::value::Value;

/// Why a value is refused: what is wrong with it, and what to give instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) what: String,
    pub(super) mend: String,
}

pub(super) fn refuse<T>(what: impl Into<String>, mend: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal {
        what: what.into(),
        mend: mend.into(),
    })
}

/// The value in the form that every reader of the setting relies on.
pub(super) fn check(setting: &Setting, value: Value) -> Result<Value, Refusal> {
    match setting.kind {
        Kind::Text => text(value),
        Kind::Off if value == Value::None => Ok(Value::Bool(true)),
        Kind::Bool | Kind::Off => truth(value),
        Kind::Report(forms) => words::report(value, forms),
        Kind::Count => count(value),
        Kind::Seconds => seconds(value),
        Kind::Bytes => super::size::check(value)
            .or_else(|what| refuse(what, "give a number of bytes, or one such as 300M")),
        Kind::Mode => mode(value),
        Kind::List => list(value).map(Value::List),
        Kind::Files => machine::files(value),
        Kind::Words(words) => words::some_of(value, words),
        Kind::Ranking(words) => words::ranking(value, words),
        Kind::Range(least, most) => range(value, least, most),
        Kind::Plugins => Ok(plugins(value)),
        Kind::CommaList => comma_list(value),
        Kind::Networks => networks(value),
        Kind::Dict => dict(value),
        Kind::Mapping => mapping(value),
        Kind::Choice(words) => words::choice(value, words),
        Kind::Switch(switch) => words::switched(value, switch),
        Kind::Class => class(value),
        Kind::Callable(names) => callable(value, names),
        Kind::Anything => Ok(value),
        Kind::Directory => machine::directory(value),
        Kind::User => machine::user(value),
        Kind::Group => machine::group(value),
    }
}

pub(super) fn text(value: Value) -> Result<Value, Refusal> {
    match value {
        Value::None => Ok(Value::None),
        Value::Str(text) => Ok(Value::Str(text.trim().to_owned())),
        other => refuse(format!("{other} is not text"), "give a string"),
    }
}

pub(super) fn truth(value: Value) -> Result<Value, Refusal> {
    match value {
        Value::None => Ok(Value::Bool(false)),
        Value::Bool(truth) => Ok(Value::Bool(truth)),
        Value::Str(word) if word.trim().eq_ignore_ascii_case("true") => Ok(Value::Bool(true)),
        Value::Str(word) if word.trim().eq_ignore_ascii_case("false") => Ok(Value::Bool(false)),
        other => refuse(
            format!("{other} is neither True nor False"),
            "give True or False",
        ),
    }
}

fn count(value: Value) -> Result<Value, Refusal> {
    let number = match &value {
        Value::Int(number) => Some(*number),
        Value::Bool(truth) => Some(i64::from(*truth)),
        Value::Str(text) => parse_int(text),
        _ => None,
    };
    match number {
        Some(number) if number >= 0 => Ok(Value::Int(number)),
        Some(_) => refuse(format!("{value} is negative"), "give 0 or more"),
        None => refuse(
            format!("{value} is not a whole number"),
            "give a number such as 4",
        ),
    }
}

fn range(value: Value, least: i64, most: i64) -> Result<Value, Refusal> {
    match count(value)? {
        Value::Int(number) if !(least..=most).contains(&number) => refuse(
            format!("{number} is out of range"),
            format!("give a number from {least} to {most}"),
        ),
        number => Ok(number),
    }
}

fn seconds(value: Value) -> Result<Value, Refusal> {
    let number = match &value {
        Value::Float(number) => Some(*number),
        Value::Str(text) => text.trim().parse::<f64>().ok(),
        _ => None,
    };
    match number {
        Some(number) if (0.0..1e9).contains(&number) => Ok(Value::Float(number)),
        Some(_) => refuse(
            format!("{value} is out of range"),
            "give a number of seconds, 0 or more",
        ),
        None => count(value),
    }
}

fn mode(value: Value) -> Result<Value, Refusal> {
    let octal = match &value {
        Value::Str(text) if text.len() > 1 && text.starts_with('0') => {
            i64::from_str_radix(text.trim_start_matches("0o"), 8).ok()
        }
        _ => None,
    };
    let mode = octal.map_or_else(|| count(value), |mode| Ok(Value::Int(mode)));
    mode.map_err(|refusal| Refusal {
        mend: "give a mode such as 0o022".to_owned(),
        ..refusal
    })
}

/// A number as Python's `int(text, 0)` reads it: with 0x, 0o and 0b, underscores, and no leading 0.
fn parse_int(text: &str) -> Option<i64> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', ..] if lower.bytes().any(|b| b != b'0') => return None,
        _ => (10, lower.as_str()),
    };
    if digits.starts_with(['+', '-', '_']) || digits.ends_with('_') || digits.contains("__") {
        return None;
    }
    let number = i64::from_str_radix(&digits.replace('_', ""), radix).ok()?;
    Some(if negative { -number } else { number })
}

/// Nothing is an empty list, one text a list of one; commas mean nothing here.
pub(super) fn list(value: Value) -> Result<Vec<Value>, Refusal> {
    match value {
        Value::None | Value::Bool(false) | Value::Int(0) => Ok(Vec::new()),
        Value::Dict(items) if items.is_empty() => Ok(Vec::new()),
        Value::Str(text) if text.is_empty() => Ok(Vec::new()),
        Value::Str(text) => Ok(vec![Value::Str(text.trim().to_owned())]),
        Value::List(items) => items
            .into_iter()
            .map(|item| text_only(item).map(Value::Str))
            .collect(),
        other => refuse(
            format!("{other} is not a list of strings"),
            "give a string or a list of strings",
        ),
    }
}

fn text_only(value: Value) -> Result<String, Refusal> {
    match value {
        Value::Str(text) => Ok(text.trim().to_owned()),
        other => refuse(format!("{other} is not text"), "give strings"),
    }
}

pub(super) fn comma_list(value: Value) -> Result<Value, Refusal> {
    let items = match value {
        Value::Str(text) => text
            .split(',')
            .map(str::trim)
            .filter(|s| !s.is_empty())
            .map(Value::from)
            .collect(),
        other => list(other)?,
    };
    Ok(Value::List(items))
}

/// Nothing is an empty list, one plugin a list of one. What each must be is looked at elsewhere.
fn plugins(value: Value) -> Value {
    match value {
        Value::None => Value::List(Vec::new()),
        Value::List(items) => Value::List(items),
        Value::Str(text) if text.is_empty() => Value::List(Vec::new()),
        one => Value::List(vec![one]),
    }
}

fn networks(value: Value) -> Result<Value, Refusal> {
    let value = comma_list(value)?;
    match AllowList::parse(strings(&value)) {
        Ok(_) => Ok(value),
        Err(invalid) => refuse(
            invalid.to_string(),
            "give addresses and networks separated by commas",
        ),
    }
}

/// The texts in a checked list.
pub(super) fn strings(value: &Value) -> impl Iterator<Item = &str> {
    let items = if let Value::List(items) = value {
        items.as_slice()
    } else {
        &[]
    };
    items.iter().filter_map(|item| {
        if let Value::Str(text) = item {
            Some(text.as_str())
        } else {
            None
        }
    })
}

fn dict(value: Value) -> Result<Value, Refusal> {
    match value {
        Value::Dict(items)
            if items
                .iter()
                .all(|(_, value)| matches!(value, Value::Str(_))) =>
        {
            Ok(Value::Dict(items))
        }
        other => refuse(
            format!("{other} is not a dict of strings"),
            "give a dict of strings",
        ),
    }
}

/// What is in it is looked at by whoever uses it.
fn mapping(value: Value) -> Result<Value, Refusal> {
    match value {
        Value::Dict(items) => Ok(Value::Dict(items)),
        other => refuse(format!("{other} is not a dict"), "give a dict"),
    }
}

fn class(value: Value) -> Result<Value, Refusal> {
    match value {
        Value::Str(name) if !name.trim().is_empty() => Ok(Value::Str(name.trim().to_owned())),
        Value::Object(object) => Ok(Value::Object(object)),
        other => refuse(
            format!("{other} is not a class"),
            "give a class, its dotted name or an alias",
        ),
    }
}

/// An object is looked at by whoever knows the language it is written in.
fn callable(value: Value, names: &[&str]) -> Result<Value, Refusal> {
    match value {
        Value::None => Ok(Value::None),
        Value::Str(name) if name.contains(['.', ':']) => Ok(Value::Str(name.trim().to_owned())),
        Value::Object(object) => Ok(Value::Object(object)),
        other => refuse(
            format!("{other} is not callable"),
            format!(
                "give a function that takes ({}), or its dotted name",
                names.join(", ")
            ),
        ),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::declared;
    use super::*;

    pub(in super::super) fn checked(name: &str, value: impl Into<Value>) -> Result<String, String> {
        let setting = declared::find(name).unwrap();
        check(setting, value.into())
            .map(|value| value.to_string())
            .map_err(|refusal| refusal.what)
    }

    pub(in super::super) fn list_of(items: &[&str]) -> Value {
        Value::List(items.iter().map(|&item| item.into()).collect())
    }

    #[test]
    fn numbers_come_as_numbers_or_as_python_writes_them() {
        for (given, number) in [
            ("4", "4"),
            (" 0x10 ", "16"),
            ("0o17", "15"),
            ("1_000", "1000"),
            ("0", "0"),
            ("+3", "3"),
        ] {
            assert_eq!(checked("workers", given), Ok(number.into()), "{given}");
        }
        assert_eq!(checked("workers", true), Ok("1".into()));
        for bad in ["", "four", "010", "1.5", "1__0", "_1", "0x", "--1"] {
            assert!(
                checked("workers", bad)
                    .unwrap_err()
                    .contains("is not a whole number"),
                "{bad}"
            );
        }
        assert_eq!(checked("workers", -1), Err("-1 is negative".into()));
        assert_eq!(
            checked("workers", Value::None),
            Err("None is not a whole number".into())
        );
    }

    #[test]
    fn seconds_may_have_a_fraction() {
        assert_eq!(checked("header_timeout", "0.25"), Ok("0.25".into()));
        assert_eq!(checked("header_timeout", 3), Ok("3".into()));
        assert!(checked("header_timeout", Value::Float(-0.5)).is_err());
        assert!(
            checked("timeout", Value::Float(0.5)).is_err(),
            "gunicorn's are whole"
        );
    }

    #[test]
    fn modes_are_octal_with_a_leading_zero() {
        assert_eq!(checked("umask", "022"), Ok("18".into()));
        assert_eq!(checked("umask", "0o22"), Ok("18".into()));
        assert_eq!(checked("umask", 18), Ok("18".into()));
        assert!(checked("umask", "099").is_err());
    }

    #[test]
    fn truth_is_a_truth_value_or_its_word_but_not_a_number() {
        assert_eq!(checked("reload", "TRUE"), Ok("True".into()));
        assert_eq!(checked("reload", Value::None), Ok("False".into()));
        assert_eq!(checked("sendfile", Value::None), Ok("True".into()));
        assert!(checked("reload", 1).is_err());
        assert!(checked("reload", "yes").is_err());
    }

    #[test]
    fn lists_take_one_string_and_leave_commas_alone() {
        assert_eq!(checked("bind", "a:1,b:2"), Ok("['a:1,b:2']".into()));
        assert_eq!(
            checked("bind", list_of(&[" a ", "b"])),
            Ok("['a', 'b']".into())
        );
        for nothing in [Value::None, "".into(), false.into(), 0.into()] {
            assert_eq!(checked("raw_env", nothing), Ok("[]".into()));
        }
        assert_eq!(checked("raw_env", Value::Dict(vec![])), Ok("[]".into()));
        assert!(checked("bind", 8000).is_err());
        assert!(checked("bind", Value::List(vec![Value::Int(1)])).is_err());
    }

    #[test]
    fn networks_are_checked_where_they_are_given() {
        assert_eq!(
            checked("forwarded_allow_ips", "10.0.0.0/8, *"),
            Ok("['10.0.0.0/8', '*']".into())
        );
        assert!(
            checked("forwarded_allow_ips", "10.0.0.1/8")
                .unwrap_err()
                .contains("host bits")
        );
        assert!(
            checked("forwarded_allow_ips", list_of(&["proxy"]))
                .unwrap_err()
                .contains("'proxy'")
        );
    }

    #[test]
    fn a_range_has_two_ends() {
        assert_eq!(
            checked("http2_max_frame_size", "0x4000"),
            Ok("16384".into())
        );
        for bad in [16383, 16_777_216] {
            let refused = checked("http2_max_frame_size", bad).unwrap_err();
            assert!(refused.contains("out of range"), "{refused}");
        }
        assert!(checked("http2_max_concurrent_streams", 0).is_err());
        assert!(checked("cert_reqs", 3).is_err());
    }

    #[test]
    fn a_dict_of_anything_is_a_dict_all_the_same() {
        let nested = Value::Dict(vec![("version".into(), 1.into())]);
        assert!(checked("logconfig_dict", nested.clone()).is_ok());
        assert!(checked("logconfig_dict", "version").is_err());
        assert!(checked("secure_scheme_headers", nested).is_err());
    }

    #[test]
    fn a_callable_is_an_object_or_a_dotted_name() {
        assert!(checked("dirty_post_fork", "site.hooks:fork").is_ok());
        assert!(checked("dirty_post_fork", Value::None).is_ok());
        let refused = checked("dirty_post_fork", "fork").unwrap_err();
        assert!(refused.contains("not callable"), "{refused}");
        assert!(checked("dirty_post_fork", list_of(&["a.b"])).is_err());
    }
}
