//! What the settings say of each compiled plugin. Nothing is opened here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json};

use super::layers::{Settings, Source};
use super::start::from_start;
use super::value::Value;
use crate::error::Failure;

/// The keys of a plugin's dictionary.
const KEYS: [&str; 10] = [
    "path", "id", "options", "priority", "before", "after", "required", "sha256", "on_error",
    "on_crash",
];

/// Something that is said for all events, or for each its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PerEvent<T> {
    all: Option<T>,
    each: BTreeMap<String, T>,
}

impl<T> Default for PerEvent<T> {
    fn default() -> Self {
        Self {
            all: None,
            each: BTreeMap::new(),
        }
    }
}

impl<T> PerEvent<T> {
    /// What is said for the event of this name.
    #[must_use]
    pub fn get(&self, event: &str) -> Option<&T> {
        self.each.get(event).or(self.all.as_ref())
    }

    /// The events that are named.
    pub fn events(&self) -> impl Iterator<Item = &str> {
        self.each.keys().map(String::as_str)
    }

    /// All that is said, and of which event; `None` for what is said of all.
    pub fn all(&self) -> impl Iterator<Item = (Option<&str>, &T)> {
        let each = self.each.iter();
        let each = each.map(|(event, said)| (Some(event.as_str()), said));
        each.chain(self.all.iter().map(|said| (None, said)))
    }
}

/// What becomes of a handler's event when the handler fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// The failure is logged, and the later handlers run.
    Log,
    /// The later handlers do not run, and the event's own rule decides.
    Fail,
}

/// What becomes of a plugin in which workers die again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnCrash {
    /// Workers are replaced, as after any crash.
    Continue,
    /// New workers do without it.
    Disable,
    /// The server stops.
    Halt,
}

/// One entry of `plugins`.
#[derive(Debug, Clone)]
pub struct PluginSpec {
    /// The file, or `package:NAME`.
    pub place: Place,
    /// As the operator wrote it.
    pub shown: String,
    /// Which of the plugins in the file; all of them without it.
    pub id: Option<String>,
    /// Its options.
    pub options: Map<String, Json>,
    /// In place of its handlers' own priorities.
    pub priority: PerEvent<i32>,
    /// Beside its handlers' own constraints.
    pub before: PerEvent<Vec<String>>,
    /// Beside its handlers' own constraints.
    pub after: PerEvent<Vec<String>>,
    /// Requests are refused while it is out of order; where nothing is said, the plugin knows.
    pub required: Option<bool>,
    /// What the file must hash to, in small letters.
    pub sha256: Option<String>,
    /// What its failing handlers mean.
    pub on_error: PerEvent<OnError>,
    /// What dying workers mean.
    pub on_crash: OnCrash,
}

/// Where a plugin's file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Here.
    File(PathBuf),
    /// Where the entry point of this name says, which a Python package offers.
    Package(String),
}

/// The plugins that the settings name.
///
/// # Errors
/// The entry, and what is wrong with it.
pub(super) fn specs(settings: &Settings) -> Result<Vec<PluginSpec>, Failure> {
    let Value::List(entries) = settings.value("plugins") else {
        return Ok(Vec::new());
    };
    let base = base(settings.source("plugins"));
    let read = |entry: &Value| {
        read(entry, &base).map_err(|(what, mend)| settings.complain("plugins", what).mend(mend))
    };
    entries.iter().map(read).collect()
}

/// Relative places in a config file are measured from where the file stands.
fn base(source: &Source) -> PathBuf {
    match source {
        Source::File(path) => {
            let file = from_start(&path.display().to_string());
            file.parent().map_or_else(|| from_start(""), Path::to_owned)
        }
        _ => from_start(""),
    }
}

/// What is wrong, and how to mend it.
type Wrong = (String, String);

fn wrong<T>(what: impl Into<String>, mend: impl Into<String>) -> Result<T, Wrong> {
    Err((what.into(), mend.into()))
}

