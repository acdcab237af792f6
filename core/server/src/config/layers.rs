//! Where values come from, and which one wins.
//!
//! Lowest to highest: defaults, framework, file, environment, command line. A list from a higher
//! layer replaces the lower one's; it is never added to it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::check;
use super::declared;
use super::setting::{Reach, Section, Setting};
use super::value::Value;
use crate::error::{Exit, Failure};

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The setting's own default.
    Default,
    /// The framework that starts the server, or the program that embeds it.
    Program,
    /// A config file.
    File(PathBuf),
    /// A Python module that serves as one.
    Module(String),
    /// An environment variable of this name.
    Environment(&'static str),
    /// The command line.
    CommandLine,
}

impl Source {
    /// The code to exit with where a value from here cannot be.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Environment(_) | Self::CommandLine => Exit::Usage,
            Self::Default | Self::Program | Self::File(_) | Self::Module(_) => Exit::Startup,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Program => f.write_str("the embedding program"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Module(name) => write!(f, "python:{name}"),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::CommandLine => f.write_str("command line"),
        }
    }
}

/// The values of one source.
#[derive(Debug, Clone)]
pub struct Layer {
    /// Where they come from.
    pub source: Source,
    /// Names of settings and their values.
    pub values: Vec<(String, Value)>,
}

/// A value and where it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The checked value.
    pub value: Value,
    /// Its source.
    pub source: Source,
}

