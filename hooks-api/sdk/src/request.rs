//! A request that has not been answered.

use std::any::Any;
use std::ffi::c_void;
use std::marker::PhantomData;

use tricorn_abi as abi;
use tricorn_abi::Str;

use crate::answer::Answer;
use crate::error::{Flow, Result, check};
use crate::host::Host;
use crate::path;
use crate::resume::Resume;
use crate::text::{NOTHING, bytes, lend};

/// What is kept with a request: a box in a box, so that one pointer leads to it.
pub(crate) type Kept = Box<dyn Any + Send>;

/// The request, behind the wrappers that handlers get.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'r> {
    pub(crate) host: Host,
    pub(crate) raw: *mut abi::Request,
    pub(crate) http: &'static abi::Http,
    _during: PhantomData<&'r ()>,
}

impl<'r> Subject<'r> {
    pub(crate) fn new(host: Host, raw: *mut abi::Request) -> Result<Self> {
        Ok(Self {
            host,
            raw,
            http: host.table(abi::INTERFACE_HTTP)?,
            _during: PhantomData,
        })
    }

    /// A part that the server lends for the call.
    fn part(&self, get: unsafe extern "C" fn(*mut abi::Request, *mut Str) -> i32) -> &[u8] {
        let mut part = NOTHING;
        // SAFETY: as the ABI describes these functions. What they lend is there until the request
        // is changed, for which it must be borrowed for itself alone.
        unsafe {
            if get(self.raw, &raw mut part) < 0 {
                return &[];
            }
            bytes(part)
        }
    }

    pub(crate) fn text(
        &self,
        get: unsafe extern "C" fn(*mut abi::Request, *mut Str) -> i32,
    ) -> &str {
        std::str::from_utf8(self.part(get)).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str, nth: usize) -> Option<&[u8]> {
        let mut value = NOTHING;
        // SAFETY: as above.
        unsafe {
            let code = (self.http.header)(self.raw, lend(name.as_bytes()), nth, &raw mut value);
            (code >= 0).then(|| bytes(value))
        }
    }

    pub(crate) fn header_at(&self, index: usize) -> Option<(&[u8], &[u8])> {
        let (mut name, mut value) = (NOTHING, NOTHING);
        // SAFETY: as above.
        unsafe {
            let code = (self.http.header_at)(self.raw, index, &raw mut name, &raw mut value);
            (code >= 0).then(|| (bytes(name), bytes(value)))
        }
    }

    pub(crate) fn kept<T: Any>(&self) -> Option<&T> {
        // SAFETY: as the ABI describes the function; what it gives is what `keep` stored, a boxed
        // box, which is let go of only after the request has ended or something else is kept.
        unsafe {
            let value = (self.http.kept)(self.host.ctx(), self.raw).cast::<Kept>();
            value.as_ref()?.downcast_ref()
        }
    }

    fn keep(&self, value: Kept) -> Result<()> {
        let value: *mut Kept = Box::into_raw(Box::new(value));
        // SAFETY: as the ABI describes the function.
        let code = unsafe { (self.http.keep)(self.host.ctx(), self.raw, value.cast::<c_void>()) };
        check("keep", code).inspect_err(|_| {
            // SAFETY: the server has not taken it.
            drop(unsafe { Box::from_raw(value) });
        })
    }
}

macro_rules! reading {
    () => {
        /// The method, such as `GET`.
        #[must_use]
        pub fn method(&self) -> &str {
            self.subject.text(self.subject.http.method)
        }

        /// The target as it was sent.
        #[must_use]
        pub fn target(&self) -> &str {
            self.subject.text(self.subject.http.target)
        }

        /// The path of the target, still percent-encoded.
        #[must_use]
        pub fn path(&self) -> &str {
            self.subject.text(self.subject.http.path)
        }

        /// The query of the target without its `?`, still percent-encoded.
        #[must_use]
        pub fn query(&self) -> &str {
            self.subject.text(self.subject.http.query)
        }

        /// `http` or `https`, as far as anybody who is trusted says so.
        #[must_use]
        pub fn scheme(&self) -> &str {
            self.subject.text(self.subject.http.scheme)
        }

        /// The version: (1, 0) or (1, 1).
        #[must_use]
        pub fn version(&self) -> (u8, u8) {
            // SAFETY: as the ABI describes the function.
            let version = unsafe { (self.subject.http.version)(self.subject.raw) };
            let [.., major, minor] = version.max(0).to_be_bytes();
            (major, minor)
        }

        /// The client's address, a PROXY header being believed; empty for a unix socket.
        #[must_use]
        pub fn peer(&self) -> &str {
            self.subject.text(self.subject.http.peer)
        }

        /// The client's port, or 0.
        #[must_use]
        pub fn peer_port(&self) -> u16 {
            // SAFETY: as the ABI describes the function.
            let port = unsafe { (self.subject.http.peer_port)(self.subject.raw) };
            u16::try_from(port).unwrap_or(0)
        }

        /// Whether the peer is in the server's `forwarded_allow_ips`.
        #[must_use]
        pub fn peer_is_trusted(&self) -> bool {
            // SAFETY: as the ABI describes the function.
            unsafe { (self.subject.http.peer_is_trusted)(self.subject.raw) == 1 }
        }

        /// The first request header of this name, in letters of either case.
        #[must_use]
        pub fn header(&self, name: &str) -> Option<&[u8]> {
            self.subject.header(name, 0)
        }

        /// The same, as text; `None` also if it is not UTF-8.
        #[must_use]
        pub fn header_text(&self, name: &str) -> Option<&str> {
            self.header(name)
                .and_then(|value| std::str::from_utf8(value).ok())
        }

        /// The request headers, in the order they were sent.
        pub fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
            (0..).map_while(|index| self.subject.header_at(index))
        }

        /// What an earlier handler of this plugin has kept with the request.
        #[must_use]
        pub fn kept<T: std::any::Any>(&self) -> Option<&T> {
            self.subject.kept()
        }
    };
}
pub(crate) use reading;

