//! The `req` that handlers get: an ordinary object, whose attributes are filled in when they are
//! first asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::exceptions::PyAttributeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use tricorn_http::Framing;
use tricorn_server::exchange;
use tricorn_server::gateway::Handle;

use super::input::BodyInput;
use super::socket::ClientSocket;
use super::text::latin1;

/// A request. Takes new attributes; one that is set in `pre_request` reaches the application.
#[pyclass(frozen, dict, weakref, module = "tricorn._native")]
pub(crate) struct Request {
    request: Arc<exchange::Request>,
    channel: Option<Handle>,
    cfg: Py<PyAny>,
    socket: Option<Py<ClientSocket>>,
    /// Something of the attributes that the application is to see has been set.
    edited: AtomicBool,
}

impl Request {
    /// One without a connection has ended: its body and its socket are out of reach.
    pub(super) fn new(
        request: Arc<exchange::Request>,
        cfg: Py<PyAny>,
        connection: Option<(Handle, Py<ClientSocket>)>,
    ) -> Self {
        let (channel, socket) = connection.unzip();
        Self {
            socket,
            request,
            channel,
            cfg,
            edited: AtomicBool::new(false),
        }
    }

    /// What handlers have set, if they have set anything.
    pub(super) fn edits<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyDict>>> {
        if slf.get().edited.load(Ordering::Relaxed) {
            attributes(slf.as_any()).map(Some)
        } else {
            Ok(None)
        }
    }

    /// An attribute that can be set: as it was set, or as the client sent it.
    fn get<'py>(slf: &Bound<'py, Self>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        if let Some(edits) = Self::edits(slf)?
            && let Some(value) = edits.get_item(name)?
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

    fn look_up<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
        let head = &self.request.head;
        let text = |bytes: &[u8]| Ok(Some(latin1(py, bytes).into_any()));
        match name {
            "method" => text(head.method()),
            "uri" => text(head.target()),
            "query" => text(head.query()),
            "fragment" => text(head.fragment()),
            "path" => text(head.path()),
            "version" => {
                let version = head.version();
                Ok(Some(
                    (version.major, version.minor).into_pyobject(py)?.into_any(),
                ))
            }
            "headers" => self.header_list(py).map(|list| Some(list.into_any())),
            "trailers" => self.trailers(py).map(|list| Some(list.into_any())),
            "scheme" => text(if self.request.is_https() {
                b"https"
            } else {
                b"http"
            }),
            "must_close" => Ok(Some(
                (!head.keeps_alive())
                    .into_pyobject(py)?
                    .to_owned()
                    .into_any(),
            )),
            "peer_addr" => address(py, self.request.endpoints.peer),
            "remote_addr" => address(py, self.request.endpoints.client()),
            "req_number" => Ok(Some(self.request.number.into_pyobject(py)?.into_any())),
            "proxy_protocol_info" => self.proxy_protocol_info(py),
            "cfg" => Ok(Some(self.cfg.bind(py).clone())),
            "limit_request_line" | "limit_request_fields" | "limit_request_field_size" => {
                self.cfg.bind(py).getattr(name).map(Some)
            }
            "body" => self.body(py),
            "unreader" => {
                let class = py
                    .import(intern!(py, "tricorn._wsgi"))?
                    .getattr(intern!(py, "Unreader"))?;
                class.call1((self.body(py)?, &self.socket)).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Pairs of names in capitals and values, as gunicorn has them.
    fn header_list<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for (_, name, value) in self.request.head.fields() {
            list.append((latin1(py, &name.to_ascii_uppercase()), latin1(py, value)))?;
        }
        Ok(list)
    }

    fn trailers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let mut found = Vec::new();
        if let Some(channel) = &self.channel {
            channel.trailers(&mut |name, value| {
                found.push((name.to_ascii_uppercase(), value.to_vec()));
            });
        }
        let list = PyList::empty(py);
        for (name, value) in found {
            list.append((latin1(py, &name), latin1(py, &value)))?;
        }
        Ok(list)
    }

    fn proxy_protocol_info<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some(proxied) = self.request.endpoints.proxied else {
            return Ok(Some(py.None().into_bound(py)));
        };
        let info = PyDict::new(py);
        info.set_item("proxy_protocol", proxied.protocol())?;
        info.set_item("client_addr", proxied.client.ip().to_string())?;
        info.set_item("client_port", proxied.client.port())?;
        info.set_item("proxy_addr", proxied.server.ip().to_string())?;
        info.set_item("proxy_port", proxied.server.port())?;
        Ok(Some(info.into_any()))
    }

    /// What is read here, the application does not get to see.
    fn body<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let input = match (self.request.head.framing(), &self.channel) {
            (Framing::None, _) | (_, None) => BodyInput::empty(),
            (_, Some(channel)) => BodyInput::new(channel.clone()),
        };
        Ok(Some(Bound::new(py, input)?.into_any()))
    }
}

/// The attributes that an object holds itself.
pub(super) fn attributes<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    let dict = object.getattr(intern!(object.py(), "__dict__"))?;
    Ok(dict.cast_into::<PyDict>()?)
}

fn missing(name: &str) -> PyErr {
    PyAttributeError::new_err(format!("a request has no attribute {name:?}"))
}

fn address<'py>(
    py: Python<'py>,
    address: Option<std::net::SocketAddr>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    Ok(Some(match address {
        Some(address) => (address.ip().to_string(), address.port())
            .into_pyobject(py)?
            .into_any(),
        None => latin1(py, b"").into_any(),
    }))
}

#[pymethods]
impl Request {
    /// Called for attributes that are not set: looks them up, and keeps them.
    fn __getattr__<'py>(slf: &Bound<'py, Self>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let found = slf.get().look_up(slf.py(), name)?;
        let found = found.ok_or_else(|| missing(name))?;
        attributes(slf.as_any())?.set_item(name, &found)?;
        Ok(found)
    }

    #[getter]
    fn method<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::get(slf, "method")
    }

    #[setter]
    fn set_method(slf: &Bound<'_, Self>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        Self::set(slf, "method", value)
    }

    #[getter]
    fn uri<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::get(slf, "uri")
    }

    #[setter]
    fn set_uri(slf: &Bound<'_, Self>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        Self::set(slf, "uri", value)
    }

    #[getter]
    fn path<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::get(slf, "path")
    }

    #[setter]
    fn set_path(slf: &Bound<'_, Self>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        Self::set(slf, "path", value)
    }

    #[getter]
    fn query<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::get(slf, "query")
    }

    #[setter]
    fn set_query(slf: &Bound<'_, Self>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        Self::set(slf, "query", value)
    }

    #[getter]
    fn scheme<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::get(slf, "scheme")
    }

    #[setter]
    fn set_scheme(slf: &Bound<'_, Self>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        Self::set(slf, "scheme", value)
    }

    #[getter]
    fn must_close<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::get(slf, "must_close")
    }

    #[setter]
    fn set_must_close(slf: &Bound<'_, Self>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        Self::set(slf, "must_close", value)
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

    /// Whether the connection ends with this request.
    fn should_close(slf: &Bound<'_, Self>) -> PyResult<bool> {
        slf.as_any()
            .getattr(intern!(slf.py(), "must_close"))?
            .is_truthy()
    }

    /// Lets the connection end with this request.
    fn force_close(slf: &Bound<'_, Self>) -> PyResult<()> {
        slf.as_any().setattr(intern!(slf.py(), "must_close"), true)
    }

    fn __repr__(&self) -> String {
        let head = &self.request.head;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        format!("<Request {} {}>", text(head.method()), text(head.target()))
    }
}
