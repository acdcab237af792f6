//! Rendering a line.
//!
//! Whatever a client sends ends up in a log that people read in terminals and scripts take apart:
//! control characters are escaped, and so is the quotation mark that ends a field.

use std::fmt::Write;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use tricorn_http::{Known, Version, percent_decode};

use super::atoms::Atom;
use super::format::{Format, Piece, Shape};
use crate::exchange::Record;
use crate::log::clf_time;

impl Format {
    /// Appends the line for a record, without its end.
    pub fn render(&self, record: &Record<'_>, line: &mut String) {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => line.push_str(text),
                Piece::Atom(atom, shape) if *shape == Shape::default() => value(atom, record, line),
                Piece::Atom(atom, shape) => {
                    let mut text = String::new();
                    value(atom, record, &mut text);
                    lay_out(&text, atom, *shape, line);
                }
            }
        }
    }
}

fn lay_out(text: &str, atom: &Atom, shape: Shape, line: &mut String) {
    let length = text.chars().count();
    let shown = match shape.precision {
        Some(most) if !atom.is_number() => length.min(most),
        _ => length,
    };
    let padding = shape.width.saturating_sub(shown);
    let fill = if shape.zero && atom.is_number() {
        '0'
    } else {
        ' '
    };
    if !shape.left {
        line.extend(std::iter::repeat_n(fill, padding));
    }
    line.extend(text.chars().take(shown));
    if shape.left {
        line.extend(std::iter::repeat_n(' ', padding));
    }
}

fn value(atom: &Atom, record: &Record<'_>, line: &mut String) {
    let head = &record.request.head;
    match atom {
        Atom::Client => {
            if let Some(client) = record.request.endpoints.client() {
                // Writing to memory cannot fail.
                let _ = write!(line, "{}", client.ip());
            }
        }
        Atom::Ident | Atom::Unknown(_) => line.push('-'),
        Atom::User => user(record, line),
        Atom::Time => clf_time(line),
        Atom::RequestLine => request_line(record, line),
        Atom::Method => escape(head.method(), line),
        Atom::Path => path(record, line),
        Atom::Query => escape(head.query(), line),
        Atom::Protocol => protocol(head.version(), line),
        Atom::Status if !record.response.has_begun() => line.push('-'),
        Atom::Status => number(u64::from(record.response.status().code()), line),
        Atom::Bytes | Atom::BytesText => number(record.sent, line),
        Atom::Referer => or_dash(head.known(Known::Referer), line),
        Atom::UserAgent => or_dash(head.known(Known::UserAgent), line),
        Atom::Seconds => number(record.duration / 1_000_000_000, line),
        Atom::Milliseconds => number(record.duration / 1_000_000, line),
        Atom::Microseconds => number(record.duration / 1_000, line),
        Atom::DecimalSeconds => {
            let micros = record.duration / 1_000;
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
        Atom::Environ(name) => {
            let found = record
                .environ
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(name));
            match found {
                Some((_, value)) => escape_text(value, line),
                None => line.push('-'),
            }
        }
    }
}

fn number(number: u64, line: &mut String) {
    let _ = write!(line, "{number}");
}

fn or_dash(value: Option<&[u8]>, line: &mut String) {
    match value {
        Some(value) => escape(value, line),
        None => line.push('-'),
    }
}

fn protocol(version: Version, line: &mut String) {
    let _ = write!(line, "HTTP/{}.{}", version.major, version.minor);
}

fn request_line(record: &Record<'_>, line: &mut String) {
    let head = &record.request.head;
    if let Some(unread) = head.unread_line() {
        return or_dash((!unread.is_empty()).then_some(unread), line);
    }
    escape(head.method(), line);
    line.push(' ');
    escape(head.target(), line);
    line.push(' ');
    protocol(head.version(), line);
}

fn path(record: &Record<'_>, line: &mut String) {
    let mut decoded = Vec::new();
    percent_decode(record.request.head.path(), &mut decoded);
    escape(&decoded, line);
}

/// The user name of `Authorization: Basic`, or a dash (RFC 7617).
fn user(record: &Record<'_>, line: &mut String) {
    let name = record
        .request
        .head
        .known(Known::Authorization)
        .and_then(|value| {
            value
                .get(..6)
                .filter(|scheme| scheme.eq_ignore_ascii_case(b"basic "))
                .map(|_| &value[6..])
        })
        .and_then(|encoded| BASE64_STANDARD.decode(encoded.trim_ascii()).ok())
        .and_then(|pair| {
            pair.iter()
                .position(|&b| b == b':')
                .map(|colon| pair[..colon].to_vec())
        })
        .filter(|name| !name.is_empty());
    match name {
        Some(name) => escape_text(&String::from_utf8_lossy(&name), line),
        None => line.push('-'),
    }
}

/// Appends bytes as the Latin-1 text that WSGI takes them for.
fn escape(bytes: &[u8], line: &mut String) {
    if bytes
        .iter()
        .all(|&b| (0x20..0x7f).contains(&b) && b != b'"')
    {
        // Plain ASCII is the common case, and one copy.
        line.push_str(std::str::from_utf8(bytes).unwrap_or_default());
    } else {
        bytes.iter().for_each(|&b| escape_char(char::from(b), line));
    }
}

