//! Both logs as JSON lines: one object for each message and one for each request.
//!
//! It is also how a plugin takes over the logs, from end to end. As the logger
//! (`logger_class = "plugin:tricorn.json-log"`) it has the files and writes them itself; as a
//! formatter (`access_log_formatter = "plugin:tricorn.json-log"`) it only makes the lines, and
//! the server writes them.
//!
//! * `format` chooses what an access line holds.
//! * `line` writes JSON.
//! * `file` is a file that lines are appended to, and that can be opened again.

mod file;
mod format;
mod line;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use tricorn_hooks::prelude::*;

use file::LogFile;
use format::Fields;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    /// The file of messages; standard error if there is none.
    errors: Option<PathBuf>,
    /// The file of requests; standard output if there is none.
    access: Option<PathBuf>,
    /// Whether requests are logged.
    log_access: bool,
    /// What every line holds, such as the name of the service.
    fields: BTreeMap<String, Value>,
    /// Headers of the request that an access line holds, under their names in small letters.
    headers: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            errors: None,
            access: None,
            log_access: true,
            fields: BTreeMap::new(),
            headers: Vec::new(),
        }
    }
}

/// The plugin itself has no handlers: all it does it offers as a logger and as a format.
struct JsonLog;

impl Plugin for JsonLog {
    type Options = Options;

    fn check(options: &Options) -> Result<()> {
        let clash = options.fields.keys().find(|name| {
            format::NAMES.contains(&name.as_str()) || line::MESSAGE.contains(&name.as_str())
        });
        match clash {
            Some(name) => Err(Error::new(format!(
                "fields: '{name}' is a field of its own"
            ))),
            None => Ok(()),
        }
    }

    fn new(_: &Options, _: &Worker) -> Result<Self> {
        Ok(Self)
    }
}

/// The logger. Each process opens its own, so no lock and no half-written buffer crosses a fork.
struct Logs {
    errors: LogFile,
    access: Option<LogFile>,
    /// Lines of this turn of the worker's loop: they leave together.
    waiting: Mutex<Vec<u8>>,
    fields: Fields,
}

impl Logger for Logs {
    type Plugin = JsonLog;

    fn open(options: &Options) -> Result<Self> {
        let access = options
            .log_access
            .then(|| LogFile::open(options.access.as_deref(), 1));
        Ok(Self {
            errors: LogFile::open(options.errors.as_deref(), 2)?,
            access: access.transpose()?,
            waiting: Mutex::default(),
            fields: Fields::all(&options.headers, &options.fields),
        })
    }

    fn log(&self, record: &LogRecord<'_>) {
        let mut line = Vec::with_capacity(200);
        line::message(record, self.fields.constant(), &mut line);
        line.push(b'\n');
        self.errors.write(&line);
    }

    fn access(&self, _: &str, record: &AccessRecord<'_>) {
        if self.access.is_some() {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            self.fields.write(record, &mut waiting);
            waiting.push(b'\n');
        }
    }

    fn reopen(&self) -> Result<()> {
        self.flush();
        self.errors.reopen()?;
        self.access.as_ref().map_or(Ok(()), LogFile::reopen)
    }

    fn flush(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(access) = &self.access
            && !waiting.is_empty()
        {
            access.write(&waiting);
            waiting.clear();
        }
    }
}

/// The format of access lines, for the server to write.
struct Lines(Fields);

impl AccessFormat for Lines {
    type Plugin = JsonLog;

    /// `access_log_format` is a list of fields, such as `time,client,path,status`; a format of
    /// gunicorn's, which the default is, stands for all of them.
    fn compile(options: &Options, spec: &str) -> Result<Self> {
        if spec.contains('%') || spec.trim().is_empty() {
            return Ok(Self(Fields::all(&options.headers, &options.fields)));
        }
        Fields::named(spec, &options.headers, &options.fields).map(Self)
    }

    fn write(&self, record: &AccessRecord<'_>, line: &mut Vec<u8>) -> Result<()> {
        self.0.write(record, line);
        Ok(())
    }
}

export_plugin!(
    JsonLog,
    id = "tricorn.json-log",
    description = "Both logs as JSON lines, or the access log's format"
);
offer!(logger => Logs);
offer!(access_format => Lines);

#[cfg(test)]
mod tests {
    use tricorn_hooks::testing::{FakeHost, FakeRecord};

    use super::*;

    fn lines(spec: &str) -> Result<Lines> {
        let options = Options {
            fields: BTreeMap::from([("service".to_owned(), "shop".into())]),
            ..Options::default()
        };
        Lines::compile(&options, spec)
    }

    fn made(spec: &str, record: &FakeRecord) -> Value {
        let format = lines(spec).unwrap();
        let mut line = Vec::new();
        record.show(|record| format.write(record, &mut line).unwrap());
        serde_json::from_slice(&line).unwrap()
    }

    #[test]
    fn a_format_of_gunicorns_stands_for_all_fields() {
        let line = made("%(h)s", &FakeRecord::default());
        assert_eq!(line.as_object().unwrap().len(), format::NAMES.len() + 1);
        assert_eq!(line["status"], 200);
        assert_eq!(line["time"], "2023-11-14T22:13:20.123Z");
        assert_eq!(
            (&line["service"], &line["duration_us"]),
            (&"shop".into(), &12_000.into())
        );
        assert_eq!(line["referer"], Value::Null);
    }

    #[test]
    fn fields_can_be_chosen_and_unknown_ones_are_named() {
        let line = made("status, path", &FakeRecord::default());
        assert_eq!(
            line.to_string(),
            r#"{"path":"/","service":"shop","status":200}"#
        );
        let refused = lines("status,colour").err().unwrap().to_string();
        assert!(
            refused.contains("'colour'") && refused.contains("user_agent"),
            "{refused}"
        );
    }

    #[test]
    fn whatever_a_client_sends_stays_inside_its_string() {
        let record = FakeRecord {
            target: "/\"\\\n\u{1b}\u{2028}".to_owned(),
            ..FakeRecord::default()
        };
        let mut line = Vec::new();
        let format = lines("path").unwrap();
        record.show(|record| format.write(record, &mut line).unwrap());
        assert!(!line.contains(&b'\n') && !line.contains(&0x1b));
        assert_eq!(made("path", &record)["path"], "/\"\\\n\u{1b}\u{2028}");
    }

    #[test]
    fn a_constant_field_must_not_hide_another() {
        let id = "tricorn.json-log";
        let load = |options: &str| FakeHost::load(tricorn_plugin_entry_v1, id, options);
        assert!(load(r#"{"fields": {"service": "shop"}, "headers": ["x-id"]}"#).is_ok());
        let refused = load(r#"{"fields": {"status": 1}}"#)
            .err()
            .unwrap()
            .to_string();
        assert!(
            refused.contains("'status' is a field of its own"),
            "{refused}"
        );
    }
}
