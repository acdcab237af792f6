//! Running requests: hooks, environment, application, answer, and the order of their ends.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pyo3::exceptions::PyStopIteration;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use tricorn_http::Status;
use tricorn_http::response::{ResponseHead, error_page};
use tricorn_server::arbiter::Generation;
use tricorn_server::error::Failure;
use tricorn_server::exchange::{End, Finished, Stage};
use tricorn_server::gateway::{Fate, Gateway, Joins, Source, Transaction};
use tricorn_server::hooks::{Bus, Event, Occasion, Passing, Tongue};
use tricorn_server::worker::fate;

use super::afterwards::Afterwards;
use super::close::close;
use super::environ;
use super::errors::flush_errors;
use super::finished::{Kept, facts};
use super::hooks::{Announce, Guests, Outcome, call, fire};
use super::kit::Kit;
use super::output::{Files, give};
use super::overtime::{Allowance, RequestTimeout};
use super::request::Request;
use super::response::Response;
use crate::failure::exit_code;
use crate::forked;
use crate::logs::{Facts, Told, log_exception, told};
use crate::objects::WorkerState;
use crate::threads;

/// The gateway of one worker.
pub(crate) struct WsgiGateway {
    state: Arc<WorkerState>,
    bus: Arc<Bus>,
    worker: Py<PyAny>,
    cfg: Py<PyAny>,
    /// Who in Python is told of requests that have ended.
    told: Option<Told>,
    /// What all environments share.
    shared: Py<PyDict>,
    script_name: Vec<u8>,
    files: Files,
    /// What the access log shows of an environment that the application is done with.
    afterwards: Option<Afterwards>,
    hears: Hears,
    /// The longest that a request may run.
    limit: Option<Duration>,
}

/// Which of a request's events anybody listens to.
#[derive(Debug, Clone, Copy)]
struct Hears {
    /// The first handler of `pre_request` that has not been called by the time a request gets here.
    pre_from: usize,
    pre: bool,
    post: bool,
    response_start: bool,
}

impl Hears {
    fn by(bus: &Bus) -> Self {
        let pre_from = bus.leading_native(Event::PreRequest);
        Self {
            pre_from,
            pre: bus.chain(Event::PreRequest).len() > pre_from,
            post: bus.is_heard_in_python(Event::PostRequest),
            response_start: bus.is_heard_in_python(Event::ResponseStart),
        }
    }

    fn anything(self) -> bool {
        self.pre || self.post || self.response_start
    }
}

thread_local! {
    /// The thread's kit, while no request uses it.
    static KIT: RefCell<Option<Kit>> = const { RefCell::new(None) };
}

/// Lets go of what this thread keeps for its requests: the process is about to end.
pub(crate) fn let_go() {
    drop(KIT.take());
}

impl WsgiGateway {
    pub(crate) fn new(
        py: Python<'_>,
        generation: &Generation,
        state: Arc<WorkerState>,
        worker: Py<PyAny>,
    ) -> PyResult<Self> {
        let config = &generation.config;
        let objects = py.import(intern!(py, "tricorn._wsgi"))?;
        let wrapper = objects.getattr(intern!(py, "FileWrapper"))?;
        let os = py.import(intern!(py, "os"))?;
        let script_name: String = os
            .getattr(intern!(py, "environ"))?
            .call_method1("get", ("SCRIPT_NAME", ""))?
            .extract()?;
        Ok(Self {
            hears: Hears::by(&generation.bus),
            bus: Arc::clone(&generation.bus),
            cfg: worker.bind(py).getattr(intern!(py, "cfg"))?.unbind(),
            shared: environ::shared(py, config, &wrapper, &script_name)?.unbind(),
            script_name: script_name.into_bytes(),
            files: Files {
                wrapper: wrapper.unbind(),
                sendfile: config.sendfile,
            },
            afterwards: Afterwards::wanted(py, config),
            limit: config.time.request,
            told: told(py, config, worker.bind(py))?,
            worker,
            state,
        })
    }

