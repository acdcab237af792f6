//! The server, as a plugin sees it.

use core::ffi::c_void;

use crate::Str;

/// The server, to one plugin: valid as long as the module it was passed to.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Host {
    /// The size of this struct.
    pub struct_size: u32,
    /// The major version of the server's ABI.
    pub abi_major: u16,
    /// The minor version of the server's ABI.
    pub abi_minor: u16,
    /// Who is calling: the first argument of most functions.
    pub ctx: *mut c_void,
    /// The version of the server.
    pub server_version: Str,
    /// The greatest `LEVEL_` that is logged; it may change. Look at it before formatting.
    pub log_level: *const i32,
    /// `[any]` A table of functions by its name, such as `tricorn.http/1`; null if there is none.
    /// Tables live for ever.
    pub get_interface: unsafe extern "C" fn(ctx: *mut c_void, name: Str) -> *const c_void,
    /// `[any]` Logs a message of one or more lines to the server's error log, under the plugin's
    /// id, or under `target` if it is not empty. `file` may be empty.
    pub log: unsafe extern "C" fn(
        ctx: *mut c_void,
        level: i32,
        target: Str,
        message: Str,
        file: Str,
        line: u32,
    ),
}
