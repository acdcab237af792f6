//! How an answer is framed and what becomes of the connection: decided here and nowhere else.

use super::body::BodyEncoder;
use super::head::ResponseHead;
use crate::head::Head;
use crate::request_line::Version;

/// What the framing of an answer needs to know of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// The client speaks HTTP/1.1: it understands chunks, and keeps the connection by default.
    pub http_11: bool,
    /// HEAD: the answer ends after its head.
    pub head_only: bool,
    /// The client wants the connection kept, and so does the server.
    pub keeps_alive: bool,
}

impl Asked {
    /// What `head` asks for.
    #[must_use]
    pub fn by(head: &Head) -> Self {
        Self {
            http_11: head.version() >= Version::HTTP_11,
            head_only: head.method() == b"HEAD",
            keeps_alive: head.keeps_alive(),
        }
    }

    /// A request that could not be read: it is answered as plainly as possible, and for good.
    #[must_use]
    pub fn unreadable() -> Self {
        Self {
            http_11: true,
            head_only: false,
            keeps_alive: false,
        }
    }
}

/// A plan for one answer.
#[derive(Debug)]
pub struct Reply {
    asked: Asked,
    /// The Content-Length to send.
    length: Option<u64>,
    /// How the content is framed.
    pub body: BodyEncoder,
    /// The connection ends with this answer.
    pub close: bool,
}

impl Reply {
    /// Plans the answer to `asked` with this head.
    ///
    /// `known` is the length of the content where the server can tell it and the application has
    /// not given one (RFC 9112 section 6.3 for the order of the cases).
    #[must_use]
    pub fn plan(asked: Asked, head: &ResponseHead, known: Option<u64>) -> Self {
        let status = head.status();
        // After an interim status (RFC 9110 section 15.2) the client waits for another answer.
        let close = !asked.keeps_alive || head.wants_close() || status.is_informational();
        if asked.head_only || status.forbids_body() {
            let length = head.length().filter(|_| !status.forbids_length());
            return Self {
                asked,
                length,
                body: BodyEncoder::nothing(),
                close,
            };
        }
        match head.length().or(known) {
            Some(length) => Self {
                asked,
                length: Some(length),
                body: BodyEncoder::length(length),
                close,
            },
            None if asked.http_11 => Self {
                asked,
                length: None,
                body: BodyEncoder::chunked(),
                close,
            },
            None => Self {
                asked,
                length: None,
                body: BodyEncoder::until_close(),
                close: true,
            },
        }
    }

    /// Writes the head: status line, the server's own fields, the application's, an empty line.
    ///
    /// `own` are lines, each with its end, and the Date is among them.
    pub fn write_head(&self, head: &ResponseHead, own: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(if self.asked.http_11 {
            b"HTTP/1.1 "
        } else {
            b"HTTP/1.0 "
        });
        out.extend_from_slice(head.status_line());
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(own);
        self.write_connection(head, out);
        if let Some(length) = self.length {
            out.extend_from_slice(b"Content-Length: ");
            out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
            out.extend_from_slice(b"\r\n");
        } else if self.body.is_chunked() {
            out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
        }
        out.extend_from_slice(head.lines());
        out.extend_from_slice(b"\r\n");
    }

    /// RFC 9112 section 9.3: said only where it is not what the version means anyway.
    fn write_connection(&self, head: &ResponseHead, out: &mut Vec<u8>) {
        if head.upgrades() {
            out.extend_from_slice(b"Connection: upgrade\r\n");
        } else if self.close && self.asked.http_11 {
            out.extend_from_slice(b"Connection: close\r\n");
        } else if !self.close && !self.asked.http_11 {
            out.extend_from_slice(b"Connection: keep-alive\r\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEPT: Asked = Asked {
        http_11: true,
        head_only: false,
        keeps_alive: true,
    };

    fn written(asked: Asked, status: &str, fields: &[(&str, &str)], known: Option<u64>) -> String {
        let mut head = ResponseHead::default();
        head.begin(status.as_bytes()).unwrap();
        for (name, value) in fields {
            head.push(name.as_bytes(), value.as_bytes()).unwrap();
        }
        let mut out = Vec::new();
        let own = b"Server: s\r\nDate: d\r\n";
        Reply::plan(asked, &head, known).write_head(&head, own, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_known_length_is_sent_and_an_unknown_one_is_chunked() {
        assert_eq!(
            written(KEPT, "200 OK", &[("A", "b")], Some(5)),
            "HTTP/1.1 200 OK\r\nServer: s\r\nDate: d\r\nContent-Length: 5\r\nA: b\r\n\r\n"
        );
        let chunked = written(KEPT, "200 OK", &[], None);
        assert!(
            chunked.contains("\r\nTransfer-Encoding: chunked\r\n"),
            "{chunked}"
        );
        let given = written(
            KEPT,
            "200 OK",
            &[("Content-Length", "18446744073709551615")],
            Some(5),
        );
        assert!(
            given.contains("Content-Length: 18446744073709551615\r\n"),
            "{given}"
        );
    }

    #[test]
    fn http_10_gets_no_chunks_and_is_told_when_the_connection_is_kept() {
        let old = Asked {
            http_11: false,
            ..KEPT
        };
        let known = written(old, "200 OK", &[], Some(0));
        assert!(known.starts_with("HTTP/1.0 ") && known.contains("Connection: keep-alive\r\n"));
        let unknown = written(old, "200 OK", &[], None);
        assert!(
            !unknown.contains("chunked") && !unknown.contains("keep-alive"),
            "{unknown}"
        );
    }

    #[test]
    fn head_204_and_304_have_no_body() {
        let head = Asked {
            head_only: true,
            ..KEPT
        };
        assert!(
            written(head, "200 OK", &[("Content-Length", "9")], None).contains("Content-Length: 9")
        );
        assert!(!written(head, "200 OK", &[], Some(7)).contains("Content-Length"));
        let length = [("Content-Length", "9")];
        assert!(!written(KEPT, "204 No Content", &length, Some(9)).contains("Content-Length"));
        assert!(written(KEPT, "304 Not Modified", &length, None).contains("Content-Length: 9"));
    }

    #[test]
    fn an_end_of_the_connection_is_announced() {
        let closing = Asked {
            keeps_alive: false,
            ..KEPT
        };
        assert!(written(closing, "200 OK", &[], Some(1)).contains("Connection: close\r\n"));
        assert!(
            written(KEPT, "200 OK", &[("Connection", "close")], Some(1))
                .contains("Connection: close\r\n")
        );
        let upgrade = [("Connection", "Upgrade"), ("Upgrade", "websocket")];
        let switched = written(KEPT, "101 Switching Protocols", &upgrade, None);
        assert!(
            switched.contains("Connection: upgrade\r\n")
                && switched.contains("Upgrade: websocket\r\n")
        );
    }
}
