//! `tricorn.http/1`

use std::ffi::c_void;
use std::sync::Arc;

use tricorn_abi as abi;
use tricorn_abi::Str;
use tricorn_http::edit::InvalidEdit;
use tricorn_http::{Framing, Head};

use super::super::current::with;
use super::super::link;
use super::super::text::{bytes, lend, string};
use super::{Ctx, put};
use crate::exchange::{Keepsake, Passage, Request};

pub(super) static TABLE: abi::Http = abi::Http {
    struct_size: size_of::<abi::Http>() as u32,
    reserved: 0,
    method,
    target,
    path,
    query,
    scheme,
    version,
    peer,
    peer_port,
    peer_is_trusted,
    header,
    header_at,
    header_set,
    header_add,
    header_remove,
    content_length,
    environ_set,
    kept,
    keep,
};

/// Gives out a part of the request's head.
unsafe fn give(
    request: *mut abi::Request,
    out: *mut Str,
    part: impl FnOnce(&Request) -> &[u8],
) -> i32 {
    // SAFETY: `out` is the plugin's own, for the result.
    with(request, |passage| unsafe {
        put(out, lend(part(&passage.request)))
    })
}

unsafe extern "C" fn method(request: *mut abi::Request, out: *mut Str) -> i32 {
    // SAFETY: as the ABI describes the arguments, here and below.
    unsafe { give(request, out, |request| request.head.method()) }
}

unsafe extern "C" fn target(request: *mut abi::Request, out: *mut Str) -> i32 {
    // SAFETY: as above.
    unsafe { give(request, out, |request| request.head.target()) }
}

unsafe extern "C" fn path(request: *mut abi::Request, out: *mut Str) -> i32 {
    // SAFETY: as above.
    unsafe { give(request, out, |request| request.head.path()) }
}

unsafe extern "C" fn query(request: *mut abi::Request, out: *mut Str) -> i32 {
    // SAFETY: as above.
    unsafe { give(request, out, |request| request.head.query()) }
}

unsafe extern "C" fn scheme(request: *mut abi::Request, out: *mut Str) -> i32 {
    // SAFETY: as above.
    unsafe {
        give(request, out, |request| {
            if request.is_https() {
                b"https"
            } else {
                b"http"
            }
        })
    }
}

unsafe extern "C" fn version(request: *mut abi::Request) -> i32 {
    with(request, |passage| {
        let version = passage.request.head.version();
        i32::from(version.major) * 256 + i32::from(version.minor)
    })
}

unsafe extern "C" fn peer(request: *mut abi::Request, out: *mut Str) -> i32 {
    with(request, |passage| {
        let client = passage.request.endpoints.client();
        let text = passage.peer.get_or_insert_with(|| {
            client.map_or_else(String::new, |client| client.ip().to_string())
        });
        // SAFETY: as above. The text stays where it is as long as the passage is lent.
        unsafe { put(out, lend(text.as_bytes())) }
    })
}

unsafe extern "C" fn peer_port(request: *mut abi::Request) -> i32 {
    with(request, |passage| {
        let client = passage.request.endpoints.client();
        client.map_or(0, |client| client.port().into())
    })
}

unsafe extern "C" fn peer_is_trusted(request: *mut abi::Request) -> i32 {
    with(request, |passage| passage.request.endpoints.trusted.into())
}

