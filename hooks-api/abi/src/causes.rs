//! Why a worker is gone: what `cause` of a [`crate::WorkerEvent`] says on `child_exit`. This is the one
//! list of them: the arbiter takes its words from here, and so does whoever counts by cause.
//!
//! A later server may have causes that are not in this list.

/// Cause: the arbiter had asked it to leave: a stop, a reload, TTOU.
pub const CAUSE_ASKED: &str = "asked";
/// Cause: it gave no sign of life for `timeout`, and was aborted.
pub const CAUSE_TIMEOUT: &str = "timeout";
/// Cause: a request ran for longer than `request_timeout`, and could not be ended by itself.
pub const CAUSE_REQUEST_TIMEOUT: &str = "request_timeout";
/// Cause: it never came to serve.
pub const CAUSE_BOOT: &str = "boot";
/// Cause: it had served `max_requests`.
pub const CAUSE_MAX_REQUESTS: &str = "max_requests";
/// Cause: it had grown beyond `max_worker_memory`.
pub const CAUSE_MEMORY: &str = "memory";
/// Cause: it had reached `max_worker_age`.
pub const CAUSE_AGE: &str = "age";
/// Cause: it left by itself with code 0.
pub const CAUSE_RETIRED: &str = "retired";
/// Cause: it left by itself with another code.
pub const CAUSE_FAILED: &str = "failed";
/// Cause: a signal killed it.
pub const CAUSE_CRASH: &str = "crash";
/// Cause: the kernel has killed it, as far as one can tell, for want of memory.
pub const CAUSE_OOM: &str = "oom";

/// Every cause.
pub const CAUSES: [&str; 11] = [
    CAUSE_ASKED,
    CAUSE_TIMEOUT,
    CAUSE_REQUEST_TIMEOUT,
    CAUSE_BOOT,
    CAUSE_MAX_REQUESTS,
    CAUSE_MEMORY,
    CAUSE_AGE,
    CAUSE_RETIRED,
    CAUSE_FAILED,
    CAUSE_CRASH,
    CAUSE_OOM,
];
