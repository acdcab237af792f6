//! Time limits of connections: one for each, kept lazily.
//!
//! A connection's limit moves at every step of a request, far more often than it is ever reached.
//! So a limit that moves later is only noted on the connection; the entry here is looked at when
//! the earlier time comes, and put back.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Key;

/// The time that never comes.
pub(super) const NEVER: u64 = u64::MAX;

/// The limits of one connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    /// When it is reached, in nanoseconds of the monotonic clock.
    pub(super) at: u64,
    /// When the heap will look at this connection next.
    looked_at: u64,
}

impl Default for Limit {
    fn default() -> Self {
        Self {
            at: NEVER,
            looked_at: NEVER,
        }
    }
}

/// The heap.
#[derive(Debug, Default)]
pub(super) struct Timers(BinaryHeap<Reverse<(u64, Key)>>);

impl Timers {
    /// Makes sure that a limit will be noticed.
    pub(super) fn arm(&mut self, key: Key, limit: &mut Limit) {
        if limit.at < limit.looked_at {
            limit.looked_at = limit.at;
            self.0.push(Reverse((limit.at, key)));
        }
    }

    /// The time at which something may be due.
    pub(super) fn next(&self) -> Option<u64> {
        self.0.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes the next entry that is due out; the caller looks at the connection's own limit.
    pub(super) fn take_due(&mut self, now: u64) -> Option<Due> {
        if self.next()? > now {
            return None;
        }
        self.0.pop().map(|Reverse((at, key))| Due { at, key })
    }

    /// Whether a connection whose entry was taken out has reached its limit. If not, the entry is
    /// put back at the time it really is.
    pub(super) fn is_reached(&mut self, due: Due, limit: &mut Limit, now: u64) -> bool {
        if due.at != limit.looked_at {
            // An entry that an earlier limit has overtaken: it has a successor already.
            return false;
        }
        limit.looked_at = NEVER;
        if limit.at <= now {
            return true;
        }
        self.arm(due.key, limit);
        false
    }
}

/// An entry that has come due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    at: u64,
    /// The connection to look at.
    pub(super) key: Key,
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = Key {
        index: 1,
        serial: 7,
    };

    #[test]
    fn a_limit_that_moves_later_costs_no_second_entry() {
        let (mut timers, mut limit) = (Timers::default(), Limit::default());
        for at in [10, 20, 30] {
            limit.at = at;
            timers.arm(KEY, &mut limit);
        }
        assert_eq!((timers.0.len(), timers.next()), (1, Some(10)));
        assert_eq!(timers.take_due(9), None);
        let due = timers.take_due(10).unwrap();
        assert!(!timers.is_reached(due, &mut limit, 10));
        assert_eq!(timers.next(), Some(30), "it is put back where it belongs");
        let due = timers.take_due(30).unwrap();
        assert!(timers.is_reached(due, &mut limit, 30));
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn a_limit_that_moves_earlier_is_noticed_then_and_leaves_nothing_behind() {
        let (mut timers, mut limit) = (Timers::default(), Limit::default());
        for at in [100, 50] {
            limit.at = at;
            timers.arm(KEY, &mut limit);
        }
        limit.at = 200;
        while let Some(due) = timers.take_due(150) {
            assert!(!timers.is_reached(due, &mut limit, 150));
        }
        assert_eq!((timers.0.len(), timers.next()), (1, Some(200)));
    }
}
