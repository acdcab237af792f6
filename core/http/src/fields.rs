//! The fields of a head or of a trailer block, as httparse finds them.

use crate::error::PeerError;
use crate::known::Known;
use crate::span::Span;

/// One field: where its name and its value stand in the bytes they were parsed from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    pub(crate) name: Span,
    pub(crate) value: Span,
    pub(crate) known: Known,
}

/// Requests of programs have fewer fields than this, and pay for no more.
const FEW: usize = 8;

/// Those of browsers have fewer than this; the others pay for an allocation.
const MANY: usize = 32;

/// Appends the `count` fields of `bytes[at..]`, which end with an empty line, to `fields`.
pub(crate) fn parse(
    bytes: &[u8],
    at: usize,
    count: usize,
    fields: &mut Vec<Field>,
) -> Result<(), PeerError> {
    if count <= FEW {
        let mut headers = [httparse::EMPTY_HEADER; FEW];
        parse_into(bytes, at, &mut headers, fields)
    } else if count <= MANY {
        let mut headers = [httparse::EMPTY_HEADER; MANY];
        parse_into(bytes, at, &mut headers, fields)
    } else {
        let mut headers = vec![httparse::EMPTY_HEADER; count];
        parse_into(bytes, at, &mut headers, fields)
    }
}

fn parse_into<'b>(
    bytes: &'b [u8],
    at: usize,
    headers: &mut [httparse::Header<'b>],
    fields: &mut Vec<Field>,
) -> Result<(), PeerError> {
    let parsed = match httparse::parse_headers(&bytes[at..], headers) {
        Ok(httparse::Status::Complete((_, parsed))) => parsed,
        Err(httparse::Error::HeaderName) => return Err(PeerError::InvalidFieldName),
        Ok(httparse::Status::Partial) | Err(_) => return Err(PeerError::InvalidFieldValue),
    };
    fields.extend(parsed.iter().map(|header| Field {
        name: Span::of(bytes, header.name.as_bytes()),
        value: if header.value.is_empty() {
            Span::default()
        } else {
            Span::of(bytes, header.value)
        },
        known: Known::find(header.name.as_bytes()),
    }));
    Ok(())
}

/// Makes one field of all Cookie fields, where the first stands: what reads cookies expects one list
/// with semicolons between (RFC 6265 section 5.4, RFC 9113 section 8.2.3).
#[cold]
pub(crate) fn join_cookies(bytes: &mut Vec<u8>, fields: &mut Vec<Field>) {
    let at = bytes.len();
    for field in fields.iter().filter(|field| field.known == Known::Cookie) {
        if field.value.len() == 0 {
            continue;
        }
        if bytes.len() > at {
            bytes.extend_from_slice(b"; ");
        }
        bytes.extend_from_within(field.value.range());
    }
    let whole = Span::new(at, bytes.len());
    let mut is_first = true;
    fields.retain_mut(|field| {
        if field.known != Known::Cookie {
            return true;
        }
        field.value = whole;
        std::mem::take(&mut is_first)
    });
}

/// Rewrites the fields of `bytes[at..]` so that httparse, which refuses them, takes two things an
/// operator may let through: folded fields (joined with one space) and space before the colon.
pub(crate) fn straighten(bytes: &mut Vec<u8>, at: usize, unfold: bool, strip: bool) {
    let block = bytes.split_off(at);
    for line in block.split_inclusive(|&b| b == b'\n') {
        let folded = matches!(line.first(), Some(b' ' | b'\t'));
        if folded && unfold {
            bytes.truncate(bytes.trim_ascii_end().len().max(at));
            bytes.push(b' ');
            bytes.extend_from_slice(line.trim_ascii_start());
            if bytes.last() != Some(&b'\n') {
                bytes.extend_from_slice(b"\r\n");
            }
        } else if let (true, Some(colon)) = (strip && !folded, memchr::memchr(b':', line)) {
            bytes.extend_from_slice(line[..colon].trim_ascii_end());
            bytes.extend_from_slice(&line[colon..]);
        } else {
            bytes.extend_from_slice(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn straightened(block: &str, unfold: bool, strip: bool) -> String {
        let mut bytes = format!("x\r\n{block}").into_bytes();
        straighten(&mut bytes, 3, unfold, strip);
        String::from_utf8_lossy(&bytes[3..]).into_owned()
    }

    #[test]
    fn folds_are_joined_with_one_space() {
        assert_eq!(
            straightened("A: b  \r\n\t c\r\n d\r\nE: f\r\n\r\n", true, false),
            "A: b c d\r\nE: f\r\n\r\n"
        );
        assert_eq!(
            straightened("A:\r\n b\r\n\r\n", true, false),
            "A: b\r\n\r\n"
        );
        assert_eq!(
            straightened("A: b\r\n \r\nC: d\r\n\r\n", true, false),
            "A: b \r\nC: d\r\n\r\n"
        );
    }

    #[test]
    fn space_before_the_colon_is_taken_away() {
        assert_eq!(
            straightened("A \t: b : c\r\nD: e\r\n\r\n", false, true),
            "A: b : c\r\nD: e\r\n\r\n"
        );
        assert_eq!(
            straightened("A b: c\r\n\r\n", false, true),
            "A b: c\r\n\r\n"
        );
    }
}
