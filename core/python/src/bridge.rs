//! What Python code logs goes where the server's own messages go.

use log::{Level, LevelFilter};
use pyo3::prelude::*;
use tricorn_server::log::CRITICAL;

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

/// Logs a message at a level of the standard library's.
#[pyfunction]
#[pyo3(name = "log", signature = (number, message, /))]
pub(crate) fn write_log(number: i32, message: &str) {
    if number >= 50 {
        log::error!(target: CRITICAL, "{message}");
    } else {
        log::log!(level(number), "{message}");
    }
}

/// Whether a message at this level would be logged.
#[pyfunction]
#[pyo3(signature = (number, /))]
pub(crate) fn log_enabled(number: i32) -> bool {
    let most: LevelFilter = log::max_level();
    level(number) <= most && log::log_enabled!(level(number))
}

/// Opens the log files again.
#[pyfunction]
pub(crate) fn log_reopen() {
    tricorn_server::log::reopen();
}
