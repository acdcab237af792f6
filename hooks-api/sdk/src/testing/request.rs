//! A request that a test makes up, and what handlers have done to it.

use std::cell::Cell;
use std::ffi::c_void;

use super::fake::State;

/// Fields in their order.
pub(super) type Fields = Vec<(String, Vec<u8>)>;

/// An answer that a handler has given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FakeAnswer {
    /// Its status.
    pub status: u16,
    /// Its fields.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Its content; that of a file was read.
    pub body: Vec<u8>,
}

impl FakeAnswer {
    /// The first field of this name, as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        find(&self.headers, name, 0).map(|value| String::from_utf8_lossy(value).into_owned())
    }
}

/// What was decided of a suspended request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It goes on.
    GoOn,
    /// It is answered.
    Answer(FakeAnswer),
    /// Its connection is closed.
    Close,
}

/// A request. Made with `new` and the methods that follow, and looked at after it was fired.
#[derive(Debug)]
pub struct FakeRequest {
    /// The method.
    pub method: String,
    /// The target.
    pub target: String,
    /// The request's fields, with what handlers have changed.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The client's address.
    pub peer: String,
    /// The client is in `forwarded_allow_ips`.
    pub is_trusted: bool,
    /// `http` or `https`.
    pub scheme: String,
    /// The length of the body; `None` if it is chunked.
    pub content_length: Option<u64>,
    /// What handlers have put into the application's environment.
    pub environ: Vec<(String, Vec<u8>)>,
    /// The answer that a handler has given.
    pub answer: Option<FakeAnswer>,
    /// The answer of the application, for `response_start` and later: its status and fields.
    pub response: FakeAnswer,
    /// The token of a suspended request.
    pub(super) token: u64,
    /// What the plugin keeps with it, and how that is let go of.
    pub(super) kept: *mut c_void,
    pub(super) release: Option<(
        unsafe extern "C-unwind" fn(*mut c_void, *mut c_void),
        *mut c_void,
    )>,
    /// Which of the events it is inside of: what may be done to it.
    pub(super) event: Cell<Option<u32>>,
    /// The host it was fired under.
    pub(super) host: Cell<Option<&'static State>>,
}

impl FakeRequest {
    /// A plain request from 192.0.2.1.
    #[must_use]
    pub fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: vec![("Host".to_owned(), b"test.example".to_vec())],
            peer: "192.0.2.1".to_owned(),
            is_trusted: false,
            scheme: "http".to_owned(),
            content_length: Some(0),
            environ: Vec::new(),
            answer: None,
            response: FakeAnswer {
                status: 200,
                headers: Vec::new(),
                body: Vec::new(),
            },
            token: 0,
            kept: std::ptr::null_mut(),
            release: None,
            event: Cell::new(None),
            host: Cell::new(None),
        }
    }

    /// Adds a field.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers
            .push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Sets the client's address.
    #[must_use]
    pub fn peer(mut self, peer: &str) -> Self {
        self.peer = peer.to_owned();
        self
    }

    /// The client is in `forwarded_allow_ips`.
    #[must_use]
    pub fn trusted(mut self) -> Self {
        self.is_trusted = true;
        self
    }

    /// The first request header of this name, as text.
    #[must_use]
    pub fn sent(&self, name: &str) -> Option<String> {
        find(&self.headers, name, 0).map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// Lets go of what the plugin keeps.
    pub(super) fn let_go(&mut self) {
        if let Some((release, instance)) = self.release.take()
            && !self.kept.is_null()
        {
            // SAFETY: the plugin's own function, for a value that it has kept, once.
            unsafe { release(instance, self.kept) }
        }
        self.kept = std::ptr::null_mut();
    }
}

impl Drop for FakeRequest {
    fn drop(&mut self) {
        self.let_go();
    }
}

/// The `nth` field of a name.
pub(super) fn find<'f>(fields: &'f Fields, name: &str, nth: usize) -> Option<&'f Vec<u8>> {
    fields
        .iter()
        .filter(|(other, _)| other.eq_ignore_ascii_case(name))
        .nth(nth)
        .map(|(_, value)| value)
}

/// Sets or adds a field; the server's rules.
pub(super) fn put(fields: &mut Fields, name: &str, value: &[u8], adds: bool) -> bool {
    let is_field = is_editable(name) && !value.iter().any(|b| matches!(b, b'\r' | b'\n' | 0));
    if is_field {
        if !adds {
            remove(fields, name);
        }
        fields.push((name.to_owned(), value.to_owned()));
    }
    is_field
}

/// Removes all fields of a name; whether there was one.
pub(super) fn remove(fields: &mut Fields, name: &str) -> bool {
    let before = fields.len();
    fields.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
    fields.len() < before
}

/// A token, and none of the fields that frame a message.
pub(super) fn is_editable(name: &str) -> bool {
    let is_token = !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
    let frames = [
        "connection",
        "content-length",
        "transfer-encoding",
        "upgrade",
        "expect",
        "te",
    ];
    is_token && !frames.iter().any(|other| name.eq_ignore_ascii_case(other))
}
