//! The clients' words in shared memory: for each what it is found by, and when its bucket is full.

use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::time::{ClockId, clock_gettime};

/// Words of a client.
const WORDS: usize = 2;

/// Words of the secret that clients are hashed with: nobody outside can know whose words are near.
const SECRET: usize = 2;

/// Places that are looked at for one client.
const PROBES: usize = 8;

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It passes.
    Pass,
    /// It has to wait for so many seconds, at least 1.
    Wait(u64),
}

/// The table, as one process sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Table {
    secret: &'static [AtomicU64],
    words: &'static [AtomicU64],
    /// Nanoseconds that one request takes of a bucket.
    share: u64,
    /// How full a bucket may be before a request: the whole burst but one share.
    tolerance: u64,
}

/// The time, in nanoseconds: the same in all processes, and never set back.
pub(crate) fn now() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |now| {
        now.tv_sec().unsigned_abs() * 1_000_000_000 + now.tv_nsec().unsigned_abs()
    })
}

impl Table {
    /// The bytes that so many clients take.
    pub(crate) fn size(clients: usize) -> usize {
        (SECRET + clients.max(PROBES) * WORDS) * size_of::<u64>()
    }

    /// The table in this memory, which is all zeros, or that of an earlier generation.
    ///
    /// # Errors
    /// No randomness.
    pub(crate) fn new(
        words: &'static [AtomicU64],
        rate: f64,
        burst: u32,
    ) -> Result<Self, getrandom::Error> {
        let (secret, words) = words.split_at(SECRET);
        for word in secret {
            let random = getrandom::u64()?.max(1);
            // One that is there stays: the clients' words are found by it.
            let _ = word.compare_exchange(0, random, Ordering::Relaxed, Ordering::Relaxed);
        }
        let share = (1e9 / rate) as u64;
        Ok(Self {
            secret,
            words,
            share,
            tolerance: share.saturating_mul(u64::from(burst) - 1),
        })
    }

    /// Takes one request out of a client's bucket, if it may be.
    pub(crate) fn take(&self, key: &[u8], now: u64) -> Verdict {
        let full_at = self.find(self.hash(key), now);
        let mut before = full_at.load(Ordering::Relaxed);
        loop {
            let base = before.max(now);
            if base - now > self.tolerance {
                let wait = base - now - self.tolerance;
                return Verdict::Wait(wait.div_ceil(1_000_000_000).max(1));
            }
            let after = base.saturating_add(self.share);
            match full_at.compare_exchange_weak(before, after, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return Verdict::Pass,
                Err(other) => before = other,
            }
        }
    }

    /// A client's word: its own, else that of a client whose bucket is empty again, else the one
    /// that is empty soonest, whose client then begins anew.
    fn find(&self, tag: u64, now: u64) -> &'static AtomicU64 {
        let places = self.words.len() / WORDS;
        let place = |probe: usize| {
            let at = (tag as usize).wrapping_add(probe) % places * WORDS;
            (&self.words[at], &self.words[at + 1])
        };
        if let Some((_, word)) = (0..PROBES)
            .map(place)
            .find(|(owner, _)| owner.load(Ordering::Relaxed) == tag)
        {
            return word;
        }
        for (owner, word) in (0..PROBES).map(place) {
            let former = owner.load(Ordering::Relaxed);
            let is_free = former == 0 || word.load(Ordering::Relaxed) <= now;
            if is_free
                && owner
                    .compare_exchange(former, tag, Ordering::Relaxed, Ordering::Relaxed)
                    .is_ok()
            {
                return word;
            }
        }
        let soonest = (0..PROBES)
            .map(place)
            .min_by_key(|(_, word)| word.load(Ordering::Relaxed));
        let Some((owner, word)) = soonest else {
            return &self.words[1];
        };
        owner.store(tag, Ordering::Relaxed);
        word.store(now, Ordering::Relaxed);
        word
    }

    /// Never 0, and the same in all processes.
    fn hash(&self, key: &[u8]) -> u64 {
        let mut hasher = DefaultHasher::new();
        for word in self.secret {
            hasher.write_u64(word.load(Ordering::Relaxed));
        }
        hasher.write(key);
        hasher.finish().max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn table(clients: usize) -> Table {
        let words = Table::size(clients) / size_of::<u64>();
        let words: Vec<AtomicU64> = (0..words).map(|_| AtomicU64::new(0)).collect();
        Table::new(words.leak(), 2.0, 3).unwrap()
    }

    #[test]
    fn strangers_are_not_charged_for_each_other() {
        let (table, now) = (table(8), 1000 * SECOND);
        for client in 0..100_u8 {
            for _ in 0..3 {
                assert_eq!(table.take(&[client], now), Verdict::Pass);
            }
        }
    }

    #[test]
    fn nobody_outside_can_tell_who_shares_a_place() {
        let (one, other) = (table(8), table(8));
        assert_ne!(one.hash(b"a"), other.hash(b"a"));
        assert_eq!(one.hash(b"a"), one.hash(b"a"));
    }

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let (table, now) = (table(100), 1000 * SECOND);
        for _ in 0..3 {
            assert_eq!(table.take(b"a", now), Verdict::Pass);
        }
        assert_eq!(table.take(b"a", now), Verdict::Wait(1));
        assert_eq!(table.take(b"b", now), Verdict::Pass);
        let passed = (0..100)
            .filter(|step| table.take(b"a", now + step * SECOND / 10) == Verdict::Pass)
            .count();
        assert!(
            (18..=21).contains(&passed),
            "{passed} in ten seconds at two a second"
        );
    }

    #[test]
    fn a_table_that_is_full_forgets_those_who_have_been_quiet() {
        let (table, now) = (table(8), 1000 * SECOND);
        for client in 0..8_u8 {
            assert_eq!(table.take(&[client], now), Verdict::Pass);
        }
        let later = now + 60 * SECOND;
        for client in 100..108_u8 {
            for _ in 0..3 {
                assert_eq!(table.take(&[client], later), Verdict::Pass);
            }
            assert_eq!(table.take(&[client], later), Verdict::Wait(1));
        }
    }
}
