//! Children that the application forks: processes that are neither the arbiter nor a worker,
//! although they look like one inside.
//!
//! A forked child shares its parent's epoll, pipes and connections. It may use them as long as it is
//! inside the application; when it comes back into the server, it has to leave.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

/// This process was forked by somebody else than the server.
static IS_FORKED: AtomicBool = AtomicBool::new(false);

/// This process has forked children that may hold copies of its descriptors.
static HAS_FORKED: AtomicBool = AtomicBool::new(false);

extern "C" fn note_in_parent() {
    HAS_FORKED.store(true, Ordering::Relaxed);
}

extern "C" fn note_in_child() {
    IS_FORKED.store(true, Ordering::Relaxed);
}

/// Notes that this process is one of the server's own: the arbiter, or a worker that it has forked.
pub fn settle() {
    static WATCH: Once = Once::new();
    WATCH.call_once(|| {
        // SAFETY: the handlers store one flag each, which is safe between fork and exec. Without
        // memory for them nothing is noted, and a forked child is taken for its parent.
        unsafe { libc::pthread_atfork(None, Some(note_in_parent), Some(note_in_child)) };
    });
    IS_FORKED.store(false, Ordering::Relaxed);
    HAS_FORKED.store(false, Ordering::Relaxed);
}

/// Returns true in a process that the application has forked off one of the server's.
#[must_use]
#[inline]
pub fn is_forked() -> bool {
    IS_FORKED.load(Ordering::Relaxed)
}

/// Returns true if children of this process may hold copies of its descriptors.
#[must_use]
pub fn has_forked() -> bool {
    HAS_FORKED.load(Ordering::Relaxed)
}

/// Ends a forked child: no exit handler runs and nothing is flushed, for all that is its parent's.
pub fn leave(code: i32) -> ! {
    // SAFETY: ends the process, and runs no code of it.
    unsafe { libc::_exit(code) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_told_from_its_parent_until_it_settles() {
        settle();
        assert!(!is_forked() && !has_forked());
        // SAFETY: the child only reads and writes flags, and ends.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            let was_forked = is_forked();
            settle();
            leave(i32::from(was_forked && !is_forked() && !has_forked()));
        }
        let mut status = 0;
        // SAFETY: waits for a child of ours, into a place of our own.
        unsafe { libc::waitpid(pid, &raw mut status, 0) };
        assert_eq!(libc::WEXITSTATUS(status), 1);
        assert!(!is_forked() && has_forked());
    }
}
