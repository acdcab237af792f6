//! Texts across the boundary.

use tricorn_abi::Str;

/// What a text holds.
///
/// # Safety
/// The bytes must be there for as long as the result is used, as the ABI promises of a text that is
/// passed into a call, and of a descriptor's.
pub(super) unsafe fn bytes<'a>(text: Str) -> &'a [u8] {
    if text.ptr.is_null() || text.len == 0 {
        &[]
    } else {
        // SAFETY: promised by the caller.
        unsafe { std::slice::from_raw_parts(text.ptr, text.len) }
    }
}

/// What a text holds, for messages and names.
///
/// # Safety
/// As `bytes`.
pub(super) unsafe fn string(text: Str) -> String {
    // SAFETY: promised by the caller.
    String::from_utf8_lossy(unsafe { bytes(text) }).into_owned()
}

/// A message of a plugin's, which may have in it what a client has sent: no further line of it looks like
/// one of the log's own, and nothing in it commands a terminal.
pub(super) fn legible(text: &str) -> String {
    let mut legible = String::with_capacity(text.len());
    for character in text.trim_end().chars() {
        match character {
            '\n' => legible.push_str("\n    "),
            '\t' => legible.push('\t'),
            other if other.is_control() => legible.extend(other.escape_default()),
            other => legible.push(other),
        }
    }
    legible
}

/// Bytes, lent.
pub(super) fn lend(bytes: &[u8]) -> Str {
    Str {
        ptr: bytes.as_ptr(),
        len: bytes.len(),
    }
}

/// No bytes.
pub(super) const NOTHING: Str = Str {
    ptr: std::ptr::null(),
    len: 0,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_stays_one() {
        let forged = "no user a\r\n[2026-01-01] [1] [INFO] all is well\u{1b}[2J\n";
        let shown = "no user a\\r\n    [2026-01-01] [1] [INFO] all is well\\u{1b}[2J";
        assert_eq!(legible(forged), shown);
        assert_eq!(legible("é\tx"), "é\tx");
    }
}
