//! The table `tricorn.worker/1`: the worker a plugin's instance lives in.

use core::ffi::c_void;

use crate::Str;

/// The name of the table [`Worker`].
pub const INTERFACE_WORKER: &str = "tricorn.worker/1";

/// A worker, to `worker_create`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct WorkerInfo {
    /// The size of this struct.
    pub struct_size: u32,
    /// Its id among the living, from 1.
    pub id: u32,
    /// Its number in the order of forks.
    pub age: u64,
    /// Its process id.
    pub pid: i32,
    /// Threads that may call handlers at once.
    pub threads: u32,
    /// Workers that the server keeps.
    pub workers: u32,
    /// 0.
    pub reserved: u32,
}

/// `tricorn.worker/1`
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Worker {
    /// The size of this struct.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// `[any]` Asks the worker to leave when its requests are answered. `WRONG_PROCESS` in the arbiter.
    pub stop: unsafe extern "C" fn(ctx: *mut c_void) -> i32,
    /// `[any]` 1 once the worker is leaving, else 0.
    pub is_stopping: unsafe extern "C" fn(ctx: *mut c_void) -> i32,
    /// `[worker]` Starts a thread that takes no signals. The worker waits a moment for it before it
    /// leaves, so it should look at `wait_for_stop`. `WRONG_PROCESS` in the arbiter, which must have
    /// no threads.
    pub spawn: unsafe extern "C" fn(
        ctx: *mut c_void,
        name: Str,
        body: Option<unsafe extern "C-unwind" fn(argument: *mut c_void)>,
        argument: *mut c_void,
    ) -> i32,
    /// `[any]` Sleeps until the worker is leaving, for so many milliseconds at most; 1 if it is
    /// leaving, else 0. Not on a thread that runs requests.
    pub wait_for_stop: unsafe extern "C" fn(ctx: *mut c_void, milliseconds: u64) -> i32,
    /// `[any]` Says that the calling thread, one of `spawn`, has panicked, and does no more what it was
    /// there for: the instance is not called again, and another is made, as after a handler's panic.
    /// `WRONG_PROCESS` on any other thread.
    pub panicked: unsafe extern "C" fn(ctx: *mut c_void) -> i32,
}
