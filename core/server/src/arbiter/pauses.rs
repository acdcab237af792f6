//! Pauses between forks, where workers hardly live: longer each time, until one has settled.

use std::time::{Duration, Instant};

use super::slot::{Cause, Slot};

/// The first pause, doubled up to the longest.
const SHORTEST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(30);

/// The longest pause after workers that have served, if not for long: each of them may have met a
/// request that it could not stand, and the next one is waited for.
const LONGEST_AFTER_SERVICE: Duration = Duration::from_secs(4);

/// A worker that has served for so long has settled.
pub(super) const SETTLED: Duration = Duration::from_secs(1);

/// The pauses so far.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    /// How often a pause was begun since a worker has settled.
    count: u32,
    /// When something last went wrong.
    last: Option<Instant>,
    until: Option<Instant>,
}

impl Pauses {
    /// The end of the pause, if there is one.
    pub(super) fn until(&self) -> Option<Instant> {
        self.until
    }

    /// Whether forks have to wait still. A pause that is over is forgotten.
    pub(super) fn is_on(&mut self, now: Instant) -> bool {
        self.until = self.until.filter(|&until| now < until);
        self.until.is_some()
    }

    /// Begins a pause, of `longest` at most. What goes wrong during one does not prolong it.
    pub(super) fn begin(&mut self, now: Instant, longest: Duration) {
        self.last = Some(now);
        if self.is_on(now) {
            return;
        }
        let doubled = SHORTEST.saturating_mul(1 << self.count.min(10));
        self.until = Some(now + doubled.min(longest));
        if longest > SHORTEST {
            self.count += 1;
        }
    }

    /// A worker that was forked after the last failure has settled: the next pause is short again.
    pub(super) fn settle(&mut self, forked_at: Instant) {
        if self.last.is_none_or(|last| last < forked_at) {
            self.count = 0;
        }
    }

    /// Ends the pause; the next one is as long as it would have been.
    pub(super) fn end(&mut self) {
        self.until = None;
    }
}

/// The longest pause after a fork that has failed.
pub(super) fn after_failed_fork() -> Duration {
    LONGEST
}

/// The longest pause before the next fork that the end of a worker is a reason for. Those that leave
/// by themselves in order do so all the time where `recycles`: after a number of requests.
pub(super) fn longest_after(
    slot: &Slot,
    cause: Cause,
    now: Instant,
    recycles: bool,
) -> Option<Duration> {
    let hardly_lived = now.duration_since(slot.forked_at) < SETTLED;
    match cause {
        Cause::Boot => Some(LONGEST),
        Cause::Crash | Cause::Failed if slot.ready_at.is_none() => Some(LONGEST),
        _ if !hardly_lived => None,
        Cause::Retired if !recycles => Some(LONGEST_AFTER_SERVICE),
        Cause::Crash | Cause::Failed | Cause::OutOfMemory => Some(LONGEST_AFTER_SERVICE),
        Cause::Retired | Cause::MaxRequests => Some(SHORTEST),
        Cause::Asked | Cause::Timeout | Cause::RequestTimeout | Cause::Memory | Cause::Age => None,
    }
}
