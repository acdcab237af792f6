//! What the Python objects `server` and `worker` reach the server through.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use nix::fcntl::OFlag;
use nix::unistd::{pipe2, read, write};
use pyo3::exceptions::{PyRuntimeError, PySystemExit, PyValueError};
use pyo3::prelude::*;
use tricorn_server::arbiter::{Event, Signal};
use tricorn_server::error::Exit;
use tricorn_server::gateway::{Control, Rest, Step};
use tricorn_server::lifeline::forked;
use tricorn_server::lifeline::forsake;

/// What Python code has asked the arbiter for, from any thread.
#[derive(Debug)]
pub(crate) struct Wishes {
    queue: Mutex<Vec<Event>>,
    workers: AtomicUsize,
    age: AtomicU64,
    waker: OwnedFd,
    bell: OwnedFd,
}

impl Wishes {
    pub(crate) fn new() -> nix::Result<Self> {
        let (waker, bell) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        Ok(Self {
            queue: Mutex::default(),
            workers: AtomicUsize::new(0),
            age: AtomicU64::new(0),
            waker,
            bell,
        })
    }

    fn ask(&self, event: Event) {
        self.queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(event);
        self.wake();
    }

    fn wake(&self) {
        // A full pipe wakes as well.
        let _ = write(&self.bell, b"!");
    }

    /// What ends the arbiter's sleep.
    pub(crate) fn waker(&self) -> BorrowedFd<'_> {
        self.waker.as_fd()
    }

    /// In a worker: leaves the pipe that the arbiter sleeps on to the arbiter.
    pub(crate) fn leave_to_arbiter(&self) {
        forsake(&self.waker, &self.bell);
    }

    pub(crate) fn take(&self) -> Vec<Event> {
        let mut bytes = [0; 64];
        while matches!(read(&self.waker, &mut bytes), Ok(count) if count == bytes.len()) {}
        std::mem::take(&mut *self.queue.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn show_workers(&self, workers: usize) {
        self.workers.store(workers, Ordering::Relaxed);
    }

    pub(crate) fn show_age(&self, age: u64) {
        self.age.store(age, Ordering::Relaxed);
    }
}

/// The arbiter, to the object `server`.
#[pyclass(frozen, module = "tricorn._native")]
pub(crate) struct ArbiterControl {
    wishes: Arc<Wishes>,
}

impl ArbiterControl {
    pub(crate) fn new(wishes: Arc<Wishes>) -> Self {
        Self { wishes }
    }
}

#[pymethods]
impl ArbiterControl {
    /// The number of workers to keep.
    #[getter]
    fn workers(&self) -> usize {
        self.wishes.workers.load(Ordering::Relaxed)
    }

    /// How many workers have been forked.
    #[getter]
    fn age(&self) -> u64 {
        self.wishes.age.load(Ordering::Relaxed)
    }

    /// Sets the number of workers to keep.
    #[pyo3(signature = (count, /))]
    fn set_workers(&self, count: usize) {
        self.wishes.show_workers(count);
        self.wishes.ask(Event::SetWorkers(count));
    }

    /// Ends the arbiter's sleep.
    fn wake(&self) {
        self.wishes.wake();
    }

    /// Acts as if a signal had arrived.
    #[pyo3(signature = (name, /))]
    fn signal(&self, name: &str) -> PyResult<()> {
        let signal = match name {
            "TERM" => Signal::Term,
            "QUIT" => Signal::Quit,
            "HUP" => Signal::Hup,
            _ => return Err(PyValueError::new_err(format!("no such signal: {name}"))),
        };
        self.wishes.ask(Event::Signal(signal));
        Ok(())
    }

    /// Stops the server, which then exits with this code.
    #[pyo3(signature = (code, /))]
    fn leave(&self, code: i32) {
        self.wishes.ask(Event::Leave(Exit::from_code(code)));
    }
}

/// What a worker's threads and its object `worker` share.
pub(crate) struct WorkerState {
    pub(crate) control: Arc<Control>,
    /// Requests served.
    pub(crate) requests: AtomicU64,
    application: Mutex<Option<Py<PyAny>>>,
    /// What the method of a step that is being taken is to do.
    rest: Mutex<Option<(Step, Rest)>>,
}

impl fmt::Debug for WorkerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerState").finish_non_exhaustive()
    }
}

