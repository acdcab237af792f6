//! The functions that the plugin is given, over a [`FakeRequest`].

mod http;
mod metrics;
mod response;

use std::ffi::c_void;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tricorn_abi as abi;
use tricorn_abi::Str;

use super::fake::{Logged, State};
use super::request::{FakeRequest, Fields, find, is_editable, put, remove};
use crate::text::{bytes, lend, string};

/// # Safety
/// In all of these: the pointers are those of a `FakeHost`, and of the call under way.
unsafe fn state<'s>(ctx: *mut c_void) -> &'s State {
    // SAFETY: as above; a state lives for ever.
    unsafe { &*ctx.cast::<State>() }
}

unsafe fn fake<'r>(request: *mut abi::Request) -> Option<&'r mut FakeRequest> {
    // SAFETY: as above. A request outside its events is none, as in the server.
    let request = unsafe { request.cast::<FakeRequest>().as_mut()? };
    request.event.get().is_some().then_some(request)
}

pub(super) unsafe extern "C" fn get_interface(_: *mut c_void, name: Str) -> *const c_void {
    // SAFETY: as above.
    match unsafe { string(name) }.as_str() {
        abi::INTERFACE_CORE => (&raw const BASICS).cast(),
        abi::INTERFACE_HTTP => (&raw const http::HTTP).cast(),
        abi::INTERFACE_RESPONSE => (&raw const response::RESPONSE).cast(),
        abi::INTERFACE_METRICS => (&raw const metrics::METRICS).cast(),
        abi::INTERFACE_SHM => (&raw const SHM).cast(),
        abi::INTERFACE_WORKER => (&raw const WORKER).cast(),
        _ => std::ptr::null(),
    }
}

pub(super) unsafe extern "C" fn log(
    ctx: *mut c_void,
    level: i32,
    target: Str,
    message: Str,
    _: Str,
    _: u32,
) {
    // SAFETY: as above.
    let (state, target, message) = unsafe { (state(ctx), string(target), string(message)) };
    if let Ok(mut logged) = state.logged.lock() {
        logged.push(Logged {
            level,
            target,
            message,
        });
    }
}

unsafe fn look_up(fields: &Fields, name: Str, nth: usize, out: *mut Str) -> i32 {
    // SAFETY: as above.
    unsafe {
        match find(fields, &string(name), nth) {
            Some(value) => {
                *out = lend(value);
                abi::OK
            }
            None => abi::NOT_FOUND,
        }
    }
}

unsafe fn look_at(fields: &Fields, index: usize, name: *mut Str, value: *mut Str) -> i32 {
    match fields.get(index) {
        Some((found, content)) => {
            // SAFETY: as above.
            unsafe {
                *name = lend(found.as_bytes());
                *value = lend(content);
            }
            abi::OK
        }
        None => abi::NOT_FOUND,
    }
}

unsafe fn change(fields: &mut Fields, name: Str, value: Str, adds: bool) -> i32 {
    // SAFETY: as above.
    let (name, value) = unsafe { (string(name), bytes(value)) };
    if put(fields, &name, value, adds) {
        abi::OK
    } else {
        abi::INVALID
    }
}

fn take_away(fields: &mut Fields, name: &str) -> i32 {
    match (is_editable(name), remove(fields, name)) {
        (false, _) => abi::INVALID,
        (true, true) => abi::OK,
        (true, false) => abi::NOT_FOUND,
    }
}

/// A request that has not been answered, and may be changed.
unsafe fn open<'r>(request: *mut abi::Request) -> Result<&'r mut FakeRequest, i32> {
    // SAFETY: as above.
    let request = unsafe { fake(request) }.ok_or(abi::STALE)?;
    match request.event.get() {
        Some(abi::EVENT_REQUEST_HEAD | abi::EVENT_PRE_REQUEST) => Ok(request),
        _ => Err(abi::TOO_LATE),
    }
}