/// Every setting with its checked value.
#[derive(Debug, Clone)]
pub struct Settings(BTreeMap<&'static str, Entry>);

impl Settings {
    /// Checks the layers' values, lowest layer first, and keeps the highest of each setting.
    /// Names that are no settings are passed over. `env` looks variables up.
    ///
    /// # Errors
    /// The first value that its setting does not take.
    pub fn resolve(
        layers: &[Layer],
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        let mut settings = Self::defaults(env)?;
        for layer in layers {
            for (name, value) in &layer.values {
                if let Some(setting) = declared::find(name) {
                    settings.put(setting, value.clone(), layer.source.clone())?;
                }
            }
        }
        Ok(settings)
    }

    fn defaults(env: impl Fn(&str) -> Option<String>) -> Result<Self, Failure> {
        let mut settings = Self(BTreeMap::new());
        for setting in declared::all() {
            let value = setting.default_value(&env);
            let variable = setting.variable().filter(|name| env(name).is_some());
            let source = variable.map_or(Source::Default, Source::Environment);
            // A default is stored as it stands: `None` is one that many kinds do not take.
            if value == Value::None {
                settings.0.insert(setting.name, Entry { value, source });
            } else {
                settings.put(setting, value, source)?;
            }
        }
        Ok(settings)
    }

    /// Sets one setting.
    ///
    /// # Errors
    /// The value is not one the setting takes.
    pub fn set(&mut self, name: &str, value: Value, source: Source) -> Result<(), Failure> {
        let setting = declared::find(name)
            .ok_or_else(|| Failure::operator(format!("there is no setting '{name}'")))?;
        self.put(setting, value, source)
    }

    fn put(
        &mut self,
        setting: &'static Setting,
        value: Value,
        source: Source,
    ) -> Result<(), Failure> {
        let refused = |what: &str, mend: &str| {
            Failure::operator(format!("setting '{}': {what}", setting.name))
                .from_origin(source.to_string())
                .exits_with(source.exit())
                .mend(mend)
        };
        let value = check::check(setting, value).map_err(|r| refused(&r.what, &r.mend))?;
        if let Reach::Refused(missing) = setting.reach
            && setting.asks(&value)
        {
            return Err(refused(&format!("{value} cannot be honoured"), missing));
        }
        self.0.insert(setting.name, Entry { value, source });
        Ok(())
    }

    /// One line for each setting that somebody relies on and that is not honoured yet.
    pub fn unhonoured(&self) -> impl Iterator<Item = String> {
        declared::all().filter_map(|setting| {
            let Reach::Later(instead) = setting.reach else {
                return None;
            };
            let Entry { value, source } = self.0.get(setting.name)?;
            let own = setting.variable();
            let is_given = !matches!(source, Source::Default)
                && !matches!(source, Source::Environment(name) if Some(*name) == own);
            let is_declined = setting.section == Section::Control
                && self.value("control_socket_disable") == &Value::Bool(true);
            (is_given && !is_declined && setting.asks(value)).then(|| {
                let name = setting.name;
                format!("setting '{name}' (from {source}) is not honoured yet: {instead}")
            })
        })
    }

    /// The value of a setting, which must be declared.
    #[must_use]
    pub fn value(&self, name: &str) -> &Value {
        self.0.get(name).map_or(&Value::None, |entry| &entry.value)
    }

    /// Where a setting's value came from.
    #[must_use]
    pub fn source(&self, name: &str) -> &Source {
        self.0
            .get(name)
            .map_or(&Source::Default, |entry| &entry.source)
    }

    /// All settings, by name.
    pub fn entries(&self) -> impl Iterator<Item = (&'static str, &Entry)> {
        self.0.iter().map(|(name, entry)| (*name, entry))
    }

    /// A failure about a setting's value, with its source.
    #[must_use]
    pub fn complain(&self, name: &str, what: impl fmt::Display) -> Failure {
        Failure::operator(format!("setting '{name}': {what}"))
            .from_origin(self.source(name).to_string())
            .exits_with(self.source(name).exit())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(source: Source, values: &[(&str, Value)]) -> Layer {
        let values = values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        Layer { source, values }
    }

    fn file(values: &[(&str, Value)]) -> Layer {
        layer(Source::File("conf.py".into()), values)
    }

    fn resolve(layers: &[Layer]) -> Result<Settings, Failure> {
        Settings::resolve(layers, |_| None)
    }

    #[test]
    fn the_highest_layer_wins_and_lists_are_replaced() {
        let settings = resolve(&[
            file(&[
                ("workers", 3.into()),
                ("bind", "a:1".into()),
                ("timeout", 9.into()),
            ]),
            layer(
                Source::Environment("TRICORN_CMD_ARGS"),
                &[("workers", 4.into())],
            ),
            layer(
                Source::CommandLine,
                &[("bind", Value::List(vec!["b:2".into()]))],
            ),
        ])
        .unwrap();
        assert_eq!(settings.value("workers"), &Value::Int(4));
        assert_eq!(settings.value("bind").to_string(), "['b:2']");
        assert_eq!(settings.source("timeout"), &Source::File("conf.py".into()));
        assert_eq!(settings.source("threads"), &Source::Default);
    }

    #[test]
    fn a_refusal_names_the_setting_the_value_the_source_and_the_mend() {
        let failure = resolve(&[file(&[("workers", "many".into())])]).unwrap_err();
        assert_eq!(
            failure.to_string(),
            "setting 'workers': 'many' is not a whole number (from conf.py); give a number such as 4"
        );
    }

    #[test]
    fn variables_give_defaults_and_are_checked_too() {
        let env = |name: &str| (name == "WEB_CONCURRENCY").then(|| "7".to_owned());
        let settings = Settings::resolve(&[], env).unwrap();
        assert_eq!(settings.value("workers"), &Value::Int(7));
        assert_eq!(
            settings.source("workers").to_string(),
            "environment variable WEB_CONCURRENCY"
        );
        let bad = |name: &str| (name == "WEB_CONCURRENCY").then(|| "x".to_owned());
        let failure = Settings::resolve(&[], bad).unwrap_err().to_string();
        assert!(failure.contains("WEB_CONCURRENCY"), "{failure}");
    }

    #[test]
    fn what_cannot_be_honoured_is_refused() {
        let failure = resolve(&[file(&[("certfile", "a.pem".into())])])
            .unwrap_err()
            .to_string();
        assert!(
            failure.contains("'a.pem' cannot be honoured") && failure.contains("TLS"),
            "{failure}"
        );
        assert!(resolve(&[file(&[("certfile", Value::None)])]).is_ok());
    }

    #[test]
    fn unknown_names_are_passed_over() {
        assert!(resolve(&[file(&[("no_such_setting", 1.into())])]).is_ok());
    }
}
