//! Directories that are watched for changes, by inotify(7): for `reload_engine`.

use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use std::os::fd::AsFd;

/// What may mean that a file is another one than it was.
const CHANGES: AddWatchFlags = AddWatchFlags::IN_CLOSE_WRITE
    .union(AddWatchFlags::IN_MODIFY)
    .union(AddWatchFlags::IN_ATTRIB)
    .union(AddWatchFlags::IN_CREATE)
    .union(AddWatchFlags::IN_MOVED_TO)
    .union(AddWatchFlags::IN_MOVED_FROM)
    .union(AddWatchFlags::IN_DELETE);

/// Directories in which something may change.
#[pyclass(frozen, module = "tricorn._native")]
pub(crate) struct DirectoryWatch(Inotify);

#[pymethods]
impl DirectoryWatch {
    /// Watches nothing yet. Raises OSError where the system has no watches left.
    #[new]
    fn new() -> PyResult<Self> {
        let flags = InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK;
        Inotify::init(flags).map(Self).map_err(os_error)
    }

    /// Watches one directory more. Raises OSError where that cannot be.
    #[pyo3(signature = (directory, /))]
    fn add(&self, directory: &str) -> PyResult<()> {
        let added = self.0.add_watch(directory, CHANGES);
        added.map(drop).map_err(os_error)
    }

    /// Waits for something to change, for so many seconds at most; whether something did. Other
    /// threads run meanwhile.
    #[pyo3(signature = (seconds, /))]
    fn wait(&self, py: Python<'_>, seconds: f64) -> bool {
        let longest = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        py.detach(|| {
            let timeout = PollTimeout::try_from(longest).unwrap_or(PollTimeout::MAX);
            let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
            if !matches!(poll(&mut fds, timeout), Ok(1..)) {
                return false;
            }
            // What it was is found out by looking at the files.
            while self.0.read_events().is_ok() {}
            true
        })
    }
}

fn os_error(error: Errno) -> PyErr {
    PyOSError::new_err((error as i32, error.desc()))
}
