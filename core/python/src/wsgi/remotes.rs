//! The texts of client addresses: made at a connection's first request, and kept with it.

use std::net::SocketAddr;

use pyo3::prelude::*;
use pyo3::types::PyString;

/// A client's address and port, as text.
pub(super) struct Remote {
    pub(super) host: Py<PyString>,
    pub(super) port: Py<PyString>,
}

impl Remote {
    pub(super) fn new(py: Python<'_>, address: SocketAddr) -> Self {
        Self {
            host: PyString::new(py, &address.ip().to_string()).unbind(),
            port: PyString::new(py, &address.port().to_string()).unbind(),
        }
    }
}
