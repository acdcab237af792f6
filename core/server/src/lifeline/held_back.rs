//! Signals that are held back around a fork: the child sees none before it has handlers of its own.

use nix::sys::signal::{SigSet, SigmaskHow, Signal, pthread_sigmask};

/// The mask that was in force before.
#[derive(Debug, Clone, Copy)]
pub struct HeldBack(SigSet);

impl HeldBack {
    /// Holds these signals back from the calling thread, which is the one that hears them.
    pub fn hold(signals: impl IntoIterator<Item = Signal>) -> Self {
        let held: SigSet = signals.into_iter().collect();
        let mut before = SigSet::empty();
        // Changing the mask of one's own thread cannot fail with valid arguments.
        let _ = pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&held), Some(&mut before));
        Self(before)
    }

    /// Lets them through: those that have come meanwhile arrive now.
    pub fn release(self) {
        let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&self.0), None);
    }
}
