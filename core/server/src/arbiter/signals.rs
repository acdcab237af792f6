//! Signals to the arbiter: a handler writes the number into a pipe, the driver reads it.
//!
//! The handlers belong to the process that installed them. A child that has not set up its own yet
//! must not write into its parent's pipe: they are taken down before the child sees a signal.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc;
use nix::sys::signal::{
    SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, pthread_sigmask, raise, sigaction,
};
use nix::unistd::{pipe2, read};

use crate::lifeline::{HeldBack, forsake};

/// The signals that the arbiter handles.
const HANDLED: [Signal; 10] = [
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGTTIN,
    Signal::SIGTTOU,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGWINCH,
    Signal::SIGCHLD,
];

static PIPE: AtomicI32 = AtomicI32::new(-1);
static OWNER: AtomicI32 = AtomicI32::new(0);

/// The arbiter's signals.
#[derive(Debug)]
pub struct Signals {
    pipe: OwnedFd,
    bell: OwnedFd,
}

/// Writes the number of the signal. Only calls what is safe in a handler: `getpid` and `write`.
///
/// WINCH is heard where a process has sent it: the kernel sends it when a terminal is resized.
extern "C" fn note(number: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel passes a valid record to a handler that was installed with SA_SIGINFO.
    let is_of_kernel = !info.is_null() && unsafe { (*info).si_code } > 0;
    if number == libc::SIGWINCH && is_of_kernel {
        return;
    }
    let errno = Errno::last_raw();
    let byte = [number as u8];
    // SAFETY: both are async-signal-safe, and the byte lives on this handler's own stack. A pipe
    // that is full already wakes the driver; the signal that does not fit any more is one of many.
    unsafe {
        if libc::getpid() == OWNER.load(Ordering::Relaxed) {
            libc::write(PIPE.load(Ordering::Relaxed), byte.as_ptr().cast(), 1);
        }
    }
    Errno::set_raw(errno);
}

impl Signals {
    /// Signals that are not handled yet.
    pub(super) fn new() -> io::Result<Self> {
        let (pipe, bell) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        Ok(Self { pipe, bell })
    }

    /// Installs the handlers.
    pub(super) fn install(&self) -> io::Result<()> {
        PIPE.store(self.bell.as_raw_fd(), Ordering::SeqCst);
        // A process id always fits.
        OWNER.store(std::process::id().cast_signed(), Ordering::SeqCst);
        let flags = SaFlags::SA_RESTART | SaFlags::SA_NOCLDSTOP | SaFlags::SA_SIGINFO;
        let action = SigAction::new(SigHandler::SigAction(note), flags, SigSet::empty());
        for signal in HANDLED {
            // SAFETY: the handler only does what handlers may do.
            unsafe { sigaction(signal, &action) }?;
        }
        Ok(())
    }

    /// In a worker: leaves the pipe to the arbiter. Whoever writes to it sends the arbiter signals.
    pub(super) fn leave_to_arbiter(&self) {
        forsake(&self.pipe, &self.bell);
    }

    /// The signals that have arrived, in order.
    pub(super) fn take(&self) -> Vec<Signal> {
        let mut numbers = [0u8; 256];
        let count = read(&self.pipe, &mut numbers).unwrap_or(0);
        numbers[..count]
            .iter()
            .filter_map(|&number| Signal::try_from(i32::from(number)).ok())
            .collect()
    }
}

impl Signals {
    /// Holds signals back for the next program of this process, also those that have been heard and
    /// not acted on. By default they would end it until it hears them itself.
    pub(super) fn leave_to_next_program(&self) -> HeldBack {
        let held_back = hold_back();
        for signal in self.take() {
            // A signal that is held back waits; that cannot fail for one that was heard.
            let _ = raise(signal);
        }
        held_back
    }

    /// Lets signals through that an earlier program of this process has held back.
    pub(super) fn unblock(&self) {
        let handled: SigSet = HANDLED.into_iter().collect();
        // Changing the mask of one's own thread cannot fail with valid arguments.
        let _ = pthread_sigmask(SigmaskHow::SIG_UNBLOCK, Some(&handled), None);
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

/// Holds the signals that the arbiter handles back.
pub(super) fn hold_back() -> HeldBack {
    HeldBack::hold(HANDLED)
}

/// In a child that a handler of the arbiter's has forked: takes the arbiter's handlers down, as far as
/// they are still in force, so that the child ends when it is told to.
pub fn forget() {
    if OWNER.swap(0, Ordering::SeqCst) == 0 {
        return;
    }
    for signal in HANDLED {
        if is_ours(signal) {
            set_default(signal);
        }
    }
}

fn is_ours(signal: Signal) -> bool {
    let mut now = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: only asks, and the kernel writes a whole record where it succeeds.
    let now = unsafe {
        if libc::sigaction(signal as i32, std::ptr::null(), now.as_mut_ptr()) != 0 {
            return false;
        }
        now.assume_init()
    };
    now.sa_sigaction == note as *const () as usize
}

fn set_default(signal: Signal) {
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    // SAFETY: the default disposition runs no code of ours.
    let _ = unsafe { sigaction(signal, &default) };
}

/// In a child, while they are held back: takes the parent's handlers down.
pub(super) fn take_down() {
    OWNER.store(0, Ordering::SeqCst);
    HANDLED.into_iter().for_each(set_default);
}