    fn facts<'py>(&self, py: Python<'py>, finished: &Finished) -> PyResult<Facts<'py>> {
        let mut kit = self.kit(py)?;
        let facts = facts(py, finished, &mut kit.builder, &self.cfg);
        KIT.set(Some(kit));
        facts
    }

    fn kit(&self, py: Python<'_>) -> PyResult<Kit> {
        match KIT.take() {
            Some(kit) => Ok(kit),
            None => Kit::new(py, &self.shared, &self.script_name),
        }
    }

    /// Runs one request, and takes care that it has an answer whatever happens.
    fn serve(&self, py: Python<'_>, transaction: &mut Transaction) {
        let mut kit = match self.kit(py) {
            Ok(kit) => kit,
            Err(error) => return self.fail(py, transaction, &error.into()),
        };
        let starter = kit.starter.clone_ref(py).into_bound(py);
        starter.get().begin(transaction.channel.clone());
        let guests = self
            .hears
            .anything()
            .then(|| self.guests(py, transaction, &kit))
            .transpose();
        match guests {
            Ok(guests) => self.run_with(py, transaction, &mut kit, guests),
            Err(error) => self.fail(py, transaction, &error.into()),
        }
        // A signal that ends the worker ends it when the request is done.
        let _ = flush_errors();
        starter.get().end();
        drop(starter);
        if kit.is_free(py) {
            KIT.set(Some(kit));
        } else {
            kit.dismantle();
        }
    }

    fn guests<'py>(
        &self,
        py: Python<'py>,
        transaction: &Transaction,
        kit: &Kit,
    ) -> PyResult<Guests<'py>> {
        let request = Request::new(
            Arc::clone(&transaction.request),
            self.cfg.clone_ref(py),
            Some((transaction.channel.clone(), kit.socket.clone_ref(py))),
        );
        let req = Bound::new(py, request)?;
        let resp = if self.hears.post || self.hears.response_start {
            let resp = Response::new(
                kit.starter.clone_ref(py),
                transaction.channel.clone(),
                req.clone().into_any().unbind(),
                kit.socket.clone_ref(py),
            );
            Some(Bound::new(py, resp)?)
        } else {
            None
        };
        Ok(Guests {
            worker: self.worker.bind(py).clone(),
            req,
            environ: None,
            resp,
        })
    }

    fn run_with<'py>(
        &self,
        py: Python<'py>,
        transaction: &mut Transaction,
        kit: &mut Kit,
        mut guests: Option<Guests<'py>>,
    ) {
        let result = match self.before(transaction, guests.as_ref()) {
            Ok(true) => {
                self.state.requests.fetch_add(1, Ordering::Relaxed);
                self.run_application(py, transaction, kit, &mut guests)
            }
            Ok(false) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = result {
            self.fail(py, transaction, &error);
        }
        if let Some(guests) = guests.filter(|_| self.hears.post) {
            self.after(&guests);
        }
    }

    /// The handlers of `pre_request` that have not been called yet. Whether the application is to be.
    fn before(
        &self,
        transaction: &mut Transaction,
        guests: Option<&Guests<'_>>,
    ) -> Result<bool, Trouble> {
        let Some(guests) = guests.filter(|_| self.hears.pre) else {
            return Ok(true);
        };
        let chain = self.bus.chain(Event::PreRequest);
        for (place, slot) in chain.iter().enumerate().skip(self.hears.pre_from) {
            if slot.handler.tongue == Tongue::Native {
                if !self.pass(transaction, place) {
                    return Ok(false);
                }
                continue;
            }
            match call(Event::PreRequest, slot, guests) {
                Outcome::Done => {}
                Outcome::Failed => return Err(Trouble::Refused),
                Outcome::Exit(code) => {
                    self.state.control.leave(code);
                    return Err(Trouble::Refused);
                }
            }
        }
        Ok(true)
    }

    /// A compiled handler whose turn is after one of Python's. Whether the request goes on.
    fn pass(&self, transaction: &mut Transaction, place: usize) -> bool {
        let (met, goes_on) = transaction.clone().lend(Stage::Ready, |passage| {
            let occasion = Occasion::Passage(passage);
            let passing = self.bus.pass_one(Event::PreRequest, place, &occasion);
            if let Passing::Pending(_) = passing {
                let name = &self.bus.chain(Event::PreRequest)[place].handler.name;
                log::error!(
                    "{name} cannot suspend a request behind a Python handler: order it before"
                );
                return Some(Fate::Refuse(Status::INTERNAL_SERVER_ERROR));
            }
            fate(passing, &self.state.control)
        });
        *transaction = met;
        goes_on
    }

    fn after(&self, guests: &Guests<'_>) {
        if let Outcome::Exit(code) = fire(&self.bus, Event::PostRequest, guests) {
            self.state.control.leave(code);
        }
    }

    fn run_application<'py>(
        &self,
        py: Python<'py>,
        transaction: &Transaction,
        kit: &mut Kit,
        guests: &mut Option<Guests<'py>>,
    ) -> Result<(), Trouble> {
        let environ = kit
            .builder
            .build(py, &transaction.request, Some(&transaction.channel))?;
        if self.told.as_ref().is_some_and(Told::hears) {
            let req = guests.as_ref().map(|guests| guests.req.clone().unbind());
            let kept = Kept::new(req, environ.clone().unbind());
            transaction.channel.attach(kept.attachment());
        }
        if let Some(guests) = guests {
            self.introduce(transaction, kit, guests, &environ)?;
        }
        let Some(application) = self.state.application(py) else {
            return Err(Trouble::Refused);
        };
        let called = application.bind(py).call1((&environ, &kit.start_response));
        let called = forked::stay(py, called);
        let given = called.map_err(Trouble::from).and_then(|result| {
            let starter = kit.starter.bind(py);
            let given = give(starter, &transaction.channel, &result, &self.files);
            let given = forked::stay(py, given);
            close(&result);
            forked::stay_here(py);
            Ok(given?)
        });
        if let Some(afterwards) = &self.afterwards {
            afterwards.note(&environ, transaction);
        }
        let owed = given?;
        if owed > 0 {
            let target = target(transaction);
            log::warn!("{target}: the application gave {owed} bytes less than its Content-Length");
        }
        Ok(())
    }

    /// Lets the handlers know the environment, and the environment what they have changed.
    fn introduce<'py>(
        &self,
        transaction: &Transaction,
        kit: &mut Kit,
        guests: &mut Guests<'py>,
        environ: &Bound<'py, PyDict>,
    ) -> PyResult<()> {
        let py = environ.py();
        if self.hears.pre
            && let Some(edits) = Request::edits(&guests.req)?
        {
            environ::apply_edits(
                &mut kit.builder.keys,
                environ,
                &edits,
                transaction.request.measured,
            )?;
            if let Some(must_close) = edits.get_item("must_close")?
                && must_close.is_truthy()?
            {
                transaction.channel.close_after();
            }
        }
        guests.environ = Some(environ.clone().into_any());
        if let Some(resp) = guests.resp.clone().filter(|_| self.hears.response_start) {
            kit.starter.get().announce_to(Announce {
                bus: Arc::clone(&self.bus),
                worker: self.worker.clone_ref(py),
                req: guests.req.clone().unbind(),
                resp: resp.unbind(),
            });
        }
        Ok(())
    }

    /// Gives the client what is left to give when a request has failed.
    fn fail(&self, py: Python<'_>, transaction: &Transaction, trouble: &Trouble) {
        let channel = &transaction.channel;
        let facts = channel.facts();
        if facts.taken_over && !facts.started {
            if !trouble.is_stop_iteration(py) {
                trouble.log(py, transaction);
            }
            return channel.abort(End::TakenOver);
        }
        if facts.end.is_some() {
            return log::debug!("{}: the client went away", target(transaction));
        }
        let status = match facts.body_error {
            Some(error) => {
                log::warn!("Invalid body of {}: {error}", target(transaction));
                error.status()
            }
            None => {
                trouble.log(py, transaction);
                trouble.status(py)
            }
        };
        if facts.started {
            return channel.abort(End::CutShort);
        }
        let mut head = ResponseHead::default();
        let page = error_page(status, "", &mut head);
        if channel.answer(&mut head, &[&page]).is_err() {
            channel.abort(End::ClientGone);
        }
    }
}

