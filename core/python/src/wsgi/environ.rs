//! Building `environ`: a copy of a prepared dictionary, and what is the request's own.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};
use tricorn_http::{Framing, Known, Version, percent_decode};
use tricorn_server::config::{Config, WorkerClass};
use tricorn_server::exchange::{Local, Request};
use tricorn_server::gateway::Handle;

use super::errors::ErrorStream;
use super::input::BodyInput;
use super::keys::Keys;
use super::remotes::Remote;
use super::repeated::Repeated;
use super::text::latin1;

/// CPython's table of this many entries has room for some 20 more.
const ROOMY: usize = 22;

/// The entries that all environments of a worker share. Their keys are interned, as those are that
/// code looks for: the same object is found without comparing texts.
pub(super) fn shared<'py>(
    py: Python<'py>,
    config: &Config,
    wrapper: &Bound<'py, PyAny>,
    script_name: &str,
) -> PyResult<Bound<'py, PyDict>> {
    let shared = PyDict::new(py);
    shared.set_item(
        intern!(py, "wsgi.errors"),
        Bound::new(py, ErrorStream::new())?,
    )?;
    shared.set_item(intern!(py, "wsgi.version"), (1, 0).into_pyobject(py)?)?;
    shared.set_item(
        intern!(py, "wsgi.multithread"),
        config.worker_class == WorkerClass::Gthread,
    )?;
    shared.set_item(intern!(py, "wsgi.multiprocess"), config.workers > 1)?;
    shared.set_item(intern!(py, "wsgi.run_once"), false)?;
    shared.set_item(intern!(py, "wsgi.file_wrapper"), wrapper)?;
    shared.set_item(intern!(py, "wsgi.input_terminated"), true)?;
    shared.set_item(
        intern!(py, "wsgi.input"),
        Bound::new(py, BodyInput::empty())?,
    )?;
    shared.set_item(intern!(py, "wsgi.url_scheme"), "http")?;
    shared.set_item(intern!(py, "SERVER_SOFTWARE"), software(py)?)?;
    shared.set_item(intern!(py, "REQUEST_METHOD"), "GET")?;
    shared.set_item(intern!(py, "QUERY_STRING"), "")?;
    shared.set_item(intern!(py, "SERVER_PROTOCOL"), "HTTP/1.1")?;
    shared.set_item(intern!(py, "SCRIPT_NAME"), script_name)?;
    shared.set_item(intern!(py, "REMOTE_ADDR"), "")?;
    Ok(shared)
}

/// What the server calls itself, unless a program has set `gunicorn.SERVER_SOFTWARE`.
fn software(py: Python<'_>) -> PyResult<String> {
    let named: Option<String> = py
        .import(intern!(py, "tricorn.compat.package"))?
        .call_method0(intern!(py, "named_software"))?
        .extract()?;
    Ok(named.unwrap_or_else(|| concat!("tricorn/", env!("CARGO_PKG_VERSION")).to_owned()))
}

/// What building needs, one for each thread.
pub(super) struct Builder {
    pub(super) keys: Keys,
    /// A prepared dictionary for each listener.
    bases: Vec<(Arc<Local>, Py<PyDict>)>,
    /// The dictionary they are made of.
    template: Py<PyDict>,
    /// `SCRIPT_NAME` of the process's environment.
    script_name: Vec<u8>,
    scratch: Vec<u8>,
}

impl Builder {
    pub(super) fn new(py: Python<'_>, template: Py<PyDict>, script_name: Vec<u8>) -> Self {
        Self {
            keys: Keys::new(py),
            bases: Vec::new(),
            template,
            script_name,
            scratch: Vec::new(),
        }
    }

    /// How many prepared dictionaries hold what the template holds.
    pub(super) fn copies(&self) -> usize {
        self.bases.len()
    }

