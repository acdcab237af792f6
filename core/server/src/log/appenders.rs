//! How records become lines.

use std::io::Write;
use std::sync::Arc;

use log::{Level, Record};
use log4rs::append::Append;

use super::relay::Relay;
use super::sink::Sink;
use super::statsd::{Kind, Statsd};
use super::syslog::{INFO, Syslog};
use super::timestamp::error_time;
use super::{AS_IT_IS, CRITICAL, EXCEPTION};

/// A level's name in a line, and its severity in a syslog.
fn grade(record: &Record<'_>) -> (&'static str, u8) {
    match record.level() {
        _ if record.target() == CRITICAL => ("CRITICAL", 2),
        Level::Error => ("ERROR", 3),
        Level::Warn => ("WARNING", 4),
        Level::Info => ("INFO", 6),
        Level::Debug => ("DEBUG", 7),
        Level::Trace => ("TRACE", 7),
    }
}

/// Writes each record of the error log at once, in gunicorn's form.
#[derive(Debug)]
pub(super) struct ErrorAppender {
    pub(super) sink: Arc<Sink>,
}

impl Append for ErrorAppender {
    fn append(&self, record: &Record<'_>) -> anyhow::Result<()> {
        let (level, _) = grade(record);
        let (time, pid) = (error_time(), std::process::id());
        let mut lines = Vec::with_capacity(128);
        let lost = self.sink.lost.take();
        if lost > 0 {
            writeln!(
                lines,
                "[{time}] [{pid}] [WARNING] {lost} lines of this log were lost: they could not be written"
            )?;
        }
        if record.target() == AS_IT_IS {
            writeln!(lines, "{}", record.args())?;
        } else {
            writeln!(lines, "[{time}] [{pid}] [{level}] {}", record.args())?;
        }
        self.sink.write(&lines);
        Ok(())
    }

    fn flush(&self) {}
}

/// Collects access lines until the end of the turn.
#[derive(Debug)]
pub(super) struct AccessAppender {
    pub(super) sink: Arc<Sink>,
}

impl Append for AccessAppender {
    fn append(&self, record: &Record<'_>) -> anyhow::Result<()> {
        self.sink.add(|lines| {
            use std::fmt::Write;
            // Writing to memory cannot fail.
            let _ = writeln!(lines, "{}", record.args());
        });
        Ok(())
    }

    fn flush(&self) {
        self.sink.flush();
    }
}

/// Sends records to a syslog.
#[derive(Debug)]
pub(super) struct SyslogAppender {
    pub(super) syslog: Arc<Syslog>,
    pub(super) log: &'static str,
}

impl Append for SyslogAppender {
    fn append(&self, record: &Record<'_>) -> anyhow::Result<()> {
        let severity = if self.log == "access" {
            INFO
        } else {
            grade(record).1
        };
        self.syslog
            .send(severity, self.log, &record.args().to_string());
        Ok(())
    }

    fn flush(&self) {}
}

/// Counts records for a statsd.
#[derive(Debug)]
pub(super) struct StatsdAppender {
    pub(super) statsd: Arc<Statsd>,
}

impl Append for StatsdAppender {
    fn append(&self, record: &Record<'_>) -> anyhow::Result<()> {
        let name = match (record.level(), record.target()) {
            (_, CRITICAL) => "gunicorn.log.critical",
            (_, EXCEPTION) => "gunicorn.log.exception",
            (Level::Error, _) => "gunicorn.log.error",
            (Level::Warn, _) => "gunicorn.log.warning",
            _ => return Ok(()),
        };
        self.statsd.add(Kind::Counter, name, &1);
        self.statsd.flush();
        Ok(())
    }

    fn flush(&self) {}
}

/// Gives records to the operator's own logger, and writes what that does not take.
#[derive(Debug)]
pub(super) struct RelayAppender {
    pub(super) relay: Arc<dyn Relay>,
    pub(super) native: Vec<Box<dyn Append>>,
}

impl Append for RelayAppender {
    fn append(&self, record: &Record<'_>) -> anyhow::Result<()> {
        if self.relay.log(record) {
            return Ok(());
        }
        self.native
            .iter()
            .try_for_each(|appender| appender.append(record))
    }

    fn flush(&self) {}
}
