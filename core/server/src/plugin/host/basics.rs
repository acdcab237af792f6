//! `tricorn.core/1`

use std::ffi::c_void;
use std::sync::{Arc, Mutex, PoisonError};

use tricorn_abi as abi;
use tricorn_abi::Str;

use super::super::link;
use super::super::text::{bytes, lend, string};
use super::buffer::Buffer;
use crate::clock;
use crate::config::{Config, declared, json};

pub(super) static TABLE: abi::Basics = abi::Basics {
    struct_size: size_of::<abi::Basics>() as u32,
    reserved: 0,
    buf_write,
    setting,
    role,
    now,
};

/// The configuration whose plugins are being made, or that this process runs.
static CONFIG: Mutex<Option<Arc<Config>>> = Mutex::new(None);

/// Sets the configuration that plugins see.
pub(in super::super) fn show_config(config: &Arc<Config>) {
    *CONFIG.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(config));
}

unsafe extern "C" fn buf_write(buffer: *mut abi::Buffer, text: Str) -> i32 {
    // SAFETY: a buffer that was lent to the call under way, and a text that is passed into a call.
    match unsafe { (Buffer::of(buffer), bytes(text)) } {
        (Some(buffer), text) => {
            buffer.extend_from_slice(text);
            abi::OK
        }
        (None, _) => abi::INVALID,
    }
}

unsafe extern "C" fn setting(
    _: *mut c_void,
    name: Str,
    sink: abi::Sink,
    context: *mut c_void,
) -> i32 {
    // SAFETY: a text that is passed into a call.
    let name = unsafe { string(name) };
    let config = CONFIG
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let Some(config) = config else {
        return abi::INVALID;
    };
    if declared::find(&name).is_none() {
        return abi::NOT_FOUND;
    }
    match json(config.settings.value(&name)) {
        // SAFETY: the plugin's own sink and context.
        Ok(json) => unsafe { pour(&json.to_string(), sink, context) },
        Err(_) => abi::UNSUPPORTED,
    }
}

/// Gives a text to a sink of a plugin's.
///
/// # Safety
/// The sink may be called with the context.
pub(super) unsafe fn pour(text: &str, sink: abi::Sink, context: *mut c_void) -> i32 {
    match sink {
        Some(sink) => {
            // SAFETY: promised by the caller.
            unsafe { sink(context, lend(text.as_bytes())) };
            abi::OK
        }
        None => abi::INVALID,
    }
}

unsafe extern "C" fn role(_: *mut c_void) -> i32 {
    if link::is_probe() {
        abi::ROLE_PROBE
    } else if link::worker().is_some() {
        abi::ROLE_WORKER
    } else {
        abi::ROLE_ARBITER
    }
}

unsafe extern "C" fn now() -> u64 {
    clock::now()
}
