//! What an arbiter leaves to itself when it executes its program in place: the same process, with
//! the same children, sockets and shared memory, and other code.
//!
//! It is written to memory that the process keeps over the execution, whose descriptor's number
//! stands in a variable.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use serde::{Deserialize, Serialize};

use super::event::Policy;
use super::signals::Signals;
use super::slot::{Slot, State};
use super::state::Arbiter;
use crate::clock;
use crate::error::{Blame, Failure};
use crate::hooks::{Age, Member};
use crate::lifeline::{ArbiterEnd, Board, Nudge};
use crate::sock::Inherited;

/// The variable with the number of the descriptor.
pub const HANDOVER: &str = "TRICORN_HANDOVER_FD";

/// What is left.
#[derive(Debug, Serialize, Deserialize)]
pub struct Handover {
    /// The process: nobody else is meant.
    pub(super) pid: u32,
    /// Of the program that has left it: another one may have another idea of the shared memory.
    pub(super) version: String,
    pub(super) board: RawFd,
    pub(super) nudge: RawFd,
    pub(super) sockets: Vec<RawFd>,
    pub(super) by_systemd: bool,
    pub(super) generation: u64,
    pub(super) next_age: Age,
    #[serde(default)]
    pub(super) asked: Asked,
    pub(super) workers: Vec<Record>,
    /// How often the new program could not come up.
    pub(super) tries: u32,
    #[serde(skip)]
    pub(super) signals: Option<Arc<Signals>>,
}

/// What TTIN, TTOU and WINCH have asked for behind the HUP: it counts from what the new program wants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Asked {
    /// Nothing.
    #[default]
    Nothing,
    /// So many workers more, or fewer.
    More(i64),
    /// No workers.
    NoWorkers,
}

impl Asked {
    /// What has made of the number before the number there is.
    pub(super) fn since(before: usize, now: usize) -> Self {
        let more = now as i64 - before as i64;
        match (more, now) {
            (0, _) => Self::Nothing,
            (_, 0) => Self::NoWorkers,
            _ => Self::More(more),
        }
    }

    /// The number instead of this one, if it is another.
    pub(super) fn instead_of(self, workers: usize) -> Option<usize> {
        match self {
            Self::Nothing => None,
            Self::NoWorkers => Some(0),
            Self::More(more) => Some((workers as i64 + more).max(1) as usize),
        }
    }
}

/// A worker.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) id: usize,
    pub(super) age: Age,
    pub(super) pid: i32,
    generation: u64,
    was_ready: bool,
    stage: Stage,
    /// The arbiter's ends of its pipes, and its memory for stacks.
    pub(super) ends: [RawFd; 3],
}

/// A [`State`], with what is left of its time.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Stage {
    Booting,
    Serving,
    Stopping(Duration),
    Aborting(Duration),
    Killed { aborted: bool },
}

impl Record {
    /// The record of a worker; `None` for one that has no process yet.
    pub(super) fn of(slot: &Slot, ends: [RawFd; 3], now: Instant) -> Option<Self> {
        let left = |at: Instant| at.saturating_duration_since(now);
        let stage = match slot.state {
            State::Forking => return None,
            State::Booting => Stage::Booting,
            State::Serving => Stage::Serving,
            State::Stopping { kill_at } => Stage::Stopping(left(kill_at)),
            State::Aborting { kill_at } => Stage::Aborting(left(kill_at)),
            State::Killed { aborted } => Stage::Killed { aborted },
        };
        Some(Self {
            id: slot.id,
            age: slot.age,
            pid: slot.pid,
            generation: slot.generation,
            was_ready: slot.ready_at.is_some(),
            stage,
            ends,
        })
    }

    /// The worker again.
    pub(super) fn slot(&self, now: Instant) -> Slot {
        let state = match self.stage {
            Stage::Booting => State::Booting,
            Stage::Serving => State::Serving,
            Stage::Stopping(left) => State::Stopping {
                kill_at: now + left,
            },
            Stage::Aborting(left) => State::Aborting {
                kill_at: now + left,
            },
            Stage::Killed { aborted } => State::Killed { aborted },
        };
        Slot {
            pid: self.pid,
            state,
            ready_at: self.was_ready.then_some(now),
            has_proof: self.was_ready,
            ..Slot::new(self.id, self.age, self.generation, now)
        }
    }
}

impl Handover {
    /// Writes it to memory that outlasts an execution.
    pub(super) fn write(&self) -> io::Result<OwnedFd> {
        let memory = memfd_create("handover", MFdFlags::empty())?;
        let mut file = File::from(memory);
        file.write_all(&serde_json::to_vec(self)?)?;
        file.rewind()?;
        Ok(file.into())
    }

    /// Where the sockets come from.
    #[must_use]
    pub fn inherited(&self) -> Inherited {
        Inherited::of(self.sockets.clone(), self.by_systemd)
    }

