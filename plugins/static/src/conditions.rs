//! Conditional requests (RFC 9110 section 13): what a client has already is not sent again, and one
//! that wants a certain file gets no other.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tricorn_hooks::Request;

use crate::changed;

/// What is to be done by a request's conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// The file is to be sent.
    Holds,
    /// The client has the file: 304.
    HasIt,
    /// The client wants another file than this has become: 412.
    Fails,
}

/// By what a client can tell whether it has a file already.
#[derive(Debug)]
pub(crate) struct Validators {
    pub(crate) etag: String,
    /// None while the second lasts in which the file has changed: it may change once more, and the date
    /// would be that of two files. So whoever has a date has a strong one (section 8.8.2.2).
    pub(crate) last_modified: Option<String>,
    at: u64,
}

impl Validators {
    pub(crate) fn of(about: &Metadata, coding: Option<&str>) -> Self {
        let at = changed(about);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |now| now.as_secs());
        let suffix = coding.map_or_else(String::new, |coding| format!("-{coding}"));
        Self {
            etag: format!(
                "\"{at:x}.{:x}-{:x}-{:x}{suffix}\"",
                about.mtime_nsec(),
                about.ino(),
                about.len()
            ),
            last_modified: (at < now)
                .then(|| httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(at))),
            at,
        }
    }

    /// What the request's conditions come to, in the order of section 13.2.2.
    pub(crate) fn judge(&self, request: &Request<'_>) -> Judgement {
        let date = |name| request.header_text(name).and_then(seconds);
        let holds = match tags(request, "if-match") {
            Some(tags) => tags
                .iter()
                .any(|tag| tag == b"*" || tag == self.etag.as_bytes()),
            None => date("if-unmodified-since").is_none_or(|since| self.at <= since),
        };
        if !holds {
            return Judgement::Fails;
        }
        let has_it = match tags(request, "if-none-match") {
            Some(tags) => tags.iter().any(|tag| self.is_weakly(tag)),
            None => date("if-modified-since").is_some_and(|since| self.at <= since),
        };
        if has_it {
            Judgement::HasIt
        } else {
            Judgement::Holds
        }
    }

    fn is_weakly(&self, tag: &[u8]) -> bool {
        tag == b"*" || tag.strip_prefix(b"W/").unwrap_or(tag) == self.etag.as_bytes()
    }

    /// Whether a range may be sent: `If-Range` asks for it only if the file is the same.
    pub(crate) fn allow_range(&self, request: &Request<'_>) -> bool {
        match request.header_text("if-range") {
            None => true,
            Some(tag) if tag.starts_with('"') => tag == self.etag,
            Some(date) => self.last_modified.is_some() && seconds(date) == Some(self.at),
        }
    }
}

/// The tags of all fields of this name; `None` if there is no such field.
fn tags(request: &Request<'_>, name: &str) -> Option<Vec<Vec<u8>>> {
    let fields = request.headers();
    let fields = fields.filter(|(field, _)| field.eq_ignore_ascii_case(name.as_bytes()));
    let mut fields = fields.map(|(_, value)| value).peekable();
    fields.peek()?;
    let tags = fields.flat_map(|value| value.split(|&byte| byte == b','));
    Some(tags.map(|tag| tag.trim_ascii().to_vec()).collect())
}

fn seconds(date: &str) -> Option<u64> {
    let at: SystemTime = httpdate::parse_http_date(date).ok()?;
    at.duration_since(UNIX_EPOCH)
        .ok()
        .map(|since| since.as_secs())
}
