//! `start_response`, `write` and `wsgi.early_hints` of one request at a time.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::{PyAssertionError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};
use tricorn_http::response::{InvalidResponse, ResponseHead};
use tricorn_server::gateway::Handle;

use super::hooks::Announce;
use super::text::with_bytes;
use super::wait::raise;
use crate::forked;

/// The request's answer, as far as the application has begun it. Reused for the next request if
/// nobody keeps it.
#[pyclass(frozen, module = "tricorn._native")]
pub(crate) struct Starter {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    channel: Option<Handle>,
    head: ResponseHead,
    /// The head is in the server's hands.
    sent: bool,
    /// Who wants to see the head before it is sent.
    announce: Option<Announce>,
    /// The `write` that `start_response` returns: bound to this very object.
    write: Option<Py<PyAny>>,
}

impl State {
    fn send(&mut self) -> ResponseHead {
        self.sent = true;
        std::mem::take(&mut self.head)
    }
}

impl Starter {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets, or takes away, the bound `write`.
    pub(super) fn set_write(&self, write: Option<Py<PyAny>>) {
        let former = std::mem::replace(&mut self.lock().write, write);
        drop(former);
    }

    /// Begins with the next request.
    pub(super) fn begin(&self, channel: Handle) {
        let mut state = self.lock();
        state.channel = Some(channel);
        state.head.clear();
        state.sent = false;
    }

    /// The request is over.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        let former = (state.channel.take(), state.announce.take());
        drop(state);
        drop(former);
    }

    /// The way to the client.
    pub(super) fn channel(&self) -> PyResult<Handle> {
        let channel = self.lock().channel.clone();
        channel.ok_or_else(|| PyValueError::new_err("the request is over"))
    }

    /// Takes the head that is about to be sent, after the handlers of `response_start` have seen it;
    /// `None` if it has been sent.
    pub(super) fn take_head(slf: &Bound<'_, Self>) -> PyResult<Option<ResponseHead>> {
        forked::stay_here(slf.py());
        let announce = {
            let mut state = slf.get().lock();
            if state.sent {
                return Ok(None);
            }
            if !state.head.has_begun() {
                return Err(PyAssertionError::new_err(
                    "the application did not call start_response()",
                ));
            }
            match state.announce.take() {
                Some(announce) => announce,
                None => return Ok(Some(state.send())),
            }
        };
        announce.call(slf);
        // A handler may have sent it.
        let mut state = slf.get().lock();
        Ok((!state.sent).then(|| state.send()))
    }

    /// Asks for the handlers of `response_start` to be called before the head is sent.
    pub(super) fn announce_to(&self, announce: Announce) {
        self.lock().announce = Some(announce);
    }

    /// Gives memory for the next head back.
    pub(super) fn give_head(&self, head: ResponseHead) {
        self.lock().head = head;
    }

    /// Calls `with` with the head as it was begun, while it is not sent.
    pub(super) fn with_head<R>(&self, with: impl FnOnce(&mut ResponseHead) -> R) -> Option<R> {
        let mut state = self.lock();
        (state.head.has_begun() && !state.sent).then(|| with(&mut state.head))
    }

    /// Whether the head is in the server's hands.
    pub(super) fn is_sent(&self) -> bool {
        self.lock().sent
    }
}

#[pymethods]
impl Starter {
    /// Begins the answer (PEP 3333): `start_response(status, headers, exc_info=None) -> write`.
    #[pyo3(signature = (status, headers, exc_info = None))]
    fn start_response(
        &self,
        py: Python<'_>,
        status: &Bound<'_, PyAny>,
        headers: &Bound<'_, PyAny>,
        exc_info: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Option<Py<PyAny>>> {
        let mut head = {
            let mut state = self.lock();
            match exc_info.filter(|info| !info.is_none()) {
                Some(info) if state.sent => return Err(reraised(info)),
                None if state.sent || state.head.has_begun() => {
                    return Err(PyAssertionError::new_err(
                        "start_response() was called already",
                    ));
                }
                _ => std::mem::take(&mut state.head),
            }
        };
        fill(&mut head, status, headers)?;
        let mut state = self.lock();
        state.head = head;
        Ok(state.write.as_ref().map(|write| write.clone_ref(py)))
    }

    /// Sends content at once, for applications that cannot return it (PEP 3333).
    #[pyo3(signature = (data, /))]
    fn write(slf: &Bound<'_, Self>, data: &Bound<'_, PyBytes>) -> PyResult<()> {
        super::output::send(slf, data.as_bytes())
    }

    /// Sends `103 Early Hints` with these headers (RFC 8297), unless the answer has begun or the
    /// client speaks HTTP/1.0.
    #[pyo3(signature = (headers, /))]
    fn early_hints(&self, headers: &Bound<'_, PyAny>) -> PyResult<()> {
        forked::stay_here(headers.py());
        let channel = self.channel()?;
        let mut head = ResponseHead::default();
        head.begin(b"103 Early Hints")
            .map_err(|error| invalid(&error))?;
        push_all(&mut head, headers)?;
        if self.is_sent() {
            Ok(())
        } else {
            channel.inform(&head).map_err(raise)
        }
    }
}

/// The exception of `exc_info`, to be raised again: the answer it was to replace is on its way.
fn reraised(info: &Bound<'_, PyAny>) -> PyErr {
    match info.get_item(1) {
        Ok(value) => PyErr::from_value(value),
        Err(error) => error,
    }
}

/// Begins a head with what the application gives.
pub(super) fn fill(
    head: &mut ResponseHead,
    status: &Bound<'_, PyAny>,
    headers: &Bound<'_, PyAny>,
) -> PyResult<()> {
    with_bytes(status, "the status", |bytes| head.begin(bytes))?
        .map_err(|error| invalid(&error))?;
    let pushed = push_all(head, headers);
    if pushed.is_err() {
        head.clear();
    }
    pushed
}

fn push_all(head: &mut ResponseHead, headers: &Bound<'_, PyAny>) -> PyResult<()> {
    if let Ok(list) = headers.cast_exact::<PyList>() {
        return list.iter().try_for_each(|pair| push(head, &pair));
    }
    for pair in headers.try_iter()? {
        push(head, &pair?)?;
    }
    Ok(())
}

fn push(head: &mut ResponseHead, pair: &Bound<'_, PyAny>) -> PyResult<()> {
    let wrong = || PyTypeError::new_err("a header must be a tuple of two strings");
    let copied;
    let tuple = match pair.cast::<PyTuple>() {
        Ok(tuple) => tuple,
        // PEP 3333 asks for tuples; applications that keep their headers as JSON have lists.
        Err(_) => {
            let list = pair.cast::<PyList>().map_err(|_| wrong())?;
            copied = list.to_tuple();
            &copied
        }
    };
    if tuple.len() != 2 {
        return Err(wrong());
    }
    let (name, value) = (tuple.get_borrowed_item(0)?, tuple.get_borrowed_item(1)?);
    let pushed = with_bytes(&name, "a header name", |name| {
        with_bytes(&value, "a header value", |value| head.push(name, value))
    })??;
    pushed.map_err(|error| invalid(&error))
}

fn invalid(error: &InvalidResponse) -> PyErr {
    PyValueError::new_err(error.to_string())
}
