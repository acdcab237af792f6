//! Lines that could not be written: counted, and told of now and then.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock;

/// Between two times that somebody is told.
const PAUSE: u64 = 1_000_000_000;

/// A count of lost lines.
#[derive(Debug, Default)]
pub(super) struct Lost {
    lines: AtomicU64,
    /// When somebody was told last; 0 for never.
    told: AtomicU64,
}

impl Lost {
    pub(super) fn add(&self, lines: u64) {
        if lines > 0 {
            self.lines.fetch_add(lines, Ordering::Relaxed);
        }
    }

    /// How many lines were lost since this said so last; 0 if none, or that was a moment ago.
    pub(super) fn take(&self) -> u64 {
        if self.lines.load(Ordering::Relaxed) == 0 {
            return 0;
        }
        let (now, told) = (clock::roughly_now(), self.told.load(Ordering::Relaxed));
        if told > 0 && now.saturating_sub(told) < PAUSE {
            return 0;
        }
        self.told.store(now, Ordering::Relaxed);
        self.lines.swap(0, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_told_of_once_a_second_at_most() {
        let lost = Lost::default();
        assert_eq!(lost.take(), 0);
        lost.add(3);
        lost.add(4);
        assert_eq!(lost.take(), 7);
        lost.add(1);
        assert_eq!(lost.take(), 0, "a moment later");
        lost.told.store(1, Ordering::Relaxed);
        assert_eq!(lost.take(), 1);
    }
}
