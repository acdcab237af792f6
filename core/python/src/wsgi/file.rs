//! Files that the kernel can send in an application's place. Only those are known here of which it is
//! certain that their descriptor holds what their `read` would give.

use std::os::fd::{BorrowedFd, OwnedFd, RawFd};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict};

/// A file that the kernel can send.
pub(super) struct RegularFile {
    /// A copy: the application closes its own as soon as the answer is given.
    pub(super) descriptor: OwnedFd,
    pub(super) offset: u64,
    /// From the offset to the end.
    pub(super) length: u64,
}

impl RegularFile {
    /// The file behind a `wsgi.file_wrapper` of the class `plain`, from where it stands; `None` if it
    /// is anything else.
    pub(super) fn of(wrapper: &Bound<'_, PyAny>, plain: &Bound<'_, PyAny>) -> Option<Self> {
        if !reads_plainly(wrapper, plain).ok()? {
            return None;
        }
        let filelike = wrapper.getattr(intern!(wrapper.py(), "filelike")).ok()?;
        let file = read_from(&filelike).ok()??;
        let (number, offset) = place_of(&file).ok()?;
        if number < 0 {
            return None;
        }
        // SAFETY: only copied, while the application's file object keeps it open. A number that is
        // not open gives an error.
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) }
            .try_clone_to_owned()
            .ok()?;
        let status = nix::sys::stat::fstat(&descriptor).ok()?;
        let size = u64::try_from(status.st_size).ok()?;
        let is_regular = status.st_mode & libc::S_IFMT == libc::S_IFREG;
        // Files that the kernel makes as they are read, as those below /proc, take no room, and their
        // size is not their length.
        let is_stored = size > 0 && status.st_blocks > 0;
        (is_regular && is_stored).then(|| Self {
            descriptor,
            offset,
            length: size.saturating_sub(offset),
        })
    }
}

/// Returns true if iterating over `wrapper` gives what its file's `read` does: it is of the class
/// `plain`, or of one that changes nothing of that.
fn reads_plainly(wrapper: &Bound<'_, PyAny>, plain: &Bound<'_, PyAny>) -> PyResult<bool> {
    let class = wrapper.get_type();
    if class.is(plain) {
        return Ok(true);
    }
    for name in ["__iter__", "__next__", "__getattribute__"] {
        if !class.getattr(name)?.is(&plain.getattr(name)?) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Returns the file of the interpreter's own that a file-like object's `read` reads: itself, or the one
/// that it stands before, as Django's `File` and the files of `tempfile` do. `None` if it may change
/// what it reads, as files that are compressed do.
fn read_from<'py>(filelike: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = filelike.py();
    let mut read = filelike.getattr(intern!(py, "read"))?;
    if let Some(wrapped) = wrapped_by_tempfile(&read)? {
        read = wrapped;
    }
    if !read.is_exact_instance_of::<PyCFunction>() {
        return Ok(None);
    }
    let name = read.getattr(intern!(py, "__name__"))?;
    let file = read.getattr(intern!(py, "__self__"))?;
    Ok((name.eq("read")? && is_the_interpreters_own(&file)?).then_some(file))
}

/// Returns the method that the library's temporary files call when `read` is called.
fn wrapped_by_tempfile<'py>(read: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = read.py();
    let Some(wrapped) = read.getattr_opt(intern!(py, "__wrapped__"))? else {
        return Ok(None);
    };
    let globals = read.getattr_opt(intern!(py, "__globals__"))?;
    let theirs = py.import(intern!(py, "tempfile"))?.dict();
    Ok(globals
        .filter(|globals| globals.is(&theirs))
        .map(|_| wrapped))
}

/// Returns true for what `open` gives for binary files, with nothing of it replaced.
fn is_the_interpreters_own(file: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = file.py();
    let io = py.import(intern!(py, "io"))?;
    let class = file.get_type();
    let file_io = io.getattr(intern!(py, "FileIO"))?;
    if class.is(&file_io) {
        return file.call_method0(intern!(py, "readable"))?.is_truthy();
    }
    if class.is(&io.getattr(intern!(py, "BufferedRandom"))?) {
        // What was written is to be in the file.
        file.call_method0(intern!(py, "flush"))?;
    } else if !class.is(&io.getattr(intern!(py, "BufferedReader"))?) {
        return Ok(false);
    }
    let raw = file.getattr(intern!(py, "raw"))?;
    Ok(raw.get_type().is(&file_io) && has_no_methods_of_its_own(&raw)?)
}

/// Returns true if an object has set no attribute that stands in the way of its class's methods: files
/// keep their name so, and nothing else.
fn has_no_methods_of_its_own(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    let attributes = object.getattr(intern!(object.py(), "__dict__"))?;
    let attributes = attributes.cast::<PyDict>()?;
    Ok(attributes.len() == usize::from(attributes.contains("name")?))
}

/// Returns the descriptor's number, and where `read` would go on.
fn place_of(file: &Bound<'_, PyAny>) -> PyResult<(RawFd, u64)> {
    let py = file.py();
    let class = file.get_type();
    let number = class
        .call_method1(intern!(py, "fileno"), (file,))?
        .extract()?;
    let offset = class
        .call_method1(intern!(py, "tell"), (file,))?
        .extract()?;
    Ok((number, offset))
}
