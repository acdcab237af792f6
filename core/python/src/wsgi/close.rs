//! Ending an iterable.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

use crate::logs::log_exception;

/// Calls the iterable's `close`, if it has one: always, and once (PEP 3333). An exception of it is
/// logged; the answer has been given by then.
pub(super) fn close(iterable: &Bound<'_, PyAny>) {
    if iterable.is_exact_instance_of::<PyList>() || iterable.is_exact_instance_of::<PyTuple>() {
        return;
    }
    let py = iterable.py();
    let closed = match iterable.getattr_opt(intern!(py, "close")) {
        Ok(Some(close)) => close.call0().map(drop),
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    if let Err(error) = closed {
        log_exception(py, "The application's close() failed", &error);
        tricorn_server::log::deliver();
    }
}
