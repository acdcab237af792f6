//! The `resp` that handlers get: the answer as far as it has come.

use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::exceptions::PyAttributeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use tricorn_http::response::ResponseHead;
use tricorn_server::exchange::{own_fields, with_own_lines};
use tricorn_server::gateway::Handle;

use super::output;
use super::request::attributes;
use super::socket::ClientSocket;
use super::starter::{Starter, fill};
use super::text::latin1;
use super::wait::raise;

/// An answer. Takes new attributes. What `response_start` sets of `status` and `headers` is sent.
#[pyclass(frozen, dict, weakref, module = "tricorn._native")]
pub(crate) struct Response {
    starter: Py<Starter>,
    channel: Handle,
    request: Py<PyAny>,
    socket: Py<ClientSocket>,
    /// The status or the headers have been set.
    edited: AtomicBool,
}

impl Response {
    pub(super) fn new(
        starter: Py<Starter>,
        channel: Handle,
        request: Py<PyAny>,
        socket: Py<ClientSocket>,
    ) -> Self {
        Self {
            socket,
            starter,
            channel,
            request,
            edited: AtomicBool::new(false),
        }
    }

    /// Calls `with` with the head: as it was begun, or as it was sent.
    fn with_head<R>(&self, with: impl Fn(&ResponseHead) -> R) -> Option<R> {
        if let Some(found) = self.starter.get().with_head(|head| with(head)) {
            return Some(found);
        }
        let mut found = None;
        self.channel.head(&mut |head| found = Some(with(head)));
        found
    }

    fn look_up<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
        let facts = self.channel.facts();
        let truth = |truth: bool| Ok(Some(truth.into_pyobject(py)?.to_owned().into_any()));
        Ok(match name {
            "status" => self.with_head(|head| latin1(py, head.status_line()).into_any()),
            "status_code" => match self.with_head(|head| head.status().code()) {
                Some(code) => Some(code.into_pyobject(py)?.into_any()),
                None => None,
            },
            "response_length" => match self.with_head(ResponseHead::length).flatten() {
                Some(length) => Some(length.into_pyobject(py)?.into_any()),
                None => Some(py.None().into_bound(py)),
            },
            "headers" => Some(self.header_list(py)?.into_any()),
            "sent" => Some(facts.sent.into_pyobject(py)?.into_any()),
            "headers_sent" => return truth(facts.started),
            "chunked" => return truth(facts.chunked),
            "must_close" => return truth(facts.close),
            "upgrade" => return truth(self.with_head(ResponseHead::upgrades).unwrap_or(false)),
            "version" => Some(latin1(py, own_fields().server()).into_any()),
            "sock" => Some(self.socket.bind(py).clone().into_any()),
            "req" => Some(self.request.bind(py).clone()),
            "cfg" => Some(self.request.bind(py).getattr(intern!(py, "cfg"))?),
            _ => None,
        })
    }

    fn header_list<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let pairs = self.with_head(|head| -> Vec<_> {
            let mut pairs: Vec<_> = head
                .fields()
                .map(|(name, value)| (latin1(py, name), latin1(py, value)))
                .collect();
            if let Some(length) = head.length() {
                let value = length.to_string();
                pairs.push((latin1(py, b"Content-Length"), latin1(py, value.as_bytes())));
            }
            pairs
        });
        PyList::new(py, pairs.unwrap_or_default())
    }

    /// An attribute that can be set: as it was set, or as it is.
    fn get<'py>(slf: &Bound<'py, Self>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        if slf.get().edited.load(Ordering::Relaxed)
            && let Some(value) = attributes(slf.as_any())?.get_item(name)?
        {
            return Ok(value);
        }
        let found = slf.get().look_up(slf.py(), name)?;
        found.ok_or_else(|| missing(name))
    }

    fn set(slf: &Bound<'_, Self>, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        slf.get().edited.store(true, Ordering::Relaxed);
        attributes(slf.as_any())?.set_item(name, value)
    }

    /// Takes over what handlers have set: another status, other headers.
    pub(super) fn apply_edits(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        if !slf.get().edited.load(Ordering::Relaxed) {
            return Ok(());
        }
        let dict = attributes(slf.as_any())?;
        let (status, headers) = (dict.get_item("status")?, dict.get_item("headers")?);
        if status.is_none() && headers.is_none() {
            return Ok(());
        }
        let this = slf.get();
        let status = status.map_or_else(|| slf.as_any().getattr(intern!(py, "status")), Ok)?;
        let headers = match headers {
            Some(headers) => headers,
            None => this.header_list(py)?.into_any(),
        };
        let mut head = ResponseHead::default();
        fill(&mut head, &status, &headers)?;
        this.starter.get().with_head(|place| *place = head);
        Ok(())
    }
}

#[pymethods]
impl Response {
    /// Whether the connection ends with this answer.
    fn should_close(&self) -> bool {
        self.channel.facts().close
    }

