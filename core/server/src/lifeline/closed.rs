//! Descriptors of the server's that somebody else has closed, as `os.closerange` does. Whoever waits
//! on them waits in vain, and without end: the process has to go.

use std::fs::File;
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};

/// Numbers below this are filled.
const FILLED: i32 = 1024;

/// Returns true if an error means that a descriptor is no longer what it was.
#[must_use]
pub fn is_closed(error: Errno) -> bool {
    matches!(error, Errno::EBADF | Errno::EINVAL | Errno::ENOTSOCK)
}

/// Reports that this process cannot do `what` any more, and ends. In a log that is closed as well
/// nobody would find it: it goes to standard error then.
pub fn report(what: &str, error: Errno) {
    let text = format!(
        "cannot {what} any more: {}: some code in this process has closed the server's descriptors \
         (as os.closerange does), and the process ends",
        error.desc()
    );
    let urgent = crate::log::urgent();
    if urgent.is_open() {
        log::error!("{text}");
    } else {
        urgent.write(format_args!("{text}"));
    }
    fill();
}

/// Takes the numbers that are free: the process closes those that it believes to be its own when it
/// ends, and they would be somebody else's by then.
fn fill() {
    let Ok(null) = File::open("/dev/null") else {
        return;
    };
    let copy = || fcntl(null.as_fd(), FcntlArg::F_DUPFD_CLOEXEC(3));
    while copy().is_ok_and(|number| number < FILLED) {}
    // Its number is one of those.
    std::mem::forget(null);
}