static BASICS: abi::Basics = abi::Basics {
    struct_size: size_of::<abi::Basics>() as u32,
    reserved: 0,
    buf_write,
    setting,
    role,
    now,
};

unsafe extern "C" fn buf_write(buffer: *mut abi::Buffer, text: Str) -> i32 {
    // SAFETY: the buffer is a vector of `fake`'s.
    unsafe { (*buffer.cast::<Vec<u8>>()).extend_from_slice(bytes(text)) };
    abi::OK
}

unsafe extern "C" fn setting(
    ctx: *mut c_void,
    name: Str,
    sink: abi::Sink,
    context: *mut c_void,
) -> i32 {
    // SAFETY: as above.
    let (state, name) = unsafe { (state(ctx), string(name)) };
    let settings = state.settings.lock();
    let value = settings.ok().and_then(|settings| {
        let found = settings.iter().find(|(other, _)| *other == name);
        found.map(|(_, value)| value.clone())
    });
    match (value, sink) {
        (Some(value), Some(sink)) => {
            // SAFETY: the plugin's own sink and context.
            unsafe { sink(context, lend(value.as_bytes())) };
            abi::OK
        }
        (None, _) => abi::NOT_FOUND,
        (_, None) => abi::INVALID,
    }
}

unsafe extern "C" fn role(_: *mut c_void) -> i32 {
    abi::ROLE_WORKER
}

unsafe extern "C" fn now() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() as u64)
}

static SHM: abi::Shm = abi::Shm {
    struct_size: size_of::<abi::Shm>() as u32,
    reserved: 0,
    zone,
};

unsafe extern "C" fn zone(
    ctx: *mut c_void,
    name: Str,
    size: usize,
    memory: *mut *mut c_void,
    fresh: *mut u32,
) -> i32 {
    // SAFETY: as above.
    unsafe {
        let Ok(mut zones) = state(ctx).zones.lock() else {
            return abi::FULL;
        };
        let name = string(name);
        let known = zones
            .iter()
            .find(|(other, length, _)| *other == name && *length == size);
        let (address, age) = match known {
            Some((_, _, address)) => (*address, abi::ZONE_INHERITED),
            None => {
                let words: &'static mut [u64] = vec![0_u64; size.div_ceil(8)].leak();
                (words.as_mut_ptr().expose_provenance(), abi::ZONE_FRESH)
            }
        };
        if age == abi::ZONE_FRESH {
            zones.push((name, size, address));
        }
        *memory = std::ptr::with_exposed_provenance_mut(address);
        *fresh = age;
        abi::OK
    }
}

static WORKER: abi::Worker = abi::Worker {
    struct_size: size_of::<abi::Worker>() as u32,
    reserved: 0,
    stop,
    is_stopping,
    spawn,
    wait_for_stop,
    panicked,
};

unsafe extern "C" fn stop(_: *mut c_void) -> i32 {
    abi::OK
}

unsafe extern "C" fn is_stopping(_: *mut c_void) -> i32 {
    0
}

unsafe extern "C" fn spawn(
    _: *mut c_void,
    _: Str,
    body: Option<unsafe extern "C-unwind" fn(*mut c_void)>,
    argument: *mut c_void,
) -> i32 {
    let Some(body) = body else {
        return abi::INVALID;
    };
    let argument = argument.expose_provenance();
    std::thread::spawn(move || {
        // SAFETY: the plugin has asked for it.
        unsafe { body(std::ptr::with_exposed_provenance_mut(argument)) }
    });
    abi::OK
}

unsafe extern "C" fn panicked(ctx: *mut c_void) -> i32 {
    // SAFETY: the ctx of a fake host.
    let state = unsafe { state(ctx) };
    state.thread_panics.fetch_add(1, Ordering::Relaxed);
    abi::OK
}

unsafe extern "C" fn wait_for_stop(_: *mut c_void, milliseconds: u64) -> i32 {
    std::thread::sleep(Duration::from_millis(milliseconds));
    0
}
