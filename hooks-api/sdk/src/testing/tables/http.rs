//! `tricorn.http/1`

use std::ffi::c_void;

use tricorn_abi as abi;
use tricorn_abi::Str;

use super::{change, fake, look_at, look_up, open, state, take_away};
use crate::testing::request::FakeRequest;
use crate::text::{bytes, lend, string};

pub(super) static HTTP: abi::Http = abi::Http {
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

unsafe fn give(request: *mut abi::Request, out: *mut Str, part: fn(&FakeRequest) -> &str) -> i32 {
    // SAFETY: as above; `out` is the plugin's own.
    unsafe {
        match fake(request) {
            Some(request) => {
                *out = lend(part(request).as_bytes());
                abi::OK
            }
            None => abi::STALE,
        }
    }
}

unsafe extern "C" fn method(request: *mut abi::Request, out: *mut Str) -> i32 {
    // SAFETY: as above, here and below.
    unsafe { give(request, out, |request| &request.method) }
}

unsafe extern "C" fn target(request: *mut abi::Request, out: *mut Str) -> i32 {
    // SAFETY: as above.
    unsafe { give(request, out, |request| &request.target) }
}

unsafe extern "C" fn path(request: *mut abi::Request, out: *mut Str) -> i32 {
    // SAFETY: as above.
    unsafe {
        give(request, out, |request| {
            request.target.split('?').next().unwrap_or_default()
        })
    }
}

unsafe extern "C" fn query(request: *mut abi::Request, out: *mut Str) -> i32 {
    // SAFETY: as above.
    unsafe {
        give(request, out, |request| {
            request
                .target
                .split_once('?')
                .map_or("", |(_, query)| query)
        })
    }
}

unsafe extern "C" fn scheme(request: *mut abi::Request, out: *mut Str) -> i32 {
    // SAFETY: as above.
    unsafe { give(request, out, |request| &request.scheme) }
}

unsafe extern "C" fn version(request: *mut abi::Request) -> i32 {
    // SAFETY: as above.
    unsafe { fake(request) }.map_or(abi::STALE, |_| 257)
}

unsafe extern "C" fn peer(request: *mut abi::Request, out: *mut Str) -> i32 {
    // SAFETY: as above.
    unsafe { give(request, out, |request| &request.peer) }
}

unsafe extern "C" fn peer_port(request: *mut abi::Request) -> i32 {
    // SAFETY: as above.
    unsafe { fake(request) }.map_or(abi::STALE, |_| 50_000)
}

unsafe extern "C" fn peer_is_trusted(request: *mut abi::Request) -> i32 {
    // SAFETY: as above.
    unsafe { fake(request) }.map_or(abi::STALE, |request| request.is_trusted.into())
}

unsafe extern "C" fn header(
    request: *mut abi::Request,
    name: Str,
    nth: usize,
    out: *mut Str,
) -> i32 {
    // SAFETY: as above.
    unsafe {
        fake(request).map_or(abi::STALE, |request| {
            look_up(&request.headers, name, nth, out)
        })
    }
}

unsafe extern "C" fn header_at(
    request: *mut abi::Request,
    index: usize,
    name: *mut Str,
    value: *mut Str,
) -> i32 {
    // SAFETY: as above.
    unsafe {
        fake(request).map_or(abi::STALE, |request| {
            look_at(&request.headers, index, name, value)
        })
    }
}

unsafe extern "C" fn header_set(request: *mut abi::Request, name: Str, value: Str) -> i32 {
    // SAFETY: as above.
    unsafe {
        open(request).map_or_else(
            |code| code,
            |request| change(&mut request.headers, name, value, false),
        )
    }
}

unsafe extern "C" fn header_add(request: *mut abi::Request, name: Str, value: Str) -> i32 {
    // SAFETY: as above.
    unsafe {
        open(request).map_or_else(
            |code| code,
            |request| change(&mut request.headers, name, value, true),
        )
    }
}

unsafe extern "C" fn header_remove(request: *mut abi::Request, name: Str) -> i32 {
    // SAFETY: as above.
    unsafe {
        open(request).map_or_else(
            |code| code,
            |request| take_away(&mut request.headers, &string(name)),
        )
    }
}

unsafe extern "C" fn content_length(request: *mut abi::Request) -> i64 {
    // SAFETY: as above.
    unsafe { fake(request) }.map_or(abi::STALE.into(), |request| {
        request.content_length.map_or(-1, |length| length as i64)
    })
}

unsafe extern "C" fn environ_set(request: *mut abi::Request, key: Str, value: Str) -> i32 {
    // SAFETY: as above.
    unsafe {
        open(request).map_or_else(
            |code| code,
            |request| {
                request.environ.push((string(key), bytes(value).to_owned()));
                abi::OK
            },
        )
    }
}

unsafe extern "C" fn kept(_: *mut c_void, request: *mut abi::Request) -> *mut c_void {
    // SAFETY: as above.
    unsafe { fake(request) }.map_or(std::ptr::null_mut(), |request| request.kept)
}

unsafe extern "C" fn keep(ctx: *mut c_void, request: *mut abi::Request, value: *mut c_void) -> i32 {
    // SAFETY: as above.
    let (state, request) = unsafe { (state(ctx), fake(request)) };
    let Some(request) = request else {
        return abi::STALE;
    };
    request.let_go();
    request.kept = value;
    let instance = state.instance.lock().map_or(0, |instance| *instance);
    let release = state.release.lock().ok().and_then(|release| *release);
    request.release =
        release.map(|release| (release, std::ptr::with_exposed_provenance_mut(instance)));
    abi::OK
}
