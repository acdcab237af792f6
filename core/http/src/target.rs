//! The request target and its four forms (RFC 9112 section 3.2).

use crate::error::PeerError;
use crate::span::Span;
use crate::token;

/// Where the parts of a target stand in the head.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) whole: Span,
    /// Still percent-encoded; empty in authority form and where absolute form has none.
    pub(crate) path: Span,
    /// Without its `?`.
    pub(crate) query: Span,
    /// Without its `#`. No client should send one; gunicorn splits it off, so this does too.
    pub(crate) fragment: Span,
}

/// Takes a target apart. `head` is the head that `whole` stands in.
pub(crate) fn parse(head: &[u8], method: &[u8], whole: Span) -> Result<Target, PeerError> {
    let bytes = whole.of_bytes(head);
    if !token::is_target(bytes) {
        return Err(PeerError::InvalidTarget);
    }
    let at = whole.range();
    let empty = Span::new(at.end, at.end);
    let bare = Target {
        whole,
        path: empty,
        query: empty,
        fragment: empty,
    };
    if method == b"CONNECT" {
        return if is_authority(bytes) {
            Ok(bare)
        } else {
            Err(PeerError::InvalidTarget)
        };
    }
    if bytes == b"*" {
        let allowed = method == b"OPTIONS";
        return if allowed {
            Ok(Target {
                path: whole,
                ..bare
            })
        } else {
            Err(PeerError::InvalidTarget)
        };
    }
    let path_at = if bytes[0] == b'/' {
        0
    } else {
        after_authority(bytes)?
    };
    Ok(split(bytes, path_at, at.start, bare))
}

fn split(bytes: &[u8], path_at: usize, offset: usize, bare: Target) -> Target {
    let path_end = bytes[path_at..]
        .iter()
        .position(|&b| b == b'?' || b == b'#')
        .map_or(bytes.len(), |i| path_at + i);
    if path_end == bytes.len() {
        return Target {
            path: Span::new(offset + path_at, offset + path_end),
            ..bare
        };
    }
    let fragment_at =
        memchr::memchr(b'#', &bytes[path_end..]).map_or(bytes.len(), |i| path_end + i);
    let query_at = if path_end < fragment_at {
        path_end + 1
    } else {
        fragment_at
    };
    let after_hash = (fragment_at + 1).min(bytes.len());
    Target {
        path: Span::new(offset + path_at, offset + path_end),
        query: Span::new(offset + query_at, offset + fragment_at),
        fragment: Span::new(offset + after_hash, offset + bytes.len()),
        ..bare
    }
}

/// Absolute form: the index where the path, query or fragment begins.
fn after_authority(bytes: &[u8]) -> Result<usize, PeerError> {
    let invalid = PeerError::InvalidTarget;
    let colon = memchr::memchr(b':', bytes).ok_or(invalid)?;
    let scheme = &bytes[..colon];
    if !is_scheme(scheme) || !bytes[colon..].starts_with(b"://") {
        return Err(invalid);
    }
    let authority_at = colon + 3;
    let end = bytes[authority_at..]
        .iter()
        .position(|&b| matches!(b, b'/' | b'?' | b'#'))
        .map_or(bytes.len(), |i| authority_at + i);
    let authority = &bytes[authority_at..end];
    if authority.is_empty() || !brackets_match(authority) {
        return Err(invalid);
    }
    Ok(end)
}

/// RFC 3986 section 3.1.
fn is_scheme(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(u8::is_ascii_alphabetic)
        && bytes
            .iter()
            .all(|&b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

/// `host:port`, the only thing CONNECT may name (RFC 9110 section 9.3.6).
fn is_authority(bytes: &[u8]) -> bool {
    let Some(colon) = memchr::memrchr(b':', bytes) else {
        return false;
    };
    let (host, port) = (&bytes[..colon], &bytes[colon + 1..]);
    !host.is_empty()
        && brackets_match(host)
        && !host.iter().any(|b| matches!(b, b'/' | b'?' | b'#' | b'@'))
        && (1..=5).contains(&port.len())
        && port.iter().all(u8::is_ascii_digit)
}

/// An IPv6 address stands in one pair of brackets, and nothing else has any.
fn brackets_match(authority: &[u8]) -> bool {
    let open = memchr::memchr(b'[', authority);
    let close = memchr::memchr(b']', authority);
    match (open, close) {
        (None, None) => true,
        (Some(open), Some(close)) => {
            open < close
                && memchr::memchr(b'[', &authority[open + 1..]).is_none()
                && memchr::memchr(b']', &authority[close + 1..]).is_none()
                && is_address(&authority[open + 1..close])
        }
        _ => false,
    }
}

/// An IPv6 address, or one of a later version (RFC 3986 section 3.2.2).
fn is_address(text: &[u8]) -> bool {
    let is_future = matches!(text, [b'v' | b'V', rest @ ..] if rest.contains(&b'.'));
    let text = std::str::from_utf8(text).unwrap_or_default();
    is_future || text.parse::<std::net::Ipv6Addr>().is_ok()
}

/// Decodes `%XX`; what is not followed by two hexadecimal digits stays as it is.
pub fn percent_decode(encoded: &[u8], decoded: &mut Vec<u8>) {
    decoded.clear();
    if memchr::memchr(b'%', encoded).is_none() {
        decoded.extend_from_slice(encoded);
    } else {
        decoded.extend(percent_encoding::percent_decode(encoded));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(method: &str, target: &str) -> Option<(String, String, String)> {
        let text =
            |span: Span| String::from_utf8_lossy(span.of_bytes(target.as_bytes())).into_owned();
        let whole = Span::new(0, target.len());
        let parsed = parse(target.as_bytes(), method.as_bytes(), whole).ok()?;
        Some((text(parsed.path), text(parsed.query), text(parsed.fragment)))
    }

    fn expect(method: &str, target: &str, path: &str, query: &str, fragment: &str) {
        let expected = (path.to_owned(), query.to_owned(), fragment.to_owned());
        assert_eq!(parts(method, target), Some(expected), "{method} {target}");
    }

    #[test]
    fn each_form_is_taken_apart() {
        expect("GET", "/", "/", "", "");
        expect("GET", "/a/b?c=d?e#f?g", "/a/b", "c=d?e", "f?g");
        expect("GET", "//double", "//double", "", "");
        expect("GET", "/a#b", "/a", "", "b");
        expect("GET", "/?", "/", "", "");
        expect("GET", "http://example.com/a?b", "/a", "b", "");
        expect("GET", "http://example.com", "", "", "");
        expect("GET", "http://example.com?q", "", "q", "");
        expect("GET", "http://[::1]:8000/a", "/a", "", "");
        expect("OPTIONS", "*", "*", "", "");
        expect("CONNECT", "example.com:443", "", "", "");
        expect("CONNECT", "[::1]:443", "", "", "");
    }

    #[test]
    fn what_has_none_of_the_forms_is_refused() {
        for (method, target) in [
            ("GET", ""),
            ("GET", "*"),
            ("GET", "a/b"),
            ("GET", "example.com:443"),
            ("GET", "http:/a"),
            ("GET", "http:///a"),
            ("GET", "1http://a/"),
            ("GET", "http://[::1/a"),
            ("GET", "http://[zz]/a"),
            ("GET", "/a b"),
            ("GET", "/\u{e9}"),
            ("CONNECT", "/"),
            ("CONNECT", "example.com"),
            ("CONNECT", "example.com:port"),
            ("CONNECT", "http://example.com:443"),
        ] {
            assert_eq!(parts(method, target), None, "{method} {target}");
        }
    }
}
