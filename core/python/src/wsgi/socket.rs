//! `environ["gunicorn.socket"]`: the client's socket, made when it is first used.
//!
//! From then on the server leaves the connection to the application, and closes it in the end,
//! unless the application answers the ordinary way after all.

use std::os::fd::IntoRawFd;
use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::PyAttributeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::starter::Starter;
use super::wait::raise;

/// Stands for the socket until somebody uses it.
#[pyclass(frozen, module = "tricorn._native")]
pub(crate) struct ClientSocket {
    starter: Py<Starter>,
    socket: Mutex<Option<Py<PyAny>>>,
}

impl ClientSocket {
    pub(super) fn new(starter: Py<Starter>) -> Self {
        Self {
            starter,
            socket: Mutex::default(),
        }
    }

    /// Whether the socket has been made.
    pub(super) fn is_made(&self) -> bool {
        self.socket
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
    }

    fn socket<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(socket) = &*self.socket.lock().unwrap_or_else(PoisonError::into_inner) {
            return Ok(socket.bind(py).clone());
        }
        let (taken, received) = self.starter.get().channel()?.take_socket().map_err(raise)?;
        let arguments = (taken.into_raw_fd(), PyBytes::new(py, &received));
        let objects = py.import(intern!(py, "tricorn._wsgi"))?;
        let socket = objects.call_method1(intern!(py, "client_socket"), arguments)?;
        socket.call_method1(intern!(py, "setblocking"), (true,))?;
        *self.socket.lock().unwrap_or_else(PoisonError::into_inner) = Some(socket.clone().unbind());
        Ok(socket)
    }
}

#[pymethods]
impl ClientSocket {
    /// What `isinstance` looks at besides the type: it is a socket to whoever asks.
    #[getter]
    #[allow(clippy::unused_self)]
    fn __class__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        py.import(intern!(py, "socket"))?
            .getattr(intern!(py, "socket"))
    }

    fn __getattr__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        if name.starts_with("__") {
            return Err(PyAttributeError::new_err(name.to_owned()));
        }
        self.socket(py)?.getattr(name)
    }

    fn __enter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.socket(py)
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyAny>) -> PyResult<()> {
        self.socket(py)?
            .call_method0(intern!(py, "close"))
            .map(drop)
    }

    fn __repr__(&self) -> &'static str {
        "<the client's socket>"
    }
}
