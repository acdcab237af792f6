//! Ending requests that have run for longer than `request_timeout`, by an exception inside them.
//!
//! On the main thread the signal's own handler raises it, which also ends a system call that waits.
//! In other threads the interpreter raises it at their next step in Python; one that is stuck in C
//! is not ended so, and the arbiter sees to the worker.

use std::ffi::c_ulong;
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pyo3::exceptions::PyBaseException;
use pyo3::prelude::*;
use pyo3::{create_exception, ffi};

create_exception!(
    tricorn,
    RequestTimeout,
    PyBaseException,
    "Raised inside a request that has run for longer than request_timeout."
);

/// A request that runs.
struct Running {
    thread: c_ulong,
    until: Instant,
    /// The exception has been sent to its thread.
    is_told: bool,
}

static RUNNING: Mutex<Vec<Running>> = Mutex::new(Vec::new());

/// The list. It is held for moments, with the interpreter's lock held, and never across a call.
fn running() -> MutexGuard<'static, Vec<Running>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The time that a request of this thread has.
pub(crate) struct Allowance(c_ulong);

impl Allowance {
    /// Begins to count, on the thread that runs the request.
    pub(crate) fn begin(limit: Duration) -> Self {
        // SAFETY: may be called from any thread.
        let thread = unsafe { ffi::PyThread_get_thread_ident() };
        let until = Instant::now() + limit;
        running().push(Running {
            thread,
            until,
            is_told: false,
        });
        Self(thread)
    }

    /// Ends it. What was sent and has not been raised is taken back: it would hit the next request.
    pub(crate) fn end(self, _py: Python<'_>) {
        let mut running = running();
        let place = running.iter().position(|request| request.thread == self.0);
        let ended = place.map(|place| running.swap_remove(place));
        drop(running);
        if ended.is_some_and(|ended| ended.is_told) {
            send(self.0, ptr::null_mut());
        }
    }
}

/// Ends every request that is overdue. An error is for the calling thread's own.
pub(crate) fn end_overdue(py: Python<'_>) -> PyResult<()> {
    // SAFETY: may be called from any thread.
    let own = unsafe { ffi::PyThread_get_thread_ident() };
    let now = Instant::now();
    let mut others = Vec::new();
    let mut is_own_overdue = false;
    for request in running().iter_mut() {
        if request.until > now || request.is_told {
            continue;
        }
        if request.thread == own {
            is_own_overdue = true;
        } else {
            request.is_told = true;
            others.push(request.thread);
        }
    }
    let class = py.get_type::<RequestTimeout>();
    for thread in others {
        send(thread, class.as_ptr());
    }
    if is_own_overdue {
        return Err(RequestTimeout::new_err(
            "the request has run for longer than request_timeout",
        ));
    }
    Ok(())
}

/// Has the interpreter raise something in a thread, or nothing any more.
fn send(thread: c_ulong, exception: *mut ffi::PyObject) {
    // SAFETY: the caller is attached to the interpreter; the class, which takes no arguments, lives
    // for as long as the module; null takes back.
    unsafe { ffi::PyThreadState_SetAsyncExc(thread.cast_signed(), exception) };
}
