//! The settings as `--print-config` shows them. What may be a secret is not shown.

use serde_json::{Map, Value as Json, json};

use super::declared;
use super::layers::{Settings, Source};
use super::plugins::json as plain;
use super::value::{Object, Value};
use crate::secrets::{self, HIDDEN, without_secrets};

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

/// Returns a setting's value without what may be a secret in it.
#[must_use]
pub fn shown(name: &str, value: &Value) -> Value {
    let holds_pairs = declared::find(name).is_some_and(|setting| setting.secret);
    match value {
        Value::List(items) if holds_pairs => items.iter().map(conceal_pair).collect(),
        value => conceal_under(name, value, name == "plugins"),
    }
}

/// Hides what follows `NAME=`, or all.
fn conceal_pair(item: &Value) -> Value {
    match item {
        Value::Str(text) => match text.split_once('=') {
            Some((name, _)) => format!("{name}={HIDDEN}").into(),
            None => HIDDEN.into(),
        },
        other => hide(other),
    }
}

/// Hides the secrets in a value that has a name: a setting's, or a key's of a dict.
fn conceal_under(name: &str, value: &Value, of_plugins: bool) -> Value {
    match value {
        Value::Dict(_) if of_plugins && name.eq_ignore_ascii_case(OPTIONS) => hide(value),
        _ if secrets::is_surely_secret(name) => hide(value),
        Value::Str(_) | Value::Int(_) | Value::Object(_) if secrets::may_be_secret(name) => {
            hide(value)
        }
        Value::List(items) if secrets::may_be_secret(name) && !items.iter().any(is_dict) => {
            hide(value)
        }
        Value::Dict(items) => Value::Dict(
            items
                .iter()
                .map(|(key, value)| (key.clone(), conceal_under(key, value, of_plugins)))
                .collect(),
        ),
        Value::List(items) => conceal_items(items, of_plugins),
        Value::Str(text) => without_secrets(text).into(),
        Value::Object(object) => Value::Object(Object {
            shown: without_secrets(&object.shown),
            ..object.clone()
        }),
        other => other.clone(),
    }
}

/// Hides the secrets in a list, where one may follow its name: a header's, or a flag's.
fn conceal_items(items: &[Value], of_plugins: bool) -> Value {
    let names = |item: &Value| match item {
        Value::Str(text) if text.starts_with("--") => secrets::is_surely_secret(text),
        Value::Str(text) => items.len() == 2 && secrets::may_be_secret(text),
        _ => false,
    };
    let before = std::iter::once(None).chain(items.iter().map(Some));
    before
        .zip(items)
        .map(|(before, item)| match item {
            Value::Str(text) if before.is_some_and(names) && !text.starts_with("--") => {
                HIDDEN.into()
            }
            item => conceal_under("", item, of_plugins),
        })
        .collect()
}

fn is_dict(value: &Value) -> bool {
    matches!(value, Value::Dict(_))
}

/// Hides all of a value but its form.
fn hide(value: &Value) -> Value {
    match value {
        Value::None | Value::Bool(_) => value.clone(),
        Value::List(items) => items.iter().map(hide).collect(),
        Value::Dict(items) => {
            let hidden = |(key, value): &(String, Value)| (key.clone(), hide(value));
            Value::Dict(items.iter().map(hidden).collect())
        }
        _ => HIDDEN.into(),
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
    fn secrets_of_every_kind_are_not_shown() {
        let dict = |items: &[(&str, Value)]| {
            let items = items.iter();
            Value::Dict(
                items
                    .map(|(key, value)| ((*key).to_owned(), value.clone()))
                    .collect(),
            )
        };
        let list = |items: &[&str]| Value::List(items.iter().map(|&item| item.into()).collect());
        let auth = dict(&[("level", "INFO".into()), ("key", "hunter2".into())]);
        let handler = dict(&[
            ("url", "https://u:hunter2@h/x".into()),
            ("credentials", list(&["u", "hunter2"])),
            (
                "headers",
                Value::List(vec![list(&["X-Proxy-Key", "hunter2"])]),
            ),
            ("args", list(&["--db-password", "hunter2", "--name", "x"])),
            (
                "secrets",
                dict(&[("a", "hunter2".into()), ("b", true.into())]),
            ),
            ("app.auth", auth),
            ("keys", list(&["hunter2"])),
            ("pin", 5.into()),
        ]);
        let value = shown("logconfig_dict", &dict(&[("handlers", handler)])).to_string();
        assert!(!value.contains("hunter2"), "{value}");
        for part in [
            "'url': 'https://u:***@h/x'",
            "'credentials': ['***', '***']",
            "['X-Proxy-Key', '***']",
            "['--db-password', '***', '--name', 'x']",
            "'secrets': {'a': '***', 'b': True}",
            "'app.auth': {'level': 'INFO', 'key': '***'}",
            "'pin': 5",
        ] {
            assert!(value.contains(part), "{part} in {value}");
        }
        let headers = dict(&[
            ("X-FORWARDED-SSL", "on".into()),
            ("X-KEY", "hunter2".into()),
        ]);
        let value = shown("secure_scheme_headers", &headers).to_string();
        assert_eq!(value, "{'X-FORWARDED-SSL': 'on', 'X-KEY': '***'}");
        let value = shown("raw_env", &list(&["hunter2", "A=hunter2"])).to_string();
        assert_eq!(value, "['***', 'A=***']");
        let value = shown("wsgi_app", &"app:make(dsn='redis://:hunter2@h')".into()).to_string();
        assert!(!value.contains("hunter2"), "{value}");
    }

    #[test]
    fn defaults_are_shown_as_they_are() {
        for (name, entry) in settings(&[]).entries() {
            assert_eq!(shown(name, &entry.value), entry.value, "{name}");
        }
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
