//! The table `tricorn.core/1`: what every plugin needs.

use core::ffi::c_void;

use crate::{Buffer, Sink, Str};

/// The name of the table [`Basics`].
pub const INTERFACE_CORE: &str = "tricorn.core/1";

/// `tricorn.core/1`
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Basics {
    /// The size of this struct.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// Appends bytes to a buffer, on the thread and during the call that it was passed to.
    pub buf_write: unsafe extern "C" fn(buffer: *mut Buffer, bytes: Str) -> i32,
    /// `[any]` Gives the value of a server's setting as JSON. `NOT_FOUND` if there is none of that
    /// name, `UNSUPPORTED` if its value is an object of Python's.
    pub setting:
        unsafe extern "C" fn(ctx: *mut c_void, name: Str, sink: Sink, context: *mut c_void) -> i32,
    /// `[any]` Which process this is: a `ROLE_` number.
    pub role: unsafe extern "C" fn(ctx: *mut c_void) -> i32,
    /// `[any]` The monotonic clock, in nanoseconds: the one measure all processes agree on.
    pub now: unsafe extern "C" fn() -> u64,
}
