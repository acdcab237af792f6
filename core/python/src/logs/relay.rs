//! The server's messages on their way to a logger in Python.
//!
//! Messages come up wherever the server is, with locks held that Python code may need. So they wait
//! until the server is at a place where it may call Python, a turn of its loop later at most.

use std::cell::Cell;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use log::{Level, Record};
use pyo3::prelude::*;
use tricorn_server::log::{self as logs, CRITICAL, EXCEPTION, Relay};

use crate::failure::trace;

/// A logger, and what waits for it.
pub(crate) struct LoggerRelay {
    logger: Py<PyAny>,
    waiting: Mutex<Vec<(&'static str, String)>>,
}

impl fmt::Debug for LoggerRelay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoggerRelay").finish_non_exhaustive()
    }
}

impl LoggerRelay {
    pub(crate) fn new(logger: Py<PyAny>) -> Self {
        Self {
            logger,
            waiting: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(&'static str, String)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls a method of the logger. What that raises, and what it was to log, the native log tells.
    fn call(&self, method: &str, message: Option<&str>) {
        Python::attach(|py| {
            let logger = self.logger.bind(py);
            let called = match message {
                Some(message) => logger.call_method1(method, (message,)),
                None => logger.call_method0(method),
            };
            if let Err(error) = called {
                let about = message.unwrap_or_default();
                let trace = trace(py, &error);
                logs::write_natively(&format!("the logger's {method}() failed\n{trace}"));
                if !about.is_empty() {
                    logs::write_natively(&format!("it was to log: {about}"));
                }
            }
        });
    }
}

thread_local! {
    /// This thread is inside the logger.
    static DELIVERING: Cell<bool> = const { Cell::new(false) };
}

/// The logger's method for a message.
fn method(record: &Record<'_>) -> &'static str {
    match (record.level(), record.target()) {
        (_, CRITICAL) => "critical",
        (Level::Error, EXCEPTION) | (Level::Error, _) => "error",
        (Level::Warn, _) => "warning",
        (Level::Info, _) => "info",
        _ => "debug",
    }
}

impl Relay for LoggerRelay {
    fn log(&self, record: &Record<'_>) {
        let (method, message) = (method(record), record.args().to_string());
        if DELIVERING.get() {
            // The logger's own words: given back to it they would never end.
            return logs::write_natively(&message);
        }
        self.lock().push((method, message));
    }

    fn deliver(&self) {
        loop {
            let waiting = std::mem::take(&mut *self.lock());
            if waiting.is_empty() {
                return;
            }
            for (method, message) in waiting {
                let before = DELIVERING.replace(true);
                self.call(method, Some(&message));
                DELIVERING.set(before);
            }
        }
    }

    fn after_fork(&self) {
        // The parent delivers what was its own.
        self.lock().clear();
    }

    fn reopen(&self) {
        self.call("reopen_files", None);
    }
}
