//! The texts of client addresses: the same few connections come round again and again.

use std::net::SocketAddr;

use pyo3::prelude::*;
use pyo3::types::PyString;

/// Places in the cache; a power of two.
const PLACES: usize = 256;

/// A small cache, one entry for each place.
pub(super) struct Remotes(Vec<Option<Remote>>);

struct Remote {
    address: SocketAddr,
    host: Py<PyString>,
    port: Py<PyString>,
}

impl Remotes {
    pub(super) fn new() -> Self {
        Self((0..PLACES).map(|_| None).collect())
    }

    /// The address and the port, as text.
    pub(super) fn texts<'py>(
        &mut self,
        py: Python<'py>,
        address: SocketAddr,
    ) -> (Bound<'py, PyString>, Bound<'py, PyString>) {
        let place = &mut self.0[usize::from(address.port()) % PLACES];
        if place
            .as_ref()
            .is_none_or(|remote| remote.address != address)
        {
            *place = Some(Remote {
                address,
                host: PyString::new(py, &address.ip().to_string()).unbind(),
                port: PyString::new(py, &address.port().to_string()).unbind(),
            });
        }
        match place {
            Some(remote) => (remote.host.bind(py).clone(), remote.port.bind(py).clone()),
            None => (PyString::new(py, ""), PyString::new(py, "")),
        }
    }
}
