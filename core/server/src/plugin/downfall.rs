//! The arbiter's own death inside a plugin. There is nobody to read a crumb then: a handler of the
//! signals that crashes are told by writes where the arbiter is, and lets the signal take its course.
//!
//! While an arbiter's thread is inside a plugin it has a place in a table, with what a line would
//! say. A handler reads only the place of its own thread, which nobody else changes meanwhile.

use std::mem::MaybeUninit;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, Ordering};

use libc::{c_int, c_void, siginfo_t};
use nix::errno::Errno;
use nix::unistd::gettid;

use crate::log::{self, Urgent};

/// The signals that crashes are told by.
const TOLD_BY: [(c_int, &str); 5] = [
    (libc::SIGSEGV, "SIGSEGV"),
    (libc::SIGBUS, "SIGBUS"),
    (libc::SIGILL, "SIGILL"),
    (libc::SIGFPE, "SIGFPE"),
    (libc::SIGABRT, "SIGABRT"),
];

/// A handler's stack: the thread's own may be what has run out.
const STACK: usize = 64 * 1024;

/// Threads of an arbiter that can be inside plugins at once; what more there are leave no word.
const THREADS: usize = 16;

/// What was done about each signal before.
static BEFORE: OnceLock<[libc::sigaction; TOLD_BY.len()]> = OnceLock::new();

/// This process is an arbiter with plugins.
static WATCHES: AtomicBool = AtomicBool::new(false);

static INSIDE: [Inside; THREADS] = [const { Inside::nobody() }; THREADS];

/// A thread, by its number in the system, and where it is.
struct Inside {
    thread: AtomicI32,
    scene: AtomicPtr<Scene>,
}

impl Inside {
    const fn nobody() -> Self {
        Self {
            thread: AtomicI32::new(0),
            scene: AtomicPtr::new(ptr::null_mut()),
        }
    }
}

/// What is to be said, and where.
struct Scene {
    who: &'static str,
    place: String,
    log: Urgent,
}

/// While it lives, this thread of the arbiter is inside a plugin.
pub(super) struct Presence {
    inside: &'static Inside,
    scene: *mut Scene,
    /// What the thread was inside of before; null if it was outside.
    former: *mut Scene,
}

impl Presence {
    /// Leaves word that `who` is at `place` from now on; none in a process that is no arbiter.
    pub(super) fn leave(who: &'static str, place: impl FnOnce() -> String) -> Option<Self> {
        if !WATCHES.load(Ordering::Relaxed) {
            return None;
        }
        let thread = gettid().as_raw();
        let is_own = |inside: &&Inside| inside.thread.load(Ordering::Relaxed) == thread;
        let take = |inside: &&Inside| {
            let taken =
                inside
                    .thread
                    .compare_exchange(0, thread, Ordering::SeqCst, Ordering::SeqCst);
            taken.is_ok()
        };
        let inside = INSIDE
            .iter()
            .find(is_own)
            .or_else(|| INSIDE.iter().find(take))?;
        let scene = Box::into_raw(Box::new(Scene {
            who,
            place: place(),
            log: log::urgent(),
        }));
        Some(Self {
            inside,
            scene,
            former: inside.scene.swap(scene, Ordering::SeqCst),
        })
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.inside.scene.store(self.former, Ordering::SeqCst);
        if self.former.is_null() {
            self.inside.thread.store(0, Ordering::SeqCst);
        }
        // SAFETY: made by `leave`, and out of the table: a handler on this thread finds it no more,
        // and those on others never look at it.
        drop(unsafe { Box::from_raw(self.scene) });
    }
}

/// Watches over this process, an arbiter, from now on.
pub(super) fn watch() {
    WATCHES.store(true, Ordering::Relaxed);
    BEFORE.get_or_init(|| {
        have_a_stack();
        // SAFETY: the function is there for ever; without room for it, one line less is written.
        let _ = unsafe { libc::atexit(tell_of_exit) };
        TOLD_BY.map(|(number, _)| {
            let before = in_force(number);
            // A signal that is ignored is no end.
            if before.sa_sigaction != libc::SIG_IGN {
                install(number, &ours());
            }
            before
        })
    });
}

