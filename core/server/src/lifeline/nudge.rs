//! Passing a wake-up on.
//!
//! The kernel wakes one worker for a new connection. If that worker has requests to run first, it
//! nudges another one, which wakes exactly one that idles.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::eventfd::{EfdFlags, EventFd};

/// Shared by all workers of an arbiter. Each waits on it exclusively.
#[derive(Debug)]
pub struct Nudge(EventFd);

impl Nudge {
    /// A nudge that nobody has given yet.
    ///
    /// # Errors
    /// No descriptors left.
    pub fn new() -> io::Result<Self> {
        Ok(Self(EventFd::from_flags(
            EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK,
        )?))
    }

    /// The nudge behind a descriptor that a nudge had.
    #[must_use]
    pub fn of(descriptor: OwnedFd) -> Self {
        // SAFETY: the caller says that it is a nudge's, which is an eventfd. On another descriptor
        // reading and writing eight bytes would fail or go astray, and touch no memory.
        Self(unsafe { EventFd::from_owned_fd(descriptor) })
    }

    /// Wakes a worker that idles, if there is one; otherwise the first that comes to idle.
    pub fn give(&self) {
        // The counter can only be full if nobody ever idles.
        let _ = self.0.write(1);
    }

    /// Takes the nudge, so that nobody else does. Whether there was one.
    pub fn take(&self) -> bool {
        self.0.read().is_ok()
    }
}

impl AsFd for Nudge {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nudge_is_taken_once_however_often_it_was_given() {
        let nudge = Nudge::new().unwrap();
        assert!(!nudge.take());
        nudge.give();
        nudge.give();
        assert!(nudge.take());
        assert!(!nudge.take());
    }
}
