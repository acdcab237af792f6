//! A request on its way through compiled handlers: what they may look at and change, and what they
//! have decided. Who calls them is not known here.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use tricorn_http::response::ResponseHead;

use super::kept::Kept;
use super::record::End;
use super::request::Request;

/// How far a request has come. What may be done to it follows from that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Its head is read: it may be edited, answered, closed or suspended.
    Head,
    /// It is about to run: the same.
    Ready,
    /// Its answer's head is about to be written: that may be edited.
    Start,
    /// It has ended: everything may be read.
    Done,
}

impl Stage {
    /// The application has not been called, and nothing of an answer is sent.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Head | Self::Ready)
    }
}

/// The connection and the request on it: by which it is found again when it is resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket {
    /// The connection.
    pub connection: u64,
    /// The request's number on it.
    pub number: u64,
}

/// The content of an answer that a handler gives.
#[derive(Debug)]
pub enum Content {
    /// What `Passage::body` holds.
    Body,
    /// A part of a file.
    File {
        /// The file.
        file: OwnedFd,
        /// Where the part begins.
        offset: u64,
        /// How long it is.
        length: u64,
    },
}

/// A request under the eyes of compiled handlers. Its parts are the connection's own, lent to it.
#[derive(Debug)]
pub struct Passage {
    /// How far it has come.
    pub stage: Stage,
    /// Its name.
    pub ticket: Ticket,
    /// The place of the first handler that is to have it: others have had it before.
    pub from: usize,
    /// The request.
    pub request: Arc<Request>,
    /// The head of the answer: of one that a handler gives, or of the application's.
    pub response: ResponseHead,
    /// The content of an answer that a handler gives.
    pub body: Vec<u8>,
    /// A handler has given an answer.
    pub answer: Option<Content>,
    /// The token that a handler has taken for it.
    pub suspended: Option<u64>,
    /// What handlers keep with it.
    pub kept: Kept,
    /// The client's address as text, once somebody has asked for it.
    pub peer: Option<String>,
}

impl Passage {
    /// A request without an answer.
    #[must_use]
    pub fn new(stage: Stage, ticket: Ticket, request: Arc<Request>) -> Self {
        Self {
            stage,
            ticket,
            from: 0,
            request,
            response: ResponseHead::default(),
            body: Vec::new(),
            answer: None,
            suspended: None,
            kept: Kept::default(),
            peer: None,
        }
    }
}

/// How a request has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// From its head to its end, in nanoseconds.
    pub duration: u64,
    /// Bytes of content that were sent.
    pub sent: u64,
    /// The status that was sent; 0 if none was.
    pub status: u16,
    /// The reason of the end.
    pub end: End,
}

/// An answer that comes from elsewhere than the thread that had the request.
#[derive(Debug)]
pub struct PreparedAnswer {
    /// Its head.
    pub head: ResponseHead,
    /// Its content, unless that is a file.
    pub body: Vec<u8>,
    /// What the content is.
    pub content: Content,
}
