//! What a worker is asked to do, by signals, hooks and the arbiter's end. Safe to call from any
//! thread and from a signal handler of Python's.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};

use nix::fcntl::OFlag;
use nix::unistd::{pipe2, read, write};

/// Nobody has asked for an exit.
const NOT_ASKED: i64 = i64::MIN;

/// What a sign of life does.
struct Pulse(Box<dyn Fn() + Send + Sync>);

impl fmt::Debug for Pulse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pulse")
    }
}

/// The wishes of others.
#[derive(Debug)]
pub struct Control {
    /// The boot is over.
    serving: AtomicBool,
    /// Serve on; cleared by TERM, or by a hook that sets `worker.alive = False`.
    alive: AtomicBool,
    /// Leave at once, with this code.
    exit: AtomicI64,
    /// Leave with this code when what runs has ended.
    last: AtomicI64,
    /// Requests run in a pool of threads, and go on whatever the main thread is asked.
    has_pool: AtomicBool,
    /// There is little time: the arbiter has given the worker up.
    aborts: AtomicBool,
    reopen: AtomicBool,
    /// Requests after which the worker leaves; 0 for never.
    most_requests: AtomicU64,
    /// It has served as many, and its replacement has been asked for, or is to be.
    served: AtomicBool,
    tells_served: AtomicBool,
    /// Connections that are open.
    connections: AtomicUsize,
    pulse: OnceLock<Pulse>,
    first_beat: OnceLock<Pulse>,
    has_beaten: AtomicBool,
    waker: OwnedFd,
    bell: OwnedFd,
}

impl Control {
    /// A control that asks for nothing.
    ///
    /// # Errors
    /// No descriptors left.
    pub fn new() -> nix::Result<Self> {
        let (waker, bell) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
        Ok(Self {
            serving: AtomicBool::new(false),
            alive: AtomicBool::new(true),
            exit: AtomicI64::new(NOT_ASKED),
            last: AtomicI64::new(NOT_ASKED),
            has_pool: AtomicBool::new(false),
            aborts: AtomicBool::new(false),
            reopen: AtomicBool::new(false),
            most_requests: AtomicU64::new(0),
            served: AtomicBool::new(false),
            tells_served: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            pulse: OnceLock::new(),
            first_beat: OnceLock::new(),
            has_beaten: AtomicBool::new(false),
            waker,
            bell,
        })
    }

    /// What a sign of life from the application's side does; set once.
    pub fn on_beat(&self, pulse: impl Fn() + Send + Sync + 'static) {
        self.pulse.get_or_init(|| Pulse(Box::new(pulse)));
    }

    /// What the next sign of life does besides; set once.
    pub fn on_first_beat(&self, report: impl Fn() + Send + Sync + 'static) {
        self.first_beat.get_or_init(|| Pulse(Box::new(report)));
    }

    /// Gives a sign of life.
    pub fn beat(&self) {
        if let Some(Pulse(pulse)) = self.pulse.get() {
            pulse();
        }
        if let Some(Pulse(report)) = self.first_beat.get()
            && !self.has_beaten.swap(true, Ordering::SeqCst)
        {
            report();
        }
    }

    /// The boot is over: from now on there may be requests.
    pub fn begin_serving(&self) {
        self.serving.store(true, Ordering::SeqCst);
    }

