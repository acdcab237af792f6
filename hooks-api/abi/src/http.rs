//! The table `tricorn.http/1`: the request.

use core::ffi::c_void;

use crate::Str;

/// The name of the table [`Http`].
pub const INTERFACE_HTTP: &str = "tricorn.http/1";

/// A request, valid during the call it was passed to and on the thread that call is made on. A use
/// beyond that is noticed and answered with `STALE`.
#[repr(C)]
#[derive(Debug)]
pub struct Request {
    _opaque: [u8; 0],
}

/// `tricorn.http/1`. Every function is `[request]`. Texts that are given out are borrowed until the
/// request's head is changed, or the call ends.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Http {
    /// The size of this struct.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// The method: a token.
    pub method: unsafe extern "C" fn(request: *mut Request, out: *mut Str) -> i32,
    /// The target as it was sent.
    pub target: unsafe extern "C" fn(request: *mut Request, out: *mut Str) -> i32,
    /// The path of the target, still percent-encoded.
    pub path: unsafe extern "C" fn(request: *mut Request, out: *mut Str) -> i32,
    /// The query of the target without its `?`, still percent-encoded.
    pub query: unsafe extern "C" fn(request: *mut Request, out: *mut Str) -> i32,
    /// `http` or `https`, as far as anybody who is trusted says so.
    pub scheme: unsafe extern "C" fn(request: *mut Request, out: *mut Str) -> i32,
    /// The version: 256 times the major number, plus the minor; or a negative code.
    pub version: unsafe extern "C" fn(request: *mut Request) -> i32,
    /// The client's address without its port, a PROXY header being believed; empty for a unix socket.
    pub peer: unsafe extern "C" fn(request: *mut Request, out: *mut Str) -> i32,
    /// The client's port, 0 if there is none; or a negative code.
    pub peer_port: unsafe extern "C" fn(request: *mut Request) -> i32,
    /// 1 if the peer is in `forwarded_allow_ips`, 0 if not; or a negative code.
    pub peer_is_trusted: unsafe extern "C" fn(request: *mut Request) -> i32,
    /// The `nth` field of this name, from 0, in letters of either case; `NOT_FOUND` if there is none.
    /// The cookies of a request are one field, however many it came with.
    pub header:
        unsafe extern "C" fn(request: *mut Request, name: Str, nth: usize, out: *mut Str) -> i32,
    /// The field at this place, from 0, in the order they were sent; `NOT_FOUND` past the last.
    pub header_at: unsafe extern "C" fn(
        request: *mut Request,
        index: usize,
        name: *mut Str,
        value: *mut Str,
    ) -> i32,
    /// Sets a field, in place of all of this name. `INVALID` if it is not a field, or one that frames
    /// the message; `TOO_LATE` unless on `request_head` or `pre_request`.
    pub header_set: unsafe extern "C" fn(request: *mut Request, name: Str, value: Str) -> i32,
    /// Adds a field. As `header_set`.
    pub header_add: unsafe extern "C" fn(request: *mut Request, name: Str, value: Str) -> i32,
    /// Removes all fields of this name; `NOT_FOUND` if there is none. As `header_set`.
    pub header_remove: unsafe extern "C" fn(request: *mut Request, name: Str) -> i32,
    /// The length of the body; -1 if it is chunked and not read yet, or this is no request.
    pub content_length: unsafe extern "C" fn(request: *mut Request) -> i64,
    /// Sets an entry of the application's `environ`, such as `REMOTE_USER`. As `header_set`; keys that
    /// begin with `wsgi.` are the server's.
    pub environ_set: unsafe extern "C" fn(request: *mut Request, key: Str, value: Str) -> i32,
    /// What this plugin has kept with the request; null if nothing, or if that was kept by an
    /// instance that has panicked since.
    pub kept: unsafe extern "C" fn(ctx: *mut c_void, request: *mut Request) -> *mut c_void,
    /// Keeps a value with the request, to be found at later events of it and let go of with
    /// `request_drop`. What was kept before is let go of now.
    pub keep:
        unsafe extern "C" fn(ctx: *mut c_void, request: *mut Request, value: *mut c_void) -> i32,
}
