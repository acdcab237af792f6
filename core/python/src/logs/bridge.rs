//! What Python code logs goes where the server's own messages go.

use log::Level;
use std::os::fd::{IntoRawFd, RawFd};
use std::path::PathBuf;

use nix::errno::Errno;
use nix::libc;
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use tricorn_server::log::statsd::Kind;
use tricorn_server::log::{ACCESS, AS_IT_IS, CRITICAL, EXCEPTION};
use tricorn_server::safe_path::{Appended, append};

use super::relay::{self, pass};

/// Python's numbers: 10 debug, 20 info, 30 warning, 40 error, 50 critical.
fn level(number: i32) -> Level {
    match number {
        ..=9 => Level::Trace,
        10..=19 => Level::Debug,
        20..=29 => Level::Info,
        30..=39 => Level::Warn,
        _ => Level::Error,
    }
}

/// Logs a message at a level of the standard library's; `is_exception` if it has a traceback. No
/// handler or filter of Python's is asked: it comes from there.
#[pyfunction]
#[pyo3(name = "log", signature = (number, message, is_exception = false, /))]
pub(crate) fn write_log(number: i32, message: &str, is_exception: bool) {
    pass(|| {
        if number >= 50 {
            log::error!(target: CRITICAL, "{message}");
        } else if is_exception && number >= 40 {
            log::error!(target: EXCEPTION, "{message}");
        } else {
            log::log!(level(number), "{message}");
        }
    });
}

/// Adds a line to the error log as it is.
#[pyfunction]
#[pyo3(signature = (number, line, /))]
pub(crate) fn log_line(number: i32, line: &str) {
    pass(|| log::log!(target: AS_IT_IS, level(number), "{line}"));
}

/// Says which of the two loggers of the server's own anybody hears in Python.
#[pyfunction]
#[pyo3(signature = (errors, access, /))]
pub(crate) fn hear(errors: bool, access: bool) {
    relay::hear(errors);
    tricorn_server::access::hear(access);
}

/// Adds a line to the access log.
#[pyfunction]
#[pyo3(signature = (line, /))]
pub(crate) fn log_access(line: &str) {
    if tricorn_server::log::is_relayed() {
        // A line by itself is no request, which a logger would be told of in another way.
        return log::info!(target: "gunicorn.access", "{line}");
    }
    log::info!(target: ACCESS, "{line}");
    tricorn_server::log::flush();
}

/// Sends a metric to the statsd, if there is one; one of an unknown kind is passed over.
#[pyfunction]
#[pyo3(signature = (name, value, kind, /))]
pub(crate) fn metric(name: &str, value: &str, kind: &str) {
    if let (Some(statsd), Some(kind)) = (tricorn_server::log::metrics(), Kind::find(kind)) {
        statsd.add(kind, name, &value);
        statsd.flush();
    }
}

/// Opens the log files again.
#[pyfunction]
pub(crate) fn log_reopen() {
    tricorn_server::log::reopen();
}

/// Opens a file for lines to be added to it, as the server's own logs are opened: its descriptor, and
/// whether it may be given to the workers' user. Raises OSError.
#[pyfunction]
#[pyo3(signature = (path, /))]
pub(crate) fn open_log_file(path: PathBuf) -> PyResult<(RawFd, bool)> {
    let Appended { file, may_be_given } = append(&path).map_err(|error| {
        let (number, what) = match error.raw_os_error() {
            Some(number) => (number, Errno::from_raw(number).desc().to_owned()),
            None => (libc::EACCES, error.to_string()),
        };
        PyOSError::new_err((number, what, path.display().to_string()))
    })?;
    Ok((file.into_raw_fd(), may_be_given))
}
