//! Threads that can run Python: real ones, whatever the config file has patched.

use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use tricorn_server::error::{Blame, Failure};
use tricorn_server::gateway::Joins;

use crate::failure::summary;

/// How long a thread may take to get ready.
const LONGEST_START: Duration = Duration::from_secs(10);

type Task = Box<dyn FnOnce() + Send>;

/// A body, for the interpreter to call in its new thread.
#[pyclass(frozen)]
struct Body(Mutex<Option<Task>>);

#[pymethods]
impl Body {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        let body = self.0.lock().ok().and_then(|mut body| body.take());
        let body = body.ok_or_else(|| PyRuntimeError::new_err("this thread has run already"))?;
        py.detach(body);
        Ok(())
    }
}

/// Whether a thread's body has run to its end.
#[derive(Default)]
struct End {
    is_reached: Mutex<bool>,
    told: Condvar,
}

impl End {
    fn reach(&self) {
        *self
            .is_reached
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = true;
        self.told.notify_all();
    }
}

struct Thread(Arc<End>);

/// Starts a thread with this name. It does not keep the process from ending.
pub(crate) fn spawn(name: &str, body: Task) -> Result<Box<dyn Joins>, Failure> {
    let end = Arc::new(End::default());
    let told = Arc::clone(&end);
    let body: Task = Box::new(move || {
        body();
        told.reach();
    });
    let started = if is_patched() {
        start_natively(name, body)
    } else {
        start_in_python(name, body)
    };
    let cannot =
        |what: String| Failure::new(Blame::Environment, format!("cannot start a thread: {what}"));
    started.map_err(cannot)?;
    Ok(Box::new(Thread(end)))
}

/// Whether what `threading` starts are greenlets. They would never run: the worker's main thread
/// waits in the kernel.
fn is_patched() -> bool {
    Python::attach(|py| {
        let asked = || -> PyResult<bool> {
            let modules = py
                .import(intern!(py, "sys"))?
                .getattr(intern!(py, "modules"))?;
            for (module, name) in [
                ("gevent.monkey", "is_module_patched"),
                ("eventlet.patcher", "is_monkey_patched"),
            ] {
                if let Ok(patcher) = modules.get_item(module) {
                    let thread = if module == "gevent.monkey" {
                        "threading"
                    } else {
                        "thread"
                    };
                    if patcher.call_method1(name, (thread,))?.is_truthy()? {
                        return Ok(true);
                    }
                }
            }
            Ok(false)
        };
        asked().unwrap_or(false)
    })
}

/// One that nobody but the kernel knows. It is attached as long as it lives, so that what Python
/// keeps with a thread (a hub of greenlets, above all) outlasts each single request.
fn start_natively(name: &str, body: Task) -> Result<(), String> {
    let (made, is_made) = mpsc::channel();
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            Python::attach(|py| {
                make_hub(py);
                // Nobody listens any more if it took too long.
                let _ = made.send(());
                py.detach(body);
            });
        })
        .map_err(|error| error.to_string())?;
    // One hub after the other: gevent can lock itself up when several threads make theirs at once.
    let _ = is_made.recv_timeout(LONGEST_START);
    Ok(())
}

/// Makes the thread's hub of greenlets, before anything of the application's needs it.
fn make_hub(py: Python<'_>) {
    let hub = py
        .import(intern!(py, "gevent"))
        .and_then(|gevent| gevent.call_method0(intern!(py, "get_hub")));
    if let Err(error) = hub {
        log::debug!("a thread has no hub of greenlets: {}", summary(py, &error));
    }
}

/// One that `threading` knows: with a name, and thread-locals that are let go of at its end.
fn start_in_python(name: &str, body: Task) -> Result<(), String> {
    Python::attach(|py| {
        let start = || -> PyResult<()> {
            let arguments = PyDict::new(py);
            arguments.set_item("target", Bound::new(py, Body(Mutex::new(Some(body))))?)?;
            arguments.set_item("name", name)?;
            arguments.set_item("daemon", true)?;
            let class = py
                .import(intern!(py, "threading"))?
                .getattr(intern!(py, "Thread"))?;
            let thread = class.call((), Some(&arguments))?;
            thread.call_method0(intern!(py, "start")).map(drop)
        };
        start().map_err(|error| summary(py, &error))
    })
}

impl Joins for Thread {
    fn join(&self, deadline: Instant) -> bool {
        let is_reached = self
            .0
            .is_reached
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let left = deadline.saturating_duration_since(Instant::now());
        let (is_reached, _) = self
            .0
            .told
            .wait_timeout_while(is_reached, left, |is_reached| !*is_reached)
            .unwrap_or_else(PoisonError::into_inner);
        *is_reached
    }
}
