//! The stacks of a worker's threads, written by the worker when its arbiter asks for them: into
//! memory that both can reach, so that they are there also when the worker is stuck for good.
//!
//! The arbiter asks by a signal. Whoever knows the interpreter installs a handler for it that writes
//! without taking any lock of the interpreter's.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::sys::memfd::{MFdFlags, memfd_create};

/// How long a worker may take to write.
const PATIENCE: Duration = Duration::from_millis(300);

/// Between two looks whether it has.
const LOOK: Duration = Duration::from_millis(5);

/// What is shown at most of what it has written.
const MOST: u64 = 256 * 1024;

/// The signal by which stacks are asked for: high among those that nobody has a use of their own for.
#[must_use]
pub fn stack_signal() -> i32 {
    libc::SIGRTMAX() - 2
}

/// The signal by which a worker is asked to end requests that have run for too long.
#[must_use]
pub fn overtime_signal() -> i32 {
    libc::SIGRTMAX() - 3
}

/// Memory that a worker writes its stacks to. A copy is the same memory.
#[derive(Debug)]
pub struct Stacks(OwnedFd);

impl Stacks {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self(memfd_create("stacks", MFdFlags::MFD_CLOEXEC)?))
    }

    /// The memory behind a descriptor.
    pub(super) fn of(memory: OwnedFd) -> Self {
        Self(memory)
    }

    pub(super) fn copy(&self) -> io::Result<Self> {
        self.0.try_clone().map(Self)
    }

    /// Asks the process for its stacks; what it has written in time.
    ///
    /// # Errors
    /// A process that is gone; the operating system's.
    pub fn ask(&self, pid: i32) -> io::Result<String> {
        let mut file = File::from(self.0.try_clone()?);
        file.set_len(0)?;
        file.rewind()?;
        // SAFETY: sends a signal to a child of ours that has not been waited for.
        if unsafe { libc::kill(pid, stack_signal()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        wait_until_still(&file)?;
        let mut text = Vec::new();
        file.rewind()?;
        file.take(MOST).read_to_end(&mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

/// Waits until something has been written, and nothing more is.
fn wait_until_still(file: &File) -> io::Result<()> {
    let until = Instant::now() + PATIENCE;
    let mut written = 0;
    while Instant::now() < until {
        std::thread::sleep(LOOK);
        let length = file.metadata()?.len();
        if length > 0 && length == written {
            break;
        }
        written = length;
    }
    Ok(())
}

impl AsFd for Stacks {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
