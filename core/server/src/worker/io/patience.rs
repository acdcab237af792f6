//! How long a client's body may still keep everybody waiting.
//!
//! Silence alone is not what holds a worker up: a body that drips in never falls silent. So waiting
//! is taken off a budget of `body_timeout`, and bytes that arrive put something back, at the slowest
//! rate that is waited for.

use super::timers::NEVER;

/// The slowest client that is waited for, in bytes a second.
const SLOWEST: u64 = 500;

/// A budget of waiting time, in nanoseconds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Patience {
    /// The whole of it; 0 for no limit.
    full: u64,
    left: u64,
    /// Since when it is spent; 0 while nobody waits.
    since: u64,
}

impl Patience {
    pub(super) fn new(full: Option<u64>) -> Self {
        let full = full.unwrap_or(0);
        Self {
            full,
            left: full,
            since: 0,
        }
    }

    /// Somebody waits, from now on or still: until when at most.
    pub(super) fn wait(&mut self, now: u64) -> u64 {
        if self.since == 0 {
            self.since = now;
        }
        if self.full == 0 {
            NEVER
        } else {
            self.since.saturating_add(self.left)
        }
    }

    /// How much of it is gone; 0 where there is no limit.
    pub(super) fn spent(&self, now: u64) -> u64 {
        let waits = if self.since > 0 {
            now.saturating_sub(self.since)
        } else {
            0
        };
        (self.full - self.left).saturating_add(waits).min(self.full)
    }

    /// So many bytes have come.
    pub(super) fn receive(&mut self, bytes: usize, now: u64) {
        if self.full == 0 {
            return;
        }
        if self.since > 0 {
            let spent = now.saturating_sub(self.since);
            // Beyond the limit nobody has looked: that was not the client.
            if spent <= self.left {
                self.left -= spent;
            }
            self.since = 0;
        }
        let earned = (bytes as u64).saturating_mul(1_000_000_000 / SLOWEST);
        self.left = self.left.saturating_add(earned).min(self.full);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_body_that_drips_uses_the_patience_up() {
        let mut patience = Patience::new(Some(10 * SECOND));
        let mut now = 100 * SECOND;
        let first = patience.wait(now);
        assert_eq!(first, 110 * SECOND);
        for _ in 0..9 {
            now += SECOND;
            patience.receive(1, now);
            assert!(patience.wait(now) <= first + SECOND / 10, "{patience:?}");
        }
        assert!(patience.spent(now) > 8 * SECOND, "{patience:?}");
    }

    #[test]
    fn a_slow_but_steady_client_is_waited_for() {
        let mut patience = Patience::new(Some(10 * SECOND));
        let mut now = SECOND;
        for _ in 0..100 {
            patience.wait(now);
            now += 2 * SECOND;
            patience.receive(1000, now);
        }
        assert!(patience.wait(now) > now + 7 * SECOND, "{patience:?}");
        assert!(patience.spent(now) < 3 * SECOND, "{patience:?}");
    }

    #[test]
    fn time_in_which_nobody_looked_is_not_the_clients() {
        let mut patience = Patience::new(Some(SECOND));
        patience.wait(SECOND);
        patience.receive(1, 100 * SECOND);
        assert_eq!(patience.wait(100 * SECOND), 101 * SECOND);
        assert_eq!(Patience::new(None).wait(5), NEVER);
    }
}
