//! One log's lines, on their way to its outlet.

use std::io;
use std::os::fd::RawFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;

use super::lost::Lost;
use super::options::{Options, Owner, Target};
use super::outlet::Outlet;

/// Waiting lines are written before they take more than this.
const BATCH: usize = 64 * 1024;

/// An outlet that may be opened again, and the whole lines that wait to be written to it.
#[derive(Debug)]
pub(super) struct Sink {
    outlet: ArcSwap<Outlet>,
    waiting: Mutex<String>,
    /// Lines that could not be written.
    pub(super) lost: Lost,
}

impl Sink {
    pub(super) fn open(target: &Target, owner: Option<Owner>) -> io::Result<Self> {
        Ok(Self::over(Outlet::open(target, owner)?))
    }

    fn over(outlet: Outlet) -> Self {
        Self {
            outlet: ArcSwap::from_pointee(outlet),
            waiting: Mutex::default(),
            lost: Lost::default(),
        }
    }

    /// The same file with nothing waiting, for a child. Takes no lock: whoever held it is not there
    /// to let go of it.
    pub(super) fn inherit(&self) -> io::Result<Self> {
        self.outlet.load().inherit().map(Self::over)
    }

    /// Opens the target again; what waits goes to the one before.
    pub(super) fn reopen(&self, target: &Target, options: &Options) -> io::Result<()> {
        if !matches!(target, Target::File(_)) {
            // There is nothing to open: what a stream leads to is somebody else's affair.
            self.flush();
            return Ok(());
        }
        let fresh = Outlet::open(target, options.owner)?;
        let mut waiting = self.lock();
        self.write_out(&mut waiting);
        self.outlet.store(Arc::new(fresh));
        Ok(())
    }

    /// The number of the open file: good until it is opened again.
    pub(super) fn descriptor(&self) -> RawFd {
        self.outlet.load().descriptor()
    }

    /// Writes whole lines at once.
    pub(super) fn write(&self, lines: &[u8]) {
        self.lost.add(self.outlet.load().write(lines));
    }

    /// Lets `append` add whole lines to those that wait.
    pub(super) fn add(&self, append: impl FnOnce(&mut String)) {
        let mut waiting = self.lock();
        append(&mut waiting);
        if waiting.len() >= BATCH {
            self.write_out(&mut waiting);
        }
    }

    /// Writes the lines that wait.
    pub(super) fn flush(&self) {
        let mut waiting = self.lock();
        if !waiting.is_empty() {
            self.write_out(&mut waiting);
        }
    }

    fn write_out(&self, waiting: &mut String) {
        self.write(waiting.as_bytes());
        waiting.clear();
    }

    /// Makes descriptors 1 and 2 copies of this file's.
    pub(super) fn take_stdio(&self) -> io::Result<()> {
        if let Some(file) = self.outlet.load().as_file() {
            nix::unistd::dup2_stdout(file)?;
            nix::unistd::dup2_stderr(file)?;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, String> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.flush();
    }
}