fn read(entry: &Value, base: &Path) -> Result<PluginSpec, Wrong> {
    match entry {
        Value::Str(path) => Ok(spec(path, base)),
        Value::Dict(items) => read_dict(items, base),
        other => wrong(
            format!("{other} is no plugin"),
            "give a path, or a dict with the key 'path'",
        ),
    }
}

/// A plugin of which nothing is said but its path.
fn spec(path: &str, base: &Path) -> PluginSpec {
    let (path, id) = match path.rsplit_once('#') {
        Some((path, id)) if !id.is_empty() && !id.contains('/') => (path, Some(id.to_owned())),
        _ => (path, None),
    };
    let place = match path.strip_prefix("package:") {
        Some(name) => Place::Package(name.to_owned()),
        None => Place::File(base.join(path)),
    };
    PluginSpec {
        place,
        shown: path.to_owned(),
        id,
        options: Map::new(),
        priority: PerEvent::default(),
        before: PerEvent::default(),
        after: PerEvent::default(),
        required: None,
        sha256: None,
        on_error: PerEvent::default(),
        on_crash: OnCrash::Continue,
    }
}

fn read_dict(items: &[(String, Value)], base: &Path) -> Result<PluginSpec, Wrong> {
    let find = |key: &str| items.iter().find(|(k, _)| k == key).map(|(_, value)| value);
    let Some(Value::Str(path)) = find("path") else {
        return wrong(
            "a plugin without 'path'",
            "name its file with the key 'path'",
        );
    };
    let mut spec = spec(path, base);
    for (key, value) in items {
        let place = format!("plugin '{path}', key '{key}'");
        read_key(&mut spec, key, value)
            .map_err(|(what, mend)| (format!("{place}: {what}"), mend))?;
    }
    Ok(spec)
}

fn read_key(spec: &mut PluginSpec, key: &str, value: &Value) -> Result<(), Wrong> {
    match key {
        "path" => {}
        "id" => spec.id = Some(text(value)?),
        "options" => spec.options = options(value)?,
        "priority" => spec.priority = per_event(value, priority)?,
        "before" => spec.before = per_event(value, names)?,
        "after" => spec.after = per_event(value, names)?,
        "required" => match value {
            Value::Bool(truth) => spec.required = Some(*truth),
            other => {
                return wrong(
                    format!("{other} is neither True nor False"),
                    "give True or False",
                );
            }
        },
        "sha256" => spec.sha256 = Some(sha256(value)?),
        "on_error" => spec.on_error = per_event(value, on_error)?,
        "on_crash" => spec.on_crash = on_crash(value)?,
        _ => {
            return wrong(
                "there is no such key",
                format!("the keys are {}", KEYS.join(", ")),
            );
        }
    }
    Ok(())
}

fn text(value: &Value) -> Result<String, Wrong> {
    match value {
        Value::Str(text) if !text.is_empty() => Ok(text.clone()),
        other => wrong(format!("{other} is not text"), "give a string"),
    }
}

fn options(value: &Value) -> Result<Map<String, Json>, Wrong> {
    match json(value) {
        Ok(Json::Object(options)) => Ok(options),
        Ok(_) => wrong("it is no dict", "give a dict of options"),
        Err(object) => wrong(
            format!("{object} cannot be passed to compiled code"),
            "give numbers, strings, lists and dicts",
        ),
    }
}

