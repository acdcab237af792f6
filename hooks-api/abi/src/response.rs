//! The table `tricorn.response/1`: the answer.

use crate::{Header, Request, Str};

/// The name of the table [`Response`].
pub const INTERFACE_RESPONSE: &str = "tricorn.response/1";

/// The right to decide what becomes of a suspended request. One of the functions that take it must
/// be called, once.
#[repr(C)]
#[derive(Debug)]
pub struct Resume {
    _opaque: [u8; 0],
}

/// An answer of a plugin's own.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Answer {
    /// The size of this struct.
    pub struct_size: u32,
    /// The status, from 200 to 599. A 205 with content is `INVALID`.
    pub status: u32,
    /// Its fields. `Content-Length`, `Date`, `Server` and what frames the message are the server's: a
    /// length that is not the content's makes the answer `INVALID`.
    pub headers: *const Header,
    /// How many.
    pub header_count: usize,
    /// The content: copied.
    pub body: Str,
    /// A plain file to send a part of as the content instead, or -1. The descriptor belongs to the server once the
    /// call has succeeded.
    pub file: i32,
    /// 0.
    pub reserved: i32,
    /// Where in the file the content begins.
    pub file_offset: u64,
    /// How many bytes of the file it has.
    pub file_length: u64,
}

/// `tricorn.response/1`
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Response {
    /// The size of this struct.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// `[request]` Gives the answer, on `request_head` or `pre_request`, before `RESPOND` is
    /// returned. `TOO_LATE` the second time; `INVALID` if the answer cannot be sent as it is.
    pub respond: unsafe extern "C" fn(request: *mut Request, answer: *const Answer) -> i32,
    /// `[request]` Takes the request off its thread, on `request_head` or `pre_request`, before
    /// `PENDING` is returned; returning anything else makes the token void. Meanwhile the connection costs no thread. If nobody decides within
    /// `timeout`, the client gets 503. If the connection breaks, the request ends, with `END_CLIENT_GONE` and
    /// `request_drop` of what is kept with it: whoever would decide need not, and gets `STALE`.
    pub suspend: unsafe extern "C" fn(request: *mut Request, token: *mut *mut Resume) -> i32,
    /// `[any]` Lets a suspended request go on with the next handler. Takes the token.
    pub resume: unsafe extern "C" fn(token: *mut Resume) -> i32,
    /// `[any]` Answers a suspended request. Takes the token, unless it fails with `INVALID`.
    pub resume_respond: unsafe extern "C" fn(token: *mut Resume, answer: *const Answer) -> i32,
    /// `[any]` Closes the connection of a suspended request. Takes the token.
    pub resume_close: unsafe extern "C" fn(token: *mut Resume) -> i32,
    /// `[request]` The status of the answer, from `response_start` on; or a negative code.
    pub status: unsafe extern "C" fn(request: *mut Request) -> i32,
    /// `[request]` Sets the status, on `response_start`. One that changes whether the answer has
    /// content (204, 205, 304) is `INVALID`.
    pub status_set: unsafe extern "C" fn(request: *mut Request, status: u32) -> i32,
    /// `[request]` The `nth` field of this name, from 0; `NOT_FOUND` if there is none. From
    /// `response_start` on.
    pub header:
        unsafe extern "C" fn(request: *mut Request, name: Str, nth: usize, out: *mut Str) -> i32,
    /// `[request]` The field at this place, from 0; `NOT_FOUND` past the last. From
    /// `response_start` on.
    pub header_at: unsafe extern "C" fn(
        request: *mut Request,
        index: usize,
        name: *mut Str,
        value: *mut Str,
    ) -> i32,
    /// `[request]` Sets a field, in place of all of this name, on `response_start`. `INVALID` if it
    /// is not a field, or one that frames the message.
    pub header_set: unsafe extern "C" fn(request: *mut Request, name: Str, value: Str) -> i32,
    /// `[request]` Adds a field. As `header_set`.
    pub header_add: unsafe extern "C" fn(request: *mut Request, name: Str, value: Str) -> i32,
    /// `[request]` Removes all fields of this name. As `header_set`.
    pub header_remove: unsafe extern "C" fn(request: *mut Request, name: Str) -> i32,
}
