//! The end of a process: the interpreter is to find nothing that this module still holds of the
//! operator's, so that it can take everything down, write what was not flushed and call `__del__`.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::wrap_pyfunction;
use tricorn_server::lifeline::forked;

use crate::logs::log_exception;
use crate::scene::scene;
use crate::{signals, threads, wsgi};

/// Has everything let go of when the exit handlers are over: it is registered before any of them.
pub(crate) fn prepare(py: Python<'_>) -> PyResult<()> {
    py.import(intern!(py, "atexit"))?
        .call_method1(intern!(py, "register"), (wrap_pyfunction!(let_go, py)?,))
        .map(drop)
}

#[pyfunction]
fn let_go(py: Python<'_>) {
    wsgi::let_go();
    signals::let_go();
    tricorn_server::log::relay_to(None);
    if let Some(scene) = scene() {
        scene.let_go(py);
    }
}

/// Ends a worker in which threads still run requests; in any other process it does nothing.
pub(crate) fn leave_beside_threads(py: Python<'_>, code: i32) {
    if !threads::any_left() {
        return;
    }
    let prepared = py
        .import(intern!(py, "tricorn._ending"))
        .and_then(|module| module.call_method0(intern!(py, "prepare")));
    if let Err(error) = prepared {
        log_exception(py, "An exit handler failed", &error);
        tricorn_server::log::deliver();
    }
    forked::leave(code);
}
