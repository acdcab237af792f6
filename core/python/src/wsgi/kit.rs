//! What one thread uses for its requests, one after the other: the prepared environments, and the
//! objects that every request gets. As long as nobody keeps one of these, the next request gets it
//! too.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::environ::Builder;
use super::socket::ClientSocket;
use super::starter::Starter;

/// A thread's objects.
pub(super) struct Kit {
    pub(super) starter: Py<Starter>,
    pub(super) start_response: Py<PyAny>,
    early_hints: Py<PyAny>,
    pub(super) socket: Py<ClientSocket>,
    pub(super) builder: Builder,
}

impl Kit {
    /// Makes a kit of the entries that all environments share.
    pub(super) fn new(py: Python<'_>, shared: &Py<PyDict>, script_name: &[u8]) -> PyResult<Self> {
        let starter = Bound::new(py, Starter::new())?;
        let bound = |name: &str| starter.as_any().getattr(name).map(Bound::unbind);
        starter.get().set_write(Some(bound("write")?));
        let (start_response, early_hints) = (bound("start_response")?, bound("early_hints")?);
        let socket = Py::new(py, ClientSocket::new(starter.clone().unbind()))?;
        let template = shared.bind(py).copy()?;
        template.set_item(intern!(py, "gunicorn.socket"), &socket)?;
        template.set_item(intern!(py, "wsgi.early_hints"), &early_hints)?;
        let builder = Builder::new(py, template.unbind(), script_name.to_vec());
        Ok(Self {
            starter: starter.unbind(),
            start_response,
            early_hints,
            socket,
            builder,
        })
    }

    /// Whether nobody but the kit has its objects any more.
    pub(super) fn is_free(&self, py: Python<'_>) -> bool {
        // The template and its copies hold what stands in environments; `start_response`,
        // `early_hints`, `write` and the socket hold the starter.
        let in_environ = 2 + self.builder.copies();
        references(&self.start_response, py) == 1
            && references(&self.early_hints, py) == in_environ
            && references(&self.socket, py) == in_environ
            && references(&self.starter, py) == 5
            && !self.socket.get().is_made()
    }

    /// Unties the knot of a starter and its own `write`.
    pub(super) fn dismantle(self) {
        self.starter.get().set_write(None);
    }
}

/// How many references to an object there are.
fn references<T>(object: &Py<T>, _attached: Python<'_>) -> usize {
    // SAFETY: the object is alive, and the interpreter's lock is held.
    unsafe { pyo3::ffi::Py_REFCNT(object.as_ptr()) }.cast_unsigned()
}
