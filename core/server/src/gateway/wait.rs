//! Waiting for a client.

use std::os::fd::{BorrowedFd, RawFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// What has to be waited for.
#[derive(Debug, Clone, Copy)]
pub struct Wait {
    /// On this descriptor. It may be closed meanwhile: waking up promises nothing.
    pub fd: RawFd,
    /// Until it can be written; otherwise, until it can be read.
    pub write: bool,
    /// But not longer than this.
    pub deadline: Option<Instant>,
}

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// It is worth trying again.
    Ready,
    /// The deadline has passed.
    TimedOut,
    /// A signal arrived: look at it, then wait again.
    Interrupted,
}

impl Wait {
    /// Blocks the calling thread.
    #[must_use]
    pub fn block(&self) -> Woken {
        let timeout = match self
            .deadline
            .map(|at| at.saturating_duration_since(Instant::now()))
        {
            None => PollTimeout::NONE,
            Some(Duration::ZERO) => return Woken::TimedOut,
            // Round up: waking a little early would spin through the last millisecond.
            Some(left) => {
                PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX)
            }
        };
        let flags = if self.write {
            PollFlags::POLLOUT
        } else {
            PollFlags::POLLIN
        };
        // SAFETY: the descriptor may have been closed by now, or be another one of this number.
        // poll then reports POLLNVAL or a readiness that does not concern us; both wake the caller,
        // which asks its channel again and is told that the request is over.
        let fd = unsafe { BorrowedFd::borrow_raw(self.fd) };
        match poll(&mut [PollFd::new(fd, flags)], timeout) {
            Ok(0) => Woken::TimedOut,
            Err(Errno::EINTR) => Woken::Interrupted,
            Ok(_) | Err(_) => Woken::Ready,
        }
    }
}
