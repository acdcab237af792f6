//! The keys of `environ`, made once.

use std::collections::HashMap;

use pyo3::prelude::*;
use pyo3::types::PyString;
use tricorn_http::Known;

/// Names of fields that were met besides the known ones; no more than this are remembered.
const REMEMBERED: usize = 512;

macro_rules! keys {
    ($($field:ident = $text:literal),+ $(,)?) => {
        /// The keys that the gateway sets.
        pub(super) struct Keys {
            $(pub(super) $field: Py<PyString>,)+
            known: Vec<Py<PyString>>,
            others: HashMap<Vec<u8>, Py<PyString>>,
        }

        impl Keys {
            pub(super) fn new(py: Python<'_>) -> Self {
                Self {
                    $($field: PyString::intern(py, $text).unbind(),)+
                    known: Known::ALL.iter().map(|known| field_key(py, known.name().as_bytes()).unbind()).collect(),
                    others: HashMap::new(),
                }
            }
        }
    };
}

keys! {
    request_method = "REQUEST_METHOD",
    raw_uri = "RAW_URI",
    path_info = "PATH_INFO",
    query_string = "QUERY_STRING",
    script_name = "SCRIPT_NAME",
    server_protocol = "SERVER_PROTOCOL",
    server_name = "SERVER_NAME",
    server_port = "SERVER_PORT",
    remote_addr = "REMOTE_ADDR",
    remote_port = "REMOTE_PORT",
    proxy_protocol = "PROXY_PROTOCOL",
    proxy_addr = "PROXY_ADDR",
    proxy_port = "PROXY_PORT",
    url_scheme = "wsgi.url_scheme",
    input = "wsgi.input",
    post = "POST",
    https = "https",
}

impl Keys {
    /// The key of a header field: `HTTP_NAME`, or `CONTENT_TYPE` and `CONTENT_LENGTH`.
    pub(super) fn field<'py>(
        &mut self,
        py: Python<'py>,
        known: Known,
        name: &[u8],
    ) -> Bound<'py, PyString> {
        if let Some(key) = self.known.get(known as usize) {
            return key.bind(py).clone();
        }
        if let Some(key) = self.others.get(name) {
            return key.bind(py).clone();
        }
        let key = field_key(py, name);
        // A client that invents names must not fill the memory.
        if self.others.len() < REMEMBERED {
            self.others.insert(name.to_vec(), key.clone().unbind());
        }
        key
    }
}

fn field_key<'py>(py: Python<'py>, name: &[u8]) -> Bound<'py, PyString> {
    let upper: String = name
        .iter()
        .map(|&b| {
            if b == b'-' {
                '_'
            } else {
                char::from(b.to_ascii_uppercase())
            }
        })
        .collect();
    // A name with an underscore is another name, and must not pass for one of these two.
    match upper.as_str() {
        "CONTENT_TYPE" | "CONTENT_LENGTH" if !name.contains(&b'_') => PyString::intern(py, &upper),
        _ => PyString::intern(py, &format!("HTTP_{upper}")),
    }
}