fn escape_text(text: &str, line: &mut String) {
    text.chars().for_each(|c| escape_char(c, line));
}

fn escape_char(character: char, line: &mut String) {
    match character {
        '"' => line.push_str("\\\""),
        c if c.is_control() || c == '\u{2028}' || c == '\u{2029}' => {
            let _ = write!(line, "\\x{:02x}", u32::from(c));
        }
        c => line.push(c),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tricorn_http::response::ResponseHead;
    use tricorn_http::{Head, HeadScan, Limits, Rules, Scanned};

    use super::*;
    use crate::exchange::{End, Endpoints, Local, Notes, Request};

    fn request(text: &str) -> Request {
        let Ok(Scanned::Complete(extent)) =
            HeadScan::default().advance(text.as_bytes(), &Limits::default())
        else {
            panic!("not a head: {text:?}")
        };
        let mut head = Head::default();
        head.read(text.as_bytes(), extent, &Rules::default(), false)
            .unwrap();
        let endpoints = Endpoints {
            peer: Some("192.0.2.1:999".parse().unwrap()),
            proxied: None,
            local: Arc::new(Local::Unix(String::new())),
            trusted: false,
            notes: Notes::default(),
        };
        Request {
            head,
            endpoints: Arc::new(endpoints),
            number: 1,
            started: 0,
            environ: Vec::new(),
        }
    }

    fn rendered(format: &str, head: &str) -> String {
        let request = request(head);
        let mut response = ResponseHead::default();
        response.begin(b"201 Created").unwrap();
        response.push(b"X-Answer", b"forty two").unwrap();
        let environ = [("REMOTE_USER".to_owned(), "\u{e9}\n".to_owned())];
        let record = Record {
            request: &request,
            response: &response,
            sent: 1234,
            duration: 12_345_678_901,
            end: End::Complete,
            environ: &environ,
        };
        let mut line = String::new();
        Format::compile(format).unwrap().render(&record, &mut line);
        line
    }

    const HEAD: &str = "GET /a%20b?q=1 HTTP/1.1\r\nHost: h\r\nReferer: r\"s\r\nUser-Agent: ua\r\n\
                        Authorization: Basic dXNlcjpwdw==\r\nX-In: caf\u{e9}\r\n\r\n";

    #[test]
    fn every_atom_has_its_value() {
        for (format, expected) in [
            ("%(h)s", "192.0.2.1"),
            ("%(l)s", "-"),
            ("%(u)s", "user"),
            ("%(r)s", "GET /a%20b?q=1 HTTP/1.1"),
            ("%(m)s %(U)s %(q)s %(H)s", "GET /a b q=1 HTTP/1.1"),
            ("%(s)s %(B)s %(b)s", "201 1234 1234"),
            ("%(f)s %(a)s", "r\\\"s ua"),
            ("%(T)s %(M)s %(D)s %(L)s", "12 12345 12345678 12.345678"),
            ("%({x-answer}o)s %({X-IN}i)s", "forty two caf\u{c3}\u{a9}"),
            (
                "%({remote_user}e)s %({none}e)s %({none}i)s %({none}o)s",
                "\u{e9}\\x0a - - -",
            ),
        ] {
            assert_eq!(rendered(format, HEAD), expected, "{format}");
        }
        assert_eq!(rendered("%(p)s", HEAD), format!("<{}>", std::process::id()));
    }

    #[test]
    fn values_are_laid_out_as_python_does() {
        for (format, expected) in [
            ("%(m)6s|", "   GET|"),
            ("%(m)-6s|", "GET   |"),
            ("%(m).2s|", "GE|"),
            ("%(D)012d|", "000012345678|"),
            ("%(T)-5d|", "12   |"),
            ("%(m)05s|", "  GET|"),
        ] {
            assert_eq!(rendered(format, HEAD), expected, "{format}");
        }
    }

    #[test]
    fn nothing_a_client_sends_breaks_the_line() {
        let head = "GET /%0d%0a%1b%22%00%7f%e2%80%a8?a\"b HTTP/1.0\r\nX: \t\"\r\n\r\n";
        let line = rendered("%(U)s %(q)s %(r)s %({x}i)s", head);
        assert!(!line.chars().any(char::is_control), "{line:?}");
        assert!(line.starts_with("/\\x0d\\x0a\\x1b\\\"\\x00\\x7f"), "{line}");
        assert!(line.contains("a\\\"b"), "{line}");
    }

    #[test]
    fn a_broken_authorization_is_a_dash() {
        for value in [
            "Basic",
            "Basic !!!",
            "Bearer dXNlcjpwdw==",
            "Basic dXNlcg==",
            "Basic OnB3",
        ] {
            let head = format!("GET / HTTP/1.0\r\nAuthorization: {value}\r\n\r\n");
            assert_eq!(rendered("%(u)s", &head), "-", "{value}");
        }
    }
}
