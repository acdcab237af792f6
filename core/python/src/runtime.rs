//! A worker's interpreter.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use tricorn_http::response::OwnFields;
use tricorn_server::arbiter::Generation;
use tricorn_server::error::{Blame, Exit, Failure};
use tricorn_server::exchange::set_own_fields;
use tricorn_server::gateway::{Control, Gateway, Rest, Runtime, Step};

use crate::failure::{exit_code, exit_reason, summary};
use crate::forked;
use crate::host::{InForce, application_failure};
use crate::logs::log_exception;
use crate::objects::{WorkerControl, WorkerState};
use crate::process;
use crate::scene::scene;
use crate::signals;
use crate::wsgi::WsgiGateway;

/// The interpreter, in a worker.
pub(crate) struct PyRuntime {
    in_force: Arc<InForce>,
    state: Mutex<Option<Arc<WorkerState>>>,
}

impl PyRuntime {
    pub(crate) fn new(in_force: Arc<InForce>) -> Self {
        Self {
            in_force,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> Result<Arc<WorkerState>, Failure> {
        let state = self
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        state.ok_or_else(|| {
            Failure::new(Blame::Us, "the worker has not been entered").exits_with(Exit::WorkerBoot)
        })
    }

    fn prepare(&self, py: Python<'_>, generation: &Generation) -> PyResult<()> {
        process::set_variables(py, &generation.config)?;
        let worker = worker(py)?;
        worker
            .getattr(intern!(py, "log"))?
            .call_method0(intern!(py, "close_on_exec"))?;
        // Once more: handlers of post_fork may have set others.
        worker.call_method0(intern!(py, "init_signals"))?;
        if generation.config.settings.value("spew") == &true.into() {
            py.import(intern!(py, "tricorn._debug"))?
                .call_method0(intern!(py, "spew"))?;
        }
        Ok(())
    }
}

/// The object of this worker.
fn worker(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let worker = scene().and_then(|scene| scene.worker(py));
    worker.ok_or_else(|| PyRuntimeError::new_err("there is no worker object"))
}

fn failed(py: Python<'_>, what: &str, error: &PyErr) -> Failure {
    Failure::new(
        Blame::Environment,
        format!("a worker cannot {what}: {}", summary(py, error)),
    )
    .exits_with(Exit::WorkerBoot)
}

impl Runtime for PyRuntime {
    fn enter(&self, id: usize, age: u64, control: &Arc<Control>) {
        let state = Arc::new(WorkerState::new(Arc::clone(control)));
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&state));
        Python::attach(|py| {
            let enter = || -> PyResult<()> {
                process::set_variable(py, "TRICORN_WORKER_ID", &id.to_string())?;
                let Some(worker) = scene().and_then(|scene| scene.become_worker(py, age)) else {
                    return Ok(());
                };
                // From here on a signal neither kills it nor gets lost.
                let bus = self.in_force.generation().bus;
                signals::prepare(&state.control, &bus);
                signals::install(py)?;
                worker
                    .call_method1(intern!(py, "_become"), (WorkerControl::new(state),))
                    .map(drop)
            };
            if let Err(error) = enter() {
                log::error!("the object of the worker cannot be kept up to date: {error}");
            }
        });
    }

    fn explain_to(&self, signal: i32, descriptor: BorrowedFd<'_>) -> bool {
        Python::attach(|py| {
            let register = || -> PyResult<()> {
                let arguments = PyDict::new(py);
                arguments.set_item("file", descriptor.as_raw_fd())?;
                arguments.set_item("all_threads", true)?;
                py.import(intern!(py, "faulthandler"))?
                    .call_method(intern!(py, "register"), (signal,), Some(&arguments))
                    .map(drop)
            };
            let registered = register();
            if let Err(error) = &registered {
                log::debug!("a time-out will be told without stacks: {error}");
            }
            registered.is_ok()
        })
    }

    fn ends_overdue_on(&self, _: i32) -> bool {
        // `init_signals` has installed the handler.
        true
    }

    fn step(&self, step: Step, rest: Rest) -> Result<Option<i32>, Failure> {
        let state = self.state()?;
        state.offer(Some((step, rest)));
        let taken = Python::attach(|py| {
            let called = worker(py).and_then(|worker| worker.call_method0(step.method()));
            let called = forked::stay(py, called);
            called.map(|_| None).or_else(|error| {
                if let Some(code) = exit_code(py, &error) {
                    if let Some(reason) = exit_reason(py, &error) {
                        log::error!("The worker exits with {code}: {reason}");
                    }
                    return Ok(Some(code));
                }
                log_exception(py, "Exception in worker process", &error);
                Err(failed(py, "live on", &error))
            })
        });
        state.offer(None);
        taken
    }

    fn set_up(&self) -> Result<(), Failure> {
        let generation = self.in_force.generation();
        Python::attach(|py| {
            self.prepare(py, &generation)
                .map_err(|error| failed(py, "set itself up", &error))
        })
    }

    fn load(&self) -> Result<(), Failure> {
        Python::attach(|py| {
            let worker = worker(py).map_err(|error| failed(py, "find itself", &error))?;
            forked::stay(py, worker.call_method0(intern!(py, "load_wsgi")))
                .map(drop)
                .map_err(|error| application_failure(py, &error, Exit::WorkerBoot))
        })
    }

    fn gateway(&self) -> Result<Arc<dyn Gateway>, Failure> {
        let (generation, state) = (self.in_force.generation(), self.state()?);
        Python::attach(|py| {
            let worker = worker(py).map_err(|error| failed(py, "find itself", &error))?;
            if state.application(py).is_none() {
                return Err(
                    Failure::operator("load_wsgi() of the worker has set no worker.wsgi")
                        .exits_with(Exit::WorkerBoot),
                );
            }
            let gateway = WsgiGateway::new(py, &generation, state, worker.unbind())
                .map_err(|error| failed(py, "prepare the gateway", &error))?;
            Ok(Arc::new(gateway) as Arc<dyn Gateway>)
        })
    }

    fn boots(&self) {
        Python::attach(|py| {
            let worker = scene().and_then(|scene| scene.worker(py));
            if let Some(worker) = &worker
                && let Err(error) = worker.call_method0(intern!(py, "_begin"))
            {
                log::error!("the object of the worker cannot be kept up to date: {error}");
            }
            match own_fields(py, worker.as_ref()) {
                Ok(Some(fields)) => set_own_fields(fields),
                Ok(None) => {}
                Err(error) => log::error!(
                    "what gunicorn.SERVER and gunicorn.http.wsgi.Response have been set to is not sent: {}",
                    summary(py, &error)
                ),
            }
        });
    }

    fn set_title(&self, title: &str) {
        process::set_title(title);
    }
}

/// What programs have answers say of the server; `None` where they leave that to it.
fn own_fields(py: Python<'_>, worker: Option<&Bound<'_, PyAny>>) -> PyResult<Option<OwnFields>> {
    let Some(worker) = worker else {
        return Ok(None);
    };
    let cfg = worker.getattr(intern!(py, "cfg"))?;
    let given: Option<Vec<(Vec<u8>, Vec<u8>)>> = py
        .import(intern!(py, "tricorn.compat.identity"))?
        .call_method1(intern!(py, "own_fields"), (cfg,))?
        .extract()?;
    let Some(given) = given else { return Ok(None) };
    let mut fields = OwnFields::default();
    for (name, value) in given {
        let pushed = fields.push(&name, &value);
        pushed.map_err(|invalid| PyValueError::new_err(invalid.to_string()))?;
    }
    Ok(Some(fields))
}
