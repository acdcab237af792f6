//! The settings as `--print-config` shows them. What may be a secret is not shown.

use serde_json::{Map, Value as Json, json};

use super::declared;
use super::layers::{Settings, Source};
use super::plugins::json as plain;
use super::value::Value;

/// What stands in the place of a secret.
const HIDDEN: &str = "***";

/// Words in the names of what is kept from strangers.
const TELLING: [&str; 6] = [
    "password",
    "passwd",
    "secret",
    "token",
    "credential",
    "api_key",
];

/// What a plugin is told may be anything.
const OPTIONS: &str = "options";

impl Settings {
    /// One line for each setting, sorted, with the source.
    #[must_use]
    pub fn print(&self) -> String {
        let width = self.entries().map(|(name, _)| name.len()).max();
        let width = width.unwrap_or_default();
        self.entries()
            .map(|(name, entry)| {
                let value = shown(name, &entry.value);
                format!("{name:width$} = {value}  # {}\n", entry.source)
            })
            .collect()
    }

    /// One line for each setting that somebody has set, with the source.
    pub fn given(&self) -> impl Iterator<Item = String> {
        let set = self
            .entries()
            .filter(|(_, entry)| entry.source != Source::Default);
        set.map(|(name, entry)| {
            format!("{name} = {}  # {}", shown(name, &entry.value), entry.source)
        })
    }

    /// Each setting's value and source, for programs.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let row = |(name, entry): (&str, &super::layers::Entry)| {
            let value = name_objects(&shown(name, &entry.value));
            let value = plain(&value).unwrap_or_else(Json::String);
            let row = json!({"value": value, "source": entry.source.to_string()});
            (name.to_owned(), row)
        };
        Json::Object(self.entries().map(row).collect::<Map<_, _>>())
    }
}

/// A value without its secrets.
fn shown(name: &str, value: &Value) -> Value {
    let is_secret = declared::find(name).is_some_and(|setting| setting.secret);
    if is_secret {
        conceal(value)
    } else {
        value.clone()
    }
}

/// In lists, what follows `NAME=`; in dicts, what a telling name stands for.
fn conceal(value: &Value) -> Value {
    match value {
        Value::List(items) => Value::List(items.iter().map(conceal_item).collect()),
        Value::Dict(items) => Value::Dict(
            items
                .iter()
                .map(|(key, value)| (key.clone(), conceal_key(key, value)))
                .collect(),
        ),
        other => other.clone(),
    }
}

fn conceal_item(item: &Value) -> Value {
    match item {
        Value::Str(text) => match text.split_once('=') {
            Some((name, _)) => format!("{name}={HIDDEN}").into(),
            None => text.as_str().into(),
        },
        other => conceal(other),
    }
}

fn conceal_key(key: &str, value: &Value) -> Value {
    let name = key.to_ascii_lowercase();
    match value {
        Value::Dict(options) if name == OPTIONS => {
            let hide = |(key, _): &(String, Value)| (key.clone(), HIDDEN.into());
            Value::Dict(options.iter().map(hide).collect())
        }
        _ if TELLING.iter().any(|word| name.contains(word)) => HIDDEN.into(),
        other => conceal(other),
    }
}

/// With text in the place of what is no plain value.
fn name_objects(value: &Value) -> Value {
    match value {
        Value::Object(object) => object.shown.as_str().into(),
        Value::List(items) => Value::List(items.iter().map(name_objects).collect()),
        Value::Dict(items) => {
            let named = |(key, value): &(String, Value)| (key.clone(), name_objects(value));
            Value::Dict(items.iter().map(named).collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::layers::{Layer, Source};
    use super::*;

    fn settings(values: &[(&str, Value)]) -> Settings {
        let values = values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        let source = Source::File("conf.py".into());
        Settings::resolve(&[Layer { source, values }], |_| None).unwrap()
    }

    #[test]
    fn the_print_shows_every_setting_with_its_source() {
        let print = settings(&[("workers", 3.into())]).print();
        assert_eq!(print.lines().count(), declared::all().count());
        let line = print
            .lines()
            .find(|line| line.starts_with("workers "))
            .unwrap();
        assert!(line.ends_with("= 3  # conf.py"), "{line}");
    }

    #[test]
    fn programs_get_values_as_values() {
        let json = settings(&[("workers", 3.into()), ("reload", true.into())]).to_json();
        assert_eq!(json["workers"], json!({"value": 3, "source": "conf.py"}));
        assert_eq!(json["reload"]["value"], json!(true));
        assert_eq!(json["pidfile"], json!({"value": null, "source": "default"}));
    }

    #[test]
    fn secrets_are_not_shown() {
        let handlers = Value::Dict(vec![
            ("Password".into(), "hunter2".into()),
            ("level".into(), "INFO".into()),
        ]);
        let options = Value::Dict(vec![("key".into(), "hunter2".into())]);
        let plugin = Value::Dict(vec![
            ("path".into(), "a.so".into()),
            ("options".into(), options),
        ]);
        let settings = settings(&[
            ("raw_env", Value::List(vec!["A=hunter2".into()])),
            ("plugin_options", Value::List(vec!["a.key=hunter2".into()])),
            ("plugins", Value::List(vec![plugin])),
            (
                "logconfig_dict",
                Value::Dict(vec![("handlers".into(), handlers)]),
            ),
        ]);
        let (json, text) = (settings.to_json(), settings.print());
        assert_eq!(json["raw_env"]["value"], json!(["A=***"]));
        assert_eq!(json["plugin_options"]["value"], json!(["a.key=***"]));
        let plugin = json!([{"path": "a.so", "options": {"key": "***"}}]);
        assert_eq!(json["plugins"]["value"], plugin);
        let handlers = json!({"handlers": {"Password": "***", "level": "INFO"}});
        assert_eq!(json["logconfig_dict"]["value"], handlers);
        assert!(!json.to_string().contains("hunter2") && !text.contains("hunter2"));
    }
}
