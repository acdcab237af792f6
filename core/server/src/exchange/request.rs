//! A request, from its head on.

use std::sync::Arc;

use tricorn_http::Head;

use super::endpoints::Endpoints;

/// A request whose head has been read and accepted.
#[derive(Debug, Clone)]
pub struct Request {
    /// The head.
    pub head: Head,
    /// The connection it came by.
    pub endpoints: Arc<Endpoints>,
    /// Its number on that connection, from 1.
    pub number: u64,
    /// When its head was complete, in nanoseconds of the monotonic clock.
    pub started: u64,
    /// The length of a body that came in chunks and was read before the request runs.
    pub measured: Option<u64>,
    /// Entries that handlers add to the application's environment.
    pub environ: Vec<(String, Vec<u8>)>,
}

impl Request {
    /// Whether the client reached the site by https, as far as anybody trusted says so.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.head.forwarded_https().unwrap_or(false)
    }
}