impl WorkerState {
    pub(crate) fn new(control: Arc<Control>) -> Self {
        Self {
            control,
            requests: AtomicU64::new(0),
            application: Mutex::default(),
            rest: Mutex::default(),
        }
    }

    /// Has something to do for the method of a step, or nothing any more.
    pub(crate) fn offer(&self, rest: Option<(Step, Rest)>) {
        let mut place = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        let former = std::mem::replace(&mut *place, rest);
        drop(place);
        drop(former);
    }

    fn take_rest(&self, method: &str) -> Option<Rest> {
        let mut place = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        place
            .take_if(|(step, _)| step.method() == method)
            .map(|(_, rest)| rest)
    }

    /// The application.
    pub(crate) fn application(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        let application = self
            .application
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        application
            .as_ref()
            .map(|application| application.clone_ref(py))
    }

    pub(crate) fn set_application(&self, application: Option<Py<PyAny>>) {
        let mut place = self
            .application
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let former = std::mem::replace(&mut *place, application);
        drop(place);
        // Only now: dropping an object may run code of its own.
        drop(former);
    }
}

/// The worker, to the object `worker`.
#[pyclass(frozen, module = "tricorn._native")]
pub(crate) struct WorkerControl {
    state: Arc<WorkerState>,
}

impl WorkerControl {
    /// Lets go of the application: the process is about to end.
    pub(crate) fn let_go(&self) {
        self.state.set_application(None);
    }

    pub(crate) fn new(state: Arc<WorkerState>) -> Self {
        Self { state }
    }
}

#[pymethods]
impl WorkerControl {
    /// Does what the step of this name is there for, on the main thread, when its turn has come.
    /// Raises `SystemExit` where the worker is to leave at once.
    #[pyo3(signature = (method, /))]
    fn proceed(&self, py: Python<'_>, method: &str) -> PyResult<()> {
        let Some(rest) = self.state.take_rest(method) else {
            return Err(PyRuntimeError::new_err(format!(
                "the worker calls its {method}() itself, once, when its turn has come"
            )));
        };
        match py.detach(rest) {
            Some(code) => Err(PySystemExit::new_err(code)),
            None => Ok(()),
        }
    }

    /// Gives the arbiter a sign of life.
    fn beat(&self) {
        // A child's life is not its parent's.
        if !forked::is_forked() {
            self.state.control.beat();
        }
    }

    /// Whether the worker serves on.
    #[getter]
    fn alive(&self) -> bool {
        self.state.control.is_alive()
    }

    #[setter]
    fn set_alive(&self, alive: bool) {
        if alive {
            self.state.control.revive();
        } else {
            self.state.control.stop();
        }
    }

    /// Requests after which the worker leaves; 0 for never.
    #[getter]
    fn max_requests(&self) -> u64 {
        self.state.control.most_requests()
    }

    #[setter]
    fn set_max_requests(&self, requests: u64) {
        self.state.control.serve_at_most(requests);
    }

    /// The connections that are open.
    #[getter]
    fn connections(&self) -> usize {
        self.state.control.connections()
    }

    /// How many requests the worker has served.
    #[getter]
    fn requests(&self) -> u64 {
        self.state.requests.load(Ordering::Relaxed)
    }

    /// The application.
    #[getter]
    fn wsgi(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.state.application(py)
    }

    #[setter]
    fn set_wsgi(&self, application: Py<PyAny>) {
        self.state.set_application(Some(application));
    }
}