    /// Reads what this process has left to itself, if it has. Signals are heard again from here on.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn take(variable: Option<&str>) -> Result<Option<Self>, Failure> {
        let Some(fd) = variable.and_then(|text| text.parse::<RawFd>().ok()) else {
            return Ok(None);
        };
        let cannot = |error: &dyn std::fmt::Display| {
            let what = format!("{HANDOVER}: what was left cannot be read: {error}");
            Failure::new(Blame::Us, what)
        };
        // SAFETY: only asks about the number; one that is closed gives an error.
        if unsafe { libc::fcntl(fd, libc::F_GETFD) } < 0 {
            return Ok(None);
        }
        // SAFETY: it is open, and whoever set the variable left it, for this process to use.
        let mut file = unsafe { File::from_raw_fd(fd) };
        let mut text = Vec::new();
        file.rewind().map_err(|error| cannot(&error))?;
        file.read_to_end(&mut text)
            .map_err(|error| cannot(&error))?;
        let mut left: Self = serde_json::from_slice(&text).map_err(|error| cannot(&error))?;
        if left.pid != std::process::id() {
            return Ok(None);
        }
        left.keep_to_this_process(true);
        let signals = Signals::new().map_err(|error| cannot(&error))?;
        signals.install().map_err(|error| cannot(&error))?;
        signals.unblock();
        left.signals = Some(Arc::new(signals));
        Ok(Some(left))
    }

    /// The mind that goes on.
    pub(super) fn machine(&self, policy: Policy) -> Arbiter {
        let now = Instant::now();
        let slots = self.workers.iter().map(|worker| worker.slot(now)).collect();
        let mut arbiter = Arbiter::resuming(policy, slots, self.next_age, self.generation);
        if let Some(count) = self.asked.instead_of(arbiter.wanted) {
            arbiter.wanted = count;
        }
        arbiter
    }

    pub(super) fn nudge(&self) -> Nudge {
        Nudge::of(owned(self.nudge))
    }

    /// The workers, and the arbiter's ends of their pipes.
    pub(super) fn children(&self) -> impl Iterator<Item = (Member, ArbiterEnd)> {
        self.workers.iter().map(|worker| {
            let member = Member {
                age: worker.age,
                id: worker.id,
                pid: worker.pid,
            };
            (member, ArbiterEnd::of(worker.ends.map(owned)))
        })
    }

    /// The shared memory that the workers know; a new one where the program is another.
    pub(super) fn board(&self) -> nix::Result<Board> {
        if self.version == env!("CARGO_PKG_VERSION") {
            return Board::of(owned(self.board));
        }
        let board = Board::new()?;
        for worker in &self.workers {
            board.cell(worker.id).reset(clock::now());
        }
        Ok(board)
    }

    /// Sets whether programs that are executed are kept from all its descriptors.
    pub(super) fn keep_to_this_process(&self, kept: bool) {
        let flags = if kept {
            FdFlag::FD_CLOEXEC
        } else {
            FdFlag::empty()
        };
        let ends = self.workers.iter().flat_map(|worker| worker.ends);
        let all = self.sockets.iter().copied().chain(ends);
        for fd in all.chain([self.board, self.nudge]) {
            // SAFETY: the numbers are of descriptors that are open in this process for good.
            let fd = unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) };
            let _ = fcntl(fd, FcntlArg::F_SETFD(flags));
        }
    }
}

/// The descriptor of a number that was handed over.
fn owned(fd: RawFd) -> OwnedFd {
    // SAFETY: the process has left each of them to itself, and takes each once.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_the_same_after_the_execution() {
        let now = Instant::now();
        let mut slot = Slot::new(3, 17, 4, now);
        assert!(
            Record::of(&slot, [5, 6, 7], now).is_none(),
            "no process yet"
        );
        slot.pid = 4711;
        (slot.ready_at, slot.has_proof) = (Some(now), true);
        let second = Duration::from_secs(1);
        for state in [
            State::Booting,
            State::Serving,
            State::Stopping {
                kill_at: now + second,
            },
            State::Aborting {
                kill_at: now + second,
            },
            State::Killed { aborted: true },
        ] {
            slot.state = state;
            let record = Record::of(&slot, [5, 6, 7], now).unwrap();
            let text = serde_json::to_string(&record).unwrap();
            let again = serde_json::from_str::<Record>(&text).unwrap().slot(now);
            assert_eq!(format!("{again:?}"), format!("{slot:?}"));
        }
    }

    #[test]
    fn what_was_asked_for_behind_a_reload_counts_from_what_the_reload_wants() {
        let after = |before, now, workers| Asked::since(before, now).instead_of(workers);
        assert_eq!(after(2, 2, 5), None);
        assert_eq!(after(2, 4, 5), Some(7));
        assert_eq!(after(4, 1, 2), Some(1), "TTOU stops at one");
        assert_eq!(after(2, 0, 5), Some(0), "WINCH");
        assert_eq!(after(0, 1, 5), Some(6));
    }

    #[test]
    fn what_another_process_has_left_is_not_taken() {
        assert!(Handover::take(None).unwrap().is_none());
        assert!(Handover::take(Some("none")).unwrap().is_none());
        let left = Handover {
            pid: 1,
            version: String::new(),
            board: -1,
            nudge: -1,
            sockets: Vec::new(),
            by_systemd: false,
            generation: 1,
            next_age: 2,
            asked: Asked::Nothing,
            workers: Vec::new(),
            tries: 0,
            signals: None,
        };
        let fd = std::os::fd::IntoRawFd::into_raw_fd(left.write().unwrap());
        assert!(Handover::take(Some(&fd.to_string())).unwrap().is_none());
    }
}
