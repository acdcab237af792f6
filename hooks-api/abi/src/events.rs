//! The events, and what their handlers are told.
//!
//! Every event's struct begins with [`Event`], whose `struct_size` is that of the whole.

use crate::{Request, Str};

/// `[arbiter]` [`Event`]: the pidfile is written, nothing is bound.
pub const EVENT_ON_STARTING: u32 = 0;
/// `[arbiter]` [`Event`]: HUP, and the new configuration is accepted.
pub const EVENT_ON_RELOAD: u32 = 1;
/// `[arbiter]` [`Event`]: the sockets are listening, no worker is forked.
pub const EVENT_WHEN_READY: u32 = 2;
/// `[arbiter]` [`WorkerEvent`]: just before a fork.
pub const EVENT_PRE_FORK: u32 = 3;
/// `[worker]` [`WorkerEvent`]: just after it.
pub const EVENT_POST_FORK: u32 = 4;
/// `[worker]` [`WorkerEvent`]: the process is set up, the application is not loaded.
pub const EVENT_WORKER_INIT: u32 = 5;
/// `[worker]` [`WorkerEvent`]: the application is loaded.
pub const EVENT_POST_WORKER_INIT: u32 = 6;
/// `[worker]` [`WorkerEvent`]: INT or QUIT.
pub const EVENT_WORKER_INT: u32 = 7;
/// `[worker]` [`WorkerEvent`]: ABRT, the worker took too long.
pub const EVENT_WORKER_ABORT: u32 = 8;
/// `[arbiter]` [`Event`]: in the child that is about to become the next arbiter.
pub const EVENT_PRE_EXEC: u32 = 9;
/// `[request]` [`RequestEvent`]: a request is ready to run. In a worker with one thread the connection
/// is held meanwhile.
pub const EVENT_PRE_REQUEST: u32 = 10;
/// `[request]` [`DoneEvent`]: it has ended, exactly once for each that `pre_request` was fired for.
pub const EVENT_POST_REQUEST: u32 = 11;
/// `[arbiter]` [`WorkerEvent`]: a worker is reaped.
pub const EVENT_CHILD_EXIT: u32 = 12;
/// `[worker]` [`WorkerEvent`]: the worker leaves.
pub const EVENT_WORKER_EXIT: u32 = 13;
/// `[arbiter]` [`CountEvent`]: the number of workers was set.
pub const EVENT_NWORKERS_CHANGED: u32 = 14;
/// `[arbiter]` [`Event`]: all workers are gone.
pub const EVENT_ON_EXIT: u32 = 15;
/// For Python handlers only: its value is a Python object.
pub const EVENT_SSL_CONTEXT: u32 = 16;
/// `[request]` [`RequestEvent`]: a head is parsed, its body is not read, and no `100 Continue` sent.
/// The connection is held meanwhile: the handler must be quick, or suspend the request.
pub const EVENT_REQUEST_HEAD: u32 = 17;
/// `[request]` [`RequestEvent`]: the head of an answer is about to be written, and may be edited.
/// Not for the pages of requests that were refused as malformed.
pub const EVENT_RESPONSE_START: u32 = 18;
/// `[request]` [`DoneEvent`]: the access record is ready; refused requests too.
pub const EVENT_ACCESS: u32 = 19;
/// `[worker]` [`ErrorEvent`]: a request was refused or malformed.
pub const EVENT_REQUEST_ERROR: u32 = 20;
/// `[request]` [`ConnectionEvent`]: a connection is accepted, and may be closed.
pub const EVENT_CONN_OPEN: u32 = 21;
/// `[request]` [`ConnectionEvent`]: a connection is gone.
pub const EVENT_CONN_CLOSE: u32 = 22;
/// `[arbiter]` [`WorkerEvent`]: a worker says that it serves.
pub const EVENT_WORKER_READY: u32 = 23;
/// `[arbiter]` [`WorkerEvent`]: a worker is about to be aborted.
pub const EVENT_WORKER_TIMEOUT: u32 = 24;
/// `[arbiter]` [`SignalEvent`]: a signal is about to be acted on.
pub const EVENT_SIGNAL_RECEIVED: u32 = 25;
/// `[worker]` [`WorkerEvent`]: the worker stops accepting.
pub const EVENT_DRAIN_START: u32 = 26;
/// `[arbiter]` [`Event`] and `[worker]` [`WorkerEvent`]: USR1.
pub const EVENT_LOG_REOPEN: u32 = 27;