    /// The environment of a request.
    pub(super) fn build<'py>(
        &mut self,
        py: Python<'py>,
        request: &Request,
        channel: Option<&Handle>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let environ = self.base(py, &request.endpoints.local)?.copy()?;
        let head = &request.head;
        match head.method() {
            b"GET" => {}
            b"POST" => environ.set_item(&self.keys.request_method, &self.keys.post)?,
            method => environ.set_item(&self.keys.request_method, latin1(py, method))?,
        }
        environ.set_item(&self.keys.raw_uri, latin1(py, head.target()))?;
        if !head.query().is_empty() {
            environ.set_item(&self.keys.query_string, latin1(py, head.query()))?;
        }
        if head.version() != Version::HTTP_11 {
            let version = head.version();
            let text = format!("HTTP/{}.{}", version.major, version.minor);
            environ.set_item(&self.keys.server_protocol, text)?;
        }
        if head.framing() != Framing::None
            && let Some(channel) = channel
        {
            let input = Bound::new(py, BodyInput::new(channel.clone()))?;
            environ.set_item(&self.keys.input, input)?;
        }
        if request.is_https() {
            environ.set_item(&self.keys.url_scheme, &self.keys.https)?;
        }
        self.set_client(py, &environ, request)?;
        self.set_fields(py, &environ, request)?;
        self.set_path(py, &environ, request)?;
        self.set_server(py, &environ, request)?;
        for (key, value) in &request.environ {
            environ.set_item(key, latin1(py, value))?;
        }
        Ok(environ)
    }

    fn base<'py>(&mut self, py: Python<'py>, local: &Arc<Local>) -> PyResult<Bound<'py, PyDict>> {
        if let Some((_, base)) = self
            .bases
            .iter()
            .find(|(known, _)| Arc::ptr_eq(known, local))
        {
            return Ok(base.bind(py).clone());
        }
        let base = self.template.bind(py).copy()?;
        let (name, port) = match &**local {
            Local::Tcp(address) => (address.ip().to_string(), address.port().to_string()),
            Local::Unix(name) | Local::Abstract(name) => (name.clone(), String::new()),
        };
        base.set_item(&self.keys.server_name, name)?;
        base.set_item(&self.keys.server_port, port)?;
        base.set_item(&self.keys.raw_uri, "")?;
        base.set_item(&self.keys.path_info, "")?;
        make_room(&base)?;
        self.bases.push((Arc::clone(local), base.clone().unbind()));
        Ok(base)
    }

    fn set_client(
        &mut self,
        py: Python<'_>,
        environ: &Bound<'_, PyDict>,
        request: &Request,
    ) -> PyResult<()> {
        let endpoints = &request.endpoints;
        if let Some(client) = endpoints.client()
            && let Some(remote) = endpoints.notes.get_or_make(|| Remote::new(py, client))
        {
            environ.set_item(&self.keys.remote_addr, &remote.host)?;
            environ.set_item(&self.keys.remote_port, &remote.port)?;
        }
        if let Some(proxied) = endpoints.proxied {
            environ.set_item(&self.keys.proxy_protocol, proxied.protocol())?;
            environ.set_item(&self.keys.proxy_addr, proxied.server.ip().to_string())?;
            environ.set_item(&self.keys.proxy_port, proxied.server.port().to_string())?;
        }
        Ok(())
    }

    fn set_fields<'py>(
        &mut self,
        py: Python<'py>,
        environ: &Bound<'py, PyDict>,
        request: &Request,
    ) -> PyResult<()> {
        let mut seen = [0u64; Known::COUNT / 64 + 1];
        let mut repeated = Repeated::default();
        for (known, name, value) in request.head.fields() {
            let key = self.keys.field(py, known, name);
            let value = latin1(py, value);
            let may_repeat = if known == Known::Other {
                true
            } else {
                let (word, bit) = (&mut seen[known as usize / 64], 1 << (known as usize % 64));
                let before = *word;
                *word |= bit;
                before & bit != 0
            };
            if may_repeat {
                repeated.set(environ, &key, &value)?;
            } else {
                environ.set_item(&key, value)?;
            }
        }
        repeated.join_into(environ)?;
        match request.measured {
            Some(length) => set_measured(environ, length),
            None => Ok(()),
        }
    }

    /// `PATH_INFO` is the path without `SCRIPT_NAME`, decoded.
    fn set_path(
        &mut self,
        py: Python<'_>,
        environ: &Bound<'_, PyDict>,
        request: &Request,
    ) -> PyResult<()> {
        let mut path = request.head.path();
        let forwarded = request.head.last_field(b"SCRIPT_NAME");
        let script_name = forwarded.unwrap_or(&self.script_name);
        if !script_name.is_empty() {
            path = path.strip_prefix(script_name).ok_or_else(|| {
                PyValueError::new_err(tricorn_http::PeerError::ScriptNameMismatch.to_string())
            })?;
            environ.set_item(&self.keys.script_name, latin1(py, script_name))?;
        }
        percent_decode(path, &mut self.scratch);
        environ.set_item(&self.keys.path_info, latin1(py, &self.scratch))
    }

    /// A unix socket has no name of its own: the client's `Host` tells it.
    fn set_server(
        &self,
        py: Python<'_>,
        environ: &Bound<'_, PyDict>,
        request: &Request,
    ) -> PyResult<()> {
        let (Local::Unix(own) | Local::Abstract(own), host) = (
            &*request.endpoints.local,
            request.head.known(Known::Host).unwrap_or_default(),
        ) else {
            return Ok(());
        };
        let default: &[u8] = if request.is_https() { b"443" } else { b"80" };
        let (name, port) = match memchr::memrchr(b':', host) {
            Some(colon) if !host.ends_with(b"]") => (&host[..colon], &host[colon + 1..]),
            _ => (host, default),
        };
        // Neither may be empty (PEP 3333).
        let name = if name.is_empty() {
            own.as_bytes()
        } else {
            name
        };
        let port = if port.is_empty() { default } else { port };
        environ.set_item(&self.keys.server_name, latin1(py, name))?;
        environ.set_item(&self.keys.server_port, latin1(py, port))
    }
}

