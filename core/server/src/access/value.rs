//! The values of atoms.

use std::fmt::Write;
use std::net::IpAddr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use tricorn_http::{Head, Known, Version, percent_decode};

use super::atoms::Atom;
use super::escape::{escape, escape_text};
use crate::exchange::Record;
use crate::log::clf_time;

/// The value of an atom that is a number.
pub(super) fn as_number(atom: &Atom, record: &Record<'_>) -> Option<u64> {
    Some(match atom {
        Atom::Bytes => record.sent,
        Atom::Seconds => record.duration / 1_000_000_000,
        Atom::Milliseconds => record.duration / 1_000_000,
        Atom::Microseconds => record.duration / 1_000,
        _ => return None,
    })
}

/// Appends the value of an atom as text.
pub(super) fn text(atom: &Atom, record: &Record<'_>, line: &mut String) {
    let head = &record.request.head;
    match atom {
        Atom::Client => client(record, line),
        Atom::Ident => line.push('-'),
        Atom::User => match user_name(head) {
            Some(name) => escape_text(&String::from_utf8_lossy(&name), line),
            None => line.push('-'),
        },
        Atom::Time => clf_time(line),
        Atom::RequestLine => escaped_request_line(head, line),
        Atom::Method => escape(head.method(), line),
        Atom::Path => path(head, line),
        Atom::Query => escape(head.query(), line),
        Atom::Protocol => protocol(head.version(), line),
        Atom::Status if !record.response.has_begun() => line.push('-'),
        Atom::Status => number(u64::from(record.response.status().code()), line),
        Atom::BytesText => number(record.sent, line),
        Atom::Referer => or_dash(head.known(Known::Referer), line),
        Atom::UserAgent => or_dash(head.known(Known::UserAgent), line),
        Atom::DecimalSeconds => {
            let micros = record.duration / 1_000;
            // Writing to memory cannot fail, here and below.
            let _ = write!(line, "{}.{:06}", micros / 1_000_000, micros % 1_000_000);
        }
        Atom::Pid => {
            let _ = write!(line, "<{}>", std::process::id());
        }
        Atom::RequestHeader(name) => or_dash(head.field(name.as_bytes()), line),
        Atom::ResponseHeader(name) => {
            let mut fields = record.response.fields();
            let found = fields.find(|(field, _)| field.eq_ignore_ascii_case(name.as_bytes()));
            or_dash(found.map(|(_, value)| value), line);
        }
        Atom::Environ(name) => environ(name, record, line),
        Atom::Bytes | Atom::Seconds | Atom::Milliseconds | Atom::Microseconds => {
            number(as_number(atom, record).unwrap_or(0), line);
        }
    }
}

/// Appends a number in decimals.
pub(super) fn number(number: u64, line: &mut String) {
    line.push_str(itoa::Buffer::new().format(number));
}

/// Appends the client's address; nothing for a unix socket.
pub(super) fn client(record: &Record<'_>, line: &mut String) {
    match record.request.endpoints.client().map(|client| client.ip()) {
        Some(IpAddr::V4(address)) => {
            let [first, rest @ ..] = address.octets();
            number(u64::from(first), line);
            for octet in rest {
                line.push('.');
                number(u64::from(octet), line);
            }
        }
        Some(address) => {
            let _ = write!(line, "{address}");
        }
        None => {}
    }
}

fn or_dash(value: Option<&[u8]>, line: &mut String) {
    match value {
        Some(value) => escape(value, line),
        None => line.push('-'),
    }
}

/// Appends `HTTP/1.1`.
pub(super) fn protocol(version: Version, line: &mut String) {
    line.push_str("HTTP/");
    number(u64::from(version.major), line);
    line.push('.');
    number(u64::from(version.minor), line);
}

fn escaped_request_line(head: &Head, line: &mut String) {
    if let Some(unread) = head.unread_line() {
        return or_dash((!unread.is_empty()).then_some(unread), line);
    }
    escape(head.method(), line);
    line.push(' ');
    escape(head.target(), line);
    line.push(' ');
    protocol(head.version(), line);
}

fn path(head: &Head, line: &mut String) {
    if !head.path().contains(&b'%') {
        return escape(head.path(), line);
    }
    let mut decoded = Vec::new();
    percent_decode(head.path(), &mut decoded);
    escape(&decoded, line);
}

fn environ(name: &str, record: &Record<'_>, line: &mut String) {
    let mut values = record.environ.iter();
    match values.find(|(key, _)| key.eq_ignore_ascii_case(name)) {
        Some((_, value)) => escape_text(value, line),
        None => line.push('-'),
    }
}

/// The user name of `Authorization: Basic` (RFC 7617).
pub(super) fn user_name(head: &Head) -> Option<Vec<u8>> {
    let value = head.known(Known::Authorization)?;
    let scheme = value.get(..6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let mut pair = BASE64_STANDARD.decode(value[6..].trim_ascii()).ok()?;
    let colon = memchr::memchr(b':', &pair)?;
    pair.truncate(colon);
    Some(pair).filter(|name| !name.is_empty())
}
