//! A Python callable as a handler on the bus.

use std::any::Any;

use pyo3::prelude::*;
use pyo3::types::PyTuple;
use tricorn_server::hooks::{Arguments, Call, Event, Occasion, Verdict};

use crate::failure::{exit_code, exit_reason, handler_error};
use crate::forked;
use crate::scene::{Scene, scene};
use crate::signals::keep_raised;

/// The callable, and how many arguments it takes.
#[derive(Debug)]
pub(crate) struct ScriptHandler {
    pub(crate) event: Event,
    pub(crate) arity: usize,
    pub(crate) callable: Py<PyAny>,
}

impl ScriptHandler {
    pub(crate) fn new(event: Event, arity: usize, callable: Py<PyAny>) -> Self {
        Self {
            event,
            arity,
            callable,
        }
    }

    fn arguments<'py>(
        &self,
        py: Python<'py>,
        occasion: &Occasion<'_>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let Some(scene) = scene() else {
            return Ok(PyTuple::empty(py));
        };
        let server = scene.server(py);
        let worker = worker(py, scene, occasion);
        match (self.event.declaration().arguments, occasion) {
            (Arguments::Server, _) => (server,).into_pyobject(py),
            (Arguments::ServerWorker, _) => (server, worker).into_pyobject(py),
            (Arguments::ServerNewOld, Occasion::Count { new, old }) => {
                (server, *new, *old).into_pyobject(py)
            }
            (Arguments::ServerSignum, Occasion::Signal(number)) => {
                (server, *number).into_pyobject(py)
            }
            (Arguments::WorkerStatusReason, Occasion::Refusal { status, reason }) => {
                (worker, *status, *reason).into_pyobject(py)
            }
            (Arguments::ServerOrWorker, _) if worker.is_none() => (server,).into_pyobject(py),
            // The gateway calls the handlers of requests itself, with the objects it has at hand.
            _ => (worker,).into_pyobject(py),
        }
    }
}

fn worker<'py>(
    py: Python<'py>,
    scene: &Scene,
    occasion: &Occasion<'_>,
) -> Option<Bound<'py, PyAny>> {
    match occasion {
        Occasion::Worker(member) => scene.worker_of(py, member.age),
        Occasion::Gone(obituary) => scene.worker_of(py, obituary.age),
        _ => scene.worker(py),
    }
}

impl Call for ScriptHandler {
    fn call(&self, occasion: &Occasion<'_>) -> Verdict {
        Python::attach(|py| {
            let called = self
                .arguments(py, occasion)
                .and_then(|arguments| self.callable.bind(py).call1(arguments));
            match forked::stay(py, called) {
                Ok(_) => Verdict::Continue,
                Err(error) => {
                    keep_raised(self.event, &error, py);
                    verdict(py, self.event, &error)
                }
            }
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// What an exception of a handler means. Why it wants an exit is logged here: a verdict has a code
/// only.
pub(crate) fn verdict(py: Python<'_>, event: Event, error: &PyErr) -> Verdict {
    match exit_code(py, error) {
        Some(code) => {
            if let Some(reason) = exit_reason(py, error) {
                let in_worker = scene().is_some_and(|scene| scene.worker(py).is_some());
                let who = if in_worker { "worker" } else { "server" };
                let event = event.name();
                log::error!("{event} has the {who} exit with {code}: {reason}");
            }
            Verdict::Exit(code)
        }
        None => Verdict::Failed(Box::new(handler_error(py, error))),
    }
}
