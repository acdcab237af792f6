//! An answer whose head is about to be written.

use tricorn_abi as abi;

use crate::error::{Result, check};
use crate::request::{Subject, reading};
use crate::text::{NOTHING, bytes, lend};

/// An answer, on `response_start`: the request may be read, and the answer's head changed.
#[derive(Debug)]
pub struct Response<'r> {
    pub(crate) subject: Subject<'r>,
    pub(crate) table: &'static abi::Response,
}

impl Response<'_> {
    reading!();

    /// The status.
    #[must_use]
    pub fn status(&self) -> u16 {
        status(&self.subject, self.table)
    }

    /// Changes the status. One that changes whether the answer has content is refused.
    ///
    /// # Errors
    /// Such a status, or none at all.
    pub fn set_status(&mut self, status: u16) -> Result<()> {
        // SAFETY: as the ABI describes the function.
        let code = unsafe { (self.table.status_set)(self.subject.raw, status.into()) };
        check("the status", code)
    }

    /// The first header of the answer of this name, in letters of either case.
    #[must_use]
    pub fn response_header(&self, name: &str) -> Option<&[u8]> {
        response_header(&self.subject, self.table, name)
    }

    /// Sets a header of the answer, in place of all of this name.
    ///
    /// # Errors
    /// No token, a value with CR, LF or NUL, or a header that frames the message.
    pub fn set_header(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<()> {
        let (name_text, value) = (lend(name.as_bytes()), lend(value.as_ref()));
        // SAFETY: as the ABI describes the function.
        let code = unsafe { (self.table.header_set)(self.subject.raw, name_text, value) };
        check(&format!("header '{name}'"), code)
    }

    /// Adds a header to the answer.
    ///
    /// # Errors
    /// As `set_header`.
    pub fn add_header(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<()> {
        let (name_text, value) = (lend(name.as_bytes()), lend(value.as_ref()));
        // SAFETY: as the ABI describes the function.
        let code = unsafe { (self.table.header_add)(self.subject.raw, name_text, value) };
        check(&format!("header '{name}'"), code)
    }

    /// Removes all headers of the answer of this name; whether there was one.
    ///
    /// # Errors
    /// A header that frames the message.
    pub fn remove_header(&mut self, name: &str) -> Result<bool> {
        // SAFETY: as the ABI describes the function.
        let code = unsafe { (self.table.header_remove)(self.subject.raw, lend(name.as_bytes())) };
        if code == abi::NOT_FOUND {
            return Ok(false);
        }
        check(&format!("header '{name}'"), code).map(|()| true)
    }
}

pub(crate) fn status(subject: &Subject<'_>, table: &abi::Response) -> u16 {
    // SAFETY: as the ABI describes the function.
    u16::try_from(unsafe { (table.status)(subject.raw) }).unwrap_or(0)
}

pub(crate) fn response_header<'s>(
    subject: &'s Subject<'_>,
    table: &abi::Response,
    name: &str,
) -> Option<&'s [u8]> {
    let mut value = NOTHING;
    // SAFETY: as the ABI describes the function; what it lends is there until the head is changed.
    unsafe {
        let code = (table.header)(subject.raw, lend(name.as_bytes()), 0, &raw mut value);
        (code >= 0).then(|| bytes(value))
    }
}
