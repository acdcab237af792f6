//! The server's messages on their way to a logger in Python.
//!
//! Messages come up wherever the server is, with locks held that Python code may need. So they wait
//! until the server is at a place where it may call Python, a turn of its loop later at most.

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use log::{Level, Record};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use tricorn_server::log::{self as logs, CRITICAL, Raised, Relay, Thrown};

use super::raised::while_handling;
use crate::failure::{exit_code, trace};
use crate::signals::is_leaving;

/// A logger, and what waits for it.
pub(crate) struct LoggerRelay {
    logger: Py<PyAny>,
    waiting: Mutex<Vec<Entry>>,
    in_worker: AtomicBool,
    /// The logger is the server's own: it gives back what its handlers and filters let pass.
    gives_back: bool,
}

/// What the logger is to be told.
struct Entry {
    /// By this method of its.
    method: &'static str,
    message: String,
    /// While this exception is handled.
    thrown: Option<Thrown>,
}

impl fmt::Debug for LoggerRelay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoggerRelay").finish_non_exhaustive()
    }
}

impl LoggerRelay {
    /// The way to a logger of the operator's, or by the server's own one back to the native log.
    pub(crate) fn new(logger: Py<PyAny>, gives_back: bool) -> Self {
        Self {
            logger,
            waiting: Mutex::default(),
            in_worker: AtomicBool::new(false),
            gives_back,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hand_on(&self, entry: &Entry) {
        let (method, message) = (entry.method, &entry.message);
        Python::attach(|py| {
            let logger = self.logger.bind(py);
            let raised = entry.thrown.as_ref().and_then(exception);
            let told = match raised {
                Some(raised) => while_handling(py, raised, || tell_raised(logger, entry)),
                None => logger.call_method1(method, (message,)).map(drop),
            };
            if let Err(error) = told {
                if leaves(py, &error) {
                    // A signal's, which has come while the logger wrote: it is not for the logger.
                    INTERRUPTED.set(Some(error));
                    return logs::write_natively(message);
                }
                complain(py, method, &error);
                let trace = raised.map_or_else(String::new, |it| format!("\n{}", trace(py, it)));
                logs::write_natively(&format!("it was to log: {message}{trace}"));
            }
        });
    }
}

/// Tells of an exception that is being handled, as gunicorn does: `exception` in a worker.
fn tell_raised(logger: &Bound<'_, PyAny>, entry: &Entry) -> PyResult<()> {
    let (method, py) = (entry.method, logger.py());
    if method == "exception" {
        return logger.call_method1(method, (&entry.message,)).map(drop);
    }
    let options = PyDict::new(py);
    options.set_item(intern!(py, "exc_info"), true)?;
    let told = logger.call_method(method, (&entry.message,), Some(&options));
    told.map(drop)
}

fn exception(thrown: &Thrown) -> Option<&PyErr> {
    thrown.0.downcast_ref()
}

/// Whether an exception is that by which a signal has this process leave.
pub(super) fn leaves(py: Python<'_>, error: &PyErr) -> bool {
    exit_code(py, error).is_some() && is_leaving()
}

/// What the logger raises itself, the native log tells.
fn complain(py: Python<'_>, method: &str, error: &PyErr) {
    let trace = trace(py, error);
    logs::write_natively(&format!("the logger's {method}() failed\n{trace}"));
}

thread_local! {
    /// This thread is inside the logger.
    static DELIVERING: Cell<bool> = const { Cell::new(false) };

    /// A signal's exception that this thread was to leave by, while it was inside the logger.
    static INTERRUPTED: Cell<Option<PyErr>> = const { Cell::new(None) };

    /// What this thread logs has been through the logger, or is not its affair.
    static PASSES: Cell<bool> = const { Cell::new(false) };
}

/// Lets an operator's own logger have what waits for it, from inside code that can be left by an
/// exception.
pub(crate) fn deliver() -> PyResult<()> {
    INTERRUPTED.set(None);
    logs::deliver();
    INTERRUPTED.take().map_or(Ok(()), Err)
}

/// Somebody hears the server's own logger, in Python.
static HEARD: AtomicBool = AtomicBool::new(false);

/// Lets the server's own logger have the messages before they are written, or no longer.
pub(super) fn hear(is_heard: bool) {
    HEARD.store(is_heard, Ordering::Relaxed);
}

/// Logs what does not go through the server's own logger, or has done so.
pub(crate) fn pass(log: impl FnOnce()) {
    let before = PASSES.replace(true);
    log();
    PASSES.set(before);
}

/// The logger's method for a message.
fn method(record: &Record<'_>) -> &'static str {
    match (record.level(), record.target()) {
        (_, CRITICAL) => "critical",
        (Level::Error, _) => "error",
        (Level::Warn, _) => "warning",
        (Level::Info, _) => "info",
        _ => "debug",
    }
}

impl Relay for LoggerRelay {
    fn log(&self, record: &Record<'_>) -> bool {
        if self.gives_back && (PASSES.get() || DELIVERING.get() || !HEARD.load(Ordering::Relaxed)) {
            return false;
        }
        let (method, message) = (method(record), record.args().to_string());
        if DELIVERING.get() {
            // The logger's own words: given back to it they would never end.
            logs::write_natively(&message);
            return true;
        }
        self.lock().push(Entry {
            method,
            message,
            thrown: None,
        });
        true
    }

    fn gives_back(&self) -> bool {
        self.gives_back
    }

    fn take(&self, raised: &Raised<'_>) -> bool {
        if DELIVERING.get() || (self.gives_back && !HEARD.load(Ordering::Relaxed)) {
            return false;
        }
        let in_worker = self.in_worker.load(Ordering::Relaxed);
        let entry = Entry {
            method: if in_worker { "exception" } else { "error" },
            message: raised.message.to_owned(),
            thrown: Some(raised.thrown.clone()),
        };
        self.lock().push(entry);
        true
    }

    fn deliver(&self) {
        loop {
            let waiting = std::mem::take(&mut *self.lock());
            if waiting.is_empty() {
                return;
            }
            for entry in waiting {
                let before = DELIVERING.replace(true);
                self.hand_on(&entry);
                DELIVERING.set(before);
            }
        }
    }

    fn after_fork(&self) {
        self.in_worker.store(true, Ordering::Relaxed);
        // The parent delivers what was its own. What it has caught goes when the lock is free.
        let inherited = std::mem::take(&mut *self.lock());
        drop(inherited);
    }

    fn reopen(&self) {
        Python::attach(|py| {
            // The native log has seen to its own files.
            let method = if self.gives_back {
                "_reopen_handlers"
            } else {
                "reopen_files"
            };
            if let Err(error) = self.logger.bind(py).call_method0(method) {
                complain(py, method, &error);
            }
        });
    }
}