    /// Whether the content is sent in chunks.
    fn is_chunked(&self) -> bool {
        self.channel.facts().chunked
    }

    /// Lets the connection end with this answer.
    fn force_close(&self) {
        self.channel.close_after();
    }

    /// Begins the answer, as the application does (PEP 3333).
    #[pyo3(signature = (status, headers, exc_info = None))]
    fn start_response<'py>(
        &self,
        py: Python<'py>,
        status: &Bound<'py, PyAny>,
        headers: &Bound<'py, PyAny>,
        exc_info: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let starter = self.starter.bind(py).as_any();
        starter.call_method1(intern!(py, "start_response"), (status, headers, exc_info))
    }

    /// Adds headers to the answer.
    #[pyo3(signature = (headers, /))]
    fn process_headers(slf: &Bound<'_, Self>, headers: &Bound<'_, PyAny>) -> PyResult<()> {
        let own = Self::headers(slf)?;
        own.call_method1(intern!(slf.py(), "extend"), (headers,))
            .map(drop)
    }

    /// The lines that the server itself puts before the application's headers.
    fn default_headers(&self) -> Vec<String> {
        let status =
            self.with_head(|head| String::from_utf8_lossy(head.status_line()).into_owned());
        let facts = self.channel.facts();
        let mut lines = vec![format!("HTTP/1.1 {}\r\n", status.unwrap_or_default())];
        let own = with_own_lines(|own| String::from_utf8_lossy(own).into_owned());
        lines.extend(own.split_inclusive('\n').map(str::to_owned));
        if facts.close {
            lines.push("Connection: close\r\n".to_owned());
        }
        if facts.chunked {
            lines.push("Transfer-Encoding: chunked\r\n".to_owned());
        }
        lines
    }

    /// Sends the head, unless it has been sent.
    fn send_headers(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::apply_edits(slf)?;
        let this = slf.get();
        output::start(this.starter.bind(slf.py()), &this.channel, None)
    }

    /// Sends content, and the head before it.
    #[pyo3(signature = (arg, /))]
    fn write(slf: &Bound<'_, Self>, arg: &Bound<'_, PyBytes>) -> PyResult<()> {
        Self::apply_edits(slf)?;
        output::send(slf.get().starter.bind(slf.py()), arg.as_bytes())
    }

    /// Whether files may be sent by the kernel.
    fn can_sendfile(&self, py: Python<'_>) -> PyResult<bool> {
        let cfg = self.request.bind(py).getattr(intern!(py, "cfg"))?;
        cfg.getattr(intern!(py, "sendfile"))?.is_truthy()
    }

    /// Has the kernel send what a `wsgi.file_wrapper` stands for. Whether it can; if not, nothing has
    /// been sent.
    #[pyo3(signature = (respiter, /))]
    fn sendfile(slf: &Bound<'_, Self>, respiter: &Bound<'_, PyAny>) -> PyResult<bool> {
        Self::apply_edits(slf)?;
        let (this, py) = (slf.get(), slf.py());
        let can = this.can_sendfile(py)?;
        Ok(can && output::send_file(this.starter.bind(py), &this.channel, respiter)?)
    }

    /// Sends all that a `wsgi.file_wrapper` stands for, by the kernel if it can.
    #[pyo3(signature = (respiter, /))]
    fn write_file(slf: &Bound<'_, Self>, respiter: &Bound<'_, PyAny>) -> PyResult<()> {
        if Self::sendfile(slf, respiter)? {
            return Ok(());
        }
        output::send_each(slf.get().starter.bind(slf.py()), &respiter.try_iter()?)
    }

    /// Ends the answer.
    fn close(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::send_headers(slf)?;
        slf.get().channel.end().map(drop).map_err(raise)
    }

    /// Called for attributes that are not set: they are asked for anew each time.
    fn __getattr__<'py>(slf: &Bound<'py, Self>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let found = slf.get().look_up(slf.py(), name)?;
        found.ok_or_else(|| missing(name))
    }

    #[getter]
    fn status<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::get(slf, "status")
    }

    #[setter]
    fn set_status(slf: &Bound<'_, Self>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        Self::set(slf, "status", value)
    }

    #[getter]
    fn status_code<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::get(slf, "status_code")
    }

    #[setter]
    fn set_status_code(slf: &Bound<'_, Self>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        Self::set(slf, "status_code", value)
    }

    /// A list that may be changed, and so it is kept.
    #[getter]
    fn headers<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let headers = Self::get(slf, "headers")?;
        Self::set(slf, "headers", &headers)?;
        Ok(headers)
    }

    #[setter]
    fn set_headers(slf: &Bound<'_, Self>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        Self::set(slf, "headers", value)
    }
}

fn missing(name: &str) -> PyErr {
    PyAttributeError::new_err(format!("a response has no attribute {name:?}"))
}
