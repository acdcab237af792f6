//! Requests that run for longer than `request_timeout`.
//!
//! The worker is asked to end them. If it cannot, because one is stuck outside the interpreter, the
//! worker is drained of the others and replaced, and killed in the end.

use std::collections::HashMap;
use std::time::Duration;

use nix::libc;

use super::drive::Driver;
use super::event::{Event, Silence};
use crate::clock;
use crate::hooks::Age;
use crate::lifeline::overtime_signal;

/// A request that a worker was asked to end.
#[derive(Debug, Clone, Copy)]
struct Asked {
    /// When it had begun: what it is recognised by.
    began: u64,
    /// When the worker was asked.
    at: u64,
}

/// What workers were asked.
#[derive(Debug, Default)]
pub(super) struct Overtime(HashMap<Age, Asked>);

/// What is to be done about a worker whose oldest request is overdue.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Ask,
    Wait,
    Replace,
}

impl Overtime {
    fn step(&mut self, age: Age, began: u64, now: u64, grace: Duration) -> Step {
        let known = self.0.get(&age).filter(|asked| asked.began == began);
        match known {
            None => {
                self.0.insert(age, Asked { began, at: now });
                Step::Ask
            }
            Some(asked) if now.saturating_sub(asked.at) < clock::nanos(grace) => Step::Wait,
            Some(_) => Step::Replace,
        }
    }
}

impl Driver<'_> {
    pub(super) fn gather_overtime(&mut self) {
        let time = &self.generation.config.time;
        let Some(limit) = time.request.map(clock::nanos) else {
            return;
        };
        let (grace, now) = (time.abort_grace, clock::now());
        let workers: Vec<_> = self.machine.watched().collect();
        self.overtime
            .0
            .retain(|age, _| workers.iter().any(|(_, other, _)| other == age));
        for (id, age, pid) in workers {
            let cell = self.board.cell(id);
            let running = cell.running().into_iter().map(|request| request.began);
            let beyond = cell.beyond().map(|(_, oldest)| oldest);
            let Some(began) = running.chain(beyond).min() else {
                continue;
            };
            if now.saturating_sub(began) < limit {
                continue;
            }
            match self.overtime.step(age, began, now, grace) {
                Step::Wait => {}
                Step::Ask => self.ask_to_end(id, age, pid),
                Step::Replace => self.queue.push_back(Event::Stuck { age }),
            }
        }
    }

    fn ask_to_end(&mut self, id: usize, age: Age, pid: i32) {
        log::error!(target: crate::log::CRITICAL, "REQUEST TIMEOUT (pid:{pid})");
        self.explain(age, pid, Silence::Request);
        if self.board.cell(id).ends_requests() {
            // SAFETY: sends a signal to a child of ours that has not been waited for, and that has a
            // handler for it.
            unsafe { libc::kill(pid, overtime_signal()) };
        }
    }

    /// How often requests are looked at.
    pub(super) fn overtime_patience(&self) -> Duration {
        const SHORTEST: Duration = Duration::from_millis(50);
        let limit = self.generation.config.time.request;
        limit.map_or(Duration::MAX, |limit| (limit / 4).max(SHORTEST))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_asked_once_for_each_request_and_replaced_if_it_cannot() {
        let mut overtime = Overtime::default();
        let grace = Duration::from_nanos(100);
        assert_eq!(overtime.step(1, 5, 1000, grace), Step::Ask);
        assert_eq!(overtime.step(1, 5, 1050, grace), Step::Wait);
        assert_eq!(overtime.step(1, 5, 1100, grace), Step::Replace);
        assert_eq!(
            overtime.step(1, 7, 1100, grace),
            Step::Ask,
            "another request"
        );
        assert_eq!(
            overtime.step(2, 7, 1100, grace),
            Step::Ask,
            "another worker"
        );
    }
}
