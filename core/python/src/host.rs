//! The arbiter's host: a Python process that forks with `os.fork`, on its main thread, with the
//! interpreter's lock held.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use pyo3::exceptions::PyOSError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use tricorn_server::arbiter::{Departed, Event, Generation, HANDOVER, Host, Status};
use tricorn_server::config::Config;
use tricorn_server::error::{Exit, Failure};
use tricorn_server::lifeline::forked::settle;
use tricorn_server::log::statsd::Kind;
use tricorn_server::sock::{PREDECESSOR, VARIABLES};

use crate::config::Wanted;
use crate::failure::{failure, is_instance, summary};
use crate::forked;
use crate::logs::log_exception;
use crate::objects::Wishes;
use crate::process;
use crate::scene::{Scene, scene};

/// The generation that workers are forked with.
pub(crate) struct InForce(Mutex<Generation>);

impl InForce {
    pub(crate) fn new(generation: Generation) -> Self {
        Self(Mutex::new(generation))
    }

    /// The generation. In a worker: the one it was forked with.
    pub(crate) fn generation(&self) -> Generation {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn replace(&self, generation: &Generation) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = generation.clone();
    }
}

/// The process.
pub(crate) struct PyHost {
    wanted: Wanted,
    wishes: Arc<Wishes>,
    in_force: Arc<InForce>,
    /// The `cfg` of each configuration that may be in force.
    views: Mutex<Vec<(Arc<Config>, Py<PyAny>)>>,
}

impl PyHost {
    pub(crate) fn new(
        wanted: Wanted,
        wishes: Arc<Wishes>,
        in_force: Arc<InForce>,
        cfg: Py<PyAny>,
    ) -> Self {
        let views = vec![(in_force.generation().config, cfg)];
        Self {
            wanted,
            wishes,
            in_force,
            views: Mutex::new(views),
        }
    }

    /// Keeps the `cfg` of a configuration that may come into force, and of earlier ones that of the one
    /// that is.
    fn show_also(&self, fresh: &Generation, cfg: Py<PyAny>) {
        let in_force = self.in_force.generation().config;
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = views.extract_if(.., |(config, _)| Arc::ptr_eq(config, &in_force));
        let mut kept: Vec<_> = kept.collect();
        kept.push((Arc::clone(&fresh.config), cfg));
        let former = std::mem::replace(&mut *views, kept);
        drop(views);
        // To drop them may run code of the operator's: no lock is held.
        drop(former);
    }

    /// A reload makes no other logger: what was logged to the old one would be lost.
    fn keep_logger(&self, generation: &mut Generation) {
        let former = self.in_force.generation().config.logging.logger.clone();
        if generation.config.logging.logger != former {
            log::warn!("logger_class: another logger needs a restart; the old one is kept");
            Arc::make_mut(&mut generation.config).logging.logger = former;
        }
    }

    /// Runs Python that only keeps objects up to date: a failure is logged.
    fn note(&self, what: impl FnOnce(Python<'_>, &Scene) -> PyResult<()>) {
        Python::attach(|py| {
            if let Some(scene) = scene()
                && let Err(error) = what(py, scene)
            {
                log::error!("an object of the server's cannot be kept up to date: {error}");
            }
        });
    }
}

impl Host for PyHost {
    fn fork(&self) -> io::Result<Option<i32>> {
        Python::attach(|py| {
            // Looked up at each call: it may be patched.
            let forked = forked::as_own(|| {
                process::with_simple_name(|| {
                    py.import(intern!(py, "os"))
                        .and_then(|os| os.call_method0(intern!(py, "fork")))
                })
            });
            match forked.and_then(|pid| pid.extract::<i32>()) {
                Ok(0) => {
                    settle();
                    Ok(None)
                }
                Ok(pid) => Ok(Some(pid)),
                Err(error) => Err(os_error(py, &error)),
            }
        })
    }

