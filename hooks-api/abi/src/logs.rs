//! What a plugin offers the server for its logs: the tables `tricorn.logger/1` and
//! `tricorn.access-format/1`, found through [`crate::Plugin::get_interface`].

use core::ffi::c_void;

use crate::{Buffer, Str};

/// The name of the table [`Logger`].
pub const INTERFACE_LOGGER: &str = "tricorn.logger/1";
/// The name of the table [`AccessFormat`].
pub const INTERFACE_ACCESS_FORMAT: &str = "tricorn.access-format/1";

/// Where `lookup` of [`AccessRecord`] looks: the request's headers, and of several of one
/// name the last.
pub const LOOKUP_REQUEST_HEADER: u32 = 0;
/// Where `lookup` of [`AccessRecord`] looks: the answer's headers, and of several of one
/// name the last.
pub const LOOKUP_RESPONSE_HEADER: u32 = 1;
/// Where `lookup` of [`AccessRecord`] looks: the application's environ, as far as
/// `access_log_format` names its keys.
pub const LOOKUP_ENVIRON: u32 = 2;

/// A message for the error log.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct LogRecord {
    /// The size of this struct.
    pub struct_size: u32,
    /// A `LEVEL_` number.
    pub level: i32,
    /// The process that says it.
    pub pid: i32,
    /// The line in `file`, or 0.
    pub line: u32,
    /// The time, in nanoseconds since 1970.
    pub unix_ns: u64,
    /// Which part of the server, or which plugin, says it.
    pub target: Str,
    /// The message: one or more lines, without an end.
    pub message: Str,
    /// The source file, or empty.
    pub file: Str,
}

/// A request that has ended, for the access log: also one that was refused. Valid during the call.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct AccessRecord {
    /// The size of this struct.
    pub struct_size: u32,
    /// The status that was sent; 0 if none was.
    pub status: u32,
    /// The process.
    pub pid: i32,
    /// The reason of the end: an `END_` number.
    pub end: u32,
    /// The time of the end, in nanoseconds since 1970.
    pub unix_ns: u64,
    /// From the head to the end, in nanoseconds.
    pub duration: u64,
    /// Bytes of content that were sent.
    pub sent: u64,
    /// The client's address; empty for a unix socket.
    pub client: Str,
    /// The user name of Basic authentication (RFC 7617), or empty.
    pub user: Str,
    /// The first line as it was sent; of a head that could not be read, what there is of it.
    pub request_line: Str,
    /// The method; empty for a head that could not be read, and so is what follows.
    pub method: Str,
    /// The target as it was sent.
    pub target: Str,
    /// The path, decoded.
    pub path: Str,
    /// The query as it was sent.
    pub query: Str,
    /// `HTTP/1.1`
    pub protocol: Str,
    /// The header Referer, or empty.
    pub referer: Str,
    /// The header User-Agent, or empty.
    pub user_agent: Str,
    /// The server's own.
    pub context: *const c_void,
    /// `[request]` Looks a value up by its name, in letters of either case, in one of the places
    /// that the `LOOKUP_` numbers name; null if there is none. Valid as long as the record.
    pub lookup: unsafe extern "C" fn(context: *const c_void, place: u32, name: Str) -> Str,
}

/// `tricorn.logger/1`: takes the place of the server's logs, named by `logger_class = "plugin:ID"`.
///
/// The functions may be called by several threads at once, with locks of the server's held: they
/// must not block for long. What they log themselves goes to standard error.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Logger {
    /// The size of this struct.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// `[arbiter]` and `[worker]` Opens the log in a process: before the first message, and again in
    /// each worker, which must not share locks and buffers with the arbiter. On failure it writes
    /// one line to `error`.
    pub open: Option<
        unsafe extern "C-unwind" fn(
            module: *mut c_void,
            logger: *mut *mut c_void,
            error: *mut Buffer,
        ) -> i32,
    >,
    /// `[any]` Takes a message.
    pub log: Option<unsafe extern "C-unwind" fn(logger: *mut c_void, record: *const LogRecord)>,
    /// `[request]` Takes an access record, and its line by the configured format, without an end;
    /// empty if `accesslog` is not set. May be null.
    pub access: Option<
        unsafe extern "C-unwind" fn(logger: *mut c_void, line: Str, record: *const AccessRecord),
    >,
    /// `[arbiter]` and `[worker]` Opens its files again, after somebody has moved them away. May be null.
    pub reopen: Option<unsafe extern "C-unwind" fn(logger: *mut c_void) -> i32>,
    /// `[any]` The end of a turn: what was collected is to be written. May be null.
    pub flush: Option<unsafe extern "C-unwind" fn(logger: *mut c_void)>,
    /// `[arbiter]` and `[worker]` Lets go of what `open` has made: another one has taken its place, or
    /// this process, just forked, has one of its own. It must write nothing then. May be null.
    pub close: Option<unsafe extern "C-unwind" fn(logger: *mut c_void)>,
}

/// `tricorn.access-format/1`: makes the lines of the access log, named by
/// `access_log_formatter = "plugin:ID"`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct AccessFormat {
    /// The size of this struct.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// `[arbiter]` and `[worker]` Reads a format: `access_log_format` as the operator has written
    /// it. Called once to check it, and once in each worker. On failure it writes one line to `error`.
    pub compile: Option<
        unsafe extern "C-unwind" fn(
            module: *mut c_void,
            spec: Str,
            format: *mut *mut c_void,
            error: *mut Buffer,
        ) -> i32,
    >,
    /// `[request]` Writes the line for a record, without an end. The server escapes control
    /// characters in it. On failure the line has the built-in format.
    pub write: Option<
        unsafe extern "C-unwind" fn(
            format: *mut c_void,
            record: *const AccessRecord,
            line: *mut Buffer,
        ) -> i32,
    >,
    /// `[arbiter]` and `[worker]` Lets go of what `compile` has made. May be null.
    pub drop: Option<unsafe extern "C-unwind" fn(format: *mut c_void)>,
}