/// This process is a worker: its arbiter tells of its death.
pub(super) fn forget() {
    WATCHES.store(false, Ordering::Relaxed);
    let Some(before) = BEFORE.get() else { return };
    for ((number, _), before) in TOLD_BY.iter().zip(before) {
        // Whoever has come after passes on to what was there before him.
        if in_force(*number).sa_sigaction == ours().sa_sigaction {
            install(*number, before);
        }
    }
}

/// Gives this thread another stack for handlers, unless it has one.
fn have_a_stack() {
    let mut found = MaybeUninit::uninit();
    // SAFETY: asks for the stack in force, which is written to `found`.
    let is_known = unsafe { libc::sigaltstack(ptr::null(), found.as_mut_ptr()) } == 0;
    // SAFETY: written by the call that succeeded.
    if !is_known || unsafe { found.assume_init() }.ss_flags & libc::SS_DISABLE == 0 {
        return;
    }
    let stack = libc::stack_t {
        ss_sp: Box::leak(vec![0u8; STACK].into_boxed_slice())
            .as_mut_ptr()
            .cast(),
        ss_flags: 0,
        ss_size: STACK,
    };
    // SAFETY: the memory is for nothing else, for ever.
    unsafe { libc::sigaltstack(&raw const stack, ptr::null_mut()) };
}

fn ours() -> libc::sigaction {
    let mut action = by_default();
    action.sa_sigaction = tell as extern "C" fn(c_int, *mut siginfo_t, *mut c_void) as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    action
}

pub(super) fn by_default() -> libc::sigaction {
    // SAFETY: zeros stand for the default action, without flags and with an empty mask.
    unsafe { std::mem::zeroed() }
}

pub(super) fn in_force(number: c_int) -> libc::sigaction {
    let mut action = by_default();
    // SAFETY: changes nothing, and writes what is in force.
    unsafe { libc::sigaction(number, ptr::null(), &raw mut action) };
    action
}

pub(super) fn install(number: c_int, action: &libc::sigaction) {
    // SAFETY: the action is one that was in force, or our own, whose handler only does what handlers
    // may do.
    unsafe { libc::sigaction(number, action, ptr::null_mut()) };
}

/// Says where the thread is that calls `exit`, if it does so inside a plugin.
extern "C" fn tell_of_exit() {
    if !WATCHES.load(Ordering::Relaxed) {
        return;
    }
    if let Some(Scene { who, place, log }) = own_scene() {
        let pid = std::process::id();
        log.write(format_args!("{who} (pid {pid}) exits inside {place}"));
    }
}

/// What this thread has left word of. It holds as long as the caller has not returned.
fn own_scene() -> Option<&'static Scene> {
    let thread = gettid().as_raw();
    let inside = INSIDE
        .iter()
        .find(|inside| inside.thread.load(Ordering::SeqCst) == thread)?;
    // SAFETY: null, or a scene that this very thread has left and cannot take away before the caller,
    // a handler or an end of the process, returns.
    unsafe { inside.scene.load(Ordering::SeqCst).as_ref() }
}

/// Says where this thread is, and hands the signal on to whoever had it before.
extern "C" fn tell(number: c_int, info: *mut siginfo_t, _: *mut c_void) {
    let errno = Errno::last_raw();
    let place = TOLD_BY.iter().position(|(other, _)| *other == number);
    let name = place.map_or("a signal", |place| TOLD_BY[place].1);
    if let Some(Scene { who, place, log }) = own_scene() {
        let pid = std::process::id();
        log.write(format_args!(
            "{who} (pid {pid}) died of {name} inside {place}"
        ));
    }
    match (BEFORE.get(), place) {
        (Some(before), Some(place)) => install(number, &before[place]),
        // Not all are installed yet.
        _ => install(number, &by_default()),
    }
    // SAFETY: the kernel passes a valid record to a handler that was installed with SA_SIGINFO.
    let is_fault = !info.is_null() && unsafe { (*info).si_code } > 0;
    if !is_fault {
        // What was sent is sent again, and comes when this handler returns. A fault happens again.
        // SAFETY: async-signal-safe.
        unsafe { libc::raise(number) };
    }
    Errno::set_raw(errno);
}