/// Why a request cannot go on.
enum Trouble {
    /// A handler has failed, which has been logged, or there is no application any more.
    Refused,
    /// The application has raised.
    Raised(PyErr),
}

impl From<PyErr> for Trouble {
    fn from(error: PyErr) -> Self {
        Self::Raised(error)
    }
}

impl Trouble {
    /// What an application raises that has answered through the socket itself.
    fn is_stop_iteration(&self, py: Python<'_>) -> bool {
        matches!(self, Self::Raised(error) if error.is_instance_of::<PyStopIteration>(py))
    }

    /// What the client is told.
    fn status(&self, py: Python<'_>) -> Status {
        match self {
            Self::Raised(error) if error.is_instance_of::<RequestTimeout>(py) => {
                Status::GATEWAY_TIMEOUT
            }
            _ => Status::INTERNAL_SERVER_ERROR,
        }
    }

    fn log(&self, py: Python<'_>, transaction: &Transaction) {
        if let Self::Raised(error) = self {
            let message = format!("Error handling request {}", target(transaction));
            log_exception(py, &message, error);
            // As in an `except` clause: before the client is told, and the next request begins.
            tricorn_server::log::deliver();
        }
    }
}

fn target(transaction: &Transaction) -> String {
    let head = &transaction.request.head;
    let method = String::from_utf8_lossy(head.method());
    format!("{method} {}", String::from_utf8_lossy(head.target()))
}

