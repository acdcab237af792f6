//! Threads that can run Python: real ones, whatever the config file has patched.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
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

/// The threads whose bodies have not run to their ends.
static LIVING: AtomicUsize = AtomicUsize::new(0);

/// Returns true while a thread that was started here runs its body.
pub(crate) fn any_left() -> bool {
    LIVING.load(Ordering::SeqCst) > 0
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
        LIVING.fetch_sub(1, Ordering::SeqCst);
        self.told.notify_all();
    }
}

struct Thread(Arc<End>);

/// Starts a thread with this name. It does not keep the process from ending.
pub(crate) fn spawn(name: &str, body: Task) -> Result<Box<dyn Joins>, Failure> {
    LIVING.fetch_add(1, Ordering::SeqCst);
    let end = Arc::new(End::default());
    let told = Arc::clone(&end);
    let body: Task = Box::new(move || {
        body();
        told.reach();
    });
    let started = Python::attach(|py| {
        let started = match original_start(py) {
            Ok(Some(start)) => start_natively(&start, body),
            Ok(None) => start_in_python(py, name, body),
            Err(error) => Err(error),
        };
        started.map_err(|error| summary(py, &error))
    });
    let cannot =
        |what: String| Failure::new(Blame::Environment, format!("cannot start a thread: {what}"));
    started.map_err(|what| {
        LIVING.fetch_sub(1, Ordering::SeqCst);
        cannot(what)
    })?;
    Ok(Box::new(Thread(end)))
}

/// What starts real threads where `threading` starts greenlets, which would never run: the worker's main
/// thread waits in the kernel. `None` where nobody has patched it.
fn original_start(py: Python<'_>) -> PyResult<Option<Bound<'_, PyAny>>> {
    let modules = py
        .import(intern!(py, "sys"))?
        .getattr(intern!(py, "modules"))?;
    let start = intern!(py, "start_new_thread");
    if let Ok(monkey) = modules.get_item("gevent.monkey")
        && is_patched(&monkey, "is_module_patched", "threading")?
    {
        let original = monkey.call_method1("get_original", ("_thread", start));
        return original.map(Some);
    }
    if let Ok(patcher) = modules.get_item("eventlet.patcher")
        && is_patched(&patcher, "is_monkey_patched", "thread")?
    {
        let module = patcher.call_method1("original", ("_thread",))?;
        return module.getattr(start).map(Some);
    }
    Ok(None)
}

/// Asks whether a module is patched. An error may be a signal's exception, which says nothing of that.
fn is_patched(patcher: &Bound<'_, PyAny>, question: &str, module: &str) -> PyResult<bool> {
    patcher.call_method1(question, (module,))?.is_truthy()
}

/// One that `threading` does not know, and the interpreter does: what Python keeps with a thread (a hub
/// of greenlets, above all) outlasts each single request, and is let go of by the interpreter. It is
/// not where a thread of the system's attaches: code that runs at its end may attach once more, and
/// end the thread's state while it is being cleared.
fn start_natively(start: &Bound<'_, PyAny>, body: Task) -> PyResult<()> {
    let (made, is_made) = mpsc::channel();
    let body: Task = Box::new(move || {
        Python::attach(make_hub);
        // Nobody listens any more if it took too long.
        let _ = made.send(());
        body();
    });
    let py = start.py();
    let body = Bound::new(py, Body(Mutex::new(Some(body))))?;
    start.call1((body, PyTuple::empty(py)))?;
    // One hub after the other: gevent can lock itself up when several threads make theirs at once.
    let _ = py.detach(move || is_made.recv_timeout(LONGEST_START));
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
fn start_in_python(py: Python<'_>, name: &str, body: Task) -> PyResult<()> {
    let arguments = PyDict::new(py);
    arguments.set_item("target", Bound::new(py, Body(Mutex::new(Some(body))))?)?;
    arguments.set_item("name", name)?;
    arguments.set_item("daemon", true)?;
    let class = py
        .import(intern!(py, "threading"))?
        .getattr(intern!(py, "Thread"))?;
    let thread = class.call((), Some(&arguments))?;
    thread.call_method0(intern!(py, "start")).map(drop)
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
