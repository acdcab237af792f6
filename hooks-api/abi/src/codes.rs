//! What handlers and functions return.

/// Verdict: go on with the next handler. As a code: done.
pub const CONTINUE: i32 = 0;
/// Verdict: skip the later handlers of this event, and proceed.
pub const STOP: i32 = 1;
/// Verdict: the answer has been given with `respond`; the application is not
/// called. On `request_head` and `pre_request` only.
pub const RESPOND: i32 = 2;
/// Verdict: close the connection without an answer. On `conn_open`, `request_head` and
/// `pre_request` only.
pub const CLOSE: i32 = 3;
/// Verdict: the handler has taken a token with `suspend`; whoever holds it decides later, on
/// any thread. On `request_head` and `pre_request` only.
pub const PENDING: i32 = 4;

/// Code: done.
pub const OK: i32 = 0;
/// Code and verdict: failed. What follows is the event's rule.
pub const ERROR: i32 = -1;
/// Code and verdict: panicked, and was caught. The instance is not called again; another is made.
pub const PANIC: i32 = -2;
/// Code: this server, or this build of it, cannot.
pub const UNSUPPORTED: i32 = -3;
/// Code: an argument is not what it must be.
pub const INVALID: i32 = -4;
/// Code: a handle was used after the call it was passed to, or on another thread.
pub const STALE: i32 = -5;
/// Code: an event was fired from within its own handler.
pub const REENTRANT: i32 = -6;
/// Code: possible only while the module is made.
pub const FROZEN: i32 = -7;
/// Code: not in this process, or not on this thread.
pub const WRONG_PROCESS: i32 = -8;
/// Code: no room left.
pub const FULL: i32 = -9;
/// Code: too late, the answer is given or the head is sent; or too early for it.
pub const TOO_LATE: i32 = -10;
/// Code: the instance has panicked and must not be called.
pub const POISONED: i32 = -11;
/// Code: there is none of this name or number.
pub const NOT_FOUND: i32 = -12;

/// Log level: the server or a worker is in trouble. Plugins log `LEVEL_ERROR` at most.
pub const LEVEL_CRITICAL: i32 = 0;
/// Log level: an error.
pub const LEVEL_ERROR: i32 = 1;
/// Log level: a warning.
pub const LEVEL_WARN: i32 = 2;
/// Log level: information.
pub const LEVEL_INFO: i32 = 3;
/// Log level: for whoever looks for a fault.
pub const LEVEL_DEBUG: i32 = 4;
/// Log level: for whoever looks very hard.
pub const LEVEL_TRACE: i32 = 5;

/// Process: the arbiter.
pub const ROLE_ARBITER: i32 = 0;
/// Process: a worker.
pub const ROLE_WORKER: i32 = 1;
/// Process: a child that tries a plugin out and then ends: before the server starts or reloads, or
/// for `tricorn plugin`.
pub const ROLE_PROBE: i32 = 2;