/// Event flag: fired in the arbiter, so the handler's state is the module.
pub const IN_ARBITER: u64 = 1;
/// Event flag: made up by a validator or a test, not by a server at work.
pub const SYNTHETIC: u64 = 2;

/// Reason of an end: the whole answer was handed to the kernel.
pub const END_COMPLETE: u32 = 0;
/// Reason of an end: the client went away.
pub const END_CLIENT_GONE: u32 = 1;
/// Reason of an end: the client did not read for `write_timeout`.
pub const END_WRITE_TIMEOUT: u32 = 2;
/// Reason of an end: the application failed, or sent less than it promised, after the head was out.
pub const END_CUT_SHORT: u32 = 3;
/// Reason of an end: the application took the socket over.
pub const END_TAKEN_OVER: u32 = 4;
/// Reason of an end: a handler closed the connection.
pub const END_CLOSED: u32 = 5;

/// The beginning of every event's struct, and the whole of an event about the server itself.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Event {
    /// The size of the whole struct.
    pub struct_size: u32,
    /// An `EVENT_` number.
    pub event: u32,
    /// `IN_ARBITER`, `SYNTHETIC`.
    pub flags: u64,
    /// The process it is fired in.
    pub pid: i32,
    /// 0.
    pub reserved: i32,
}

/// An event about a worker.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct WorkerEvent {
    /// The beginning.
    pub header: Event,
    /// Its number in the order of forks.
    pub age: u64,
    /// Its id among the living, from 1; 0 if it has none yet.
    pub id: u32,
    /// Its process id; 0 before the fork.
    pub pid: i32,
    /// `child_exit`: the code it exited with; -1 if a signal killed it, and elsewhere.
    pub exit_code: i32,
    /// `child_exit`: the signal that killed it, or 0.
    pub signal: i32,
    /// `child_exit`: why it is gone: a `CAUSE_` text, or one of a later server's.
    pub cause: Str,
}

/// The number of workers was set.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct CountEvent {
    /// The beginning.
    pub header: Event,
    /// To this.
    pub new_count: i64,
    /// From this; -1 at the first time.
    pub old_count: i64,
}

/// A signal.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct SignalEvent {
    /// The beginning.
    pub header: Event,
    /// Its number.
    pub number: i32,
    /// 0.
    pub reserved: i32,
}

/// An event about a request that has not ended.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct RequestEvent {
    /// The beginning.
    pub header: Event,
    /// The request, for the functions of [`crate::Http`] and [`crate::Response`]: valid during this
    /// call, on this thread.
    pub request: *mut Request,
}

/// A request has ended.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct DoneEvent {
    /// The beginning.
    pub header: Event,
    /// The request, to be read: valid during this call, on this thread.
    pub request: *mut Request,
    /// From its head to its end, in nanoseconds.
    pub duration: u64,
    /// Bytes of content that were sent: neither head nor framing.
    pub sent: u64,
    /// The status that was sent; 0 if none was.
    pub status: u32,
    /// An `END_` number.
    pub end: u32,
}

/// A request was refused.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ErrorEvent {
    /// The beginning.
    pub header: Event,
    /// The status it was refused with.
    pub status: u32,
    /// 0.
    pub reserved: u32,
    /// Why.
    pub reason: Str,
}

/// An event about a connection.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ConnectionEvent {
    /// The beginning.
    pub header: Event,
    /// Its number, unique in this worker's life.
    pub number: u64,
    /// The address of the peer, without its port; empty for a unix socket.
    pub peer: Str,
    /// The address of the listener, as the log shows it.
    pub local: Str,
    /// Requests that came by it so far.
    pub requests: u64,
    /// The peer's port, or 0.
    pub peer_port: u32,
    /// 0.
    pub reserved: u32,
}
