//! A configuration of log4rs's own, from a file: which logger goes where, in which form.
//!
//! Its `file` and `console` appenders are ours here: log4rs's write a line in pieces and lock across
//! the fork. What cannot be safe with several processes is refused.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use log::{LevelFilter, Record};
use log4rs::append::Append;
use log4rs::config::{Config, Deserialize, Deserializers, RawConfig};
use log4rs::encode::pattern::PatternEncoder;
use log4rs::encode::writer::simple::SimpleWriter;
use log4rs::encode::{Encode, EncoderConfig};

use super::options::{Options, Owner, Target};
use super::sink::Sink;

/// A configuration, read and found good.
#[derive(Clone)]
pub struct Foreign {
    raw: Arc<RawConfig>,
    path: PathBuf,
}

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Foreign").field(&self.path).finish()
    }
}

impl PartialEq for Foreign {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.raw, &other.raw)
    }
}

impl Eq for Foreign {}

fn extension(path: &Path) -> &str {
    path.extension()
        .and_then(|end| end.to_str())
        .unwrap_or_default()
}

impl Foreign {
    /// Reads a file, and looks whether it can be used.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(path: &Path) -> Result<Self, String> {
        let wrong = |error: &dyn fmt::Display| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
        let raw: RawConfig = match extension(path) {
            "toml" => toml::from_str(&text).map_err(|error| wrong(&error.message()))?,
            "json" => serde_json::from_str(&text).map_err(|error| wrong(&error))?,
            _ => serde_yaml_ng::from_str(&text).map_err(|error| wrong(&error))?,
        };
        if raw.refresh_rate().is_some() {
            let why = "refresh_rate starts a thread, which no worker would have: send HUP instead";
            return Err(wrong(&why));
        }
        let foreign = Self {
            raw: Arc::new(raw),
            path: path.to_owned(),
        };
        foreign.check().map_err(|error| wrong(&error))?;
        Ok(foreign)
    }

    /// Builds it over nothing: what is wrong shows.
    fn check(&self) -> Result<(), String> {
        self.build(&Arc::default(), None).map(drop)
    }

    /// Builds the configuration for this process. The sinks it writes to are added to those there
    /// are; `owner` is whom new files are given to, and without one nothing is opened.
    pub(super) fn build(
        &self,
        sinks: &Arc<Sinks>,
        options: Option<&Options>,
    ) -> Result<Config, String> {
        let mut known = Deserializers::default();
        let owner = options.map(|options| options.owner);
        known.insert("file", Files(Arc::clone(sinks), owner));
        known.insert("console", Consoles(Arc::clone(sinks), owner));
        for kind in ["rolling_file", "rolling"] {
            known.insert(kind, Refused);
        }
        let (appenders, errors) = self.raw.appenders_lossy(&known);
        if !errors.is_empty() {
            return Err(plainly(&format!("{errors:?}")));
        }
        Config::builder()
            .appenders(appenders)
            .loggers(self.raw.loggers())
            .build(self.raw.root())
            .map_err(|errors| errors.to_string().replace('\n', "; "))
    }

    /// The file it was read from.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The least level that anything of it takes.
    pub(super) fn level(&self) -> LevelFilter {
        let loggers = self.raw.loggers();
        let levels = loggers.iter().map(log4rs::config::Logger::level);
        levels
            .chain([self.raw.root().level()])
            .max()
            .unwrap_or(LevelFilter::Off)
    }
}

/// The first of several errors in words: they can only be dumped, each with its backtrace.
fn plainly(dump: &str) -> String {
    let first = dump
        .split_once("Appender(\"")
        .map_or(dump, |(_, rest)| rest);
    let (appender, what) = first.split_once("\", ").unwrap_or(("?", first));
    let what = what.lines().next().unwrap_or_default();
    format!("appender {appender}: {}", what.trim_end_matches(")])"))
}

/// The files that a configuration writes to, each open once.
#[derive(Debug, Default)]
pub(super) struct Sinks(Mutex<HashMap<PathBuf, (Target, Arc<Sink>)>>);

