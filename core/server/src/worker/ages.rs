//! Since when each running request runs, and so how old the oldest is: what proves that a worker
//! is stuck.
//!
//! Waiting for the client is not the application's silence, so a request that waits counts as
//! young until the wait's own limit.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock;
use crate::lifeline::Cell;

/// The running requests of one worker.
#[derive(Debug)]
pub(super) struct Ages {
    cell: &'static Cell,
    running: Mutex<Vec<(usize, u64)>>,
}

impl Ages {
    pub(super) fn new(cell: &'static Cell) -> Self {
        Self {
            cell,
            running: Mutex::default(),
        }
    }

    /// The request of this connection begins to run.
    pub(super) fn begin(&self, token: usize) {
        self.cell.count_request();
        let mut running = self.lock();
        running.push((token, clock::roughly_now()));
        self.publish(&running);
    }

    /// It has got somewhere with its client.
    pub(super) fn refresh(&self, token: usize) {
        self.set(token, clock::roughly_now());
    }

    /// It waits for its client, for `limit` nanoseconds at most.
    pub(super) fn wait(&self, token: usize, limit: Option<u64>) {
        self.set(
            token,
            limit.map_or(u64::MAX, |limit| clock::roughly_now().saturating_add(limit)),
        );
    }

    /// It has ended.
    pub(super) fn end(&self, token: usize) {
        let mut running = self.lock();
        if let Some(index) = running.iter().position(|&(other, _)| other == token) {
            running.swap_remove(index);
        }
        self.publish(&running);
    }

    /// Whether any request runs.
    pub(super) fn is_any_running(&self) -> bool {
        !self.lock().is_empty()
    }

    fn set(&self, token: usize, since: u64) {
        let mut running = self.lock();
        if let Some(entry) = running.iter_mut().find(|entry| entry.0 == token) {
            entry.1 = since;
        }
        self.publish(&running);
    }

    fn publish(&self, running: &[(usize, u64)]) {
        self.cell
            .set_oldest(running.iter().map(|&(_, since)| since).min().unwrap_or(0));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(usize, u64)>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifeline::Board;

    #[test]
    fn the_oldest_running_request_is_what_counts() {
        let cell = Board::new().unwrap().cell(1);
        let ages = Ages::new(cell);
        let second = 1_000_000_000;
        let start = clock::roughly_now();
        ages.begin(1);
        ages.begin(2);
        assert!(cell.silence(start + 10 * second) >= 9 * second);
        ages.wait(1, Some(20 * second));
        ages.wait(2, None);
        assert_eq!(
            cell.silence(start + 10 * second),
            0,
            "both wait for their clients"
        );
        assert!(
            cell.silence(start + 30 * second) >= 9 * second,
            "but not for ever"
        );
        ages.refresh(1);
        ages.end(1);
        ages.end(2);
        assert_eq!(cell.requests(), 2);
        cell.beat(start);
        assert_eq!(cell.silence(start + second), second);
    }
}