/// A plain value as JSON; the object that has no place there otherwise.
pub(crate) fn json(value: &Value) -> Result<Json, String> {
    Ok(match value {
        Value::None => Json::Null,
        Value::Bool(truth) => (*truth).into(),
        Value::Int(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::Str(text) => text.as_str().into(),
        Value::List(items) => items.iter().map(json).collect::<Result<_, _>>()?,
        Value::Dict(items) => items
            .iter()
            .map(|(key, value)| Ok((key.clone(), json(value)?)))
            .collect::<Result<Map<_, _>, String>>()?
            .into(),
        Value::Object(object) => return Err(object.shown.clone()),
    })
}

fn per_event<T>(
    value: &Value,
    read: impl Fn(&Value) -> Result<T, Wrong>,
) -> Result<PerEvent<T>, Wrong> {
    let mut found = PerEvent::default();
    if let Value::Dict(items) = value {
        for (event, value) in items {
            let one = read(value).map_err(|(what, mend)| (format!("{event}: {what}"), mend))?;
            found.each.insert(event.clone(), one);
        }
    } else {
        found.all = Some(read(value)?);
    }
    Ok(found)
}

fn priority(value: &Value) -> Result<i32, Wrong> {
    match value {
        Value::Int(number) if i32::try_from(*number).is_ok() => Ok(*number as i32),
        other => wrong(
            format!("{other} is not a whole number"),
            "give a number, lower for earlier, or a dict of them by event",
        ),
    }
}

fn names(value: &Value) -> Result<Vec<String>, Wrong> {
    match value {
        Value::Str(name) => Ok(vec![name.clone()]),
        Value::List(names) => names.iter().map(text).collect(),
        other => wrong(
            format!("{other} is not a list of names"),
            "give names of handlers or ids of plugins",
        ),
    }
}

fn sha256(value: &Value) -> Result<String, Wrong> {
    let sum = text(value)?.to_ascii_lowercase();
    if sum.len() == 64 && sum.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(sum)
    } else {
        wrong(
            "this is no SHA-256 sum",
            "give the 64 digits that sha256sum prints",
        )
    }
}

fn on_error(value: &Value) -> Result<OnError, Wrong> {
    match text(value)?.as_str() {
        "log" => Ok(OnError::Log),
        "fail" => Ok(OnError::Fail),
        _ => wrong(
            format!("{value} is neither 'log' nor 'fail'"),
            "give 'log' or 'fail'",
        ),
    }
}

fn on_crash(value: &Value) -> Result<OnCrash, Wrong> {
    match text(value)?.as_str() {
        "continue" => Ok(OnCrash::Continue),
        "disable" => Ok(OnCrash::Disable),
        "halt" => Ok(OnCrash::Halt),
        _ => wrong(
            format!("{value} is not one of continue, disable, halt"),
            "give 'continue', 'disable' or 'halt'",
        ),
    }
}

impl PluginSpec {
    /// A file of which nothing is said.
    #[must_use]
    pub fn of_file(path: &Path) -> Self {
        Self {
            place: Place::File(from_start(&path.display().to_string())),
            ..spec(&path.display().to_string(), Path::new(""))
        }
    }

    /// Whether `name` means this entry: its id, or its file's name with or without `lib` and `.so`.
    #[must_use]
    pub fn answers_to(&self, name: &str) -> bool {
        self.id.as_deref() == Some(name)
            || self
                .stem()
                .is_some_and(|stem| stem == name || stem.strip_prefix("lib") == Some(name))
    }

