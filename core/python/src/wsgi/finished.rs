//! The objects that tell of a request that has ended.

use std::sync::Arc;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDelta, PyDict, PyList};
use tricorn_http::response::ResponseHead;
use tricorn_server::exchange::{self, Attachment, Finished};

use super::environ::Builder;
use super::request::Request;
use super::text::latin1;
use crate::logs::Facts;

/// What is kept of a request that has reached the application.
pub(super) struct Kept {
    /// The object that its handlers have got.
    req: Option<Py<Request>>,
    environ: Py<PyDict>,
}

impl Kept {
    pub(super) fn new(req: Option<Py<Request>>, environ: Py<PyDict>) -> Self {
        Self { req, environ }
    }

    pub(super) fn attachment(self) -> Attachment {
        Attachment(Arc::new(self))
    }
}

/// The objects for a finished request. One that has not reached the application gets its own.
pub(super) fn facts<'py>(
    py: Python<'py>,
    finished: &Finished,
    builder: &mut Builder,
    cfg: &Py<PyAny>,
) -> PyResult<Facts<'py>> {
    let attachment = finished.attachment.as_ref();
    let kept = attachment.and_then(|attachment| attachment.0.downcast_ref::<Kept>());
    let req = match kept.and_then(|kept| kept.req.as_ref()) {
        Some(req) => req.bind(py).clone(),
        None => {
            let request = Arc::clone(&finished.request);
            Bound::new(py, Request::new(request, cfg.clone_ref(py), None))?
        }
    };
    let environ = match kept {
        Some(kept) => kept.environ.bind(py).clone(),
        None => environ(py, &finished.request, builder)?,
    };
    let resp = response(py, finished)?;
    resp.setattr(intern!(py, "req"), &req)?;
    Ok(Facts {
        resp,
        req: req.into_any(),
        environ,
        request_time: request_time(py, finished.duration)?.into_any(),
    })
}

/// The environment of a request that never had one. Of a head that could not be read there is only
/// its first line.
fn environ<'py>(
    py: Python<'py>,
    request: &exchange::Request,
    builder: &mut Builder,
) -> PyResult<Bound<'py, PyDict>> {
    let Some(line) = request.head.unread_line() else {
        return builder.build(py, request, None);
    };
    let environ = PyDict::new(py);
    let mut words = line.splitn(3, |&byte| byte == b' ');
    for key in ["REQUEST_METHOD", "RAW_URI", "SERVER_PROTOCOL"] {
        environ.set_item(key, latin1(py, words.next().unwrap_or_default()))?;
    }
    environ.set_item("PATH_INFO", "")?;
    environ.set_item("QUERY_STRING", "")?;
    let client = request.endpoints.client();
    let host = client.map_or_else(String::new, |client| client.ip().to_string());
    environ.set_item("REMOTE_ADDR", host)?;
    Ok(environ)
}

fn response<'py>(py: Python<'py>, finished: &Finished) -> PyResult<Bound<'py, PyAny>> {
    let head = &finished.response;
    let class = py
        .import(intern!(py, "tricorn._access"))?
        .getattr(intern!(py, "LoggedResponse"))?;
    let status = if head.has_begun() {
        latin1(py, head.status_line())
    } else {
        latin1(py, b"")
    };
    class.call1((
        status,
        headers(py, head)?,
        finished.sent,
        head.length(),
        finished.end.name(),
    ))
}

fn headers<'py>(py: Python<'py>, head: &ResponseHead) -> PyResult<Bound<'py, PyList>> {
    let fields = head.fields();
    let pairs: Vec<_> = fields
        .map(|(name, value)| (latin1(py, name), latin1(py, value)))
        .collect();
    PyList::new(py, pairs)
}

fn request_time(py: Python<'_>, nanos: u64) -> PyResult<Bound<'_, PyDelta>> {
    let micros = nanos / 1_000;
    let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
    let days = i32::try_from(seconds / 86_400).unwrap_or(i32::MAX);
    PyDelta::new(py, days, (seconds % 86_400) as i32, micros as i32, true)
}
