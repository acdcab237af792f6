//! How records become lines.

use std::io::Write;
use std::sync::Arc;

use log::{Level, Record};
use log4rs::append::Append;

use super::CRITICAL;
use super::sink::Sink;
use super::timestamp::error_time;

/// Writes each record of the error log at once, in gunicorn's form.
#[derive(Debug)]
pub(super) struct ErrorAppender {
    sink: Arc<Sink>,
}

impl ErrorAppender {
    pub(super) fn new(sink: Arc<Sink>) -> Self {
        Self { sink }
    }
}

impl Append for ErrorAppender {
    fn append(&self, record: &Record<'_>) -> anyhow::Result<()> {
        let level = match record.level() {
            _ if record.target() == CRITICAL => "CRITICAL",
            Level::Error => "ERROR",
            Level::Warn => "WARNING",
            Level::Info => "INFO",
            Level::Debug => "DEBUG",
            Level::Trace => "TRACE",
        };
        let mut line = Vec::with_capacity(128);
        writeln!(
            line,
            "[{}] [{}] [{level}] {}",
            error_time(),
            std::process::id(),
            record.args()
        )?;
        self.sink.write(&line);
        Ok(())
    }

    fn flush(&self) {}
}

/// Collects access lines until the end of the turn.
#[derive(Debug)]
pub(super) struct AccessAppender {
    sink: Arc<Sink>,
}

impl AccessAppender {
    pub(super) fn new(sink: Arc<Sink>) -> Self {
        Self { sink }
    }
}

impl Append for AccessAppender {
    fn append(&self, record: &Record<'_>) -> anyhow::Result<()> {
        self.sink.add(|lines| {
            // Writing to memory cannot fail.
            let _ = writeln!(lines, "{}", record.args());
        });
        Ok(())
    }

    fn flush(&self) {
        self.sink.flush();
    }
}