    /// What the command line can call it.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        let stem = self.stem();
        self.id
            .as_deref()
            .or_else(|| stem.and_then(|stem| stem.strip_prefix("lib")).or(stem))
    }

    fn stem(&self) -> Option<&str> {
        match &self.place {
            Place::File(path) => path.file_stem().and_then(|stem| stem.to_str()),
            Place::Package(name) => Some(name.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::layers::Layer;
    use super::super::plugin_options::{AddressedOption, distribute};
    use super::*;

    fn specs_of(plugins: Value, options: &[&str]) -> Result<Vec<PluginSpec>, Failure> {
        given(plugins, options).map(|(specs, _)| specs)
    }

    fn given(
        plugins: Value,
        options: &[&str],
    ) -> Result<(Vec<PluginSpec>, Vec<AddressedOption>), Failure> {
        let options = Value::List(options.iter().map(|&text| text.into()).collect());
        let layer = Layer {
            source: Source::File("/etc/site/conf.py".into()),
            values: vec![
                ("plugins".into(), plugins),
                ("plugin_options".into(), options),
            ],
        };
        let settings = Settings::resolve(&[layer], |_| None)?;
        let mut specs = specs(&settings)?;
        let left = distribute(&settings, &mut specs)?;
        Ok((specs, left))
    }

    fn dict(items: &[(&str, Value)]) -> Value {
        let items = items
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.clone()));
        Value::List(vec![Value::Dict(items.collect())])
    }

    #[test]
    fn a_path_is_measured_from_the_config_file() {
        let specs = specs_of("./libaudit.so#org.example.b".into(), &[]).unwrap();
        assert_eq!(
            specs[0].place,
            Place::File("/etc/site/./libaudit.so".into())
        );
        assert_eq!(specs[0].id.as_deref(), Some("org.example.b"));
        let specs = specs_of("package:health".into(), &[]).unwrap();
        assert_eq!(specs[0].place, Place::Package("health".into()));
    }

    #[test]
    fn every_key_is_read() {
        let given = dict(&[
            ("path", "/opt/libauth.so".into()),
            ("options", Value::Dict(vec![("realm".into(), "x".into())])),
            (
                "priority",
                Value::Dict(vec![("pre_request".into(), Value::Int(-5))]),
            ),
            ("before", "audit".into()),
            ("required", true.into()),
            ("sha256", "AB".repeat(32).into()),
            ("on_error", "log".into()),
            ("on_crash", "halt".into()),
        ]);
        let spec = &specs_of(given, &[]).unwrap()[0];
        assert_eq!(spec.options["realm"], "x");
        assert_eq!(spec.priority.get("pre_request"), Some(&-5));
        assert_eq!(spec.priority.get("post_request"), None);
        assert_eq!(spec.before.get("any").unwrap()[0], "audit");
        assert_eq!(spec.on_error.get("access"), Some(&OnError::Log));
        assert_eq!((spec.required, spec.on_crash), (Some(true), OnCrash::Halt));
        assert_eq!(spec.sha256.as_deref(), Some(&*"ab".repeat(32)));
    }

    #[test]
    fn what_is_wrong_names_the_plugin_the_key_and_the_mend() {
        let refused = |key: &str, value: Value| {
            specs_of(dict(&[("path", "a.so".into()), (key, value)]), &[])
                .unwrap_err()
                .to_string()
        };
        let text = refused("realm", "x".into());
        assert!(
            text.contains("plugin 'a.so', key 'realm': there is no such key")
                && text.contains("the keys are path, id, options"),
            "{text}"
        );
        assert!(refused("priority", "high".into()).contains("not a whole number"));
        assert!(refused("sha256", "12".into()).contains("SHA-256"));
        assert!(refused("on_crash", "burn".into()).contains("continue, disable, halt"));
        assert!(refused("required", 1.into()).contains("neither True nor False"));
        assert!(specs_of(Value::List(vec![Value::Int(3)]), &[]).is_err());
    }

    #[test]
    fn options_come_from_the_command_line_too() {
        let options = ["audit.depth=3", "audit.name=plain text", "audit.on=true"];
        let spec = &specs_of("lib/libaudit.so".into(), &options).unwrap()[0];
        assert_eq!(spec.options["depth"], 3);
        assert_eq!(spec.options["name"], "plain text");
        assert_eq!(spec.options["on"], true);
        for bad in ["audit.depth", "depth=3"] {
            assert!(specs_of("lib/libaudit.so".into(), &[bad]).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_option_may_be_for_an_id_that_is_not_known_yet() {
        let (specs, left) = given("lib/libaudit.so".into(), &["org.example.b.depth=3"]).unwrap();
        assert!(specs[0].options.is_empty());
        assert_eq!((&*left[0].id, &*left[0].key), ("org.example.b", "depth"));
        let none = Value::List(Vec::new());
        assert!(specs_of(none, &["org.example.b.depth=3"]).is_err());
    }
}
