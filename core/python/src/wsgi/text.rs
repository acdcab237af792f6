//! WSGI's "native strings": text that stands for Latin-1 bytes.

use pyo3::exceptions::{PyTypeError, PyUnicodeEncodeError};
use pyo3::prelude::*;
use pyo3::types::PyString;
use pyo3::types::string::PyStringData;

/// Bytes as the text that stands for them.
pub(super) fn latin1<'py>(py: Python<'py>, bytes: &[u8]) -> Bound<'py, PyString> {
    // SAFETY: the pointer and the length are of one live slice, and the call returns a new
    // reference to a string, or sets an exception where there is no memory.
    unsafe {
        let text = pyo3::ffi::PyUnicode_DecodeLatin1(
            bytes.as_ptr().cast(),
            bytes.len().cast_signed(),
            std::ptr::null(),
        );
        Bound::from_owned_ptr(py, text).cast_into_unchecked()
    }
}

/// Calls `with` with the bytes that a text stands for.
pub(super) fn with_bytes<R>(
    object: &Bound<'_, PyAny>,
    what: &str,
    with: impl FnOnce(&[u8]) -> R,
) -> PyResult<R> {
    let Ok(text) = object.cast::<PyString>() else {
        let name = object
            .get_type()
            .name()
            .map_or_else(|_| "?".to_owned(), |name| name.to_string());
        return Err(PyTypeError::new_err(format!(
            "{what} must be a str, not {name}"
        )));
    };
    // SAFETY: the data is read at once, while the string is borrowed; strings do not change.
    match unsafe { text.data() }? {
        PyStringData::Ucs1(bytes) => Ok(with(bytes)),
        _ => {
            // Raises an error that names the character.
            text.call_method1("encode", ("latin-1",))?;
            Err(PyUnicodeEncodeError::new_err(format!(
                "{what} is not Latin-1"
            )))
        }
    }
}
