//! Signals to a worker. The handlers are Python's, so that they run on the stack of whatever Python
//! the main thread is in: under sync, the running request's.

use pyo3::exceptions::{PyRuntimeError, PySystemExit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::wrap_pyfunction;
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tricorn_server::gateway::Control;
use tricorn_server::hooks::{Bus, Event, Interruption, Occasion};
use tricorn_server::lifeline::forked::is_forked;
use tricorn_server::lifeline::overtime_signal;

use crate::wsgi::overtime::end_overdue;

/// What the handlers act on, in a worker's process.
struct Target {
    control: Arc<Control>,
    /// `None` once the process is about to end.
    bus: Mutex<Option<Arc<Bus>>>,
}

impl Target {
    fn bus(&self) -> MutexGuard<'_, Option<Arc<Bus>>> {
        self.bus.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fire(&self, event: Event) -> Result<(), Interruption> {
        let bus = self.bus().clone();
        bus.map_or(Ok(()), |bus| bus.fire(event, &Occasion::Itself))
    }
}

static TARGET: OnceLock<Target> = OnceLock::new();

/// The handlers that were installed last of what ends a worker, by the names of their signals.
static INSTALLED: Mutex<Vec<(&str, Py<PyAny>)>> = Mutex::new(Vec::new());

/// What the handlers of this process, a worker, are to act on.
pub(crate) fn prepare(control: &Arc<Control>, bus: &Arc<Bus>) {
    TARGET.get_or_init(|| Target {
        control: Arc::clone(control),
        bus: Mutex::new(Some(Arc::clone(bus))),
    });
}

/// Whether this process is a worker that was asked to leave at once.
pub(crate) fn is_leaving() -> bool {
    let target = TARGET.get();
    target.is_some_and(|Target { control, .. }| {
        control.exit().is_some() || control.last_code().is_some()
    })
}

/// Lets go of the handlers of hooks: the process is about to end.
pub(crate) fn let_go() {
    let former = TARGET.get().and_then(|target| target.bus().take());
    drop(former);
}

/// Installs the handlers of a worker.
#[pyfunction]
#[pyo3(name = "install_signals")]
pub(crate) fn install(py: Python<'_>) -> PyResult<()> {
    let Some(Target { control, .. }) = TARGET.get() else {
        return Err(PyRuntimeError::new_err("this process is no worker"));
    };
    let module = py.import(intern!(py, "signal"))?;
    let set = |names: &[&str], handler| handle(&module, names, &handler);
    let (stop, quit) = (
        wrap_pyfunction!(on_stop, py)?,
        wrap_pyfunction!(worker_quit, py)?,
    );
    let ends = [
        ("SIGTERM", stop.into_any()),
        ("SIGINT", quit.clone().into_any()),
        ("SIGQUIT", quit.into_any()),
        ("SIGABRT", wrap_pyfunction!(worker_abort, py)?.into_any()),
    ];
    for (name, handler) in &ends {
        set(&[name], handler.clone())?;
    }
    remember(ends.map(|(name, handler)| (name, handler.unbind())));
    set(&["SIGUSR1"], wrap_pyfunction!(on_reopen, py)?.into_any())?;
    // Sent to a worker by mistake, these must neither kill nor stop it. Ignoring them outright
    // would be inherited by what the application executes.
    let nothing = wrap_pyfunction!(on_nothing, py)?.into_any();
    set(&MISTAKES, nothing)?;
    let overtime = wrap_pyfunction!(on_overtime, py)?;
    module.call_method1(intern!(py, "signal"), (overtime_signal(), overtime))?;
    for name in ["SIGTERM", "SIGUSR1"] {
        module.call_method1(intern!(py, "siginterrupt"), (module.getattr(name)?, false))?;
    }
    let arguments = pyo3::types::PyDict::new(py);
    arguments.set_item("warn_on_full_buffer", false)?;
    let bell = control.bell().as_raw_fd();
    module.call_method(intern!(py, "set_wakeup_fd"), (bell,), Some(&arguments))?;
    py.import(intern!(py, "atexit"))?
        .call_method1(intern!(py, "register"), (wrap_pyfunction!(disregard, py)?,))?;
    Ok(())
}

fn remember(handlers: [(&'static str, Py<PyAny>); 4]) {
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    let former = std::mem::replace(&mut *installed, handlers.into());
    drop(installed);
    drop(former);
}

/// In a child that was forked off a worker: what is still the server's of its signals' handlers is
/// taken down, so that it ends when it is told to, and does not wake its parent.
pub(crate) fn forget(py: Python<'_>) -> PyResult<()> {
    let Some(Target { control, .. }) = TARGET.get() else {
        return Ok(());
    };
    let module = py.import(intern!(py, "signal"))?;
    let installed = std::mem::take(&mut *INSTALLED.lock().unwrap_or_else(PoisonError::into_inner));
    for (name, handler) in installed {
        let number = module.getattr(name)?;
        if module.call_method1("getsignal", (&number,))?.is(&handler) {
            let default = if name == "SIGINT" {
                "default_int_handler"
            } else {
                "SIG_DFL"
            };
            module.call_method1("signal", (number, module.getattr(default)?))?;
        }
    }
    let bell = module.call_method1("set_wakeup_fd", (-1,))?;
    if bell.extract::<i32>()? != control.bell().as_raw_fd() {
        module.call_method1("set_wakeup_fd", (bell,))?;
    }
    Ok(())
}

/// In a child that was forked off a worker, whose own handler has passed a signal on to the
/// server's: the signal does what it does by default.
fn end_by(py: Python<'_>, number: &Py<PyAny>) -> PyResult<()> {
    let module = py.import(intern!(py, "signal"))?;
    let default = module.getattr(intern!(py, "SIG_DFL"))?;
    module.call_method1("signal", (number, default))?;
    module.call_method1("raise_signal", (number,)).map(drop)
}

/// Signals that are for the arbiter.
const MISTAKES: [&str; 5] = ["SIGHUP", "SIGUSR2", "SIGWINCH", "SIGTTIN", "SIGTTOU"];

fn handle(module: &Bound<'_, PyAny>, names: &[&str], handler: &Bound<'_, PyAny>) -> PyResult<()> {
    names.iter().try_for_each(|name| {
        let number = module.getattr(*name)?;
        module.call_method1("signal", (number, handler)).map(drop)
    })
}

/// The interpreter takes its handlers down before the process is gone, and what it ignores it leaves
/// as it is: a worker that leaves is not to be killed by a signal that asks for just that.
#[pyfunction]
pub(crate) fn disregard(py: Python<'_>) -> PyResult<()> {
    let module = py.import(intern!(py, "signal"))?;
    let ignored = module.getattr(intern!(py, "SIG_IGN"))?;
    handle(
        &module,
        &["SIGTERM", "SIGINT", "SIGQUIT", "SIGUSR1"],
        &ignored,
    )?;
    handle(&module, &MISTAKES, &ignored)
}

/// TERM: a graceful stop. A worker that boots has no requests to finish, and leaves at once.
#[pyfunction]
#[pyo3(signature = (number, _frame, /))]
pub(crate) fn on_stop(py: Python<'_>, number: Py<PyAny>, _frame: Py<PyAny>) -> PyResult<()> {
    match TARGET.get() {
        _ if is_forked() => end_by(py, &number),
        Some(target) if !target.control.is_serving() => {
            target.control.leave(0);
            Err(PySystemExit::new_err(0))
        }
        Some(target) => {
            target.control.stop();
            Ok(())
        }
        None => Ok(()),
    }
}

/// USR1: the log files are opened again.
#[pyfunction]
#[pyo3(signature = (_number, _frame, /))]
pub(crate) fn on_reopen(_number: Py<PyAny>, _frame: Py<PyAny>) {
    if let Some(target) = TARGET.get()
        && !is_forked()
    {
        target.control.reopen_logs();
    }
}

/// A file of the application has changed: `worker_int`, and a graceful stop, after which the arbiter
/// forks a worker that loads it anew.
#[pyfunction]
pub(crate) fn reload_worker() {
    if let Some(target) = TARGET.get() {
        // Whatever the handlers say, the worker is already on its way out.
        let _ = target.fire(Event::WorkerInt);
        target.control.stop();
    }
}

/// A request has run for too long: an exception ends it.
#[pyfunction]
#[pyo3(signature = (_number, _frame, /))]
pub(crate) fn on_overtime(py: Python<'_>, _number: Py<PyAny>, _frame: Py<PyAny>) -> PyResult<()> {
    end_overdue(py)
}

/// A signal that means nothing to a worker.
#[pyfunction]
#[pyo3(signature = (_number, _frame, /))]
pub(crate) fn on_nothing(_number: Py<PyAny>, _frame: Py<PyAny>) {}

/// INT and QUIT: `worker_int`, and the worker leaves at once.
#[pyfunction]
#[pyo3(signature = (number, _frame, /))]
pub(crate) fn worker_quit(py: Python<'_>, number: Py<PyAny>, _frame: Py<PyAny>) -> PyResult<()> {
    if is_forked() {
        return end_by(py, &number);
    }
    leave(Event::WorkerInt, 0)
}

/// ABRT: `worker_abort`, and the worker leaves at once, with an error.
#[pyfunction]
#[pyo3(signature = (number, _frame, /))]
pub(crate) fn worker_abort(py: Python<'_>, number: Py<PyAny>, _frame: Py<PyAny>) -> PyResult<()> {
    if is_forked() {
        return end_by(py, &number);
    }
    leave(Event::WorkerAbort, 1)
}

/// Fires the event on the interrupted stack, then ends what is running by a `SystemExit`. What a
/// handler of `worker_abort` raises goes into the running request instead: people let their
/// framework report it.
fn leave(event: Event, code: i32) -> PyResult<()> {
    let Some(target) = TARGET.get() else {
        return Err(PySystemExit::new_err(code));
    };
    forget_raised();
    let code = match target.fire(event) {
        Err(Interruption::Exit(asked)) => asked,
        _ => code,
    };
    if event == Event::WorkerAbort {
        target.control.abort(code);
    } else {
        target.control.leave(code);
    }
    Err(forget_raised().unwrap_or_else(|| PySystemExit::new_err(code)))
}

/// What a handler of `worker_abort` has raised, on its way into the running request.
static RAISED: Mutex<Option<PyErr>> = Mutex::new(None);

/// Keeps what a handler has raised, to be raised again where the signal came in.
pub(crate) fn keep_raised(event: Event, error: &PyErr, py: Python<'_>) {
    if event == Event::WorkerAbort {
        *RAISED.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone_ref(py));
    }
}

fn forget_raised() -> Option<PyErr> {
    RAISED.lock().unwrap_or_else(PoisonError::into_inner).take()
}
