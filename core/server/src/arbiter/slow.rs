//! Requests of a pool that run for longer than `timeout`: each is told of once, and left to run.

use std::collections::{HashMap, HashSet};

use crate::hooks::Age;
use crate::lifeline::Cell;

/// The least time between two reports of a worker, whatever it writes to the board.
const PACE: u64 = 1_000_000_000;

/// What was told of workers.
#[derive(Debug, Default)]
pub(super) struct Slow(HashMap<Age, Told>);

#[derive(Debug, Default)]
struct Told {
    /// The requests, by when they began.
    began: HashSet<u64>,
    /// When there was a report.
    at: Option<u64>,
}

impl Slow {
    /// Returns true if a worker runs a request that is to be told of now.
    pub(super) fn has_more(&mut self, age: Age, cell: &Cell, now: u64) -> bool {
        let running = cell.running();
        let slow = running.iter().filter(|request| request.is_overdue);
        let began: HashSet<u64> = slow.map(|request| request.began).collect();
        let told = self.0.entry(age).or_default();
        let has_more = !began.is_subset(&told.began);
        if has_more && told.at.is_some_and(|at| now.saturating_sub(at) < PACE) {
            return false;
        }
        told.began = began;
        if has_more {
            told.at = Some(now);
        }
        has_more
    }

    /// Forgets the workers that are gone.
    pub(super) fn forget_all_but(&mut self, workers: &[(usize, Age, i32)]) {
        self.0
            .retain(|age, _| workers.iter().any(|(_, other, _)| other == age));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifeline::{Beginning, Board};

    #[test]
    fn a_request_is_told_of_once() {
        let cell = Board::new().unwrap().cell(1);
        let begin = |thread, now| {
            let line = b"GET /";
            let client = None;
            cell.begin(thread, &Beginning { now, line, client });
            cell.note_overdue(thread, now);
        };
        let mut slow = Slow::default();
        assert!(!slow.has_more(1, cell, 0));
        begin(0, 5);
        assert!(slow.has_more(1, cell, 0));
        assert!(!slow.has_more(1, cell, PACE), "it was told of");
        begin(1, 7);
        assert!(slow.has_more(1, cell, PACE), "another one");
        begin(2, 9);
        assert!(!slow.has_more(1, cell, PACE), "not yet");
        assert!(slow.has_more(1, cell, 2 * PACE));
        cell.end(0);
        assert!(!slow.has_more(1, cell, 3 * PACE));
        slow.forget_all_but(&[(1, 2, 100)]);
        assert!(
            slow.has_more(1, cell, 3 * PACE),
            "another worker of that age"
        );
    }
}
