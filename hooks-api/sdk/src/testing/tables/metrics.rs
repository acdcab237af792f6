//! `tricorn.metrics/1`: a number for each name.

use std::ffi::c_void;

use tricorn_abi as abi;
use tricorn_abi::Str;

use super::state;
use crate::text::{lend, string};

pub(super) static METRICS: abi::Metrics = abi::Metrics {
    struct_size: size_of::<abi::Metrics>() as u32,
    reserved: 0,
    define,
    add,
    set,
    observe,
    read: read_metric,
    render,
};

unsafe extern "C" fn define(
    ctx: *mut c_void,
    _: u32,
    name: Str,
    labels: Str,
    _: Str,
    id: *mut u32,
) -> i32 {
    // SAFETY: as above.
    unsafe {
        let Ok(mut metrics) = state(ctx).metrics.lock() else {
            return abi::FULL;
        };
        let labels = string(labels);
        let name = if labels.is_empty() {
            string(name)
        } else {
            format!("{}{{{labels}}}", string(name))
        };
        let known = metrics.iter().position(|(other, _)| *other == name);
        *id = known.unwrap_or(metrics.len()) as u32;
        if known.is_none() {
            metrics.push((name, 0));
        }
        abi::OK
    }
}

unsafe fn with_metric(ctx: *mut c_void, id: u32, with: impl FnOnce(&mut i64)) -> i32 {
    // SAFETY: as above.
    let metrics = unsafe { state(ctx) }.metrics.lock();
    match metrics
        .ok()
        .as_mut()
        .and_then(|metrics| metrics.get_mut(id as usize))
    {
        Some((_, value)) => {
            with(value);
            abi::OK
        }
        None => abi::NOT_FOUND,
    }
}

unsafe extern "C" fn add(ctx: *mut c_void, id: u32, amount: i64) -> i32 {
    // SAFETY: as above.
    unsafe { with_metric(ctx, id, |value| *value += amount) }
}

unsafe extern "C" fn set(ctx: *mut c_void, id: u32, amount: i64) -> i32 {
    // SAFETY: as above.
    unsafe { with_metric(ctx, id, |value| *value = amount) }
}

unsafe extern "C" fn observe(ctx: *mut c_void, id: u32, _: u64) -> i32 {
    // SAFETY: as above.
    unsafe { with_metric(ctx, id, |value| *value += 1) }
}

unsafe extern "C" fn read_metric(ctx: *mut c_void, id: u32) -> i64 {
    let mut found = 0;
    // SAFETY: as above.
    unsafe { with_metric(ctx, id, |value| found = *value) };
    found
}

unsafe extern "C" fn render(ctx: *mut c_void, sink: abi::Sink, context: *mut c_void) -> i32 {
    // SAFETY: as above.
    let metrics = unsafe { state(ctx) }.metrics.lock();
    let text: String = metrics.map_or_else(
        |_| String::new(),
        |metrics| {
            metrics
                .iter()
                .map(|(name, value)| format!("{name} {value}\n"))
                .collect()
        },
    );
    match sink {
        Some(sink) => {
            // SAFETY: the plugin's own sink and context.
            unsafe { sink(context, lend(text.as_bytes())) };
            abi::OK
        }
        None => abi::INVALID,
    }
}