    /// Whether the boot is over.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        self.serving.load(Ordering::SeqCst)
    }

    /// Asks for a graceful stop.
    pub fn stop(&self) {
        self.alive.store(false, Ordering::SeqCst);
        self.wake();
    }

    /// Takes a wish to stop back, as `worker.alive = True` does.
    pub fn revive(&self) {
        self.alive.store(true, Ordering::SeqCst);
    }

    /// Asks to leave at once, with this code; where a pool of threads runs requests, when these have
    /// ended. The first to ask wins.
    pub fn leave(&self, code: i32) {
        if self.has_pool.load(Ordering::SeqCst) {
            self.leave_in_order(code);
        } else {
            self.ask(&self.exit, code);
        }
    }

    /// Asks to leave with this code when what runs has ended. The first to ask wins.
    pub fn leave_in_order(&self, code: i32) {
        self.ask(&self.last, code);
    }

    /// Asks to leave at once, whoever runs requests: they cannot be served any more.
    pub fn drop_all(&self, code: i32) {
        self.ask(&self.exit, code);
    }

    /// Asks to leave with this code, before the arbiter's patience is at its end.
    pub fn abort(&self, code: i32) {
        self.aborts.store(true, Ordering::SeqCst);
        self.leave(code);
    }

    fn ask(&self, place: &AtomicI64, code: i32) {
        self.alive.store(false, Ordering::SeqCst);
        let code = i64::from(code);
        let asked = place.compare_exchange(NOT_ASKED, code, Ordering::SeqCst, Ordering::SeqCst);
        if asked.is_ok() {
            self.wake();
        }
    }

    /// Notes that a pool of threads runs the requests.
    pub fn have_pool(&self) {
        self.has_pool.store(true, Ordering::SeqCst);
    }

    /// The code to leave with when what runs has ended, if that was asked for.
    #[must_use]
    pub fn last_code(&self) -> Option<i32> {
        i32::try_from(self.last.load(Ordering::Relaxed)).ok()
    }

    /// Returns true if the arbiter has given the worker up.
    #[must_use]
    pub fn aborts(&self) -> bool {
        self.aborts.load(Ordering::Relaxed)
    }

    /// Asks for the logs to be opened again.
    pub fn reopen_logs(&self) {
        self.reopen.store(true, Ordering::SeqCst);
        self.wake();
    }

    /// Lets others know how many connections are open.
    pub fn show_connections(&self, open: usize) {
        self.connections.store(open, Ordering::Relaxed);
    }

    /// The connections that are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Sets the number of requests after which the worker leaves; 0 for never.
    pub fn serve_at_most(&self, requests: u64) {
        self.most_requests.store(requests, Ordering::Relaxed);
    }

    /// The number of requests after which the worker leaves; 0 for never.
    #[must_use]
    pub fn most_requests(&self) -> u64 {
        self.most_requests.load(Ordering::Relaxed)
    }

    /// Asks for a replacement, because as many requests have been served as were to be. Whether
    /// this is the first time.
    pub fn ask_for_replacement(&self) -> bool {
        let is_first = !self.served.swap(true, Ordering::SeqCst);
        if is_first {
            self.tells_served.store(true, Ordering::SeqCst);
            self.wake();
        }
        is_first
    }

    /// Whether the arbiter is to be told that a replacement is wanted; the wish is taken.
    #[must_use]
    pub fn takes_replacement(&self) -> bool {
        self.tells_served.load(Ordering::Relaxed) && self.tells_served.swap(false, Ordering::SeqCst)
    }

    /// Whether to serve on.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Relaxed)
    }

    /// The code to leave with, if that is to be at once.
    #[must_use]
    pub fn exit(&self) -> Option<i32> {
        i32::try_from(self.exit.load(Ordering::Relaxed)).ok()
    }

    /// Whether the logs are to be opened again; the wish is taken.
    #[must_use]
    pub fn takes_reopen(&self) -> bool {
        self.reopen.load(Ordering::Relaxed) && self.reopen.swap(false, Ordering::SeqCst)
    }

    /// Wakes the worker's loop.
    pub fn wake(&self) {
        // A full pipe wakes as well as one byte more.
        let _ = write(&self.bell, b"!");
    }

    /// What the loop waits on, to be woken.
    #[must_use]
    pub fn waker(&self) -> BorrowedFd<'_> {
        self.waker.as_fd()
    }

    /// What is written to, to wake the loop: a signal handler may do it.
    #[must_use]
    pub fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    /// Forgets that it was woken.
    pub fn silence(&self) {
        let mut bytes = [0; 64];
        while matches!(read(&self.waker, &mut bytes), Ok(count) if count == bytes.len()) {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_code_wins_and_a_reopen_is_taken_once() {
        let control = Control::new().unwrap();
        assert!(control.is_alive() && control.exit().is_none());
        control.leave(1);
        control.leave(0);
        assert_eq!((control.is_alive(), control.exit()), (false, Some(1)));
        control.reopen_logs();
        assert!(control.takes_reopen() && !control.takes_reopen());
    }

    #[test]
    fn the_first_sign_of_life_after_it_is_asked_for_reports_once() {
        use std::sync::Arc;
        let control = Control::new().unwrap();
        let reports = Arc::new(AtomicUsize::new(0));
        control.beat();
        let counted = Arc::clone(&reports);
        control.on_first_beat(move || {
            counted.fetch_add(1, Ordering::SeqCst);
        });
        assert_eq!(reports.load(Ordering::SeqCst), 0, "not by those before");
        control.beat();
        control.beat();
        assert_eq!(reports.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_wake_is_seen_until_it_is_silenced() {
        let control = Control::new().unwrap();
        control.wake();
        let mut byte = [0; 1];
        assert_eq!(read(control.waker(), &mut byte), Ok(1));
        control.wake();
        control.silence();
        assert!(read(control.waker(), &mut byte).is_err());
    }
}
