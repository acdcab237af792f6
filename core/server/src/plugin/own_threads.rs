//! The threads that plugins start in a worker. While one runs, the worker may end anywhere, so it leaves
//! no word of where it is; only where the thread itself ends the worker does it say so: at `exit`, at
//! what unwinds out of it, and in a handler of the signals that crashes are told by.

use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::{Once, OnceLock};

use libc::{c_int, c_void, siginfo_t};
use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::gettid;

use super::crumb::{self, Whose};
use super::downfall::{by_default, in_force, install};
use super::link;

/// Threads that are known at once; what more there are end the worker without a name.
const MOST: usize = 64;

/// The signals that faults are told by. Not ABRT, by which a silent worker is told.
const TOLD_BY: [c_int; 4] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE];

/// What was done about each signal before.
static BEFORE: OnceLock<[libc::sigaction; TOLD_BY.len()]> = OnceLock::new();

static OWN: [Own; MOST] = [const { Own::nobody() }; MOST];

/// A thread, by its number in the system.
struct Own {
    thread: AtomicI32,
    /// The place of the plugin whose it is.
    place: AtomicUsize,
}

impl Own {
    const fn nobody() -> Self {
        Self {
            thread: AtomicI32::new(0),
            place: AtomicUsize::new(0),
        }
    }
}

/// While it lives, this thread is known as a plugin's own. Dropped by an unwinding stack, it ends the
/// process.
struct Known(Option<&'static Own>);

impl Known {
    fn enter(place: usize) -> Self {
        let thread = gettid().as_raw();
        let take = |own: &&Own| {
            let order = Ordering::SeqCst;
            own.thread.compare_exchange(0, thread, order, order).is_ok()
        };
        let own = OWN.iter().find(take);
        if let Some(own) = own {
            own.place.store(place, Ordering::SeqCst);
        }
        Self(own)
    }

    fn leave(self) {
        if let Some(own) = self.0 {
            own.thread.store(0, Ordering::SeqCst);
        }
        std::mem::forget(self);
    }
}

impl Drop for Known {
    fn drop(&mut self) {
        blame_this_thread();
        crumb::end(
            "a plugin's thread was left by a C++ exception or pthread_exit: the process ends",
        );
    }
}

/// The signals that a thread or a child can do without: not those that faults are told by, which end it
/// without a word where they are held back.
pub(super) fn held_back() -> SigSet {
    use Signal::{SIGBUS, SIGFPE, SIGILL, SIGSEGV};
    let mut held = SigSet::all();
    for fault in [SIGSEGV, SIGBUS, SIGILL, SIGFPE] {
        held.remove(fault);
    }
    held
}

/// Runs a thread of a plugin's own.
pub(super) fn run(whose: Whose<'_>, body: impl FnOnce()) {
    watch();
    let known = Known::enter(whose.place);
    body();
    known.leave();
}

/// Leaves word of the plugin whose thread this is, if it is a plugin's. Safe in a signal's handler.
fn blame_this_thread() {
    let thread = gettid().as_raw();
    let mut all = OWN.iter();
    let own = all.find(|own| own.thread.load(Ordering::SeqCst) == thread);
    if let (Some(own), Some(worker)) = (own, link::worker()) {
        let word = crumb::of_thread(own.place.load(Ordering::SeqCst));
        worker.cell.culprit().store(word, Ordering::Relaxed);
    }
}

/// Watches over this worker, from its first such thread on.
fn watch() {
    extern "C" fn tell_of_exit() {
        blame_this_thread();
    }
    static IS_WATCHED: Once = Once::new();
    IS_WATCHED.call_once(|| {
        // SAFETY: the function is there for ever; without room for it, one word less is left.
        let _ = unsafe { libc::atexit(tell_of_exit) };
        BEFORE.get_or_init(|| TOLD_BY.map(in_force));
        for (number, before) in TOLD_BY.iter().zip(BEFORE.get().into_iter().flatten()) {
            // A signal that is ignored is no end.
            if before.sa_sigaction != libc::SIG_IGN {
                install(*number, &ours());
            }
        }
    });
}

fn ours() -> libc::sigaction {
    let mut action = by_default();
    action.sa_sigaction = tell as extern "C" fn(c_int, *mut siginfo_t, *mut c_void) as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    action
}

/// Leaves word, and hands the signal on to whoever had it before.
extern "C" fn tell(number: c_int, info: *mut siginfo_t, _: *mut c_void) {
    let errno = Errno::last_raw();
    // SAFETY: the kernel passes a valid record to a handler that was installed with SA_SIGINFO.
    let about = unsafe { info.as_ref() };
    let is_fault = about.is_some_and(|about| about.si_code > 0);
    // One that another process has sent may meet any thread.
    let is_raised = about.is_some_and(|about| about.si_code == libc::SI_TKILL);
    if is_fault || is_raised {
        blame_this_thread();
    }
    let place = TOLD_BY.iter().position(|other| *other == number);
    match (BEFORE.get(), place) {
        (Some(before), Some(place)) => install(number, &before[place]),
        _ => install(number, &by_default()),
    }
    if !is_fault {
        // What was sent is sent again, and comes when this handler returns. A fault happens again.
        // SAFETY: async-signal-safe.
        unsafe { libc::raise(number) };
    }
    Errno::set_raw(errno);
}
