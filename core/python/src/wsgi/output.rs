//! From what the application returns to content on its way.

use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyIterator, PyList, PyTuple};
use tricorn_server::gateway::Handle;

use super::file::RegularFile;
use super::starter::Starter;
use super::wait::{raise, wait_to_write};
use crate::forked;

/// A whole answer up to this size is given in one go: the server holds as much for a slow client.
/// A larger one is given in pieces of this size.
const PIECE: usize = 256 * 1024;

/// How the gateway has been set up to send files.
pub(super) struct Files {
    /// `wsgi.file_wrapper`.
    pub(super) wrapper: Py<PyAny>,
    /// They may be sent by the kernel.
    pub(super) sendfile: bool,
}

/// Gives the whole answer that `result` stands for; how many bytes less it was than promised.
pub(super) fn give(
    starter: &Bound<'_, Starter>,
    channel: &Handle,
    result: &Bound<'_, PyAny>,
    files: &Files,
) -> PyResult<u64> {
    if let Ok(list) = result.cast_exact::<PyList>() {
        if list.len() == 1 {
            return give_all(starter, channel, &[list.get_item(0)?]);
        }
        return give_all(starter, channel, &list.iter().collect::<Vec<_>>());
    }
    if let Ok(tuple) = result.cast_exact::<PyTuple>() {
        return give_all(starter, channel, &tuple.iter().collect::<Vec<_>>());
    }
    if files.sendfile
        && !starter.get().is_sent()
        && result.is_instance(files.wrapper.bind(result.py()))?
        && let Some(file) = RegularFile::of(result, files.wrapper.bind(result.py()))
    {
        return give_file(starter, channel, file);
    }
    give_each(starter, channel, &result.try_iter()?)
}

fn bytes<'a, 'py>(piece: &'a Bound<'py, PyAny>) -> PyResult<&'a Bound<'py, PyBytes>> {
    piece.cast::<PyBytes>().map_err(|_| {
        let name = piece
            .get_type()
            .name()
            .map_or_else(|_| "?".to_owned(), |name| name.to_string());
        PyTypeError::new_err(format!("the application must give bytes, not {name}"))
    })
}

/// All of the content is at hand, so its length is known.
fn give_all(
    starter: &Bound<'_, Starter>,
    channel: &Handle,
    pieces: &[Bound<'_, PyAny>],
) -> PyResult<u64> {
    if let [piece] = pieces {
        return give_slices(starter, channel, &[bytes(piece)?.as_bytes()]);
    }
    let pieces = pieces.iter().map(bytes).collect::<PyResult<Vec<_>>>()?;
    let slices: Vec<&[u8]> = pieces.iter().map(|piece| piece.as_bytes()).collect();
    give_slices(starter, channel, &slices)
}

fn give_slices(starter: &Bound<'_, Starter>, channel: &Handle, slices: &[&[u8]]) -> PyResult<u64> {
    let total: usize = slices.iter().map(|slice| slice.len()).sum();
    if total <= PIECE
        && let Some(mut head) = Starter::take_head(starter)?
    {
        let answered = channel.answer(&mut head, slices).map_err(raise);
        starter.get().give_head(head);
        return answered;
    }
    start(starter, channel, Some(total as u64))?;
    for piece in slices.iter().flat_map(|slice| slice.chunks(PIECE)) {
        send_piece(starter.py(), channel, piece)?;
    }
    channel.end().map_err(raise)
}

/// The content comes piece by piece; each is sent before the next is asked for.
fn give_each(
    starter: &Bound<'_, Starter>,
    channel: &Handle,
    pieces: &Bound<'_, PyIterator>,
) -> PyResult<u64> {
    // A generator that has not come to start_response() is an application that has not begun.
    if starter.get().with_head(|_| ()).is_some() {
        channel.unfold();
    }
    send_each(starter, pieces)?;
    // Nothing has been sent, and nothing will be: the answer is empty.
    start(starter, channel, Some(0))?;
    channel.end().map_err(raise)
}

/// Sends pieces as they come; those that are empty say nothing.
pub(super) fn send_each(
    starter: &Bound<'_, Starter>,
    pieces: &Bound<'_, PyIterator>,
) -> PyResult<()> {
    for piece in pieces {
        let piece = piece?;
        let piece = bytes(&piece)?.as_bytes();
        if !piece.is_empty() {
            send(starter, piece)?;
        }
    }
    Ok(())
}

/// Sends a piece of content, with the head before it if that has not been sent yet.
pub(super) fn send(starter: &Bound<'_, Starter>, content: &[u8]) -> PyResult<()> {
    let channel = starter.get().channel()?;
    start(starter, &channel, None)?;
    content
        .chunks(PIECE)
        .try_for_each(|piece| send_piece(starter.py(), &channel, piece))
}

fn send_piece(py: Python<'_>, channel: &Handle, piece: &[u8]) -> PyResult<()> {
    forked::stay_here(py);
    let progress = channel.write(piece, true).map_err(raise)?;
    wait_to_write(py, channel, progress)
}

/// Sends the head, unless it has been sent.
pub(super) fn start(
    starter: &Bound<'_, Starter>,
    channel: &Handle,
    known: Option<u64>,
) -> PyResult<()> {
    let Some(mut head) = Starter::take_head(starter)? else {
        return Ok(());
    };
    let started = channel.start(&mut head, known).map_err(raise);
    starter.get().give_head(head);
    started
}

/// Has the kernel send a file, without ending the answer. Whether it can.
pub(super) fn send_file(
    starter: &Bound<'_, Starter>,
    channel: &Handle,
    wrapper: &Bound<'_, PyAny>,
) -> PyResult<bool> {
    let py = starter.py();
    let plain = py
        .import(intern!(py, "tricorn._wsgi"))?
        .getattr(intern!(py, "FileWrapper"))?;
    let file = RegularFile::of(wrapper, &plain).filter(|_| !starter.get().is_sent());
    let Some(file) = file else { return Ok(false) };
    put_file(starter, channel, file)?;
    Ok(true)
}

fn give_file(starter: &Bound<'_, Starter>, channel: &Handle, file: RegularFile) -> PyResult<u64> {
    put_file(starter, channel, file)?;
    channel.end().map_err(raise)
}

fn put_file(starter: &Bound<'_, Starter>, channel: &Handle, file: RegularFile) -> PyResult<()> {
    let given = starter.get().with_head(|head| head.length()).flatten();
    let length = given.map_or(file.length, |given| given.min(file.length));
    start(starter, channel, Some(length))?;
    channel
        .send_file(file.descriptor, file.offset, length)
        .map_err(raise)
}