impl Sinks {
    fn lock(&self) -> MutexGuard<'_, HashMap<PathBuf, (Target, Arc<Sink>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, target: Target, owner: Option<Owner>) -> std::io::Result<Arc<Sink>> {
        let mut sinks = self.lock();
        if let Some((_, sink)) = sinks.get(&target.path()) {
            return Ok(Arc::clone(sink));
        }
        let sink = Arc::new(Sink::open(&target, owner)?);
        sinks.insert(target.path(), (target, Arc::clone(&sink)));
        Ok(sink)
    }

    /// The same files with locks of their own, for a child.
    pub(super) fn inherit(&self) -> Self {
        let sinks = self.lock();
        let inherited = sinks.iter().filter_map(|(path, (target, sink))| {
            let sink = sink.inherit().ok()?;
            Some((path.clone(), (target.clone(), Arc::new(sink))))
        });
        Self(Mutex::new(inherited.collect()))
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<(Target, Arc<Sink>)> {
        self.lock().values().cloned().collect()
    }
}

/// Writes each record in one piece.
#[derive(Debug)]
struct Encoded {
    encoder: Box<dyn Encode>,
    /// `None` while a configuration is only looked at.
    sink: Option<Arc<Sink>>,
}

impl Append for Encoded {
    fn append(&self, record: &Record<'_>) -> anyhow::Result<()> {
        let mut line = SimpleWriter(Vec::with_capacity(128));
        self.encoder.encode(&mut line, record)?;
        if let Some(sink) = &self.sink {
            sink.write(&line.0);
        }
        Ok(())
    }

    fn flush(&self) {}
}

fn encoded(
    target: Target,
    encoder: Option<EncoderConfig>,
    known: &Deserializers,
    (sinks, owner): (&Sinks, Option<Option<Owner>>),
) -> anyhow::Result<Box<dyn Append>> {
    let encoder: Box<dyn Encode> = match encoder {
        Some(given) => known.deserialize(&given.kind, given.config)?,
        None => Box::new(PatternEncoder::default()),
    };
    let sink = match owner {
        Some(owner) => {
            let path = target.path();
            let opened = sinks.get(target, owner);
            Some(opened.map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?)
        }
        None => None,
    };
    Ok(Box::new(Encoded { encoder, sink }))
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct FileConfig {
    path: PathBuf,
    encoder: Option<EncoderConfig>,
    append: Option<bool>,
}

struct Files(Arc<Sinks>, Option<Option<Owner>>);

impl Deserialize for Files {
    type Trait = dyn Append;
    type Config = FileConfig;

    fn deserialize(
        &self,
        config: FileConfig,
        known: &Deserializers,
    ) -> anyhow::Result<Box<dyn Append>> {
        if config.append == Some(false) {
            anyhow::bail!("append: false would have each process empty the file of the others");
        }
        let path = std::path::absolute(config.path)?;
        let place = (&*self.0, self.1);
        encoded(Target::File(path), config.encoder, known, place)
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct ConsoleConfig {
    target: Option<Stream>,
    encoder: Option<EncoderConfig>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Stream {
    Stdout,
    Stderr,
}

struct Consoles(Arc<Sinks>, Option<Option<Owner>>);

impl Deserialize for Consoles {
    type Trait = dyn Append;
    type Config = ConsoleConfig;

    fn deserialize(
        &self,
        config: ConsoleConfig,
        known: &Deserializers,
    ) -> anyhow::Result<Box<dyn Append>> {
        let target = match config.target {
            Some(Stream::Stderr) => Target::Stderr,
            Some(Stream::Stdout) | None => Target::Stdout,
        };
        encoded(target, config.encoder, known, (&self.0, self.1))
    }
}

/// An appender that cannot be had by several processes.
struct Refused;

impl Deserialize for Refused {
    type Trait = dyn Append;
    type Config = serde::de::IgnoredAny;

    fn deserialize(
        &self,
        _: serde::de::IgnoredAny,
        _: &Deserializers,
    ) -> anyhow::Result<Box<dyn Append>> {
        anyhow::bail!(
            "every worker would roll the file on its own count, and lose what the others write: roll it with logrotate, which sends USR1"
        )
    }
}
