//! The configuration, from where it stands to a generation: the Python side of it.

mod callables;
mod catalogue;
mod handlers;
mod overrides;
mod program;
mod report;
mod source;
mod value;
mod variables;
mod view;
mod worker_class;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyList;
use tricorn_server::config::{Address, Settings, Source};

pub(crate) use catalogue::{
    judge_settings, known_events, known_settings, nearly_a_setting, read_arguments,
    text_without_secrets, without_secrets,
};
pub(crate) use program::{Reading, Wanted, default_settings, explain, read_for_program};
pub(crate) use report::Page;
pub(crate) use source::Loaded;
pub(crate) use value::to_python;

/// Checks a value against its setting, and gives it in its one form.
#[pyfunction]
#[pyo3(signature = (name, value, /))]
pub(crate) fn check_setting<'py>(
    name: &str,
    value: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = value.py();
    let wrong = |failure: tricorn_server::error::Failure| program::wrong_value(py, &failure);
    let mut settings = Settings::resolve(&[], |_| None).map_err(wrong)?;
    settings
        .set(name, value::setting_value(name, value), Source::Program)
        .map_err(wrong)?;
    to_python(py, settings.value(name))
}

/// The addresses of `bind` as gunicorn shows them: (host, port), a path, or a descriptor.
#[pyfunction]
#[pyo3(signature = (bind, /))]
pub(crate) fn parse_addresses(py: Python<'_>, bind: Vec<String>) -> PyResult<Bound<'_, PyList>> {
    let shown = PyList::empty(py);
    for text in bind {
        match Address::parse(&text).map_err(|error| PyValueError::new_err(error.to_string()))? {
            Address::Tcp { host, port } => shown.append((host, port))?,
            Address::Unix(name) => shown.append(name.for_python())?,
            Address::Fd(fd) => shown.append(fd)?,
        }
    }
    Ok(shown)
}
