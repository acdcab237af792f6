//! What a line shows of a request: what was sent, or what the application has made of it in `environ`.

use std::borrow::Cow;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use tricorn_http::{Known, Version, percent_decode};

use crate::exchange::Record;

/// The bytes that an entry of `environ` stands for, where the application has changed it.
#[inline]
pub(super) fn changed<'r>(key: &str, record: &Record<'r>) -> Option<Cow<'r, [u8]>> {
    if record.environ.is_empty() {
        return None;
    }
    find(key, record)
}

fn find<'r>(key: &str, record: &Record<'r>) -> Option<Cow<'r, [u8]>> {
    let mut values = record.environ.iter();
    let (_, text) = values.find(|(name, _)| name.eq_ignore_ascii_case(key))?;
    // WSGI's texts stand for bytes, each character for one.
    let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c).ok()).collect();
    Some(match bytes {
        Some(bytes) if !text.is_ascii() => Cow::Owned(bytes),
        _ => Cow::Borrowed(text.as_bytes()),
    })
}

fn shown<'r>(key: &str, sent: &'r [u8], record: &Record<'r>) -> Cow<'r, [u8]> {
    changed(key, record).unwrap_or(Cow::Borrowed(sent))
}

/// The method.
pub(super) fn method<'r>(record: &Record<'r>) -> Cow<'r, [u8]> {
    shown("request_method", record.request.head.method(), record)
}

/// The target, as it was sent.
pub(super) fn target<'r>(record: &Record<'r>) -> Cow<'r, [u8]> {
    shown("raw_uri", record.request.head.target(), record)
}

/// The query.
pub(super) fn query<'r>(record: &Record<'r>) -> Cow<'r, [u8]> {
    shown("query_string", record.request.head.query(), record)
}

/// The path, decoded.
pub(super) fn path<'r>(record: &Record<'r>) -> Cow<'r, [u8]> {
    let path = record.request.head.path();
    if let Some(changed) = changed("path_info", record) {
        return changed;
    }
    if !path.contains(&b'%') {
        return Cow::Borrowed(path);
    }
    let mut decoded = Vec::new();
    percent_decode(path, &mut decoded);
    Cow::Owned(decoded)
}

/// `HTTP/1.1`
pub(super) fn protocol<'r>(record: &Record<'r>) -> Cow<'r, [u8]> {
    changed("server_protocol", record).unwrap_or_else(|| version(record.request.head.version()))
}

fn version(version: Version) -> Cow<'static, [u8]> {
    match (version.major, version.minor) {
        (1, 1) => Cow::Borrowed(b"HTTP/1.1"),
        (1, 0) => Cow::Borrowed(b"HTTP/1.0"),
        (major, minor) => Cow::Owned(format!("HTTP/{major}.{minor}").into_bytes()),
    }
}

/// The header Referer.
pub(super) fn referer<'r>(record: &Record<'r>) -> Option<Cow<'r, [u8]>> {
    header("http_referer", Known::Referer, record)
}

/// The header User-Agent.
pub(super) fn user_agent<'r>(record: &Record<'r>) -> Option<Cow<'r, [u8]>> {
    header("http_user_agent", Known::UserAgent, record)
}

fn header<'r>(key: &str, known: Known, record: &Record<'r>) -> Option<Cow<'r, [u8]>> {
    changed(key, record).or_else(|| record.request.head.joined(known))
}

/// The user name of `Authorization: Basic` (RFC 7617).
pub(super) fn user_name(record: &Record<'_>) -> Option<Vec<u8>> {
    let value = header("http_authorization", Known::Authorization, record)?;
    let scheme = value.get(..6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let mut pair = BASE64_STANDARD.decode(value[6..].trim_ascii()).ok()?;
    let colon = memchr::memchr(b':', &pair)?;
    pair.truncate(colon);
    Some(pair).filter(|name| !name.is_empty())
}
