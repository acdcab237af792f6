//! A worker's interpreter.

use std::sync::{Arc, Mutex, PoisonError};

use pyo3::intern;
use pyo3::prelude::*;
use tricorn_server::arbiter::Generation;
use tricorn_server::error::{Blame, Exit, Failure};
use tricorn_server::gateway::{Control, Gateway, Runtime};

use crate::failure::summary;
use crate::host::{InForce, application_failure};
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

    fn prepare(
        &self,
        py: Python<'_>,
        generation: &Generation,
        state: &WorkerState,
    ) -> PyResult<()> {
        process::set_variables(py, &generation.config)?;
        signals::install(py, &state.control, &generation.bus)?;
        if generation.config.settings.value("spew") == &true.into() {
            py.import(intern!(py, "tricorn._debug"))?
                .call_method0(intern!(py, "spew"))?;
        }
        Ok(())
    }
}

fn load_application<'py>(
    py: Python<'py>,
    generation: &Generation,
    worker: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let settings = &generation.config.settings;
    if settings.value("reload") == &true.into() {
        let reload = py.import(intern!(py, "tricorn._reload"))?;
        return reload.call_method1(intern!(py, "load"), (worker,));
    }
    let app = worker.getattr(intern!(py, "app"))?;
    app.call_method0(intern!(py, "wsgi"))
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
                // From here on a signal neither kills it nor gets lost; once more after post_fork,
                // whose handlers may have set others.
                let bus = self.in_force.generation().bus;
                signals::install(py, &state.control, &bus)?;
                worker.setattr(intern!(py, "id"), id)?;
                worker.setattr(intern!(py, "pid"), std::process::id())?;
                worker.setattr(
                    intern!(py, "_control"),
                    WorkerControl::new(state).into_pyobject(py)?,
                )
            };
            if let Err(error) = enter() {
                log::error!("the object of the worker cannot be kept up to date: {error}");
            }
        });
    }

    fn set_up(&self) -> Result<(), Failure> {
        let (generation, state) = (self.in_force.generation(), self.state()?);
        Python::attach(|py| {
            self.prepare(py, &generation, &state)
                .map_err(|error| failed(py, "set itself up", &error))
        })
    }

    fn load(&self) -> Result<Arc<dyn Gateway>, Failure> {
        let (generation, state) = (self.in_force.generation(), self.state()?);
        Python::attach(|py| {
            let scene =
                scene().ok_or_else(|| Failure::new(Blame::Us, "there is no server object"))?;
            let worker = scene
                .worker(py)
                .ok_or_else(|| Failure::new(Blame::Us, "there is no worker object"))?;
            let application = load_application(py, &generation, &worker)
                .map_err(|error| application_failure(py, &error, Exit::WorkerBoot))?;
            state.set_application(Some(application.unbind()));
            let gateway = WsgiGateway::new(py, &generation, state, worker.unbind())
                .map_err(|error| failed(py, "prepare the gateway", &error))?;
            Ok(Arc::new(gateway) as Arc<dyn Gateway>)
        })
    }

    fn boots(&self) {
        Python::attach(|py| {
            let worker = scene().and_then(|scene| scene.worker(py));
            if let Some(worker) = worker
                && let Err(error) = worker.setattr(intern!(py, "booted"), true)
            {
                log::error!("the object of the worker cannot be kept up to date: {error}");
            }
        });
    }

    fn set_title(&self, title: &str) {
        process::set_title(title);
    }
}
