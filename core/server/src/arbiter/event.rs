//! What can happen to an arbiter, and what it can do about it.

use std::time::Duration;

use super::slot::{Departed, Status};
use crate::error::Exit;
use crate::hooks::Age;

/// A signal that means something to the arbiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Stop, and let requests finish.
    Term,
    /// Stop at once.
    Int,
    /// Stop at once.
    Quit,
    /// Reload the configuration.
    Hup,
    /// One worker more.
    Ttin,
    /// One worker less.
    Ttou,
    /// Reopen the logs.
    Usr1,
}

/// The part of a configuration that the arbiter acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Workers to keep.
    pub workers: usize,
    /// Time an aborted worker has before it is killed.
    pub abort_grace: Duration,
    /// Time a stopping worker has before it is killed.
    pub graceful: Duration,
}

/// Something that has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The sockets are listening: workers may be forked.
    Started,
    /// A signal arrived.
    Signal(Signal),
    /// A fork succeeded.
    Forked {
        /// Of the worker of this age.
        age: Age,
        /// Its process id.
        pid: i32,
    },
    /// A fork failed, or `pre_fork` did.
    ForkFailed {
        /// Of the worker of this age.
        age: Age,
    },
    /// A worker says that it serves.
    Ready {
        /// The worker.
        age: Age,
    },
    /// A worker has given no sign of life for longer than `timeout`.
    Silent {
        /// The worker.
        age: Age,
    },
    /// A worker is gone.
    Exited {
        /// Its process id.
        pid: i32,
        /// How it ended.
        status: Status,
    },
    /// A new configuration is in force.
    Reloaded(Policy),
    /// Code of the operator's sets the number of workers.
    SetWorkers(usize),
    /// Code of the operator's asks the server to stop, and to exit with this.
    Leave(Exit),
    /// A deadline has passed.
    DeadlinePassed,
}

/// Something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Fork a worker; the answer is `Forked` or `ForkFailed`.
    Fork {
        /// Its id.
        id: usize,
        /// Its place in the order of forks.
        age: Age,
    },
    /// Send a signal to a process.
    Kill {
        /// The process.
        pid: i32,
        /// The signal's number.
        signal: i32,
    },
    /// Load the configuration; on success the answer is `Reloaded`.
    Reload,
    /// Open the log files again.
    ReopenLogs,
    /// Let go of the listening sockets.
    CloseListeners,
    /// Tell that the number of workers was set.
    CountSet {
        /// To this.
        new: usize,
        /// From this.
        old: usize,
    },
    /// Tell that a worker serves.
    WorkerReady {
        /// The worker.
        age: Age,
    },
    /// Tell that a worker is about to be aborted.
    WorkerTimeout {
        /// The worker.
        age: Age,
        /// Its process id.
        pid: i32,
    },
    /// Tell that a worker is gone.
    WorkerGone(Departed),
    /// All workers are gone: leave.
    Halt(Exit),
}
