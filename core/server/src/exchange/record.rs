//! What became of a request.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use tricorn_http::response::ResponseHead;

use super::request::Request;

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The whole answer was handed to the kernel.
    Complete,
    /// The client went away.
    ClientGone,
    /// The client did not read for `write_timeout`.
    WriteTimeout,
    /// The application failed, or sent less than it promised, after the head was out.
    CutShort,
    /// The application took the socket over.
    TakenOver,
    /// A handler closed the connection.
    Closed,
}

impl End {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::ClientGone => "client gone",
            Self::WriteTimeout => "write timeout",
            Self::CutShort => "cut short",
            Self::TakenOver => "taken over",
            Self::Closed => "closed by a handler",
        }
    }
}

/// A finished request, as the log and `post_request` see it.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// The request; where the head could not be read, what there is of it.
    pub request: &'a Arc<Request>,
    /// The answer's head.
    pub response: &'a ResponseHead,
    /// Bytes of content that were sent: neither head nor framing.
    pub sent: u64,
    /// From the head to the end, in nanoseconds.
    pub duration: u64,
    /// How it ended.
    pub end: End,
    /// Values of the application's own environ keys that the access format asks for.
    pub environ: &'a [(String, String)],
    /// What the gateway has kept for its own log.
    pub attachment: Option<&'a Attachment>,
}

/// Whatever a gateway keeps of a request until it is told of its end.
#[derive(Clone)]
pub struct Attachment(pub Arc<dyn Any + Send + Sync>);

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Attachment")
    }
}

/// A finished request that outlives its connection's next one.
#[derive(Debug)]
pub struct Finished {
    /// The request.
    pub request: Arc<Request>,
    /// The answer's head.
    pub response: ResponseHead,
    /// Bytes of content that were sent.
    pub sent: u64,
    /// From the head to the end, in nanoseconds.
    pub duration: u64,
    /// How it ended.
    pub end: End,
    /// What the gateway has kept.
    pub attachment: Option<Attachment>,
}

impl Finished {
    /// A copy of what is told of a request.
    #[must_use]
    pub fn of(record: &Record<'_>) -> Self {
        Self {
            request: Arc::clone(record.request),
            response: record.response.clone(),
            sent: record.sent,
            duration: record.duration,
            end: record.end,
            attachment: record.attachment.cloned(),
        }
    }
}
