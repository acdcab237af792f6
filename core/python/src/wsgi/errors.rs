//! `wsgi.errors`: what an application writes there becomes lines of the error log.

use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;

/// The stream. It is shared by all requests of a worker.
#[pyclass(frozen, module = "tricorn._native")]
pub(crate) struct ErrorStream {
    /// A line that is not complete yet.
    begun: Mutex<String>,
}

/// A line that never ends is cut here.
const LONGEST: usize = 64 * 1024;

impl ErrorStream {
    pub(super) fn new() -> Self {
        Self {
            begun: Mutex::default(),
        }
    }

    fn take_lines(&self, text: &str) -> Vec<String> {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.push_str(text);
        let mut lines = Vec::new();
        while let Some(end) = begun.find('\n') {
            let rest = begun.split_off(end + 1);
            lines.push(std::mem::replace(&mut *begun, rest));
        }
        if begun.len() > LONGEST {
            lines.push(std::mem::take(&mut *begun));
        }
        lines
    }
}

fn write_lines(lines: &[String]) {
    for line in lines {
        let line = line.trim_end_matches(['\r', '\n']);
        if !line.is_empty() {
            log::error!("{line}");
        }
    }
}

#[pymethods]
impl ErrorStream {
    /// Writes text; each line is logged when it is complete.
    #[pyo3(signature = (text, /))]
    fn write(&self, text: &str) -> usize {
        write_lines(&self.take_lines(text));
        text.chars().count()
    }

    /// Writes several texts.
    #[pyo3(signature = (lines, /))]
    fn writelines(&self, lines: &Bound<'_, PyAny>) -> PyResult<()> {
        for line in lines.try_iter()? {
            self.write(line?.extract()?);
        }
        Ok(())
    }

    /// Logs a line that is not complete.
    fn flush(&self) {
        let begun = std::mem::take(&mut *self.begun.lock().unwrap_or_else(PoisonError::into_inner));
        write_lines(&[begun]);
    }
}
