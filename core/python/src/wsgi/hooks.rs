//! The handlers of a request: called by the gateway, with the objects it has at hand.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use tricorn_server::exchange;
use tricorn_server::hooks::{Bus, Event, Occasion, Slot, Verdict, complain};

use super::request::Request;
use super::response::Response;
use super::starter::Starter;
use crate::failure::summary;
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

/// Calls an event's handlers in order, from the place `from` on.
pub(super) fn fire(
    bus: &Bus,
    event: Event,
    from: usize,
    request: &Arc<exchange::Request>,
    guests: &Guests<'_>,
) -> Outcome {
    let mut outcome = Outcome::Done;
    for slot in &bus.chain(event)[from..] {
        match call(slot, request, guests) {
            Verdict::Continue => {}
            Verdict::Exit(code) => outcome = Outcome::Exit(code),
            Verdict::Failed(error) => {
                complain(event, &slot.handler, &error);
                if !event.declaration().on_failure.goes_on() {
                    return Outcome::Failed;
                }
            }
        }
    }
    outcome
}

fn call(slot: &Slot, request: &Arc<exchange::Request>, guests: &Guests<'_>) -> Verdict {
    let Some(script) = slot.handler.call.as_any().downcast_ref::<ScriptHandler>() else {
        return slot.handler.call.call(&Occasion::Request(request));
    };
    let py = guests.worker.py();
    let called = call_script(script, guests);
    slot.count(called.is_err());
    called.map_or_else(|error| verdict(py, &error), |_| Verdict::Continue)
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
    pub(super) request: Arc<exchange::Request>,
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
        fire(&self.bus, Event::ResponseStart, 0, &self.request, &guests);
        if let Err(error) = Response::apply_edits(&resp) {
            log::error!(
                "what response_start has changed cannot be sent: {}",
                summary(py, &error)
            );
        }
    }
}
