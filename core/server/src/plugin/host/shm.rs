//! `tricorn.shm/1`

use std::ffi::c_void;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use nix::sys::mman::MapFlags;
use tricorn_abi as abi;
use tricorn_abi::Str;

use super::super::shared;
use super::super::text::string;
use super::{Ctx, put};

pub(super) static TABLE: abi::Shm = abi::Shm {
    struct_size: size_of::<abi::Shm>() as u32,
    reserved: 0,
    zone,
};

/// A zone: mapped once, never unmapped.
struct Zone {
    plugin: String,
    name: String,
    size: usize,
    address: usize,
}

static ZONES: Mutex<Vec<Zone>> = Mutex::new(Vec::new());

unsafe extern "C" fn zone(
    ctx: *mut c_void,
    name: Str,
    size: usize,
    memory: *mut *mut c_void,
    state: *mut u32,
) -> i32 {
    // SAFETY: a host's ctx, and a text that is passed into a call.
    let (ctx, name) = unsafe { (Ctx::of(ctx), string(name)) };
    if ctx.is_frozen() {
        return abi::FROZEN;
    }
    let mut zones = ZONES.lock().unwrap_or_else(PoisonError::into_inner);
    let known = zones
        .iter()
        .find(|zone| zone.plugin == ctx.id && zone.name == name && zone.size == size);
    let (address, age) = match known {
        Some(zone) => (zone.address, abi::ZONE_INHERITED),
        None => {
            let address = match map(size) {
                Ok(address) => address,
                Err(code) => return code,
            };
            zones.push(Zone {
                plugin: ctx.id.clone(),
                name,
                size,
                address,
            });
            (address, abi::ZONE_FRESH)
        }
    };
    // SAFETY: both are the plugin's own.
    unsafe { put(memory, std::ptr::with_exposed_provenance_mut(address)).min(put(state, age)) }
}

fn map(size: usize) -> Result<usize, i32> {
    let length = NonZeroUsize::new(size).ok_or(abi::INVALID)?;
    shared::map(length, MapFlags::empty())
        .map(|memory| memory.as_ptr().expose_provenance())
        .map_err(|_| abi::FULL)
}
