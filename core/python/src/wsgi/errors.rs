//! `wsgi.errors`: what an application writes there becomes lines of the error log.

use std::cell::RefCell;

use pyo3::prelude::*;

use crate::logs::{deliver, pass};

/// The stream. It is shared by all requests of a worker; what each thread has begun is its own.
#[pyclass(frozen, module = "tricorn._native")]
pub(crate) struct ErrorStream {}

thread_local! {
    /// A line of this thread's that is not complete yet.
    static BEGUN: RefCell<String> = const { RefCell::new(String::new()) };
}

/// A line that never ends is cut here.
const LONGEST: usize = 64 * 1024;

impl ErrorStream {
    pub(super) fn new() -> Self {
        Self {}
    }
}

/// The complete lines of what was begun and `text`; the rest is begun.
fn take_lines(text: &str) -> String {
    BEGUN.with_borrow_mut(|begun| {
        begun.push_str(text);
        let end = if begun.len() > LONGEST {
            begun.len()
        } else {
            begun.rfind('\n').map_or(0, |last| last + 1)
        };
        let rest = begun.split_off(end);
        std::mem::replace(begun, rest)
    })
}

fn log_lines(text: &str) -> PyResult<()> {
    let lines = text.lines().map(|line| line.trim_end_matches('\r'));
    for line in lines.filter(|line| !line.is_empty()) {
        // It is no message of a logger's: filters and handlers are not asked.
        pass(|| log::error!("{line}"));
    }
    // The request may go on for long, and its lines are not to wait for its end.
    deliver()
}

/// Logs what this thread's request has begun: the next one begins anew.
pub(super) fn flush_errors() -> PyResult<()> {
    let begun = BEGUN.with_borrow_mut(std::mem::take);
    if begun.is_empty() {
        return Ok(());
    }
    log_lines(&begun)
}

#[pymethods]
impl ErrorStream {
    /// Writes text; each line is logged when it is complete.
    #[pyo3(signature = (text, /))]
    #[allow(clippy::unused_self)]
    fn write(&self, text: &str) -> PyResult<usize> {
        log_lines(&take_lines(text))?;
        Ok(text.chars().count())
    }

    /// Writes several texts.
    #[pyo3(signature = (lines, /))]
    fn writelines(&self, lines: &Bound<'_, PyAny>) -> PyResult<()> {
        for line in lines.try_iter()? {
            self.write(line?.extract()?)?;
        }
        Ok(())
    }

    /// Logs a line that is not complete.
    #[allow(clippy::unused_self)]
    fn flush(&self) -> PyResult<()> {
        flush_errors()
    }
}
