//! What the access line shows of `environ` once the application is done with it: entries that its
//! format names, and what the application has changed of those behind its other atoms.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};
use tricorn_http::{Known, Version, percent_decode};
use tricorn_server::access::Format;
use tricorn_server::config::Config;
use tricorn_server::exchange::Request;
use tricorn_server::gateway::Transaction;

use super::remotes::Remote;
use super::text::with_bytes;

/// What is to be looked at.
pub(super) struct Afterwards {
    /// Keys that the format names, in small letters.
    named: Vec<String>,
    /// Entries that the line has from the request, unless they differ from it.
    shown: Vec<(Py<PyString>, Origin)>,
}

/// What of a request an entry was made of.
#[derive(Clone, Copy)]
enum Origin {
    Client,
    Method,
    Target,
    Path,
    Query,
    Protocol,
    Field(Known),
}

impl Origin {
    fn of(key: &str) -> Option<Self> {
        Some(match key {
            "REMOTE_ADDR" => Self::Client,
            "REQUEST_METHOD" => Self::Method,
            "RAW_URI" => Self::Target,
            "PATH_INFO" => Self::Path,
            "QUERY_STRING" => Self::Query,
            "SERVER_PROTOCOL" => Self::Protocol,
            "HTTP_AUTHORIZATION" => Self::Field(Known::Authorization),
            "HTTP_REFERER" => Self::Field(Known::Referer),
            "HTTP_USER_AGENT" => Self::Field(Known::UserAgent),
            _ => return None,
        })
    }

    /// Whether the entry still says what was sent.
    fn is_told_by(self, entry: Option<&Bound<'_, PyAny>>, request: &Request) -> bool {
        let head = &request.head;
        let Some(entry) = entry else {
            return matches!(self, Self::Field(known) if head.known(known).is_none());
        };
        let is = |sent: &[u8]| with_bytes(entry, "an entry", |text| text == sent).unwrap_or(false);
        match self {
            Self::Client => is_client(entry, request, is),
            Self::Method => is(head.method()),
            Self::Target => is(head.target()),
            Self::Query => is(head.query()),
            Self::Path if head.path().contains(&b'%') => {
                let mut decoded = Vec::new();
                percent_decode(head.path(), &mut decoded);
                is(&decoded)
            }
            Self::Path => is(head.path()),
            Self::Protocol if head.version() == Version::HTTP_11 => is(b"HTTP/1.1"),
            Self::Protocol => {
                let Version { major, minor } = head.version();
                is(format!("HTTP/{major}.{minor}").as_bytes())
            }
            Self::Field(known) => head.joined(known).is_some_and(|sent| is(&sent)),
        }
    }
}

/// Whether an entry is the client's address: the very text that is kept with the connection.
fn is_client(entry: &Bound<'_, PyAny>, request: &Request, is: impl Fn(&[u8]) -> bool) -> bool {
    let Some(client) = request.endpoints.client() else {
        return is(b"");
    };
    let make = || Remote::new(entry.py(), client);
    let remote = request.endpoints.notes.get_or_make(make);
    remote.is_some_and(|remote| entry.is(&remote.host)) || is(client.ip().to_string().as_bytes())
}

impl Afterwards {
    /// As the configuration wants it; `None` if nothing is to be looked at.
    pub(super) fn wanted(py: Python<'_>, config: &Config) -> Option<Self> {
        let logging = &config.logging;
        if !logging.logs_access() {
            return None;
        }
        let format = Format::compile(&logging.access_format).ok()?;
        let entries = logging.formats_natively().then(|| format.entries());
        let known = |key| Some((PyString::intern(py, key).unbind(), Origin::of(key)?));
        let wanted = Self {
            named: format.environ_names().map(str::to_owned).collect(),
            shown: entries.into_iter().flatten().filter_map(known).collect(),
        };
        (!wanted.named.is_empty() || !wanted.shown.is_empty()).then_some(wanted)
    }

    /// Notes what the line of a request is to show.
    pub(super) fn note(&self, environ: &Bound<'_, PyDict>, transaction: &Transaction) {
        let mut values = if self.named.is_empty() {
            Vec::new()
        } else {
            named(environ, &self.named)
        };
        for (key, origin) in &self.shown {
            let key = key.bind(environ.py());
            let entry = environ.get_item(key).ok().flatten();
            if !origin.is_told_by(entry.as_ref(), &transaction.request) {
                let text = entry.and_then(|entry| entry.str().ok());
                let text = text.map_or_else(|| "-".to_owned(), |text| text.to_string());
                values.push((key.to_string().to_lowercase(), text));
            }
        }
        if !values.is_empty() {
            transaction.channel.note_environ(values);
        }
    }
}

/// The values of the entries that the format names.
fn named(environ: &Bound<'_, PyDict>, names: &[String]) -> Vec<(String, String)> {
    let matching = |key: &Bound<'_, PyAny>| {
        let key: String = key.extract().ok()?;
        let lower = key.to_lowercase();
        names.contains(&lower).then_some(lower)
    };
    let list: Bound<'_, PyList> = environ.items();
    list.iter()
        .filter_map(|pair| {
            let pair = pair.cast_into::<PyTuple>().ok()?;
            let key = matching(&pair.get_item(0).ok()?)?;
            Some((key, pair.get_item(1).ok()?.str().ok()?.to_string()))
        })
        .collect()
}