unsafe extern "C" fn header(
    request: *mut abi::Request,
    name: Str,
    nth: usize,
    out: *mut Str,
) -> i32 {
    // SAFETY: a text that is passed into a call.
    let name = unsafe { bytes(name) };
    with(request, |passage| {
        let mut fields = passage.request.head.fields();
        let found = if nth == 0 {
            fields.find(|(_, other, _)| other.eq_ignore_ascii_case(name))
        } else {
            fields
                .filter(|(_, other, _)| other.eq_ignore_ascii_case(name))
                .nth(nth)
        };
        match found {
            // SAFETY: `out` is the plugin's own.
            Some((_, _, value)) => unsafe { put(out, lend(value)) },
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
    with(request, |passage| {
        match passage.request.head.field_at(index) {
            // SAFETY: both are the plugin's own.
            Some((found, content)) => unsafe {
                put(name, lend(found)).min(put(value, lend(content)))
            },
            None => abi::NOT_FOUND,
        }
    })
}

/// Changes the head, while the application has not seen it.
fn edit(
    request: *mut abi::Request,
    change: impl FnOnce(&mut Head) -> Result<bool, InvalidEdit>,
) -> i32 {
    with(request, |passage| {
        if !passage.stage.is_open() {
            return abi::TOO_LATE;
        }
        match change(&mut Arc::make_mut(&mut passage.request).head) {
            Ok(true) => abi::OK,
            Ok(false) => abi::NOT_FOUND,
            Err(_) => abi::INVALID,
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

unsafe extern "C" fn content_length(request: *mut abi::Request) -> i64 {
    let mut length = -1;
    let code = with(request, |passage| {
        let request = &passage.request;
        length = match (request.head.framing(), request.measured) {
            (Framing::None, _) => 0,
            (Framing::Length(length), _) | (Framing::Chunked, Some(length)) => {
                i64::try_from(length).unwrap_or(i64::MAX)
            }
            (Framing::Chunked, None) => -1,
        };
        abi::OK
    });
    if code == abi::OK { length } else { code.into() }
}

unsafe extern "C" fn environ_set(request: *mut abi::Request, key: Str, value: Str) -> i32 {
    // SAFETY: texts that are passed into a call.
    let (key, value) = unsafe { (string(key), bytes(value)) };
    let is_key = !key.is_empty() && key.bytes().all(|b| b.is_ascii_graphic());
    // What the gateway itself stands on is not text.
    let is_own = key.starts_with("wsgi.");
    if !is_key || is_own || value.contains(&0) {
        return abi::INVALID;
    }
    with(request, |passage| {
        if !passage.stage.is_open() {
            return abi::TOO_LATE;
        }
        let environ = &mut Arc::make_mut(&mut passage.request).environ;
        environ.retain(|(other, _)| *other != key);
        environ.push((key, value.to_vec()));
        abi::OK
    })
}

/// The instance that values are kept for.
fn holder(ctx: &Ctx) -> *mut c_void {
    super::super::serving::instance(ctx.place)
}

unsafe extern "C" fn kept(ctx: *mut c_void, request: *mut abi::Request) -> *mut c_void {
    // SAFETY: a host's ctx.
    let ctx = unsafe { Ctx::of(ctx) };
    let mut found = std::ptr::null_mut();
    with(request, |passage| {
        if let Some(value) = passage.kept.find(ctx.place, holder(ctx)) {
            found = value;
        }
        abi::OK
    });
    found
}

unsafe extern "C" fn keep(ctx: *mut c_void, request: *mut abi::Request, value: *mut c_void) -> i32 {
    // SAFETY: a host's ctx.
    let ctx = unsafe { Ctx::of(ctx) };
    if link::worker().is_none() && !link::is_probe() {
        return abi::WRONG_PROCESS;
    }
    let release = super::super::serving::release(ctx.place);
    // Dropped behind the borrow of the passage: letting go is the plugin's code.
    let mut before = None;
    let code = with(request, |passage| {
        before = keep_value(passage, ctx, value, release);
        abi::OK
    });
    drop(before);
    code
}

fn keep_value(
    passage: &mut Passage,
    ctx: &Ctx,
    value: *mut c_void,
    release: Option<&'static dyn crate::exchange::Release>,
) -> Option<Keepsake> {
    let before = passage.kept.take(ctx.place);
    if !value.is_null() {
        // SAFETY: the ABI asks for a `request_drop` that may be called on any thread, once for each
        // value, with the instance that kept it.
        let keepsake = unsafe { Keepsake::new(ctx.place, holder(ctx), value, release) };
        passage.kept.put(keepsake);
    }
    before
}
