//! A worker as the arbiter sees it.

use std::time::Instant;

use tricorn_abi as abi;

use super::pauses::SETTLED;
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
    /// A request of it ran for longer than `request_timeout`, and could not be ended by itself.
    RequestTimeout,
    /// It never became ready.
    Boot,
    /// It had served `max_requests`.
    MaxRequests,
    /// It had grown beyond `max_worker_memory`.
    Memory,
    /// It had reached `max_worker_age`.
    Age,
    /// It left by itself, in order: its code was to be reloaded, or a hook wanted it so.
    Retired,
    /// It left by itself with an error.
    Failed,
    /// A signal killed it.
    Crash,
    /// The kernel has killed it, as far as one can tell, for want of memory.
    OutOfMemory,
}

impl Cause {
    /// Every cause.
    #[cfg(test)]
    const ALL: [Self; abi::CAUSES.len()] = [
        Self::Asked,
        Self::Timeout,
        Self::RequestTimeout,
        Self::Boot,
        Self::MaxRequests,
        Self::Memory,
        Self::Age,
        Self::Retired,
        Self::Failed,
        Self::Crash,
        Self::OutOfMemory,
    ];

    /// The word for it: what `worker.exit_cause` says in `child_exit`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Asked => abi::CAUSE_ASKED,
            Self::Timeout => abi::CAUSE_TIMEOUT,
            Self::RequestTimeout => abi::CAUSE_REQUEST_TIMEOUT,
            Self::Boot => abi::CAUSE_BOOT,
            Self::MaxRequests => abi::CAUSE_MAX_REQUESTS,
            Self::Memory => abi::CAUSE_MEMORY,
            Self::Age => abi::CAUSE_AGE,
            Self::Retired => abi::CAUSE_RETIRED,
            Self::Failed => abi::CAUSE_FAILED,
            Self::Crash => abi::CAUSE_CRASH,
            Self::OutOfMemory => abi::CAUSE_OOM,
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
    pub(super) ready_at: Option<Instant>,
    /// It has said itself that it serves.
    pub(super) has_proof: bool,
    pub(super) forked_at: Instant,
    /// Why it is to be replaced, if it is.
    pub(super) due: Option<Cause>,
}

impl Slot {
    pub(super) fn new(id: usize, age: Age, generation: u64, now: Instant) -> Self {
        Self {
            id,
            age,
            pid: 0,
            generation,
            state: State::Forking,
            ready_at: None,
            has_proof: false,
            forked_at: now,
            due: None,
        }
    }

    /// Neither stopping nor dying.
    pub(super) fn is_staying(&self) -> bool {
        matches!(self.state, State::Forking | State::Booting | State::Serving)
    }

    /// Whether its place is taken. One that is aborted keeps it until it is gone, so that its end
    /// is told before its successor is forked.
    pub(super) fn holds_its_place(&self) -> bool {
        self.is_staying() || self.is_aborted()
    }

    pub(super) fn is_aborted(&self) -> bool {
        matches!(
            self.state,
            State::Aborting { .. } | State::Killed { aborted: true }
        )
    }

    /// One that stays, and serves for a configuration or a state of itself that is not to last.
    pub(super) fn is_outdated(&self, generation: u64) -> bool {
        self.is_staying() && (self.generation < generation || self.due.is_some())
    }

    /// One that stays, and is as it should be.
    pub(super) fn is_fresh(&self, generation: u64) -> bool {
        self.is_staying() && !self.is_outdated(generation)
    }

    pub(super) fn serves(&self) -> bool {
        self.state == State::Serving
    }

    pub(super) fn boots(&self) -> bool {
        self.state == State::Booting
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
            _ if self.is_aborted() && self.ready_at.is_none() => Cause::Boot,
            _ if self.is_aborted() => Cause::Timeout,
            (State::Stopping { .. } | State::Killed { .. }, _) => self.due.unwrap_or(Cause::Asked),
            (_, Status::Signal(_)) => Cause::Crash,
            _ if self.ready_at.is_none() => Cause::Boot,
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

    /// Whether it serves, or has served, for long enough to be trusted.
    pub(super) fn has_settled(&self, now: Instant) -> bool {
        self.ready_at.is_some_and(|at| at + SETTLED <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_is_in_the_list_that_plugins_have_and_in_the_guide() {
        assert_eq!(Cause::ALL.map(Cause::name), abi::CAUSES);
        let guide = include_str!("../../../../docs/operations.md");
        let (_, table) = guide.split_once("| cause | |").unwrap_or_default();
        let (table, _) = table.split_once("\n\n").unwrap_or_default();
        for cause in abi::CAUSES {
            assert!(
                table.contains(&format!("`{cause}`")),
                "{cause} is not told of"
            );
        }
    }
}
