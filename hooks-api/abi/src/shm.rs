//! The table `tricorn.shm/1`: memory that the arbiter and all workers share.

use core::ffi::c_void;

use crate::Str;

/// The name of the table [`Shm`].
pub const INTERFACE_SHM: &str = "tricorn.shm/1";

/// A zone is new, and filled with zeros.
pub const ZONE_FRESH: u32 = 0;
/// A zone was made for an earlier configuration, and holds what was stored in it since.
pub const ZONE_INHERITED: u32 = 1;

/// `tricorn.shm/1`
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Shm {
    /// The size of this struct.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// `[arbiter]` Gives a zone of memory, during `module_init`; later `FROZEN`. Zones are told apart
    /// by plugin, name and size; one that was there stays where it is. It is aligned to a page.
    ///
    /// Processes may be killed at any instruction: use atomics in it, and no locks.
    pub zone: unsafe extern "C" fn(
        ctx: *mut c_void,
        name: Str,
        size: usize,
        memory: *mut *mut c_void,
        state: *mut u32,
    ) -> i32,
}
