//! Telling Python code of requests that have ended: a logger's `access`, or a formatter of lines.

use std::sync::atomic::{AtomicU64, Ordering};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use tricorn_server::access::{Format, is_heard};
use tricorn_server::config::{Config, Maker};
use tricorn_server::exchange::{Finished, Record};
use tricorn_server::log::{AccessLines, access_lines};

use super::log_exception;
use super::relay::leaves;

/// Who is told.
pub(crate) enum Told {
    /// A logger's `access(resp, req, environ, request_time)`.
    Logger {
        logger: Py<PyAny>,
        /// It is the server's own: it is told while anybody hears it in Python.
        is_own: bool,
    },
    /// A callable that makes a line of the atoms.
    Formatter {
        callable: Py<PyAny>,
        /// The server's own logger, which has the line while anybody hears it in Python.
        logger: Py<PyAny>,
        lines: AccessLines,
        /// What makes the line where the callable fails.
        fallback: Format,
        failures: AtomicU64,
    },
}

/// Who is told, as the configuration wants it.
pub(crate) fn told(
    py: Python<'_>,
    config: &Config,
    worker: &Bound<'_, PyAny>,
) -> PyResult<Option<Told>> {
    let logging = &config.logging;
    let is_own = logging.logger == Maker::Native && logging.formatter == Maker::Native;
    if logging.logger == Maker::Gateway || (is_own && logging.logs_access()) {
        let logger = worker.getattr(intern!(py, "log"))?.unbind();
        return Ok(Some(Told::Logger { logger, is_own }));
    }
    let Some(lines) = access_lines().filter(|_| logging.formatter == Maker::Gateway) else {
        return Ok(None);
    };
    let cfg = worker.getattr(intern!(py, "cfg"))?;
    let callable = py
        .import(intern!(py, "tricorn._logger"))?
        .call_method1(intern!(py, "formatter"), (cfg,))?;
    // Its own format may have atoms that only the callable knows.
    let fallback = Format::compile(&logging.access_format)
        .or_else(|_| Format::compile("combined"))
        .map_err(|invalid| pyo3::exceptions::PyValueError::new_err(invalid.to_string()))?;
    Ok(Some(Told::Formatter {
        callable: callable.unbind(),
        logger: worker.getattr(intern!(py, "log"))?.unbind(),
        lines,
        fallback,
        failures: AtomicU64::new(0),
    }))
}

/// What a request's end is told with.
pub(crate) struct Facts<'py> {
    pub(crate) resp: Bound<'py, PyAny>,
    pub(crate) req: Bound<'py, PyAny>,
    pub(crate) environ: Bound<'py, PyDict>,
    /// A `timedelta`.
    pub(crate) request_time: Bound<'py, PyAny>,
}

impl Told {
    /// Whether it is to be told of a request.
    pub(crate) fn hears(&self) -> bool {
        match self {
            Self::Logger { is_own, .. } => !is_own || is_heard(),
            Self::Formatter { .. } => true,
        }
    }

    /// Tells of a request.
    pub(crate) fn tell(&self, py: Python<'_>, finished: &Finished, facts: &Facts<'_>) {
        let Facts {
            resp,
            req,
            environ,
            request_time,
        } = facts;
        match self {
            Self::Logger { logger, .. } => {
                let arguments = (resp, req, environ, request_time);
                let called = logger
                    .bind(py)
                    .call_method1(intern!(py, "access"), arguments);
                // What a signal raises is not the logger's failure, and the worker leaves all the same.
                if let Err(error) = called
                    && !leaves(py, &error)
                {
                    log_exception(py, "The logger's access() failed", &error);
                }
            }
            Self::Formatter {
                callable,
                logger,
                lines,
                fallback,
                failures,
            } => {
                let arguments = (callable, resp, req, environ, request_time);
                let made = py
                    .import(intern!(py, "tricorn._access"))
                    .and_then(|module| module.call_method1(intern!(py, "formatted"), arguments))
                    .and_then(|line| line.extract::<String>());
                let line = made.unwrap_or_else(|error| {
                    complain(py, failures, &error);
                    let mut line = String::new();
                    fallback.render(&record(finished), &mut line);
                    line
                });
                if !is_heard() {
                    return lines.add(|place| place.push_str(&line));
                }
                let arguments = (line, resp, req, environ, request_time);
                let told = logger
                    .bind(py)
                    .call_method1(intern!(py, "_access"), arguments);
                if let Err(error) = told {
                    log_exception(py, "an access line cannot be logged", &error);
                }
            }
        }
    }
}

fn record(finished: &Finished) -> Record<'_> {
    Record {
        request: &finished.request,
        response: &finished.response,
        sent: finished.sent,
        duration: finished.duration,
        end: finished.end,
        environ: &[],
        attachment: None,
    }
}

/// Logs a failure: the first with its traceback, later ones by their number, ever more seldom.
fn complain(py: Python<'_>, failures: &AtomicU64, error: &PyErr) {
    let count = failures.fetch_add(1, Ordering::Relaxed) + 1;
    if count == 1 {
        let message = "access_log_formatter failed; such lines have the built-in format";
        log_exception(py, message, error);
    } else if count.is_power_of_two() && count >= 8 {
        log::error!("access_log_formatter has failed {count} times in this worker");
    }
}
