//! What can happen to an arbiter, and what it can do about it.

use std::time::Duration;

use super::slot::{Cause, Departed, Status};
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
    /// Execute the program anew, beside this arbiter.
    Usr2,
    /// Stop all workers, and keep the arbiter.
    Winch,
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
    /// Time a worker has to become ready before it is aborted.
    pub boot: Option<Duration>,
    /// Age at which a worker is replaced.
    pub max_age: Option<Duration>,
    /// Workers that may live beyond the wanted ones while others are replaced. With none, a worker
    /// leaves before its replacement is forked.
    pub surge: usize,
    /// Workers leave by themselves after a number of requests.
    pub recycles: bool,
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
    /// The system has refused a fork.
    ForkFailed {
        /// Of the worker of this age.
        age: Age,
    },
    /// Code of the operator's has refused a fork: `pre_fork`, or the class of the worker.
    ForkRefused {
        /// Of the worker of this age.
        age: Age,
    },
    /// A worker says that it serves.
    Ready {
        /// The worker.
        age: Age,
    },
    /// A worker has run for so long, without a word on whether it serves, that it is taken for ready.
    Presumed {
        /// The worker.
        age: Age,
    },
    /// A worker has given no sign of life for longer than `timeout`.
    Silent {
        /// The worker.
        age: Age,
    },
    /// No thread of a worker's pool has moved for longer than `timeout`.
    Still {
        /// The worker.
        age: Age,
    },
    /// A worker is to be replaced.
    Due {
        /// The worker.
        age: Age,
        /// Why.
        cause: Cause,
    },
    /// A request of a worker has run for too long, and cannot be ended by itself.
    Stuck {
        /// The worker.
        age: Age,
    },
    /// The upgrade that was asked for has begun: there is a successor, which boots.
    Upgrading,
    /// The successor serves.
    SuccessorReady,
    /// The successor is gone, or there is none after all.
    SuccessorGone,
    /// The arbiter whose successor this one is is gone.
    Promoted,
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

/// In what way a worker takes too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// It gives no sign of life.
    Itself,
    /// No thread of its pool moves.
    Pool,
    /// It does not come to serve.
    Boot,
    /// A request runs for longer than `request_timeout`.
    Request,
    /// A request runs for longer than `timeout`, beside others.
    Slow,
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
    /// Start a successor; the answer is `Upgrading` or `SuccessorGone`.
    Upgrade,
    /// Tell why there is no upgrade.
    RefuseUpgrade(NoUpgrade),
    /// Tell that a stop waits until the successor serves.
    AwaitSuccessor,
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
    /// Tell that a worker has taken too long.
    WorkerTimeout {
        /// The worker.
        age: Age,
        /// Its process id.
        pid: i32,
        /// With what.
        silence: Silence,
    },
    /// Tell that a worker is going to be replaced.
    WorkerDue {
        /// The worker.
        age: Age,
        /// Why.
        cause: Cause,
    },
    /// Tell that from now on workers leave before their replacements are forked.
    OldGoFirst,
    /// Tell that a worker is gone.
    WorkerGone(Departed),
    /// All workers are gone: leave.
    Halt(Exit),
}

/// Why an upgrade is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoUpgrade {
    /// There is a successor already.
    HasSuccessor,
    /// This arbiter is a successor itself, and the one before it still lives.
    HasPredecessor,
}
