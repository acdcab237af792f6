//! The worker an instance lives in.

use std::ffi::c_void;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tricorn_abi as abi;

use crate::error::{Result, check};
use crate::guard::quietly;
use crate::host::Host;
use crate::metrics::Metrics;
use crate::resume::{fail_what_was_lost, keep_what_is_lost};
use crate::text::lend;

/// A worker. Cheap to copy, good on any of its threads.
#[derive(Debug, Clone, Copy)]
pub struct Worker {
    pub(crate) host: Host,
    /// Its id among the living, from 1.
    pub id: u32,
    /// Its number in the order of forks.
    pub age: u64,
    /// Its process id.
    pub pid: i32,
    /// How many threads may call handlers at once.
    pub threads: u32,
    /// How many workers the server keeps.
    pub workers: u32,
}

impl Worker {
    /// # Safety
    /// Both are what the server passed to `worker_create`.
    pub(crate) unsafe fn new(host: *const abi::Host, info: *const abi::WorkerInfo) -> Self {
        // SAFETY: promised by the caller.
        let (host, info) = unsafe { (Host::new(host), &*info) };
        Self {
            host,
            id: info.id,
            age: info.age,
            pid: info.pid,
            threads: info.threads,
            workers: info.workers,
        }
    }

    fn table(&self) -> Result<&'static abi::Worker> {
        self.host.table(abi::INTERFACE_WORKER)
    }

    /// The metrics that the module has defined.
    ///
    /// # Errors
    /// A server that has none.
    pub fn metrics(&self) -> Result<Metrics> {
        Metrics::of(self.host)
    }

    /// The value of a setting of the server's, such as `timeout`.
    ///
    /// # Errors
    /// No such setting, or a value of another type.
    pub fn setting<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        self.host.setting(name)
    }

    /// Asks the worker to leave once its requests are answered; another takes its place.
    ///
    /// # Errors
    /// A server that cannot.
    pub fn stop(&self) -> Result<()> {
        // SAFETY: as the ABI describes the function.
        check("stop", unsafe { (self.table()?.stop)(self.host.ctx()) })
    }

    /// Whether the worker is leaving.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        // SAFETY: as above.
        self.table()
            .is_ok_and(|table| unsafe { (table.is_stopping)(self.host.ctx()) } == 1)
    }

    /// Starts a thread that takes no signals. The worker waits a moment for it before it leaves: let
    /// it look at [`Worker::wait_for_stop`]. A panic ends the thread, is logged, and counts as one of a
    /// handler's: the instance is made anew, so that what its threads are there for goes on, and after
    /// three within a minute the plugin is set aside.
    ///
    /// # Errors
    /// No more threads.
    pub fn spawn(&self, name: &str, body: impl FnOnce() + Send + 'static) -> Result<()> {
        unsafe extern "C-unwind" fn run(argument: *mut c_void) {
            // SAFETY: the box that was given away below, which is run once.
            let body = unsafe { Box::from_raw(argument.cast::<Box<dyn FnOnce() + Send>>()) };
            quietly(*body);
        }
        let table = self.table()?;
        let ctx = self.host;
        let body = move || {
            keep_what_is_lost();
            if quietly(body).is_none() {
                // SAFETY: as the ABI describes the function: this is the thread that has panicked.
                unsafe { (table.panicked)(ctx.ctx()) };
            }
            // Whoever is answered finds the instance made anew.
            fail_what_was_lost();
        };
        let body: Box<Box<dyn FnOnce() + Send>> = Box::new(Box::new(body));
        let argument = Box::into_raw(body);
        // SAFETY: as the ABI describes the function.
        let code = unsafe {
            (table.spawn)(
                self.host.ctx(),
                lend(name.as_bytes()),
                Some(run),
                argument.cast(),
            )
        };
        check("spawn", code).inspect_err(|_| {
            // SAFETY: the server has not taken it.
            drop(unsafe { Box::from_raw(argument) });
        })
    }

    /// Sleeps for so long, or until the worker is leaving: then `true`. For threads of the plugin's
    /// own.
    #[must_use]
    pub fn wait_for_stop(&self, longest: Duration) -> bool {
        let milliseconds = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
        // SAFETY: as above.
        self.table().map_or(true, |table| unsafe {
            (table.wait_for_stop)(self.host.ctx(), milliseconds) == 1
        })
    }
}