impl Gateway for WsgiGateway {
    fn run(&self, source: &dyn Source) {
        // Requests that compiled handlers answer are dealt with in here, without the interpreter.
        let Some(mut transaction) = source.next() else {
            return;
        };
        Python::attach(|py| {
            source.begun();
            loop {
                let allowance = self.limit.map(Allowance::begin);
                self.serve(py, &mut transaction);
                if let Some(allowance) = allowance {
                    allowance.end(py);
                }
                source.done(transaction);
                match source.next() {
                    Some(next) => transaction = next,
                    None => break,
                }
            }
        });
    }

    fn log_requests(&self, finished: Vec<Finished>) {
        let Some(told) = &self.told else { return };
        Python::attach(|py| {
            for finished in &finished {
                let facts = self.facts(py, finished);
                match facts {
                    Ok(facts) => told.tell(py, finished, &facts),
                    Err(error) => log_exception(py, "a request cannot be logged", &error),
                }
            }
            forked::stay_here(py);
        });
    }

    fn check_signals(&self) {
        Python::attach(|py| {
            let control = &self.state.control;
            let Err(error) = forked::stay(py, py.check_signals()) else {
                return;
            };
            if control.exit().or(control.last_code()).is_some() {
                return;
            }
            // A handler of the operator's own has raised, with no application to raise into. It ends the
            // worker, and not the requests of other threads.
            let code = exit_code(py, &error).unwrap_or_else(|| {
                log_exception(
                    py,
                    "A signal's handler failed, and the worker leaves",
                    &error,
                );
                1
            });
            control.leave_in_order(code);
        });
    }

    fn spawn(&self, name: &str, body: Box<dyn FnOnce() + Send>) -> Result<Box<dyn Joins>, Failure> {
        threads::spawn(name, body)
    }
}
