//! What handlers return.

use std::fmt;

use tricorn_abi as abi;

/// Why something failed: one line, for the server's log.
///
/// Made from any error, so that `?` works on all of them.
pub struct Error(String);

/// A result whose error is any error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error that says this.
    pub fn new(what: impl fmt::Display) -> Self {
        Self(what.to_string())
    }

    pub(crate) fn of_code(what: &str, code: i32) -> Self {
        let why = match code {
            abi::UNSUPPORTED => "the server cannot do it",
            abi::INVALID => "an argument is not what it must be",
            abi::STALE => "it was used after its time, or on another thread",
            abi::REENTRANT => "it is in use already",
            abi::FROZEN => "it is possible in `prepare` only",
            abi::WRONG_PROCESS => "it is not possible in this process",
            abi::FULL => "there is no room left",
            abi::TOO_LATE => "it is too late for it, or too early",
            abi::NOT_FOUND => "there is none",
            _ => "the server refuses",
        };
        Self(format!("{what}: {why}"))
    }
}

/// `Ok` for a code that says so.
pub(crate) fn check(what: &str, code: i32) -> Result<()> {
    if code >= 0 {
        Ok(())
    } else {
        Err(Error::of_code(what, code))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// What becomes of an event after a handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// The next handler has its turn.
    Continue,
    /// The later handlers of this event are skipped.
    Stop,
    /// The answer is given: [`crate::Request::respond`] returns this.
    Respond,
    /// The connection is closed without an answer. On `conn_open`, `request_head` and `pre_request`.
    Close,
    /// The request is suspended: whoever holds its [`crate::Resume`] decides.
    Pending,
}

/// What a handler's result comes to, on the way to the server.
#[doc(hidden)]
#[derive(Debug)]
pub struct Verdict(pub(crate) Result<Flow>);

impl From<()> for Verdict {
    fn from((): ()) -> Self {
        Self(Ok(Flow::Continue))
    }
}

impl From<Flow> for Verdict {
    fn from(flow: Flow) -> Self {
        Self(Ok(flow))
    }
}

impl From<Result<()>> for Verdict {
    fn from(result: Result<()>) -> Self {
        Self(result.map(|()| Flow::Continue))
    }
}

impl From<Result<Flow>> for Verdict {
    fn from(result: Result<Flow>) -> Self {
        Self(result)
    }
}

impl Flow {
    pub(crate) fn code(self) -> i32 {
        match self {
            Self::Continue => abi::CONTINUE,
            Self::Stop => abi::STOP,
            Self::Respond => abi::RESPOND,
            Self::Close => abi::CLOSE,
            Self::Pending => abi::PENDING,
        }
    }

    pub(crate) fn of(code: i32) -> Option<Self> {
        [
            Self::Continue,
            Self::Stop,
            Self::Respond,
            Self::Close,
            Self::Pending,
        ]
        .into_iter()
        .find(|flow| flow.code() == code)
    }
}
