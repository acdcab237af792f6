//! A file, or one of the standard streams, that lines are appended to.
//!
//! To a regular file a batch goes in one call, so that what several processes append does not mix. What
//! is no regular file (a pipe, in a container) takes pieces of up to `PIPE_BUF` bytes whole, and is never
//! waited for: what its reader does not take, and a line that is longer, is lost.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tricorn_hooks::{Error, Result};

/// What a pipe takes whole (POSIX, `write`).
const PIPE_BUF: usize = 4096;

/// `O_NONBLOCK`
const NONBLOCK: i32 = 0o4000;

/// A file, or one of the standard streams.
pub(crate) struct LogFile {
    path: Option<PathBuf>,
    open: Mutex<Open>,
}

struct Open {
    file: File,
    is_regular: bool,
}

impl LogFile {
    /// Opens the file; without a path the stream of this number.
    pub(crate) fn open(path: Option<&Path>, stream: i32) -> Result<Self> {
        let path = path.map(std::path::absolute).transpose()?;
        let open = match &path {
            Some(path) => append(path)?,
            None if stream == 1 => copy(io::stdout().as_fd())?,
            None => copy(io::stderr().as_fd())?,
        };
        Ok(Self {
            path,
            open: Mutex::new(open),
        })
    }

    /// Appends whole lines. A log that cannot be written must not stop the serving: what does not
    /// fit is lost.
    pub(crate) fn write(&self, lines: &[u8]) {
        let mut open = self.lock();
        if open.is_regular {
            let _ = open.file.write_all(lines);
            return;
        }
        for piece in pieces(lines) {
            let _ = open.file.write(piece);
        }
    }

    /// Opens the path again, after somebody has moved the file away.
    pub(crate) fn reopen(&self) -> Result<()> {
        if let Some(path) = &self.path {
            *self.lock() = append(path)?;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whole lines in pieces that a pipe takes; a line that is longer is left out.
fn pieces(mut lines: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        loop {
            let room = &lines[..lines.len().min(PIPE_BUF)];
            if let Some(end) = room.iter().rposition(|&byte| byte == b'\n') {
                let (piece, rest) = lines.split_at(end + 1);
                lines = rest;
                return Some(piece);
            }
            let end = lines.iter().position(|&byte| byte == b'\n')?;
            lines = &lines[end + 1..];
        }
    })
}

fn append(path: &Path) -> Result<Open> {
    let mut options = OpenOptions::new();
    let opened = options
        .append(true)
        .create(true)
        .custom_flags(NONBLOCK)
        .open(path);
    let file = opened.map_err(|error| Error::new(format!("{}: {error}", path.display())))?;
    described(file)
}

/// A stream's descriptor is shared with others, so its flags are not ours to set: it is opened anew.
fn copy(stream: BorrowedFd<'_>) -> Result<Open> {
    let own = stream.try_clone_to_owned().map(File::from)?;
    let anew = OpenOptions::new()
        .append(true)
        .custom_flags(NONBLOCK)
        .open(format!("/proc/self/fd/{}", own.as_raw_fd()));
    described(anew.unwrap_or(own))
}

fn described(file: File) -> Result<Open> {
    let is_regular = file.metadata()?.is_file();
    Ok(Open { file, is_regular })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_end_with_a_line_and_fit_into_a_pipe() {
        let long = "x".repeat(5000);
        let lines: String = (0..1000).map(|n| format!("line {n}\n")).collect();
        let text = format!("{lines}{long}\nlast\n");
        let found: Vec<_> = pieces(text.as_bytes()).collect();
        assert!(
            found
                .iter()
                .all(|piece| piece.len() <= PIPE_BUF && piece.ends_with(b"\n"))
        );
        assert_eq!(found.concat(), format!("{lines}last\n").into_bytes());
    }
}
