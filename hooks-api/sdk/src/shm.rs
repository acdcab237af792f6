//! Memory that all processes of the server share.

use std::sync::atomic::AtomicU64;

use tricorn_abi as abi;

use crate::error::{Result, check};
use crate::host::Host;
use crate::text::lend;

/// A zone of shared memory, as atomic words. A process may be killed at any instruction, so what
/// stands there must make sense after every single store.
#[derive(Debug, Clone, Copy)]
pub struct Zone {
    words: &'static [AtomicU64],
    /// It is new, and filled with zeros; otherwise it holds what an earlier configuration left.
    pub is_fresh: bool,
}

impl Zone {
    /// Its words.
    #[must_use]
    pub fn words(&self) -> &'static [AtomicU64] {
        self.words
    }
}

pub(crate) fn zone(host: Host, name: &str, size: usize) -> Result<Zone> {
    let table = host.table::<abi::Shm>(abi::INTERFACE_SHM)?;
    let size = size
        .next_multiple_of(size_of::<u64>())
        .max(size_of::<u64>());
    let (mut memory, mut state) = (std::ptr::null_mut(), 0);
    // SAFETY: as the ABI describes the function.
    let code = unsafe {
        (table.zone)(
            host.ctx(),
            lend(name.as_bytes()),
            size,
            &raw mut memory,
            &raw mut state,
        )
    };
    check(&format!("zone '{name}'"), code)?;
    // SAFETY: the server gives memory of this size, aligned to a page, filled with zeros or with
    // words, which is never taken back.
    let words = unsafe { std::slice::from_raw_parts(memory.cast(), size / size_of::<u64>()) };
    Ok(Zone {
        words,
        is_fresh: state == abi::ZONE_FRESH,
    })
}
