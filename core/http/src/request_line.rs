//! The request line (RFC 9112 section 3).

use crate::error::PeerError;
use crate::limits::Leniency;
use crate::span::Span;
use crate::target::{self, Target};
use crate::token;

/// An HTTP version, as (major, minor).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// 1 in all that this crate speaks.
    pub major: u8,
    /// 0 or 1, or another digit where the operator lets it through.
    pub minor: u8,
}

impl Version {
    /// HTTP/1.0
    pub const HTTP_10: Self = Self { major: 1, minor: 0 };
    /// HTTP/1.1
    pub const HTTP_11: Self = Self { major: 1, minor: 1 };
}

impl Default for Version {
    fn default() -> Self {
        Self::HTTP_11
    }
}

/// The parts of a request line.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RequestLine {
    pub(crate) method: Span,
    pub(crate) target: Target,
    pub(crate) version: Version,
}

/// Parses the line that `head` begins with, `end` bytes without its CRLF.
pub(crate) fn parse(head: &[u8], end: usize, leniency: Leniency) -> Result<RequestLine, PeerError> {
    let invalid = PeerError::InvalidRequestLine;
    let line = &head[..end];
    // Methods are short: looking at each byte is quicker than looking for many at once.
    let first = line.iter().position(|&b| b == b' ').ok_or(invalid)?;
    let last = last_space(line).ok_or(invalid)?;
    if first == last {
        return Err(invalid);
    }
    let target = Span::new(first + 1, last);
    parse_parts(head, first, target, end, leniency).map_err(|error| {
        // No part that is accepted holds a space, or a CR that ends nothing.
        let has_more = target.of_bytes(head).contains(&b' ') || line.contains(&b'\r');
        if has_more { invalid } else { error }
    })
}

fn parse_parts(
    head: &[u8],
    method_end: usize,
    target: Span,
    end: usize,
    leniency: Leniency,
) -> Result<RequestLine, PeerError> {
    let method = &head[..method_end];
    check_method(method, leniency)?;
    let version = parse_version(&head[target.range().end + 1..end], leniency)?;
    Ok(RequestLine {
        method: Span::new(0, method_end),
        target: target::parse(head, method, target)?,
        version,
    })
}

/// The last space of a line. It stands before a version, and those that can be accepted are alike in
/// length.
fn last_space(line: &[u8]) -> Option<usize> {
    match line {
        [.., b' ', b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if *major != b' ' && *minor != b' ' =>
        {
            Some(line.len() - 9)
        }
        _ => memchr::memrchr(b' ', line),
    }
}

/// gunicorn's convention: 3 to 20 characters, neither small letters nor '#'. It keeps the start of
/// a TLS handshake, and much else that is not HTTP, from passing for a method. Where the operator has
/// small letters folded, that was done before.
fn check_method(method: &[u8], leniency: Leniency) -> Result<(), PeerError> {
    if matches!(method, b"GET" | b"POST" | b"PUT" | b"HEAD") {
        return Ok(());
    }
    let conventional = (3..=20).contains(&method.len())
        && !method.iter().any(|b| b.is_ascii_lowercase() || *b == b'#');
    if token::is_token(method) && (conventional || leniency.any_method) {
        Ok(())
    } else {
        Err(PeerError::InvalidMethod)
    }
}

fn parse_version(text: &[u8], leniency: Leniency) -> Result<Version, PeerError> {
    let version = match text {
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            Version {
                major: major - b'0',
                minor: minor - b'0',
            }
        }
        _ => return Err(PeerError::InvalidVersion),
    };
    if version.major == 1 || leniency.any_version {
        Ok(version)
    } else {
        Err(PeerError::InvalidVersion)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str, leniency: Leniency) -> Result<RequestLine, PeerError> {
        parse(format!("{line}\r\n").as_bytes(), line.len(), leniency)
    }

    fn error(line: &str) -> Option<PeerError> {
        parsed(line, Leniency::default()).err()
    }

    #[test]
    fn a_line_has_exactly_three_parts() {
        assert!(error("GET / HTTP/1.1").is_none());
        for bad in [
            "GET /",
            "GET",
            "",
            " ",
            "GET  / HTTP/1.1",
            "GET / HTTP/1.1 ",
            "GET /a b HTTP/1.1",
        ] {
            assert_eq!(error(bad), Some(PeerError::InvalidRequestLine), "{bad}");
        }
    }

    #[test]
    fn unconventional_methods_need_a_setting() {
        let any = Leniency {
            any_method: true,
            ..Leniency::default()
        };
        for method in ["get", "GE", "G#T", "ABCDEFGHIJKLMNOPQRSTU"] {
            let line = format!("{method} / HTTP/1.1");
            assert_eq!(error(&line), Some(PeerError::InvalidMethod), "{line}");
            assert!(parsed(&line, any).is_ok(), "{line}");
        }
        assert!(parsed("G(T / HTTP/1.1", any).is_err(), "not even a token");
        assert!(error("BASELINE-CONTROL / HTTP/1.1").is_none());
    }

    #[test]
    fn unconventional_versions_need_a_setting() {
        let any = Leniency {
            any_version: true,
            ..Leniency::default()
        };
        for version in ["HTTP/0.9", "HTTP/2.0", "HTTP/3.3"] {
            let line = format!("GET / {version}");
            assert_eq!(error(&line), Some(PeerError::InvalidVersion), "{line}");
            assert!(parsed(&line, any).is_ok(), "{line}");
        }
        assert!(error("GET / HTTP/1.7").is_none());
        for broken in [
            "HTTP/1",
            "HTTP/1.10",
            "http/1.1",
            "HTTP/1,1",
            "HTTPS/1.1",
            "HTTP/a.b",
        ] {
            assert!(parsed(&format!("GET / {broken}"), any).is_err(), "{broken}");
        }
    }
}
