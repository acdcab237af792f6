//! `tricorn.response/1`

use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};

use nix::sys::stat::{SFlag, fstat};
use tricorn_abi as abi;
use tricorn_abi::Str;
use tricorn_http::Status;
use tricorn_http::edit::InvalidEdit;
use tricorn_http::response::ResponseHead;

use super::super::current::with;
use super::super::link;
use super::super::text::{bytes, lend};
use super::put;
use crate::exchange::{Content, Passage, PreparedAnswer, Stage};
use crate::gateway::Decision;

pub(super) static TABLE: abi::Response = abi::Response {
    struct_size: size_of::<abi::Response>() as u32,
    reserved: 0,
    respond,
    suspend,
    resume,
    resume_respond,
    resume_close,
    status,
    status_set,
    header,
    header_at,
    header_set,
    header_add,
    header_remove,
};

/// What the first version of the ABI had of an answer: the least that is taken.
const LEAST_ANSWER: usize = size_of::<abi::Answer>();

/// Checks an answer of a plugin's, and writes it to `head` and `body`.
///
/// # Safety
/// `answer` is null, or what the ABI describes.
unsafe fn take(
    answer: *const abi::Answer,
    head: &mut ResponseHead,
    body: &mut Vec<u8>,
) -> Result<Content, i32> {
    // SAFETY: promised by the caller; the size comes first.
    let Some(answer) = (unsafe { answer.as_ref() }) else {
        return Err(abi::INVALID);
    };
    if (answer.struct_size as usize) < LEAST_ANSWER || !(200..=599).contains(&answer.status) {
        return Err(abi::INVALID);
    }
    if answer.headers.is_null() && answer.header_count > 0 {
        return Err(abi::INVALID);
    }
    let code = u16::try_from(answer.status).map_err(|_| abi::INVALID)?;
    head.begin_with(Status::new(code).ok_or(abi::INVALID)?);
    let offered = if answer.file < 0 {
        answer.body.len as u64
    } else {
        // SAFETY: the plugin has the descriptor open, as the ABI asks.
        let file = unsafe { BorrowedFd::borrow_raw(answer.file) };
        if !holds(file, answer.file_offset, answer.file_length) {
            return Err(abi::INVALID);
        }
        answer.file_length
    };
    for place in 0..answer.header_count {
        // SAFETY: so many headers stand there, and their texts are passed into this call.
        let (name, value) = unsafe {
            let field = answer.headers.add(place).read();
            (bytes(field.name), bytes(field.value))
        };
        head.push(name, value).map_err(|_| abi::INVALID)?;
    }
    let is_reset = head.status().is_reset();
    let has_content = offered > 0 || head.length().is_some_and(|said| said > 0);
    if says_otherwise(head, offered) || head.upgrades() || (is_reset && has_content) {
        return Err(abi::INVALID);
    }
    body.clear();
    // SAFETY: a text that is passed into this call.
    body.extend_from_slice(unsafe { bytes(answer.body) });
    if answer.file < 0 {
        return Ok(Content::Body);
    }
    // SAFETY: the plugin has given the descriptor away with this call, which succeeds from here on.
    let file = unsafe { OwnedFd::from_raw_fd(answer.file) };
    Ok(Content::File {
        file,
        offset: answer.file_offset,
        length: answer.file_length,
    })
}

/// Whether the fields promise another length than the content has. An answer to HEAD may be without
/// its content.
fn says_otherwise(head: &ResponseHead, offered: u64) -> bool {
    offered > 0 && head.length().is_some_and(|said| said != offered)
}

/// Whether this is a plain file with such a part.
fn holds(file: BorrowedFd<'_>, offset: u64, length: u64) -> bool {
    let Ok(about) = fstat(file) else {
        return false;
    };
    let is_file = SFlag::from_bits_truncate(about.st_mode & SFlag::S_IFMT.bits()) == SFlag::S_IFREG;
    let end = offset.checked_add(length);
    is_file && end.is_some_and(|end| end <= about.st_size.cast_unsigned())
}

unsafe extern "C" fn respond(request: *mut abi::Request, answer: *const abi::Answer) -> i32 {
    with(request, |passage| {
        if !passage.stage.is_open() || passage.answer.is_some() {
            return abi::TOO_LATE;
        }
        let Passage { response, body, .. } = passage;
        // SAFETY: as the ABI describes the argument.
        match unsafe { take(answer, response, body) } {
            Ok(content) => {
                passage.answer = Some(content);
                abi::OK
            }
            Err(code) => {
                response.clear();
                code
            }
        }
    })
}

