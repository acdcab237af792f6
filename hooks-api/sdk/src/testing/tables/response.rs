//! `tricorn.response/1`

use std::fs::File;
use std::os::fd::FromRawFd;
use std::os::unix::fs::FileExt;
use std::sync::atomic::Ordering;

use tricorn_abi as abi;
use tricorn_abi::Str;

use super::{change, fake, look_at, look_up, open, take_away};
use crate::testing::fake::State;
use crate::testing::request::{Decision, FakeAnswer};
use crate::text::{bytes, string};

/// The fields of an answer that is about to be written.
unsafe fn starting<'r>(request: *mut abi::Request) -> Result<&'r mut FakeAnswer, i32> {
    // SAFETY: as above.
    let request = unsafe { fake(request) }.ok_or(abi::STALE)?;
    match request.event.get() {
        Some(abi::EVENT_RESPONSE_START) => Ok(&mut request.response),
        _ => Err(abi::TOO_LATE),
    }
}

/// The answer as far as it can be read.
unsafe fn answered<'r>(request: *mut abi::Request) -> Result<&'r FakeAnswer, i32> {
    // SAFETY: as above.
    let request = unsafe { fake(request) }.ok_or(abi::STALE)?;
    match request.event.get() {
        Some(abi::EVENT_REQUEST_HEAD | abi::EVENT_PRE_REQUEST) => Err(abi::TOO_LATE),
        _ => Ok(request.answer.as_ref().unwrap_or(&request.response)),
    }
}

pub(super) static RESPONSE: abi::Response = abi::Response {
    struct_size: size_of::<abi::Response>() as u32,
    reserved: 0,
    respond,
    suspend,
    resume,
    resume_respond,
    resume_close,
    status,
    status_set,
    header: response_header,
    header_at: response_header_at,
    header_set: response_header_set,
    header_add: response_header_add,
    header_remove: response_header_remove,
};

unsafe fn read(answer: *const abi::Answer) -> Option<FakeAnswer> {
    // SAFETY: as above.
    unsafe {
        let answer = &*answer;
        let mut headers = Vec::new();
        for place in 0..answer.header_count {
            let field = answer.headers.add(place).read();
            let (name, value) = (string(field.name), bytes(field.value));
            if value.iter().any(|b| matches!(b, b'\r' | b'\n' | 0)) {
                return None;
            }
            headers.push((name, value.to_owned()));
        }
        let mut body = bytes(answer.body).to_owned();
        if answer.file >= 0 {
            body = vec![0; answer.file_length as usize];
            let file = File::from_raw_fd(answer.file);
            file.read_exact_at(&mut body, answer.file_offset).ok()?;
        }
        let status = u16::try_from(answer.status).ok()?;
        let may_be = (200..600).contains(&status) && (status != 205 || body.is_empty());
        may_be.then_some(FakeAnswer {
            status,
            headers,
            body,
        })
    }
}

unsafe extern "C" fn respond(request: *mut abi::Request, answer: *const abi::Answer) -> i32 {
    // SAFETY: as above.
    unsafe {
        match (open(request), read(answer)) {
            (Err(code), _) => code,
            (Ok(request), Some(answer)) if request.answer.is_none() => {
                request.answer = Some(answer);
                abi::OK
            }
            (Ok(_), Some(_)) => abi::TOO_LATE,
            (Ok(_), None) => abi::INVALID,
        }
    }
}

/// The tokens of all fake hosts: each leads to its state.
fn token_of(state: &State, number: u64) -> *mut abi::Resume {
    let token = Box::new((std::ptr::from_ref(state), number));
    Box::into_raw(token).cast()
}

unsafe extern "C" fn suspend(request: *mut abi::Request, token: *mut *mut abi::Resume) -> i32 {
    // SAFETY: as above.
    unsafe {
        match open(request) {
            Ok(request) if request.token == 0 => {
                let Some(state) = request.host.get() else {
                    return abi::WRONG_PROCESS;
                };
                let number = state.last_token.fetch_add(1, Ordering::Relaxed) + 1;
                request.token = number;
                *token = token_of(state, number);
                abi::OK
            }
            Ok(_) => abi::TOO_LATE,
            Err(code) => code,
        }
    }
}

unsafe fn decide(token: *mut abi::Resume, decision: Decision) -> i32 {
    // SAFETY: one that `token_of` made, which is used once.
    let token = unsafe { Box::from_raw(token.cast::<(*const State, u64)>()) };
    // SAFETY: a state lives for ever.
    let state = unsafe { &*token.0 };
    if let Ok(mut decisions) = state.decisions.lock() {
        decisions.push((token.1, decision));
    }
    abi::OK
}

unsafe extern "C" fn resume(token: *mut abi::Resume) -> i32 {
    // SAFETY: as above.
    unsafe { decide(token, Decision::GoOn) }
}

unsafe extern "C" fn resume_respond(token: *mut abi::Resume, answer: *const abi::Answer) -> i32 {
    // SAFETY: as above.
    unsafe {
        match read(answer) {
            Some(answer) => decide(token, Decision::Answer(answer)),
            None => abi::INVALID,
        }
    }
}

unsafe extern "C" fn resume_close(token: *mut abi::Resume) -> i32 {
    // SAFETY: as above.
    unsafe { decide(token, Decision::Close) }
}

unsafe extern "C" fn status(request: *mut abi::Request) -> i32 {
    // SAFETY: as above.
    unsafe { answered(request) }.map_or_else(|code| code, |answer| answer.status.into())
}

unsafe extern "C" fn status_set(request: *mut abi::Request, status: u32) -> i32 {
    // SAFETY: as above.
    match (unsafe { starting(request) }, u16::try_from(status)) {
        (Ok(answer), Ok(status @ 200..600)) => {
            answer.status = status;
            abi::OK
        }
        (Ok(_), _) => abi::INVALID,
        (Err(code), _) => code,
    }
}

unsafe extern "C" fn response_header(
    request: *mut abi::Request,
    name: Str,
    nth: usize,
    out: *mut Str,
) -> i32 {
    // SAFETY: as above.
    unsafe {
        answered(request).map_or_else(
            |code| code,
            |answer| look_up(&answer.headers, name, nth, out),
        )
    }
}

unsafe extern "C" fn response_header_at(
    request: *mut abi::Request,
    index: usize,
    name: *mut Str,
    value: *mut Str,
) -> i32 {
    // SAFETY: as above.
    unsafe {
        answered(request).map_or_else(
            |code| code,
            |answer| look_at(&answer.headers, index, name, value),
        )
    }
}

unsafe extern "C" fn response_header_set(request: *mut abi::Request, name: Str, value: Str) -> i32 {
    // SAFETY: as above.
    unsafe {
        starting(request).map_or_else(
            |code| code,
            |answer| change(&mut answer.headers, name, value, false),
        )
    }
}

unsafe extern "C" fn response_header_add(request: *mut abi::Request, name: Str, value: Str) -> i32 {
    // SAFETY: as above.
    unsafe {
        starting(request).map_or_else(
            |code| code,
            |answer| change(&mut answer.headers, name, value, true),
        )
    }
}

unsafe extern "C" fn response_header_remove(request: *mut abi::Request, name: Str) -> i32 {
    // SAFETY: as above.
    unsafe {
        starting(request).map_or_else(
            |code| code,
            |answer| take_away(&mut answer.headers, &string(name)),
        )
    }
}
