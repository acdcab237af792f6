//! Children that Python code forks: they keep what is theirs, and leave when they come back into the
//! server.

use std::cell::Cell;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::Signal;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::wrap_pyfunction;
use tricorn_server::arbiter;
use tricorn_server::lifeline::{HeldBack, forked};

use crate::ending;
use crate::failure::{exit_code, exit_reason};
use crate::signals;

/// The server forks a process of its own.
static FORKS_OWN: AtomicBool = AtomicBool::new(false);

/// Notes that this process is the server's, and has its forks and its end prepared.
pub(crate) fn watch(py: Python<'_>) -> PyResult<()> {
    forked::settle();
    static IS_WATCHED: AtomicBool = AtomicBool::new(false);
    if IS_WATCHED.swap(true, Ordering::Relaxed) {
        return Ok(());
    }
    let handlers = pyo3::types::PyDict::new(py);
    handlers.set_item("before", wrap_pyfunction!(before_fork, py)?)?;
    handlers.set_item(
        "after_in_parent",
        wrap_pyfunction!(after_fork_in_parent, py)?,
    )?;
    handlers.set_item("after_in_child", wrap_pyfunction!(after_fork_in_child, py)?)?;
    ending::prepare(py)?;
    py.import(intern!(py, "os"))?
        .call_method("register_at_fork", (), Some(&handlers))
        .map(drop)
}

/// Calls with the forks of this thread counting as the server's own.
pub(crate) fn as_own<T>(fork: impl FnOnce() -> T) -> T {
    FORKS_OWN.store(true, Ordering::Relaxed);
    let forked = fork();
    FORKS_OWN.store(false, Ordering::Relaxed);
    forked
}

thread_local! {
    /// What this thread holds back while it forks.
    static HELD_BACK: Cell<Option<HeldBack>> = const { Cell::new(None) };
}

/// The signals that a child is ended by: one that comes before its handlers are its own is not lost.
const ENDING: [Signal; 4] = [
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGABRT,
];

/// Writes what was printed: a child would write it a second time.
#[pyfunction]
fn before_fork(py: Python<'_>) {
    flush(py);
    HELD_BACK.set(Some(HeldBack::hold(ENDING)));
}

/// The parent, or the only one where the fork has failed.
#[pyfunction]
fn after_fork_in_parent() {
    let_through();
}

fn let_through() {
    if let Some(held_back) = HELD_BACK.take() {
        held_back.release();
    }
}

/// A child of the application's has its own signals, and logs of its own: those of its parent may be
/// locked by threads that it does not have.
#[pyfunction]
fn after_fork_in_child(py: Python<'_>) -> PyResult<()> {
    let forgotten = if FORKS_OWN.load(Ordering::Relaxed) {
        Ok(())
    } else {
        arbiter::forget_signals();
        tricorn_server::log::after_fork();
        signals::forget(py)
    };
    let_through();
    forgotten
}

fn flush(py: Python<'_>) {
    let Ok(sys) = py.import(intern!(py, "sys")) else {
        return;
    };
    for name in ["stdout", "stderr"] {
        // Closed, or replaced by something that cannot be flushed: then there is nothing to save.
        let stream = sys.getattr(name).ok().filter(|stream| !stream.is_none());
        let _ = stream.map(|stream| stream.call_method0(intern!(py, "flush")));
    }
}

/// Ends the process if it is a child that comes back into the server, by whatever `came` of the code
/// that it was in. Nothing of its parent's is touched: not the connections, not the exit handlers.
#[inline(always)]
pub(crate) fn stay<T>(py: Python<'_>, came: PyResult<T>) -> PyResult<T> {
    if forked::is_forked() {
        leave(py, came.as_ref().err());
    }
    came
}

/// Ends the process if it is a child that comes back into the server.
#[inline(always)]
pub(crate) fn stay_here(py: Python<'_>) {
    if forked::is_forked() {
        leave(py, None);
    }
}

#[cold]
fn leave(py: Python<'_>, error: Option<&PyErr>) -> ! {
    let code = error.map_or(0, |error| code(py, error));
    flush(py);
    forked::leave(code)
}

/// The code that an exception ends a process with. As at the end of a program of its own, it is shown.
fn code(py: Python<'_>, error: &PyErr) -> i32 {
    let Some(code) = exit_code(py, error) else {
        error.display(py);
        return 1;
    };
    if let Some(reason) = exit_reason(py, error) {
        // Where nobody listens any more, there is nobody to tell.
        let _ = writeln!(std::io::stderr(), "{reason}");
    }
    code
}
