//! Editing heads that have been read or given: fields are set, added and removed by handlers, and
//! what frames a message stays as it is.

use crate::fields::Field;
use crate::known::Known;
use crate::span::Span;
use crate::token;

/// Why a field cannot be edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEdit {
    /// RFC 9110 section 5.1.
    #[error("the name is not a token")]
    Name,
    /// RFC 9110 section 5.5.
    #[error("the value holds a control character")]
    Value,
    /// It says where a message ends, or what becomes of the connection.
    #[error("the field frames the message")]
    Framing,
}

/// Fields that say where a message ends or what becomes of its connection.
const FRAMING: [&str; 10] = [
    "connection",
    "content-length",
    "expect",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "trailers",
    "transfer-encoding",
    "upgrade",
];

/// Checks a field that is to be set: its value without white space around it.
///
/// # Errors
/// What keeps it from being set.
pub fn check<'v>(name: &[u8], value: &'v [u8]) -> Result<&'v [u8], InvalidEdit> {
    check_name(name)?;
    let value = token::trim(value);
    if token::is_field_value(value) {
        Ok(value)
    } else {
        Err(InvalidEdit::Value)
    }
}

/// Checks the name of a field that is to be set or removed.
///
/// # Errors
/// What keeps it from that.
pub fn check_name(name: &[u8]) -> Result<(), InvalidEdit> {
    if !token::is_token(name) {
        return Err(InvalidEdit::Name);
    }
    let frames = FRAMING
        .iter()
        .any(|framing| name.eq_ignore_ascii_case(framing.as_bytes()));
    if frames {
        Err(InvalidEdit::Framing)
    } else {
        Ok(())
    }
}

/// Adds a field behind the others.
pub(crate) fn append(bytes: &mut Vec<u8>, fields: &mut Vec<Field>, name: &[u8], value: &[u8]) {
    let at = bytes.len();
    bytes.extend_from_slice(name);
    bytes.extend_from_slice(value);
    let value_at = at + name.len();
    fields.push(Field {
        name: Span::new(at, value_at),
        value: Span::new(value_at, bytes.len()),
        known: Known::find(name),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_a_token_and_a_value_on_one_line() {
        assert_eq!(check(b"X-A", b" b\t"), Ok(&b"b"[..]));
        assert_eq!(check(b"X A", b"b"), Err(InvalidEdit::Name));
        assert_eq!(check(b"", b"b"), Err(InvalidEdit::Name));
        for split in [&b"b\r\nX: y"[..], b"b\n", b"b\0", b"\rb"] {
            assert_eq!(check(b"X-A", split), Err(InvalidEdit::Value), "{split:?}");
        }
    }

    #[test]
    fn what_frames_a_message_stays_as_it_is() {
        for name in [
            "Content-Length",
            "TRANSFER-ENCODING",
            "connection",
            "Expect",
        ] {
            assert_eq!(check_name(name.as_bytes()), Err(InvalidEdit::Framing));
        }
        assert_eq!(check_name(b"Content-Type"), Ok(()));
    }
}
