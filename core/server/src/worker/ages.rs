//! What each thread of a worker does, and since when: what proves that the worker is alive.
//!
//! In a worker that runs one request at a time, the age of that request proves that it is stuck. In a
//! pool of threads a request may take as long as it likes, beside others: what counts is that
//! threads take and end requests, and that the interpreter can be had.
//!
//! Waiting for the client is not the application's silence, so a request that waits counts as
//! young until the wait's own limit.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock;
use crate::lifeline::{Cell, PLACES};

/// In place of a time: the request waits for its client, without a limit.
const WAITS: u64 = u64::MAX - 1;

/// In place of a time: the request may go on for as long as it likes.
const LASTS: u64 = u64::MAX;

/// What a worker is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lives {
    /// It runs one request at a time, whose age counts.
    ByItsRequest,
    /// It has a pool of threads, of which some have to move.
    ByItsPool,
}

/// The requests that a worker's threads run: one place for each thread, 0 where it runs none.
#[derive(Debug)]
pub(super) struct Ages {
    cell: &'static Cell,
    lives: Lives,
    /// When each thread's request began or got somewhere with its client, or until when it waits.
    since: Vec<AtomicU64>,
    /// When the requests began of the threads that have no place on the arbiter's board.
    beyond: Vec<AtomicU64>,
}

impl Ages {
    pub(super) fn new(cell: &'static Cell, threads: usize, lives: Lives) -> Self {
        let places = |count| (0..count).map(|_| AtomicU64::new(0)).collect();
        Self {
            cell,
            lives,
            since: places(threads),
            beyond: places(threads.saturating_sub(PLACES)),
        }
    }

    /// A turn of the loop, or the end of a request. In a pool that proves nothing: see `survey`.
    pub(super) fn beat(&self, now: u64) {
        if self.lives == Lives::ByItsRequest {
            self.cell.beat(now);
        }
    }

    /// The thread begins to run a request, at this time.
    pub(super) fn begin(&self, thread: usize, now: u64) {
        if let Some(place) = self.beyond(thread) {
            place.store(now, Ordering::Release);
        }
        self.set(thread, now);
    }

    /// Its request has got somewhere with its client.
    pub(super) fn refresh(&self, thread: usize) {
        self.set_unless_it_lasts(thread, clock::roughly_now());
    }

    /// Its request waits for its client, for `limit` nanoseconds at most.
    pub(super) fn wait(&self, thread: usize, limit: Option<u64>) {
        let until = limit.map(|limit| clock::roughly_now().saturating_add(limit));
        self.set_unless_it_lasts(thread, until.unwrap_or(WAITS));
    }

    /// Its request streams its answer or has taken its socket over: in a pool it may go on for as
    /// long as it likes.
    pub(super) fn lasts(&self, thread: usize) {
        if self.lives == Lives::ByItsPool {
            self.set(thread, LASTS);
        }
    }

    /// Its request has ended.
    pub(super) fn end(&self, thread: usize) {
        self.set(thread, 0);
        if let Some(place) = self.beyond(thread) {
            place.store(0, Ordering::Release);
        }
    }

    /// Returns true if any request runs.
    pub(super) fn is_any_running(&self) -> bool {
        self.times().any(|since| since > 0)
    }

    /// Tells the arbiter how a pool fares: since when no thread of it has moved, which requests are
    /// older than `timeout` nanoseconds, and how many have no place on the board. Called by one
    /// thread only, which comes to it unless it waits for the interpreter.
    pub(super) fn survey(&self, now: u64, timeout: Option<u64>) {
        self.cell.beat(now);
        self.cell.set_still_since(self.still_since(now));
        let began = self
            .beyond
            .iter()
            .map(|place| place.load(Ordering::Acquire));
        self.cell.set_beyond(began.filter(|&began| began > 0));
        let Some(timeout) = timeout else { return };
        for thread in 0..self.since.len().min(PLACES) {
            // Read first: if the thread's time is old, this is still its request.
            let began = self.cell.began(thread);
            let since = self.since[thread].load(Ordering::Acquire);
            if since > 0 && now.saturating_sub(since) >= timeout {
                self.cell.note_overdue(thread, began);
            }
        }
    }

    /// Returns for how long no thread of a pool has moved, in nanoseconds.
    pub(super) fn stillness(&self, now: u64) -> u64 {
        match (self.lives, self.still_since(now)) {
            (Lives::ByItsRequest, _) | (_, 0) => 0,
            (Lives::ByItsPool, since) => now.saturating_sub(since),
        }
    }

    /// Returns the time of the last move of a pool whose threads are all inside requests that do not
    /// wait for their clients; 0 otherwise.
    fn still_since(&self, now: u64) -> u64 {
        let last = self.times().max().unwrap_or(0);
        let is_full = self.times().all(|since| since > 0);
        if is_full && last <= now { last } else { 0 }
    }

    fn times(&self) -> impl Iterator<Item = u64> {
        self.since.iter().map(|since| since.load(Ordering::Acquire))
    }