    fn sleep(&self, fd: BorrowedFd<'_>, longest: Duration) {
        if sleeps_patched(&[fd.as_raw_fd(), self.wishes.waker().as_raw_fd()], longest) {
            return;
        }
        let timeout = PollTimeout::try_from(longest).unwrap_or(PollTimeout::ZERO);
        let mut fds = [fd, self.wishes.waker()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        let polled = poll(&mut fds, timeout);
        if polled == Err(Errno::EINTR) {
            self.note(|py, _| forked::stay(py, py.check_signals()));
        }
    }

    fn reload(&self) -> Result<Generation, Failure> {
        Python::attach(|py| {
            let loaded = self.wanted.load_again(py);
            forked::stay_here(py);
            let mut loaded = loaded?;
            self.keep_logger(&mut loaded.generation);
            loaded
                .warnings
                .iter()
                .for_each(|warning| log::warn!("{warning}"));
            self.show_also(&loaded.generation, loaded.cfg);
            Ok(loaded.generation)
        })
    }

    fn adopt(&self, generation: &Generation) {
        self.in_force.replace(generation);
        let views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        let view = views
            .iter()
            .find(|(config, _)| Arc::ptr_eq(config, &generation.config));
        let cfg = view.map(|(_, cfg)| Python::attach(|py| cfg.clone_ref(py)));
        drop(views);
        let Some(cfg) = cfg else { return };
        self.note(|py, scene| {
            let server = scene.server(py);
            server.setattr(intern!(py, "cfg"), &cfg)?;
            server
                .getattr(intern!(py, "app"))?
                .setattr(intern!(py, "cfg"), &cfg)?;
            set_up_logger(&server.getattr(intern!(py, "log"))?, &cfg)?;
            process::set_variables(py, &generation.config)?;
            process::set_paths(py, &generation.config)
        });
    }

    fn preload(&self) -> Result<(), Failure> {
        Python::attach(|py| {
            let Some(scene) = scene() else { return Ok(()) };
            let before = running_threads(py);
            let loaded = scene
                .server(py)
                .getattr(intern!(py, "app"))
                .and_then(|app| app.call_method0(intern!(py, "wsgi")));
            let loaded = forked::stay(py, loaded);
            warn_of_threads(&before, &running_threads(py));
            loaded
                .map(drop)
                .map_err(|error| application_failure(py, &error, Exit::Startup))
        })
    }

    fn freeze(&self) {
        self.note(|py, _| {
            let gc = py.import(intern!(py, "gc"))?;
            gc.call_method0(intern!(py, "collect"))?;
            gc.call_method0(intern!(py, "freeze")).map(drop)
        });
    }

    fn execute(&self, variables: &[(&str, String)]) -> Failure {
        Python::attach(|py| {
            let execute = || -> PyResult<()> {
                let former = [&VARIABLES[..], &[PREDECESSOR, HANDOVER]].concat();
                let given = PyDict::new(py);
                for (name, value) in variables {
                    given.set_item(name, value)?;
                }
                let Some(scene) = scene() else { return Ok(()) };
                py.import(intern!(py, "tricorn._execution"))?
                    .call_method1(intern!(py, "execute"), (scene.server(py), given, former))
                    .map(drop)
            };
            let why = match execute() {
                Err(error) => summary(py, &error),
                Ok(()) => "nothing was executed".to_owned(),
            };
            Failure::operator(format!("the program cannot be executed: {why}"))
        })
    }

    fn show_succession(&self, predecessor: Option<i32>, successor: Option<i32>) {
        self.note(|py, scene| {
            let server = scene.server(py);
            server.setattr(intern!(py, "reexec_pid"), successor.unwrap_or(0))?;
            server
                .call_method1(intern!(py, "_succeed"), (predecessor.unwrap_or(0),))
                .map(drop)
        });
    }

    fn expect_worker(&self, age: u64, id: usize) -> bool {
        self.wishes.show_age(age);
        Python::attach(|py| {
            let expected = scene().map_or(Ok(()), |scene| scene.expect(py, age, id));
            if let Err(error) = &expected {
                log_exception(py, "The object of a worker cannot be made", error);
            }
            expected.is_ok()
        })
    }

    fn become_worker(&self) {
        self.wishes.leave_to_arbiter();
    }

    fn know_worker(&self, age: u64, pid: i32) {
        self.note(|py, scene| {
            let Some(worker) = scene.worker_of(py, age) else {
                return Ok(());
            };
            worker.setattr(intern!(py, "pid"), pid)?;
            let workers = scene.server(py).getattr(intern!(py, "WORKERS"))?;
            workers.set_item(pid, worker)
        });
    }

    fn note_abort(&self, age: u64) {
        self.note(|py, scene| match scene.worker_of(py, age) {
            Some(worker) => worker.setattr(intern!(py, "aborted"), true),
            None => Ok(()),
        });
    }

    fn mourn_worker(&self, departed: &Departed) {
        self.note(|py, scene| {
            let workers = scene.server(py).getattr(intern!(py, "WORKERS"))?;
            if let Ok(workers) = workers.cast::<PyDict>()
                && workers.contains(departed.pid)?
            {
                workers.del_item(departed.pid)?;
            }
            let Some(worker) = scene.worker_of(py, departed.age) else {
                return Ok(());
            };
            let (code, signal) = match departed.status {
                Status::Code(code) => (Some(code), None),
                Status::Signal(number) => (None, Some(number)),
            };
            worker.setattr(intern!(py, "exitcode"), code)?;
            worker.setattr(intern!(py, "exit_signal"), signal)?;
            worker.setattr(intern!(py, "exit_cause"), departed.cause.name())
        });
    }

    fn forget_worker(&self, age: u64) {
        self.note(|_, scene| {
            scene.forget(age);
            Ok(())
        });
    }

    fn show_listeners(&self, listeners: &[(String, i32)]) {
        self.note(|py, scene| {
            let class = py
                .import(intern!(py, "tricorn.sock"))?
                .getattr(intern!(py, "Listener"))?;
            let shown = PyList::empty(py);
            for (url, fd) in listeners {
                shown.append(class.call1((url, fd))?)?;
            }
            scene.server(py).setattr(intern!(py, "LISTENERS"), shown)
        });
    }

    fn show_wanted(&self, workers: usize) {
        self.wishes.show_workers(workers);
    }

    fn take_wishes(&self) -> Vec<Event> {
        self.wishes.take()
    }

    fn tell_metric(&self, kind: Kind, name: &str, value: u64) {
        self.note(|py, scene| {
            let extra = PyDict::new(py);
            extra.set_item("metric", name)?;
            extra.set_item("value", value)?;
            extra.set_item("mtype", kind.name())?;
            let options = PyDict::new(py);
            options.set_item("extra", extra)?;
            let message = format!("{name}: {value}");
            let log = scene.server(py).getattr(intern!(py, "log"))?;
            log.call_method(intern!(py, "debug"), (message,), Some(&options))
                .map(drop)
        });
    }

    fn set_title(&self, title: &str) {
        process::set_title(title);
    }
}

/// The names of Python's threads.
fn running_threads(py: Python<'_>) -> Vec<String> {
    let names = || -> PyResult<Vec<String>> {
        let threads = py
            .import(intern!(py, "threading"))?
            .call_method0(intern!(py, "enumerate"))?;
        let name =
            |thread: PyResult<Bound<'_, PyAny>>| thread?.getattr(intern!(py, "name"))?.extract();
        threads.try_iter()?.map(name).collect()
    };
    names().unwrap_or_default()
}

/// A fork takes none of them along.
fn warn_of_threads(before: &[String], after: &[String]) {
    let started: Vec<_> = after
        .iter()
        .filter(|name| !before.contains(name))
        .map(String::as_str)
        .collect();
    if !started.is_empty() {
        log::warn!(
            "preload_app: loading the application has started threads, which do not run in workers: {}; start them in post_fork",
            started.join(", ")
        );
    }
}

/// Lets the logger follow a configuration; if it cannot, the former one.
fn set_up_logger(logger: &Bound<'_, PyAny>, cfg: &Py<PyAny>) -> PyResult<()> {
    let py = logger.py();
    let former = logger.getattr(intern!(py, "cfg")).ok();
    let Err(error) = logger.call_method1(intern!(py, "setup"), (cfg,)) else {
        return Ok(());
    };
    let message = "the logger cannot follow the new configuration, and keeps the old one";
    log_exception(py, message, &error);
    former.map_or(Ok(()), |former| {
        logger
            .call_method1(intern!(py, "setup"), (former,))
            .map(drop)
    })
}

/// An `OSError` as the error it stands for.
fn os_error(py: Python<'_>, error: &PyErr) -> io::Error {
    let number = error
        .is_instance_of::<PyOSError>(py)
        .then(|| error.value(py).getattr(intern!(py, "errno")).ok())
        .flatten();
    match number.and_then(|number| number.extract().ok()) {
        Some(number) => io::Error::from_raw_os_error(number),
        None => io::Error::other(summary(py, error)),
    }
}

/// Where the config file has patched `select` (gevent at its top), sleeps through it, so that
/// greenlets run meanwhile. Whether it did.
fn sleeps_patched(fds: &[i32], longest: Duration) -> bool {
    Python::attach(|py| {
        let sleep = || -> PyResult<bool> {
            let modules = py
                .import(intern!(py, "sys"))?
                .getattr(intern!(py, "modules"))?;
            let Ok(monkey) = modules.get_item(intern!(py, "gevent.monkey")) else {
                return Ok(false);
            };
            if !monkey
                .call_method1(intern!(py, "is_module_patched"), ("select",))?
                .is_truthy()?
            {
                return Ok(false);
            }
            let none = PyList::empty(py);
            let select = py.import(intern!(py, "select"))?;
            select.call_method1(
                intern!(py, "select"),
                (fds, &none, &none, longest.as_secs_f64()),
            )?;
            Ok(true)
        };
        sleep().unwrap_or(false)
    })
}

/// Why there is no application: an operator's mistake, or whatever its modules raised, which is
/// logged with its traceback.
pub(crate) fn application_failure(py: Python<'_>, error: &PyErr, exit: Exit) -> Failure {
    let failure = failure(py, error);
    if is_instance(py, error, "Mistake") {
        return failure;
    }
    if let Some(code) = crate::failure::exit_code(py, error) {
        let reason = crate::failure::exit_reason(py, error);
        let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
        return Failure::operator(format!(
            "the application exits with {code} while it is loaded{reason}"
        ))
        .exits_with(exit);
    }
    log_exception(py, "The application cannot be loaded", error);
    Failure::operator(format!(
        "the application cannot be loaded: {}",
        summary(py, error)
    ))
    .mend("the traceback is above")
    .exits_with(exit)
}
