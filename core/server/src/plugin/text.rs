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