    fn beyond(&self, thread: usize) -> Option<&AtomicU64> {
        self.beyond.get(thread.checked_sub(PLACES)?)
    }

    fn set_unless_it_lasts(&self, thread: usize, since: u64) {
        let place = self.since.get(thread);
        if place.is_none_or(|place| place.load(Ordering::Relaxed) != LASTS) {
            self.set(thread, since);
        }
    }

    fn set(&self, thread: usize, since: u64) {
        if let Some(place) = self.since.get(thread) {
            place.store(since, Ordering::Release);
        }
        if self.lives == Lives::ByItsRequest {
            self.cell.set_oldest(since);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifeline::{Beginning, Board};

    const SECOND: u64 = 1_000_000_000;

    fn ages(threads: usize, lives: Lives) -> (&'static Cell, Ages) {
        let cell = Board::new().unwrap().cell(1);
        (cell, Ages::new(cell, threads, lives))
    }

    #[test]
    fn the_age_of_a_lone_request_is_what_counts() {
        let (cell, ages) = ages(1, Lives::ByItsRequest);
        let start = clock::roughly_now();
        ages.begin(0, start);
        ages.beat(start + 10 * SECOND);
        assert!(ages.is_any_running());
        assert_eq!(cell.silence(start + 10 * SECOND), 10 * SECOND);
        ages.lasts(0);
        assert_eq!(cell.silence(start + 10 * SECOND), 10 * SECOND);
        ages.wait(0, Some(20 * SECOND));
        assert_eq!(cell.silence(start + 10 * SECOND), 0, "it waits");
        assert!(
            cell.silence(start + 30 * SECOND) >= 9 * SECOND,
            "but not for ever"
        );
        ages.end(0);
        assert!(!ages.is_any_running());
        ages.beat(start);
        assert_eq!(cell.silence(start + SECOND), SECOND);
    }

    #[test]
    fn a_pool_is_still_when_every_thread_is_and_by_the_last_that_moved() {
        let (cell, ages) = ages(2, Lives::ByItsPool);
        let still = |now| {
            ages.survey(now, None);
            cell.stillness(now)
        };
        let start = clock::now();
        ages.begin(0, start);
        assert_eq!(still(start + 9 * SECOND), 0, "a thread idles");
        ages.begin(1, start + SECOND);
        assert_eq!(still(start + 9 * SECOND), 8 * SECOND);
        assert_eq!(cell.silence(start + 9 * SECOND), 0, "the process is alive");
        ages.wait(1, Some(20 * SECOND));
        assert_eq!(still(start + 9 * SECOND), 0, "it waits for its client");
        assert!(still(start + 30 * SECOND) >= 9 * SECOND, "but not for ever");
        ages.lasts(1);
        ages.refresh(1);
        ages.wait(1, Some(SECOND));
        assert_eq!(still(start + 90 * SECOND), 0, "it may last");
        ages.end(1);
        ages.begin(1, start + 90 * SECOND);
        assert_eq!(still(start + 92 * SECOND), 2 * SECOND);
    }

    #[test]
    fn only_surveys_prove_that_a_pool_is_alive() {
        let (cell, ages) = ages(2, Lives::ByItsPool);
        ages.survey(SECOND, None);
        ages.beat(9 * SECOND);
        assert_eq!(cell.silence(9 * SECOND), 8 * SECOND);
    }

    #[test]
    fn requests_that_are_overdue_are_told_of_unless_they_wait_or_last() {
        let (cell, ages) = ages(4, Lives::ByItsPool);
        let now = 100 * SECOND;
        for thread in 0..4 {
            let began = SECOND + thread as u64;
            cell.begin(
                thread,
                &Beginning {
                    now: began,
                    line: b"GET /",
                    client: None,
                },
            );
            ages.begin(thread, began);
        }
        ages.wait(1, None);
        ages.lasts(2);
        ages.begin(3, now);
        ages.survey(now, Some(SECOND));
        let overdue: Vec<_> = cell.running().iter().map(|one| one.is_overdue).collect();
        assert_eq!(overdue, [true, false, false, false]);
    }

    #[test]
    fn threads_without_a_place_are_counted_and_overwrite_nobody_elses() {
        let (cell, ages) = ages(PLACES + 2, Lives::ByItsPool);
        let begin = |thread, now| {
            let beginning = Beginning {
                now,
                line: b"GET /",
                client: None,
            };
            cell.begin(thread, &beginning);
            ages.begin(thread, now);
        };
        begin(0, 5);
        begin(PLACES, 3);
        begin(PLACES + 1, 4);
        ages.survey(9, None);
        assert_eq!(
            cell.beyond(),
            Some((2, 3)),
            "how many, and the oldest's beginning"
        );
        ages.end(PLACES);
        cell.end(PLACES);
        ages.survey(9, None);
        assert_eq!(cell.beyond(), Some((1, 4)));
        assert_eq!(cell.running()[0].began, 5, "it still runs");
        ages.end(PLACES + 1);
        ages.survey(9, None);
        assert_eq!(cell.beyond(), None);
    }
}
