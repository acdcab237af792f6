//! Texts across the boundary.

use std::ffi::c_void;

use tricorn_abi::Str;

/// A text, lent.
pub(crate) const fn lend(bytes: &[u8]) -> Str {
    Str {
        ptr: bytes.as_ptr(),
        len: bytes.len(),
    }
}

/// No text.
pub(crate) const NOTHING: Str = Str {
    ptr: std::ptr::null(),
    len: 0,
};

/// What a text holds.
///
/// # Safety
/// The bytes are there for as long as the result is used.
pub(crate) unsafe fn bytes<'a>(text: Str) -> &'a [u8] {
    if text.ptr.is_null() || text.len == 0 {
        &[]
    } else {
        // SAFETY: promised by the caller.
        unsafe { std::slice::from_raw_parts(text.ptr, text.len) }
    }
}

/// What a text holds, where that is UTF-8; what is not is replaced.
///
/// # Safety
/// As `bytes`.
pub(crate) unsafe fn string(text: Str) -> String {
    // SAFETY: promised by the caller.
    String::from_utf8_lossy(unsafe { bytes(text) }).into_owned()
}

/// A table, if the server has it and it is as long as ours: nothing of a shorter one is called.
///
/// # Safety
/// `table` is what `get_interface` gave for the name of this type: null, or there for ever.
pub(crate) unsafe fn table<T>(table: *const c_void) -> Option<&'static T> {
    // SAFETY: a table begins with its size.
    unsafe {
        let size = table.cast::<u32>().as_ref()?;
        (*size as usize >= size_of::<T>()).then(|| &*table.cast::<T>())
    }
}
