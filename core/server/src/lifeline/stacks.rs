//! The stacks of a worker's threads, written by the worker when its arbiter asks for them: into
//! memory that both can reach, so that they are there also when the worker is stuck for good.
//!
//! The arbiter asks by a signal. Whoever knows the interpreter installs a handler for it that writes
//! without taking any lock of the interpreter's.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::{Whence, lseek};

/// How long a worker may take to write.
const PATIENCE: Duration = Duration::from_millis(300);

/// Between two looks whether it has.
const LOOK: Duration = Duration::from_millis(5);

/// What is shown at most of what it has written.
const MOST: usize = 256 * 1024;

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

    /// Asks the process for its stacks; what it has written in time, which may be any text: each of its
    /// lines is indented, and holds no control characters.
    ///
    /// # Errors
    /// A process that is gone; the operating system's.
    pub fn ask(&self, pid: i32) -> io::Result<String> {
        let file = File::from(self.0.try_clone()?);
        file.set_len(0)?;
        // The worker writes where this offset, which it shares, stands.
        lseek(&file, 0, Whence::SeekSet)?;
        // SAFETY: sends a signal to a child of ours that has not been waited for.
        if unsafe { libc::kill(pid, stack_signal()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        wait_until_still(&file)?;
        let mut text = vec![0; MOST];
        let count = file.read_at(&mut text, 0)?;
        Ok(indented(&String::from_utf8_lossy(&text[..count])))
    }
}

/// A text whose lines cannot be taken for lines of the log.
fn indented(text: &str) -> String {
    let lines = text.trim_end().lines().map(|line| {
        let safe = |c: char| if c.is_control() && c != '\t' { '?' } else { c };
        format!("  {}", line.chars().map(safe).collect::<String>())
    });
    lines.collect::<Vec<_>>().join("\n")
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

#[cfg(test)]
mod tests {
    use super::indented;

    #[test]
    fn what_a_worker_writes_looks_like_no_line_of_the_log() {
        let text = indented("Thread 1:\r\n[x] [1] [INFO] all is well\x1b[2J\n\n");
        assert_eq!(text, "  Thread 1:\n  [x] [1] [INFO] all is well?[2J");
        assert_eq!(indented(""), "");
        assert_eq!(indented("a\rb\u{85}c"), "  a?b?c");
    }
}
