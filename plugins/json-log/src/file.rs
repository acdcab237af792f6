//! A file that lines are appended to.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tricorn_hooks::{Error, Result};

/// A file, or one of the standard streams.
pub(crate) struct LogFile {
    path: Option<PathBuf>,
    file: Mutex<File>,
}

impl LogFile {
    /// Opens the file; without a path the stream of this number.
    pub(crate) fn open(path: Option<&Path>, stream: i32) -> Result<Self> {
        let file = match path {
            Some(path) => append(path)?,
            None if stream == 1 => copy(io::stdout().as_fd())?,
            None => copy(io::stderr().as_fd())?,
        };
        Ok(Self {
            path: path.map(Path::to_owned),
            file: Mutex::new(file),
        })
    }

    /// Appends whole lines in one call: what several processes append does not mix. A log that
    /// cannot be written must not stop the serving: what does not fit is lost.
    pub(crate) fn write(&self, lines: &[u8]) {
        let _ = self.lock().write_all(lines);
    }

    /// Opens the path again, after somebody has moved the file away.
    pub(crate) fn reopen(&self) -> Result<()> {
        if let Some(path) = &self.path {
            *self.lock() = append(path)?;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, File> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn append(path: &Path) -> Result<File> {
    let opened = OpenOptions::new().append(true).create(true).open(path);
    opened.map_err(|error| Error::new(format!("{}: {error}", path.display())))
}

fn copy(stream: BorrowedFd<'_>) -> Result<File> {
    let copied = stream.try_clone_to_owned().map(File::from);
    copied.map_err(|error| Error::new(format!("a standard stream cannot be copied: {error}")))
}
