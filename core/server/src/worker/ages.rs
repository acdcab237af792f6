//! Since when each running request runs, and so how old the oldest is: what proves that a worker
//! is stuck.
//!
//! Waiting for the client is not the application's silence, so a request that waits counts as
//! young until the wait's own limit.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock;
use crate::lifeline::Cell;

/// The requests that a worker's threads run: one place for each thread, 0 where it runs none.
#[derive(Debug)]
pub(super) struct Ages {
    cell: &'static Cell,
    since: Vec<AtomicU64>,
}

impl Ages {
    pub(super) fn new(cell: &'static Cell, threads: usize) -> Self {
        Self {
            cell,
            since: (0..threads).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// The thread begins to run a request, at this time.
    pub(super) fn begin(&self, thread: usize, now: u64) {
        self.set(thread, now);
    }

    /// Its request has got somewhere with its client.
    pub(super) fn refresh(&self, thread: usize) {
        self.set(thread, clock::roughly_now());
    }

    /// Its request waits for its client, for `limit` nanoseconds at most.
    pub(super) fn wait(&self, thread: usize, limit: Option<u64>) {
        let until = limit.map(|limit| clock::roughly_now().saturating_add(limit));
        self.set(thread, until.unwrap_or(u64::MAX));
    }

    /// Its request has ended.
    pub(super) fn end(&self, thread: usize) {
        self.set(thread, 0);
    }

    /// Whether any request runs.
    pub(super) fn is_any_running(&self) -> bool {
        self.oldest() > 0
    }

    fn set(&self, thread: usize, since: u64) {
        if let [only] = self.since.as_slice() {
            only.store(since, Ordering::Relaxed);
            return self.cell.set_oldest(since);
        }
        if let Some(place) = self.since.get(thread) {
            place.store(since, Ordering::SeqCst);
        }
        // Another thread may publish at the same time: whoever stores last looks again, and so
        // what stands there in the end is true.
        loop {
            let oldest = self.oldest();
            self.cell.set_oldest(oldest);
            if self.oldest() == oldest {
                return;
            }
        }
    }

    fn oldest(&self) -> u64 {
        let running = self.since.iter().map(|since| since.load(Ordering::SeqCst));
        running.filter(|&since| since > 0).min().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifeline::Board;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn the_oldest_running_request_is_what_counts() {
        let cell = Board::new().unwrap().cell(1);
        let ages = Ages::new(cell, 2);
        let start = clock::roughly_now();
        ages.begin(0, clock::roughly_now());
        ages.begin(1, clock::roughly_now());
        assert!(cell.silence(start + 10 * SECOND) >= 9 * SECOND);
        ages.wait(0, Some(20 * SECOND));
        ages.wait(1, None);
        assert_eq!(
            cell.silence(start + 10 * SECOND),
            0,
            "both wait for their clients"
        );
        assert!(
            cell.silence(start + 30 * SECOND) >= 9 * SECOND,
            "but not for ever"
        );
        ages.refresh(0);
        ages.end(0);
        ages.end(1);
        assert!(!ages.is_any_running());
        cell.beat(start);
        assert_eq!(cell.silence(start + SECOND), SECOND);
    }

    #[test]
    fn a_lone_thread_is_told_of_too() {
        let cell = Board::new().unwrap().cell(1);
        let ages = Ages::new(cell, 1);
        ages.begin(0, clock::roughly_now());
        assert!(ages.is_any_running() && cell.silence(clock::now() + SECOND) >= SECOND);
        ages.end(0);
        cell.beat(7);
        assert_eq!(cell.silence(8), 1);
    }
}
