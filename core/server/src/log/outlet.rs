//! An open file, pipe or terminal that lines are written to, and never waited for long.
//!
//! A regular file takes a batch in one `write(2)`. A pipe takes pieces of up to `PIPE_BUF` bytes, so
//! that the lines of several workers do not mix. Whoever reads it may stop reading: a worker waits
//! for him once, briefly, and from then on drops and counts what he does not take.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, fchown};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, send};

use super::lines::{count, packed};
use super::options::{Owner, Target};
use crate::clock;
use crate::safe_path::{Appended, append};

/// How long a writer waits for a reader that has stopped, in milliseconds.
const PATIENCE: u16 = 50;

/// Between two such waits, in nanoseconds.
const REST: u64 = 1_000_000_000;

/// How lines get into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// In one call, that does not wait.
    File,
    /// In pieces, each of which may find no room.
    Pipe,
    /// As a pipe, by `send(2)`: what is connected to a socket cannot be opened anew.
    Socket,
}

/// Where the lines of one log go.
#[derive(Debug)]
pub(super) struct Outlet {
    file: File,
    kind: Kind,
    /// Its descriptor may not be opened anew, so a write would wait: it is asked first.
    asks: bool,
    /// Its reader has not taken a line in time, and none since.
    stalled: AtomicBool,
    /// When its reader may be waited for again.
    rested: AtomicU64,
    /// What was written last is the beginning of a line.
    torn: AtomicBool,
}

impl Outlet {
    pub(super) fn open(target: &Target, owner: Option<Owner>) -> io::Result<Self> {
        match target {
            Target::Stdout => Self::over(io::stdout().as_fd().try_clone_to_owned()?),
            Target::Stderr => Self::over(io::stderr().as_fd().try_clone_to_owned()?),
            Target::File(path) => {
                let Appended { file, may_be_given } = append(path)?;
                if let Some(owner) = owner.filter(|_| may_be_given) {
                    fchown(&file, owner.user, owner.group)?;
                }
                Self::of(file)
            }
        }
    }

    /// Over a descriptor that others use too, so that its flags are not ours to set.
    fn over(descriptor: OwnedFd) -> io::Result<Self> {
        let own = Self::of(File::from(descriptor))?;
        if own.kind != Kind::Pipe {
            return Ok(own);
        }
        Ok(match anew(&own.file) {
            Ok(file) => Self::new(file, Kind::Pipe),
            Err(_) => Self { asks: true, ..own },
        })
    }

    fn of(file: File) -> io::Result<Self> {
        let kind = file.metadata()?.file_type();
        let kind = if kind.is_socket() {
            Kind::Socket
        } else if kind.is_fifo() || kind.is_char_device() {
            Kind::Pipe
        } else {
            Kind::File
        };
        Ok(Self::new(file, kind))
    }

    fn new(file: File, kind: Kind) -> Self {
        Self {
            file,
            kind,
            asks: false,
            stalled: AtomicBool::new(false),
            rested: AtomicU64::new(0),
            torn: AtomicBool::new(false),
        }
    }

    /// Returns the same outlet for a child, which may belong to another user. A pipe is opened once more: its
    /// flags would be shared otherwise.
    pub(super) fn inherit(&self) -> io::Result<Self> {
        let own = (self.kind == Kind::Pipe && !self.asks).then(|| anew(&self.file));
        let file = match own {
            Some(Ok(file)) => file,
            _ => self.file.try_clone()?,
        };
        Ok(Self {
            asks: self.asks,
            ..Self::new(file, self.kind)
        })
    }

    /// The file, if it is a regular one.
    pub(super) fn as_file(&self) -> Option<&File> {
        (self.kind == Kind::File).then_some(&self.file)
    }

    /// The number of the open file.
    pub(super) fn descriptor(&self) -> RawFd {
        self.file.as_raw_fd()
    }

    /// Writes whole lines; how many of them are lost.
    pub(super) fn write(&self, lines: &[u8]) -> u64 {
        if self.kind == Kind::File {
            return self.put(lines);
        }
        packed(lines).map(|piece| self.put(&piece)).sum()
    }

    /// Writes lines that go together; how many of them are lost.
    fn put(&self, lines: &[u8]) -> u64 {
        let mut written = 0;
        if self.torn.load(Ordering::Relaxed) && self.once(b"\n").is_ok() {
            self.torn.store(false, Ordering::Relaxed);
        }
        while written < lines.len() {
            match self.once(&lines[written..]) {
                Ok(0) => break,
                Ok(more) => {
                    written += more;
                    self.stalled.store(false, Ordering::Relaxed);
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) if self.waits() => {}
                Err(_) => break,
            }
        }
        if written == lines.len() {
            return 0;
        }
        let lost = &lines[written..];
        if written > 0 && !lines[..written].ends_with(b"\n") {
            self.torn.store(true, Ordering::Relaxed);
        }
        count(lost)
    }

    fn once(&self, bytes: &[u8]) -> Result<usize, Errno> {
        if self.kind == Kind::Socket {
            let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
            return send(self.file.as_raw_fd(), bytes, flags);
        }
        if self.asks && !self.has_room(0) {
            return Err(Errno::EAGAIN);
        }
        let written = (&self.file).write(bytes);
        written.map_err(|error| error.raw_os_error().map_or(Errno::EIO, Errno::from_raw))
    }

    /// Waits for room, unless that was in vain already, or was done a moment ago: a reader that is
    /// slow must not set the pace. Whether there may be some.
    fn waits(&self) -> bool {
        let now = clock::roughly_now();
        if self.stalled.load(Ordering::Relaxed) || now < self.rested.load(Ordering::Relaxed) {
            return false;
        }
        let has_room = self.has_room(PATIENCE);
        self.rested.store(now + REST, Ordering::Relaxed);
        self.stalled.store(!has_room, Ordering::Relaxed);
        has_room
    }

    fn has_room(&self, patience: u16) -> bool {
        let mut fds = [PollFd::new(self.file.as_fd(), PollFlags::POLLOUT)];
        matches!(poll(&mut fds, PollTimeout::from(patience)), Ok(1..))
    }
}

/// Opens the target of a descriptor once more.
fn anew(file: &File) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(format!("/proc/self/fd/{}", file.as_raw_fd()))
}