unsafe extern "C" fn suspend(request: *mut abi::Request, token: *mut *mut abi::Resume) -> i32 {
    let Some(worker) = link::worker() else {
        return abi::WRONG_PROCESS;
    };
    with(request, |passage| {
        if !passage.stage.is_open() || passage.answer.is_some() || passage.suspended.is_some() {
            return abi::TOO_LATE;
        }
        if token.is_null() {
            return abi::INVALID;
        }
        let number = worker.resumptions.suspend(passage.ticket);
        passage.suspended = Some(number);
        // SAFETY: `token` is the plugin's own.
        unsafe { put(token, std::ptr::without_provenance_mut(number as usize)) }
    })
}

fn decide(token: *mut abi::Resume, decision: Decision) -> i32 {
    match link::worker() {
        Some(worker) if worker.resumptions.decide(token.addr() as u64, decision) => abi::OK,
        Some(_) => abi::STALE,
        None => abi::WRONG_PROCESS,
    }
}

unsafe extern "C" fn resume(token: *mut abi::Resume) -> i32 {
    decide(token, Decision::GoOn)
}

unsafe extern "C" fn resume_close(token: *mut abi::Resume) -> i32 {
    decide(token, Decision::Close)
}

unsafe extern "C" fn resume_respond(token: *mut abi::Resume, answer: *const abi::Answer) -> i32 {
    let is_open = |worker: &link::WorkerLink| worker.resumptions.is_open(token.addr() as u64);
    if !link::worker().is_some_and(is_open) {
        return abi::STALE;
    }
    let (mut head, mut body) = (ResponseHead::default(), Vec::new());
    // SAFETY: as the ABI describes the argument.
    match unsafe { take(answer, &mut head, &mut body) } {
        Ok(content) => decide(
            token,
            Decision::Answer(Box::new(PreparedAnswer {
                head,
                body,
                content,
            })),
        ),
        Err(code) => code,
    }
}

/// Looks at the answer's head, once there is one.
fn look(request: *mut abi::Request, at: impl FnOnce(&ResponseHead) -> i32) -> i32 {
    with(request, |passage| {
        if passage.stage.is_open() || !passage.response.has_begun() {
            abi::TOO_LATE
        } else {
            at(&passage.response)
        }
    })
}

unsafe extern "C" fn status(request: *mut abi::Request) -> i32 {
    look(request, |head| head.status().code().into())
}

unsafe extern "C" fn header(
    request: *mut abi::Request,
    name: Str,
    nth: usize,
    out: *mut Str,
) -> i32 {
    // SAFETY: a text that is passed into a call.
    let name = unsafe { bytes(name) };
    look(request, |head| {
        let mut found = head
            .fields()
            .filter(|(other, _)| other.eq_ignore_ascii_case(name));
        match found.nth(nth) {
            // SAFETY: `out` is the plugin's own.
            Some((_, value)) => unsafe { put(out, lend(value)) },
            None => abi::NOT_FOUND,
        }
    })
}

unsafe extern "C" fn header_at(
    request: *mut abi::Request,
    index: usize,
    name: *mut Str,
    value: *mut Str,
) -> i32 {
    look(request, |head| match head.field_at(index) {
        // SAFETY: both are the plugin's own.
        Some((found, content)) => unsafe { put(name, lend(found)).min(put(value, lend(content))) },
        None => abi::NOT_FOUND,
    })
}

/// Changes the answer's head, while nothing of it is written.
fn edit(
    request: *mut abi::Request,
    change: impl FnOnce(&mut ResponseHead) -> Result<bool, InvalidEdit>,
) -> i32 {
    with(request, |passage| {
        if passage.stage != Stage::Start {
            return abi::TOO_LATE;
        }
        match change(&mut passage.response) {
            Ok(true) => abi::OK,
            Ok(false) => abi::NOT_FOUND,
            Err(_) => abi::INVALID,
        }
    })
}

unsafe extern "C" fn status_set(request: *mut abi::Request, status: u32) -> i32 {
    let status = u16::try_from(status)
        .ok()
        .filter(|code| (200..=599).contains(code));
    let Some(status) = status.and_then(Status::new) else {
        return abi::INVALID;
    };
    edit(request, |head| {
        if head.change_status(status) {
            Ok(true)
        } else {
            Err(InvalidEdit::Framing)
        }
    })
}

unsafe extern "C" fn header_set(request: *mut abi::Request, name: Str, value: Str) -> i32 {
    // SAFETY: texts that are passed into a call, here and below.
    let (name, value) = unsafe { (bytes(name), bytes(value)) };
    edit(request, |head| head.set_field(name, value).map(|()| true))
}

unsafe extern "C" fn header_add(request: *mut abi::Request, name: Str, value: Str) -> i32 {
    // SAFETY: as above.
    let (name, value) = unsafe { (bytes(name), bytes(value)) };
    edit(request, |head| head.add_field(name, value).map(|()| true))
}

unsafe extern "C" fn header_remove(request: *mut abi::Request, name: Str) -> i32 {
    // SAFETY: as above.
    let name = unsafe { bytes(name) };
    edit(request, |head| head.remove_field(name))
}
