//! The pipes between the arbiter and one worker.
//!
//! Each holds one end of two pipes. On one the worker reports; on the other nobody ever writes. A
//! pipe ends when the last copy of its far end is closed: when the process is gone.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::{pipe2, read, write};

use super::stacks::Stacks;

/// What a worker reports: one byte each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// The application is loaded and the worker serves.
    Ready,
    /// It has served as many requests as it is to.
    Served,
}

/// The arbiter's side.
#[derive(Debug)]
pub struct ArbiterEnd {
    reports: OwnedFd,
    /// Never written: its end tells the worker that the arbiter is gone.
    alive: OwnedFd,
    stacks: Stacks,
}

/// The worker's side.
#[derive(Debug)]
pub struct WorkerEnd {
    reports: OwnedFd,
    arbiter: OwnedFd,
    stacks: Stacks,
}

/// The two sides, before the fork. Each process drops the other's after it.
///
/// # Errors
/// No descriptors left.
pub fn pair() -> io::Result<(ArbiterEnd, WorkerEnd)> {
    let flags = OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let (reports_read, reports_write) = pipe2(flags)?;
    let (alive_read, alive_write) = pipe2(flags)?;
    let stacks = Stacks::new()?;
    Ok((
        ArbiterEnd {
            reports: reports_read,
            alive: alive_write,
            stacks: stacks.copy()?,
        },
        WorkerEnd {
            reports: reports_write,
            arbiter: alive_read,
            stacks,
        },
    ))
}

impl ArbiterEnd {
    /// Where the worker writes its stacks.
    #[must_use]
    pub fn stacks(&self) -> &Stacks {
        &self.stacks
    }

    /// The next report; `None` if there is none yet, or none will come.
    pub fn report(&self) -> Option<Message> {
        let mut byte = [0u8];
        loop {
            match read(&self.reports, &mut byte) {
                Ok(1) if byte[0] == b'R' => return Some(Message::Ready),
                Ok(1) if byte[0] == b'S' => return Some(Message::Served),
                Ok(1) | Err(Errno::EINTR) => {}
                _ => return None,
            }
        }
    }
}

impl ArbiterEnd {
    /// The numbers of its descriptors.
    #[must_use]
    pub fn numbers(&self) -> [RawFd; 3] {
        let Self {
            reports,
            alive,
            stacks,
        } = self;
        [
            reports.as_raw_fd(),
            alive.as_raw_fd(),
            stacks.as_fd().as_raw_fd(),
        ]
    }

    /// The end whose descriptors these are.
    #[must_use]
    pub fn of([reports, alive, stacks]: [OwnedFd; 3]) -> Self {
        Self {
            reports,
            alive,
            stacks: Stacks::of(stacks),
        }
    }
}

impl AsFd for ArbiterEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.reports.as_fd()
    }
}

impl WorkerEnd {
    /// Reports. A failure means that the arbiter is gone, which its own pipe tells.
    pub fn send(&self, message: Message) {
        let byte = match message {
            Message::Ready => b"R",
            Message::Served => b"S",
        };
        while write(&self.reports, byte) == Err(Errno::EINTR) {}
    }

    /// Where it writes its stacks.
    #[must_use]
    pub fn stacks(&self) -> &Stacks {
        &self.stacks
    }

    /// Becomes readable when the arbiter is gone.
    #[must_use]
    pub fn arbiter(&self) -> BorrowedFd<'_> {
        self.arbiter.as_fd()
    }

    /// Whether the arbiter is gone.
    #[must_use]
    pub fn is_orphaned(&self) -> bool {
        matches!(read(&self.arbiter, &mut [0u8]), Ok(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_arrive_and_each_side_notices_the_others_end() {
        let (arbiter, worker) = pair().unwrap();
        assert_eq!(arbiter.report(), None);
        worker.send(Message::Ready);
        worker.send(Message::Served);
        assert_eq!(arbiter.report(), Some(Message::Ready));
        assert_eq!(arbiter.report(), Some(Message::Served));
        assert!(!worker.is_orphaned());
        drop(arbiter);
        assert!(worker.is_orphaned());
    }
}
