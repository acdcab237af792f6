//! The handlers of a request: called by the gateway, with the objects it has at hand.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use tricorn_server::hooks::{Bus, Event, Slot, Verdict, complain};

use super::request::Request;
use super::response::Response;
use super::starter::Starter;
use crate::failure::summary;
use crate::forked;
use crate::handler::{ScriptHandler, verdict};

/// The objects that a request's handlers get.
pub(super) struct Guests<'py> {
    pub(super) worker: Bound<'py, PyAny>,
    pub(super) req: Bound<'py, Request>,
    /// `None` before there is one.
    pub(super) environ: Option<Bound<'py, PyAny>>,
    pub(super) resp: Option<Bound<'py, Response>>,
}

/// What a chain of handlers came to.
pub(super) enum Outcome {
    Done,
    /// A handler failed, and the event's rule is not to go on.
    Failed,
    /// A handler asked the worker to leave with this code.
    Exit(i32),
}

/// Calls an event's Python handlers in order. Compiled ones of these events are called where the
/// answer is written.
pub(super) fn fire(bus: &Bus, event: Event, guests: &Guests<'_>) -> Outcome {
    let mut outcome = Outcome::Done;
    for slot in bus.chain(event) {
        match call(event, slot, guests) {
            Outcome::Done => {}
            Outcome::Exit(code) => outcome = Outcome::Exit(code),
            Outcome::Failed => return Outcome::Failed,
        }
    }
    outcome
}

/// Calls a handler, if it is one of Python's.
pub(super) fn call(event: Event, slot: &Slot, guests: &Guests<'_>) -> Outcome {
    let Some(script) = slot.handler.call.as_any().downcast_ref::<ScriptHandler>() else {
        return Outcome::Done;
    };
    let called = forked::stay(guests.worker.py(), call_script(script, guests));
    slot.count(called.is_err());
    let Err(error) = called else {
        return Outcome::Done;
    };
    match verdict(guests.worker.py(), event, &error) {
        Verdict::Exit(code) => Outcome::Exit(code),
        Verdict::Failed(error) => {
            complain(event, &slot.handler, &error);
            tricorn_server::log::deliver();
            if slot.handler.goes_on(event) {
                Outcome::Done
            } else {
                Outcome::Failed
            }
        }
        _ => Outcome::Done,
    }
}

fn call_script<'py>(script: &ScriptHandler, guests: &Guests<'py>) -> PyResult<Bound<'py, PyAny>> {
    let Guests {
        worker,
        req,
        environ,
        resp,
    } = guests;
    let callable = script.callable.bind(worker.py());
    let environ = || match environ {
        Some(environ) => environ.clone(),
        None => PyDict::new(worker.py()).into_any(),
    };
    match (script.event, script.arity) {
        (Event::ResponseStart, _) => callable.call1((worker, req, resp)),
        (_, 3) => callable.call1((worker, req, environ())),
        (_, 4) => callable.call1((worker, req, environ(), resp)),
        _ => callable.call1((worker, req)),
    }
}

/// The handlers of `response_start`, and what they get.
pub(super) struct Announce {
    pub(super) bus: Arc<Bus>,
    pub(super) worker: Py<PyAny>,
    pub(super) req: Py<Request>,
    pub(super) resp: Py<Response>,
}

impl Announce {
    /// Calls them, and takes over what they have changed. Whatever goes wrong is logged, and the
    /// head is sent as the application gave it.
    pub(super) fn call(self, starter: &Bound<'_, Starter>) {
        let py = starter.py();
        let resp = self.resp.into_bound(py);
        let guests = Guests {
            worker: self.worker.into_bound(py),
            req: self.req.into_bound(py),
            environ: None,
            resp: Some(resp.clone()),
        };
        fire(&self.bus, Event::ResponseStart, &guests);
        if let Err(error) = Response::apply_edits(&resp) {
            log::error!(
                "what response_start has changed cannot be sent: {}",
                summary(py, &error)
            );
        }
    }
}
