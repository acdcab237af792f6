//! A worker as the arbiter sees it.

use std::time::{Duration, Instant};

use crate::hooks::Age;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It exited with this code.
    Code(i32),
    /// It was killed by this signal.
    Signal(i32),
}

/// Why a worker is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The arbiter had asked it to stop.
    Asked,
    /// It gave no sign of life, and was aborted.
    Timeout,
    /// It never became ready.
    Boot,
    /// It left by itself, in order: it had served `max_requests`, or its code was to be reloaded.
    Retired,
    /// It left by itself with an error.
    Failed,
    /// A signal killed it.
    Crash,
}

impl Cause {
    /// The word for it: what `worker.exit_cause` says in `child_exit`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Timeout => "timeout",
            Self::Boot => "boot",
            Self::Retired => "retired",
            Self::Failed => "failed",
            Self::Crash => "crash",
        }
    }
}

/// What is left of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Departed {
    /// Its id.
    pub id: usize,
    /// Its place in the order of forks.
    pub age: Age,
    /// Its process id.
    pub pid: i32,
    /// How it ended.
    pub status: Status,
    /// Why.
    pub cause: Cause,
}

/// Where a worker is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// The fork has been asked for.
    Forking,
    /// Forked, not yet ready.
    Booting,
    /// Serving.
    Serving,
    /// Asked to stop; killed at that time, where there is one.
    Stopping { kill_at: Instant },
    /// Aborted for its silence; killed at that time.
    Aborting { kill_at: Instant },
    /// Killed, not yet reaped.
    Killed { aborted: bool },
}

/// A worker's record.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) id: usize,
    pub(super) age: Age,
    pub(super) pid: i32,
    pub(super) generation: u64,
    pub(super) state: State,
    pub(super) was_ready: bool,
    pub(super) forked_at: Instant,
}

impl Slot {
    pub(super) fn new(id: usize, age: Age, generation: u64, now: Instant) -> Self {
        Self {
            id,
            age,
            pid: 0,
            generation,
            state: State::Forking,
            was_ready: false,
            forked_at: now,
        }
    }

    /// Neither stopping nor dying.
    pub(super) fn is_staying(&self) -> bool {
        matches!(self.state, State::Forking | State::Booting | State::Serving)
    }

    /// Whether its place is taken. One that is aborted keeps it until it is gone, so that its end
    /// is told before its successor is forked.
    pub(super) fn holds_its_place(&self) -> bool {
        let dying = matches!(
            self.state,
            State::Aborting { .. } | State::Killed { aborted: true }
        );
        self.is_staying() || dying
    }

    /// When the arbiter has to kill it.
    pub(super) fn kill_at(&self) -> Option<Instant> {
        match self.state {
            State::Stopping { kill_at } | State::Aborting { kill_at } => Some(kill_at),
            _ => None,
        }
    }

    pub(super) fn departs(&self, status: Status) -> Departed {
        let cause = match (self.state, status) {
            (State::Aborting { .. } | State::Killed { aborted: true }, _) => Cause::Timeout,
            (State::Stopping { .. } | State::Killed { aborted: false }, _) => Cause::Asked,
            (_, Status::Signal(_)) => Cause::Crash,
            _ if !self.was_ready => Cause::Boot,
            (_, Status::Code(0)) => Cause::Retired,
            (_, Status::Code(_)) => Cause::Failed,
        };
        Departed {
            id: self.id,
            age: self.age,
            pid: self.pid,
            status,
            cause,
        }
    }

    /// Whether its end is a reason to pause before the next fork: it never served, or hardly.
    pub(super) fn ended_young(&self, cause: Cause, now: Instant) -> bool {
        let hardly_lived = now.duration_since(self.forked_at) < Duration::from_secs(1);
        match cause {
            Cause::Boot => true,
            Cause::Crash | Cause::Failed => !self.was_ready || hardly_lived,
            Cause::Retired => hardly_lived,
            Cause::Asked | Cause::Timeout => false,
        }
    }
}