/// A request, on `request_head` and `pre_request`: it may be read, changed, answered, closed and
/// suspended.
#[derive(Debug)]
pub struct Request<'r> {
    pub(crate) subject: Subject<'r>,
}

impl Request<'_> {
    reading!();

    /// The path as the application sees it, percent-decoded. What is not UTF-8 is replaced.
    #[must_use]
    pub fn decoded_path(&self) -> String {
        path::decode(self.path())
    }

    /// Whether a page under one of these prefixes may be meant, in whatever spelling: for rules that
    /// must not be got around. A path counts as the application sees it, and with `//`, `.` and `..`
    /// resolved.
    #[must_use]
    pub fn may_concern(&self, prefixes: &[String]) -> bool {
        let path = self.decoded_path();
        path::begins_with(&path, prefixes) || path::begins_with(&path::resolve(&path), prefixes)
    }

    /// Whether nothing but a page at or below one of these paths can be meant, in whole segments: for
    /// exceptions from such rules.
    #[must_use]
    pub fn is_surely_below(&self, paths: &[String]) -> bool {
        let path = self.decoded_path();
        path::is_below(&path, paths) && path::is_below(&path::resolve(&path), paths)
    }

    /// The length of the body; `None` if it is chunked.
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        // SAFETY: as the ABI describes the function.
        let length = unsafe { (self.subject.http.content_length)(self.subject.raw) };
        u64::try_from(length).ok()
    }

    /// Sets a request header, in place of all of this name: the application sees it.
    ///
    /// # Errors
    /// No token, a value with CR, LF or NUL, or a header that frames the message.
    pub fn set_header(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<()> {
        let (name_text, value) = (lend(name.as_bytes()), lend(value.as_ref()));
        // SAFETY: as the ABI describes the function.
        let code = unsafe { (self.subject.http.header_set)(self.subject.raw, name_text, value) };
        check(&format!("header '{name}'"), code)
    }

    /// Adds a request header.
    ///
    /// # Errors
    /// As `set_header`.
    pub fn add_header(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<()> {
        let (name_text, value) = (lend(name.as_bytes()), lend(value.as_ref()));
        // SAFETY: as the ABI describes the function.
        let code = unsafe { (self.subject.http.header_add)(self.subject.raw, name_text, value) };
        check(&format!("header '{name}'"), code)
    }

    /// Removes all request headers of this name; whether there was one.
    ///
    /// # Errors
    /// A header that frames the message.
    pub fn remove_header(&mut self, name: &str) -> Result<bool> {
        // SAFETY: as the ABI describes the function.
        let code =
            unsafe { (self.subject.http.header_remove)(self.subject.raw, lend(name.as_bytes())) };
        if code == abi::NOT_FOUND {
            return Ok(false);
        }
        check(&format!("header '{name}'"), code).map(|()| true)
    }

    /// Sets an entry of the application's `environ`, such as `REMOTE_USER`.
    ///
    /// # Errors
    /// A key with white space in it, or a value with a NUL.
    pub fn set_environ(&mut self, key: &str, value: impl AsRef<[u8]>) -> Result<()> {
        let (key_text, value) = (lend(key.as_bytes()), lend(value.as_ref()));
        // SAFETY: as the ABI describes the function.
        let code = unsafe { (self.subject.http.environ_set)(self.subject.raw, key_text, value) };
        check(&format!("environ '{key}'"), code)
    }

    /// Keeps a value with the request, for this plugin's handlers of its later events. It is dropped
    /// when the request has ended, on whatever thread that happens.
    ///
    /// # Errors
    /// A server that cannot.
    pub fn keep<T: Any + Send>(&mut self, value: T) -> Result<()> {
        self.subject.keep(Box::new(value))
    }

    /// Answers the request: the application is not called. `Ok(Flow::Respond)`, to be returned.
    ///
    /// # Errors
    /// An answer that cannot be sent.
    pub fn respond(&mut self, answer: Answer) -> Result<Flow> {
        let table = self
            .subject
            .host
            .table::<abi::Response>(abi::INTERFACE_RESPONSE)?;
        let raw = self.subject.raw;
        // SAFETY: as the ABI describes the function.
        answer.give(|answer| unsafe { (table.respond)(raw, answer) })?;
        Ok(Flow::Respond)
    }

    /// Takes the request off its thread: return [`Flow::Pending`], and let another thread decide
    /// with what this gives. Meanwhile the connection costs no thread.
    ///
    /// # Errors
    /// A second time.
    pub fn suspend(&mut self) -> Result<Resume> {
        let table = self
            .subject
            .host
            .table::<abi::Response>(abi::INTERFACE_RESPONSE)?;
        let mut token = std::ptr::null_mut();
        // SAFETY: as the ABI describes the function.
        let code = unsafe { (table.suspend)(self.subject.raw, &raw mut token) };
        check("suspend", code)?;
        Ok(Resume::new(token, table))
    }
}
