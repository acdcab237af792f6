//! A request that has ended.

use std::time::Duration;

use tricorn_abi as abi;

use crate::request::{Subject, reading};
use crate::response::response_header;

/// The reason of a request's end.
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
    /// One that this version of the SDK does not know.
    Other,
}

impl End {
    pub(crate) fn of(number: u32) -> Self {
        match number {
            abi::END_COMPLETE => Self::Complete,
            abi::END_CLIENT_GONE => Self::ClientGone,
            abi::END_WRITE_TIMEOUT => Self::WriteTimeout,
            abi::END_CUT_SHORT => Self::CutShort,
            abi::END_TAKEN_OVER => Self::TakenOver,
            abi::END_CLOSED => Self::Closed,
            _ => Self::Other,
        }
    }
}

/// A request that has ended, on `post_request` and `access`: everything may be read.
#[derive(Debug)]
pub struct Done<'r> {
    pub(crate) subject: Subject<'r>,
    pub(crate) table: &'static abi::Response,
    /// From its head to its end.
    pub duration: Duration,
    /// Bytes of content that were sent: neither head nor framing.
    pub sent: u64,
    /// The status that was sent; 0 if none was.
    pub status: u16,
    /// The reason of the end.
    pub end: End,
}

impl Done<'_> {
    reading!();

    /// The first header of the answer of this name, in letters of either case.
    #[must_use]
    pub fn response_header(&self, name: &str) -> Option<&[u8]> {
        response_header(&self.subject, self.table, name)
    }
}