/// Lets a dictionary's table grow, so that its copies have room for a request's own entries: a table
/// keeps its size when entries are taken out, and when it is copied. It keeps its kind too, and one
/// that has had texts alone for keys is quicker.
fn make_room(dict: &Bound<'_, PyDict>) -> PyResult<()> {
    let extra: Vec<String> = (dict.len()..ROOMY)
        .map(|number| number.to_string())
        .collect();
    extra
        .iter()
        .try_for_each(|number| dict.set_item(number, 0))?;
    extra.iter().try_for_each(|number| dict.del_item(number))
}

/// A body that came in chunks and is whole is like any other of its length: applications that go by
/// `CONTENT_LENGTH` read it.
#[cold]
fn set_measured(environ: &Bound<'_, PyDict>, length: u64) -> PyResult<()> {
    let coding = intern!(environ.py(), "HTTP_TRANSFER_ENCODING");
    if environ.contains(coding)? {
        environ.del_item(coding)?;
    }
    environ.set_item(intern!(environ.py(), "CONTENT_LENGTH"), length.to_string())
}

/// Takes over what handlers of `pre_request` have set on `req`: the application sees it.
pub(super) fn apply_edits<'py>(
    keys: &mut Keys,
    environ: &Bound<'py, PyDict>,
    edits: &Bound<'py, PyDict>,
    measured: Option<u64>,
) -> PyResult<()> {
    let py = environ.py();
    for (name, key) in [
        ("method", &keys.request_method),
        ("uri", &keys.raw_uri),
        ("query", &keys.query_string),
        ("scheme", &keys.url_scheme),
    ] {
        if let Some(value) = edits.get_item(name)? {
            environ.set_item(key, value)?;
        }
    }
    if let Some(path) = edits.get_item("path")? {
        set_path(keys, environ, path.cast::<PyString>()?)?;
    }
    let Some(headers) = edits.get_item("headers")? else {
        return Ok(());
    };
    clear_fields(environ)?;
    let mut repeated = Repeated::default();
    for pair in headers.try_iter()? {
        let pair = pair?.cast_into::<PyTuple>()?;
        let (name, value) = (pair.get_item(0)?.extract::<String>()?, pair.get_item(1)?);
        let key = keys.field(py, Known::Other, name.as_bytes());
        repeated.set(environ, &key, &value)?;
    }
    repeated.join_into(environ)?;
    measured.map_or(Ok(()), |length| set_measured(environ, length))
}

/// `req.path` is as the client sent it; `PATH_INFO` is decoded, and without `SCRIPT_NAME`.
fn set_path(keys: &Keys, environ: &Bound<'_, PyDict>, path: &Bound<'_, PyString>) -> PyResult<()> {
    let py = environ.py();
    let mut decoded = Vec::new();
    percent_decode(path.to_str()?.as_bytes(), &mut decoded);
    let script_name = environ.get_item("SCRIPT_NAME")?;
    let prefix: String = script_name.map_or(Ok(String::new()), |name| name.extract())?;
    let inside = decoded.strip_prefix(prefix.as_bytes()).unwrap_or(&decoded);
    environ.set_item(&keys.path_info, latin1(py, inside))
}

fn clear_fields(environ: &Bound<'_, PyDict>) -> PyResult<()> {
    let fields: Vec<_> = environ
        .keys()
        .iter()
        .filter(|key| {
            key.extract::<&str>()
                .is_ok_and(|key| key.starts_with("HTTP_") || key.starts_with("CONTENT_"))
        })
        .collect();
    fields.iter().try_for_each(|key| environ.del_item(key))
}
