//! `wsgi.input`: the request's body (PEP 3333).
//!
//! A body that ends before its length, or breaks its framing, raises: it never looks complete.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use tricorn_server::gateway::{Handle, Read, Woken};

use super::wait::{raise, wait};

/// How much is asked for at once where a line is looked for.
const LINE_PIECE: usize = 16 * 1024;

/// How much is asked for at once where everything is wanted.
const PIECE: usize = 256 * 1024;

/// The body of one request; without a channel, of none.
#[pyclass(frozen, module = "tricorn._native")]
pub(crate) struct BodyInput {
    channel: Option<Handle>,
    held: Mutex<Held>,
}

/// Content that was read and not given out yet.
#[derive(Default)]
struct Held {
    bytes: Vec<u8>,
    at: usize,
}

impl Held {
    fn rest(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    /// Adds content behind what is held, in the place of what was given out.
    fn add(&mut self, more: &[u8]) {
        self.bytes.drain(..self.at);
        self.at = 0;
        self.bytes.extend_from_slice(more);
    }

    /// Takes content out of the beginning.
    fn take(&mut self, count: usize) -> Vec<u8> {
        let taken = self.bytes[self.at..self.at + count].to_vec();
        self.at += count;
        if self.at == self.bytes.len() {
            self.bytes.clear();
            self.at = 0;
        }
        taken
    }
}

impl BodyInput {
    pub(super) fn new(channel: Handle) -> Self {
        Self {
            channel: Some(channel),
            held: Mutex::default(),
        }
    }

    /// The input of requests that have no body.
    pub(super) fn empty() -> Self {
        Self {
            channel: None,
            held: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds content to `sink`, waiting for the client where that is needed; how much it was, 0 at
    /// the end.
    fn receive(&self, py: Python<'_>, most: usize, sink: &mut Vec<u8>) -> PyResult<usize> {
        let Some(channel) = &self.channel else {
            return Ok(0);
        };
        loop {
            match channel.read(most, sink).map_err(raise)? {
                Read::Bytes(count) => return Ok(count),
                Read::End => return Ok(0),
                Read::Wait(until) => {
                    if wait(py, until)? == Woken::TimedOut {
                        return Err(raise(channel.give_up_body()));
                    }
                }
            }
        }
    }

    /// Takes up to `size` bytes: all there are if that is `None`, and fewer only at the end.
    fn take(&self, py: Python<'_>, size: Option<usize>) -> PyResult<Vec<u8>> {
        let wanted = size.unwrap_or(usize::MAX);
        let mut taken = {
            let mut held = self.lock();
            let count = held.rest().len().min(wanted);
            held.take(count)
        };
        while taken.len() < wanted {
            let most = (wanted - taken.len()).min(PIECE);
            if self.receive(py, most, &mut taken)? == 0 {
                break;
            }
        }
        Ok(taken)
    }

    /// Takes up to and with the next newline, but no more than `size` bytes.
    fn take_line(&self, py: Python<'_>, size: Option<usize>) -> PyResult<Vec<u8>> {
        let wanted = size.unwrap_or(usize::MAX);
        let mut seen = 0;
        loop {
            {
                let mut held = self.lock();
                let rest = held.rest();
                let newline = memchr::memchr(b'\n', &rest[seen.min(rest.len())..])
                    .map(|found| seen + found + 1);
                if let Some(end) = newline {
                    return Ok(held.take(end.min(wanted)));
                }
                seen = rest.len();
                if seen >= wanted {
                    return Ok(held.take(wanted));
                }
            }
            let mut more = Vec::new();
            if self.receive(py, LINE_PIECE, &mut more)? == 0 {
                let mut held = self.lock();
                let count = held.rest().len().min(wanted);
                return Ok(held.take(count));
            }
            self.lock().add(&more);
        }
    }
}

/// `None` and negative sizes mean everything.
fn size_of(size: Option<isize>) -> Option<usize> {
    size.and_then(|size| usize::try_from(size).ok())
}

#[pymethods]
impl BodyInput {
    /// Reads up to `size` bytes, or everything.
    #[pyo3(signature = (size = None))]
    fn read<'py>(&self, py: Python<'py>, size: Option<isize>) -> PyResult<Bound<'py, PyBytes>> {
        let Some(channel) = &self.channel else {
            return Ok(PyBytes::new(py, b""));
        };
        let size = size_of(size);
        if !self.lock().rest().is_empty() {
            return Ok(PyBytes::new(py, &self.take(py, size)?));
        }
        // The common case is a body that has been read in advance, and is copied only once.
        let (wanted, mut ahead) = (size.unwrap_or(usize::MAX), PyBytes::new(py, b""));
        let is_all = channel
            .read_ahead(wanted, &mut |content| ahead = PyBytes::new(py, content))
            .map_err(raise)?;
        let missing = wanted - ahead.as_bytes().len();
        if is_all || missing == 0 {
            return Ok(ahead);
        }
        let rest = self.take(py, size.map(|_| missing))?;
        Ok(PyBytes::new(py, &[ahead.as_bytes(), &rest].concat()))
    }

    /// Reads a line, with its newline, but no more than `size` bytes of it.
    #[pyo3(signature = (size = None))]
    fn readline<'py>(&self, py: Python<'py>, size: Option<isize>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.take_line(py, size_of(size))?))
    }

    /// Reads all lines; with a hint, no further ones once that many bytes are reached.
    #[pyo3(signature = (hint = None))]
    fn readlines<'py>(&self, py: Python<'py>, hint: Option<isize>) -> PyResult<Bound<'py, PyList>> {
        let hint = size_of(hint).filter(|&hint| hint > 0).unwrap_or(usize::MAX);
        let (lines, mut total) = (PyList::empty(py), 0);
        while total < hint {
            let line = self.take_line(py, None)?;
            if line.is_empty() {
                break;
            }
            total += line.len();
            lines.append(PyBytes::new(py, &line))?;
        }
        Ok(lines)
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let line = self.take_line(py, None)?;
        Ok(if line.is_empty() {
            None
        } else {
            Some(PyBytes::new(py, &line))
        })
    }

    /// Does nothing: the body belongs to the connection.
    #[allow(clippy::unused_self)]
    fn close(&self) {}
}
