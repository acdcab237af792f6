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

/// In a child: puts another pipe in the place of one whose ends it has inherited and has no business with.
/// Their numbers stay taken, whoever owns them.
pub fn forsake(reads: &OwnedFd, writes: &OwnedFd) {
    let Ok(own) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK) else {
        return;
    };
    for (own, shared) in [(&own.0, reads), (&own.1, writes)] {
        // SAFETY: both numbers are of open descriptors, and stay so; the one that `shared` owns is the other
        // pipe's from now on.
        unsafe { libc::dup3(own.as_raw_fd(), shared.as_raw_fd(), libc::O_CLOEXEC) };
    }
}

impl ArbiterEnd {
    /// Where the worker writes its stacks.
    #[must_use]
    pub fn stacks(&self) -> &Stacks {
        &self.stacks
    }

    /// Reads what the worker has reported since the last call.
    ///
    /// A worker has two things to report in its life. One that sends more is not listened to any longer,
    /// or it could keep the arbiter busy for good.
    pub fn reports(&self) -> Reports {
        let mut bytes = [0u8; FLOOD];
        let count = loop {
            match read(&self.reports, &mut bytes) {
                Ok(count) => break count,
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Reports::default(),
                Err(_) => break 0,
            }
        };
        let meaning = |byte: &u8| match byte {
            b'R' => Some(Message::Ready),
            b'S' => Some(Message::Served),
            _ => None,
        };
        let end = match count {
            0 => Some(End::Closed),
            FLOOD => Some(End::Flood),
            _ => None,
        };
        let messages = bytes[..count.min(FLOOD - 1)].iter().filter_map(meaning);
        Reports {
            messages: messages.collect(),
            end,
        }
    }
}

/// So many bytes at once are no reports of a worker's.
const FLOOD: usize = 64;

/// What a worker has reported.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reports {
    /// In the order in which it was sent.
    pub messages: Vec<Message>,
    /// Set if nothing more is to be read.
    pub end: Option<End>,
}

/// Why a worker's pipe is not read any longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The worker is gone, or has closed it.
    Closed,
    /// The worker has sent more than any worker has to say.
    Flood,
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
        assert_eq!(arbiter.reports(), Reports::default());
        worker.send(Message::Ready);
        worker.send(Message::Served);
        let reports = arbiter.reports();
        assert_eq!(reports.messages, [Message::Ready, Message::Served]);
        assert_eq!(reports.end, None);
        assert!(!worker.is_orphaned());
        drop(arbiter);
        assert!(worker.is_orphaned());
        let (arbiter, worker) = pair().unwrap();
        drop(worker);
        assert_eq!(arbiter.reports().end, Some(End::Closed));
    }

    #[test]
    fn a_pipe_that_is_forsaken_leads_nowhere() {
        let (reads, writes) = pipe2(OFlag::O_NONBLOCK).unwrap();
        let arbiters = reads.try_clone().unwrap();
        forsake(&reads, &writes);
        write(&writes, b"x").unwrap();
        assert_eq!(
            read(&arbiters, &mut [0u8; 8]),
            Ok(0),
            "nobody has its other end"
        );
        assert_eq!(read(&reads, &mut [0u8; 8]), Ok(1));
    }

    #[test]
    fn a_flood_of_reports_is_not_read_to_its_end() {
        let (arbiter, worker) = pair().unwrap();
        write(&worker.reports, &[b'x'; 1000]).unwrap();
        let reports = arbiter.reports();
        assert_eq!(reports.messages, []);
        assert_eq!(reports.end, Some(End::Flood));
    }
}
