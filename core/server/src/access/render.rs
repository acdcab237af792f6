//! Rendering a line.

use super::atoms::Atom;
use super::format::{Format, Piece, Program};
use super::json;
use super::layout::Layout;
use super::value;
use crate::exchange::Record;

impl Format {
    /// Appends the line for a record, without its end.
    pub fn render(&self, record: &Record<'_>, line: &mut String) {
        let pieces = match &self.program {
            Program::Json => return json::render(record, line),
            Program::Pieces(pieces) => pieces,
        };
        for piece in pieces {
            match piece {
                Piece::Text(text) => line.push_str(text),
                Piece::Atom(atom, layout) if *layout == Layout::default() => {
                    value::text(atom, record, line);
                }
                Piece::Atom(atom, layout) => lay_out(atom, layout, record, line),
            }
        }
    }
}

fn lay_out(atom: &Atom, layout: &Layout, record: &Record<'_>, line: &mut String) {
    if let Some(number) = value::as_number(atom, record) {
        return layout.number(number, line);
    }
    let mut text = String::new();
    value::text(atom, record, &mut text);
    layout.text(&text, line);
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
            measured: None,
            environ: Vec::new(),
        }
    }

    fn rendered(format: &str, head: &str) -> String {
        let request = Arc::new(request(head));
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
            attachment: None,
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
    fn json_is_valid_and_has_the_same_names_whatever_was_sent() {
        let nasty = "GET /%0d%0a%22%5c%00%ff?q=\"\\& HTTP/1.0\r\nReferer: \t\"\\\u{e9}\r\n\r\n";
        let mut names = Vec::new();
        for head in [HEAD, nasty] {
            let line = rendered("json", head);
            assert!(!line.contains(['\n', '\r']), "{line}");
            let read: serde_json::Map<String, serde_json::Value> =
                serde_json::from_str(&line).unwrap();
            assert_eq!(read["status"], 201);
            assert_eq!(read["duration_us"], 12_345_678);
            assert_eq!(read["end"], "complete");
            let mut keys: Vec<String> = read.keys().cloned().collect();
            keys.sort();
            names.push(keys);
        }
        assert_eq!(names[0], names[1]);
        assert_eq!(names[0].len(), 15);
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
            ("%(D)+15.1f|", "    +12345678.0|"),
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
