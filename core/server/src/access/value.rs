//! The values of atoms.

use std::fmt::Write;
use std::net::IpAddr;

use super::atoms::Atom;
use super::escape::{escape, escape_text};
use super::shown;
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
        Atom::Client => match shown::changed("remote_addr", record) {
            Some(address) => escape(&address, line),
            None => client(record, line),
        },
        Atom::Ident => line.push('-'),
        Atom::User => match shown::user_name(record) {
            Some(name) => escape_text(&String::from_utf8_lossy(&name), line),
            None => line.push('-'),
        },
        Atom::Time => clf_time(line),
        Atom::RequestLine => request_line(record, line),
        Atom::Method => escape(&shown::method(record), line),
        Atom::Path => escape(&shown::path(record), line),
        Atom::Query => escape(&shown::query(record), line),
        Atom::Protocol => escape(&shown::protocol(record), line),
        Atom::Status if !record.response.has_begun() => line.push('-'),
        Atom::Status => number(u64::from(record.response.status().code()), line),
        Atom::BytesText => number(record.sent, line),
        Atom::Referer => or_dash(shown::referer(record).as_deref(), line),
        Atom::UserAgent => or_dash(shown::user_agent(record).as_deref(), line),
        Atom::DecimalSeconds => {
            let micros = record.duration / 1_000;
            // Writing to memory cannot fail, here and below.
            let _ = write!(line, "{}.{:06}", micros / 1_000_000, micros % 1_000_000);
        }
        Atom::Pid => {
            let _ = write!(line, "<{}>", std::process::id());
        }
        Atom::RequestHeader(name) => or_dash(head.last_field(name.as_bytes()), line),
        Atom::ResponseHeader(name) => {
            or_dash(record.response.last_field(name.as_bytes()), line);
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
    match record.request.endpoints.client_ip() {
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

fn request_line(record: &Record<'_>, line: &mut String) {
    if let Some(unread) = record.request.head.unread_line() {
        return or_dash((!unread.is_empty()).then_some(unread), line);
    }
    escape(&shown::method(record), line);
    line.push(' ');
    escape(&shown::target(record), line);
    line.push(' ');
    escape(&shown::protocol(record), line);
}

fn environ(name: &str, record: &Record<'_>, line: &mut String) {
    let mut values = record.environ.iter();
    match values.find(|(key, _)| key.eq_ignore_ascii_case(name)) {
        Some((_, value)) => escape_text(value, line),
        None => line.push('-'),
    }
}
