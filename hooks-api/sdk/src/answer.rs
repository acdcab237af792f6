//! An answer of the plugin's own.

use std::fs::File;
use std::os::fd::{IntoRawFd, OwnedFd};

use tricorn_abi as abi;

use crate::error::{Result, check};
use crate::text::{NOTHING, lend};

/// An answer: a status, fields, and content.
///
/// `Content-Length`, `Date`, `Server` and `Connection` are the server's affair. A value with CR, LF
/// or NUL in it is refused when the answer is given.
#[derive(Debug)]
#[must_use]
pub struct Answer {
    status: u16,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
    file: Option<(OwnedFd, u64, u64)>,
}

impl Answer {
    /// An answer with a status from 200 to 599, and no content.
    pub fn new(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Vec::new(),
            file: None,
        }
    }

    /// An answer with a text.
    pub fn text(status: u16, text: impl Into<String>) -> Self {
        Self::new(status)
            .header("Content-Type", "text/plain; charset=utf-8")
            .body(text.into())
    }

    /// Adds a field.
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers
            .push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Sets the content.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends a part of a file as the content: the server does, without reading it.
    pub fn file(mut self, file: File, offset: u64, length: u64) -> Self {
        self.file = Some((file.into(), offset, length));
        self
    }

    /// Gives it to the server.
    pub(crate) fn give(self, to: impl FnOnce(*const abi::Answer) -> i32) -> Result<()> {
        let headers: Vec<_> = self
            .headers
            .iter()
            .map(|(name, value)| abi::Header {
                name: lend(name),
                value: lend(value),
            })
            .collect();
        let (file, file_offset, file_length) = match self.file {
            Some((file, offset, length)) => (file.into_raw_fd(), offset, length),
            None => (-1, 0, 0),
        };
        let answer = abi::Answer {
            struct_size: size_of::<abi::Answer>() as u32,
            status: self.status.into(),
            headers: headers.as_ptr(),
            header_count: headers.len(),
            body: if self.body.is_empty() {
                NOTHING
            } else {
                lend(&self.body)
            },
            file,
            reserved: 0,
            file_offset,
            file_length,
        };
        let given = check("the answer", to(&raw const answer));
        if given.is_err() && file >= 0 {
            // SAFETY: the server takes the descriptor only with an answer that it takes.
            drop(unsafe { <OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(file) });
        }
        given
    }
}
