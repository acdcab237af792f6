//! Threads that can run Python: real ones of the interpreter's, with a name and thread-locals.

use std::sync::Mutex;
use std::time::Instant;

use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use tricorn_server::error::{Blame, Failure};
use tricorn_server::gateway::Joins;

use crate::failure::summary;

/// A body, for the interpreter to call in its new thread.
#[pyclass(frozen)]
struct Body(Mutex<Option<Box<dyn FnOnce() + Send>>>);

#[pymethods]
impl Body {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        let body = self.0.lock().ok().and_then(|mut body| body.take());
        let body = body.ok_or_else(|| PyRuntimeError::new_err("this thread has run already"))?;
        py.detach(body);
        Ok(())
    }
}

struct Thread(Py<PyAny>);

/// Starts a thread with this name. It does not keep the process from ending.
pub(crate) fn spawn(name: &str, body: Box<dyn FnOnce() + Send>) -> Result<Box<dyn Joins>, Failure> {
    Python::attach(|py| {
        let start = || -> PyResult<Py<PyAny>> {
            let arguments = PyDict::new(py);
            arguments.set_item("target", Bound::new(py, Body(Mutex::new(Some(body))))?)?;
            arguments.set_item("name", name)?;
            arguments.set_item("daemon", true)?;
            let class = py
                .import(intern!(py, "threading"))?
                .getattr(intern!(py, "Thread"))?;
            let thread = class.call((), Some(&arguments))?;
            thread.call_method0(intern!(py, "start"))?;
            Ok(thread.unbind())
        };
        let thread = start().map_err(|error| {
            Failure::new(
                Blame::Environment,
                format!("cannot start a thread: {}", summary(py, &error)),
            )
        })?;
        Ok(Box::new(Thread(thread)) as Box<dyn Joins>)
    })
}

impl Joins for Thread {
    fn join(&self, deadline: Instant) -> bool {
        let left = deadline
            .saturating_duration_since(Instant::now())
            .as_secs_f64();
        Python::attach(|py| {
            let thread = self.0.bind(py);
            thread
                .call_method1(intern!(py, "join"), (left,))
                .and_then(|_| thread.call_method0(intern!(py, "is_alive")))
                .and_then(|alive| alive.is_truthy())
                .is_ok_and(|alive| !alive)
        })
    }
}
