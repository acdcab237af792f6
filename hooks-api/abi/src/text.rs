//! Text and header fields, as they cross the boundary.

use core::ffi::c_void;

/// Borrowed bytes, not ended by a NUL. `ptr` may be null only if `len` is 0.
///
/// Names, ids and messages are UTF-8. What comes from or goes to the wire is bytes, in practice
/// ASCII or Latin-1.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Str {
    /// The first byte.
    pub ptr: *const u8,
    /// How many there are.
    pub len: usize,
}

/// A header field.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Header {
    /// Its name: a token (RFC 9110 section 5.1).
    pub name: Str,
    /// Its value: no CR, no LF, no NUL (RFC 9110 section 5.5).
    pub value: Str,
}

/// A function of the plugin's that a result of any length is given to, in one or more pieces, during
/// the call that it was passed to.
pub type Sink = Option<unsafe extern "C-unwind" fn(context: *mut c_void, piece: Str)>;

/// A sink of the server's, for results of any length. Written with `buf_write` of [`crate::Basics`],
/// during the call it was passed to.
#[repr(C)]
#[derive(Debug)]
pub struct Buffer {
    _opaque: [u8; 0],
}
