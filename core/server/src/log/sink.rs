//! A file that lines are appended to.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A file, made if it is not there.
    File(PathBuf),
}

impl Target {
    pub(super) fn path(&self) -> PathBuf {
        match self {
            Self::Stdout => "/dev/stdout".into(),
            Self::Stderr => "/dev/stderr".into(),
            Self::File(path) => path.clone(),
        }
    }
}

/// Waiting lines are written before they take more than this.
const BATCH: usize = 64 * 1024;

/// An open target, and the whole lines that wait to be written to it.
#[derive(Debug)]
pub(super) struct Sink {
    file: File,
    is_file: bool,
    waiting: Mutex<Vec<u8>>,
}

impl Sink {
    pub(super) fn open(target: &Target) -> io::Result<Self> {
        let file = match target {
            Target::Stdout => File::from(io::stdout().as_fd().try_clone_to_owned()?),
            Target::Stderr => File::from(io::stderr().as_fd().try_clone_to_owned()?),
            Target::File(path) => OpenOptions::new().append(true).create(true).open(path)?,
        };
        Ok(Self {
            file,
            is_file: matches!(target, Target::File(_)),
            waiting: Mutex::default(),
        })
    }

    /// The same file with nothing waiting, for a child.
    pub(super) fn inherit(&self) -> io::Result<Self> {
        let file = self.file.try_clone()?;
        Ok(Self {
            file,
            is_file: self.is_file,
            waiting: Mutex::default(),
        })
    }

    /// Writes a line at once.
    pub(super) fn write(&self, line: &[u8]) {
        write_all(&self.file, line);
    }

    /// Lets `append` add whole lines to those that wait.
    pub(super) fn add(&self, append: impl FnOnce(&mut Vec<u8>)) {
        let mut waiting = self.lock();
        append(&mut waiting);
        if waiting.len() >= BATCH {
            write_all(&self.file, &waiting);
            waiting.clear();
        }
    }

    /// Writes the lines that wait, in one call.
    pub(super) fn flush(&self) {
        let mut waiting = self.lock();
        if !waiting.is_empty() {
            write_all(&self.file, &waiting);
            waiting.clear();
        }
    }

    /// Makes descriptors 1 and 2 copies of this file's.
    pub(super) fn take_stdio(&self) -> io::Result<()> {
        if self.is_file {
            nix::unistd::dup2_stdout(&self.file)?;
            nix::unistd::dup2_stderr(&self.file)?;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.flush();
    }
}

/// A log that cannot be written must not stop the serving: what does not fit is lost.
fn write_all(mut file: &File, bytes: &[u8]) {
    let _ = file.write_all(bytes);
}
