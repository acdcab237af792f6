//! Conditional requests (RFC 9110 section 13): what a client has already is not sent again.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tricorn_hooks::Request;

use crate::changed;

/// By what a client can tell whether it has a file already.
#[derive(Debug)]
pub(crate) struct Validators {
    pub(crate) etag: String,
    pub(crate) last_modified: String,
    at: u64,
}

impl Validators {
    pub(crate) fn of(about: &Metadata, coding: Option<&str>) -> Self {
        let at = changed(about);
        let since = UNIX_EPOCH + Duration::from_secs(at);
        let suffix = coding.map_or_else(String::new, |coding| format!("-{coding}"));
        Self {
            etag: format!(
                "\"{at:x}.{:x}-{:x}-{:x}{suffix}\"",
                about.mtime_nsec(),
                about.ino(),
                about.len()
            ),
            last_modified: httpdate::fmt_http_date(since),
            at,
        }
    }

    /// Whether the client has the file. `If-None-Match` counts, and without it the date.
    pub(crate) fn are_those_of(&self, request: &Request<'_>) -> bool {
        if let Some(tags) = request.header_text("if-none-match") {
            return tags
                .split(',')
                .map(str::trim)
                .any(|tag| tag == "*" || tag.trim_start_matches("W/") == self.etag);
        }
        let since = request.header_text("if-modified-since");
        since
            .and_then(seconds)
            .is_some_and(|since| self.at <= since)
    }

    /// Whether a range may be sent: `If-Range` asks for it only if the file is the same.
    pub(crate) fn allow_range(&self, request: &Request<'_>) -> bool {
        match request.header_text("if-range") {
            None => true,
            Some(tag) if tag.starts_with('"') => tag == self.etag,
            Some(date) => seconds(date) == Some(self.at),
        }
    }
}

fn seconds(date: &str) -> Option<u64> {
    let at: SystemTime = httpdate::parse_http_date(date).ok()?;
    at.duration_since(UNIX_EPOCH)
        .ok()
        .map(|since| since.as_secs())
}
