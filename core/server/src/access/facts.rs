//! The facts of a request as code that is not the server's own sees them: texts, unescaped.

use std::borrow::Cow;

use tricorn_http::{Known, Version, percent_decode};

use super::{shown, value};
use crate::exchange::Record;

/// What is told of a request. Of a head that could not be read there is its first line.
#[derive(Debug)]
pub struct Facts<'r> {
    /// The status that was sent; 0 if none was.
    pub status: u16,
    /// The client's address; empty for a unix socket.
    pub client: String,
    /// The user name of Basic authentication, or nothing.
    pub user: Vec<u8>,
    /// The first line.
    pub request_line: &'r [u8],
    /// The method.
    pub method: &'r [u8],
    /// The target as it was sent.
    pub target: &'r [u8],
    /// The path, decoded.
    pub path: Cow<'r, [u8]>,
    /// The query as it was sent.
    pub query: &'r [u8],
    /// `HTTP/1.1`
    pub protocol: Cow<'static, str>,
    /// The header Referer; of several the values with commas between.
    pub referer: Cow<'r, [u8]>,
    /// The header User-Agent, likewise.
    pub user_agent: Cow<'r, [u8]>,
}

impl<'r> Facts<'r> {
    /// Gathers them.
    #[must_use]
    pub fn of(record: &Record<'r>) -> Self {
        let head = &record.request.head;
        let response = record.response;
        let mut client = String::new();
        value::client(record, &mut client);
        let mut facts = Self {
            status: if response.has_begun() {
                response.status().code()
            } else {
                0
            },
            client,
            user: shown::user_name(record).unwrap_or_default(),
            request_line: head.first_line(),
            method: &[],
            target: &[],
            path: Cow::Borrowed(&[]),
            query: &[],
            protocol: Cow::Borrowed(""),
            referer: head.joined(Known::Referer).unwrap_or_default(),
            user_agent: head.joined(Known::UserAgent).unwrap_or_default(),
        };
        if head.unread_line().is_some() {
            return facts;
        }
        facts.method = head.method();
        facts.target = head.target();
        facts.query = head.query();
        facts.protocol = protocol(head.version());
        facts.path = Cow::Borrowed(head.path());
        if head.path().contains(&b'%') {
            let mut decoded = Vec::new();
            percent_decode(head.path(), &mut decoded);
            facts.path = Cow::Owned(decoded);
        }
        facts
    }
}

fn protocol(version: Version) -> Cow<'static, str> {
    match (version.major, version.minor) {
        (1, 1) => Cow::Borrowed("HTTP/1.1"),
        (1, 0) => Cow::Borrowed("HTTP/1.0"),
        (major, minor) => Cow::Owned(format!("HTTP/{major}.{minor}")),
    }
}
