//! Hooks that number workers: they refuse one beside those that it is to replace.

use std::time::{Duration, Instant};

use nix::libc;

use super::super::event::{Action, Event, Policy};
use super::super::slot::{Cause, Status};
use super::super::state::Arbiter;
use super::{forks, kills, policy};

/// An arbiter whose `pre_fork` takes as many workers as are wanted, and not one more.
struct Numbered {
    arbiter: Arbiter,
    now: Instant,
    most: usize,
}

impl Numbered {
    fn serving(policy: Policy) -> Self {
        let mut numbered = Self {
            arbiter: Arbiter::new(policy),
            now: Instant::now(),
            most: policy.workers,
        };
        numbered.on(Event::Started);
        numbered.all_get_ready();
        numbered.now += Duration::from_secs(60);
        numbered
    }

    /// The actions that an event leads to, with the forks' answers.
    fn on(&mut self, event: Event) -> Vec<Action> {
        let mut all = Vec::new();
        let mut events = vec![event];
        while !events.is_empty() {
            let mut actions = Vec::new();
            self.arbiter.step(events.remove(0), self.now, &mut actions);
            for (_, age) in forks(&actions) {
                let is_taken = self.arbiter.workers().count() < self.most;
                let pid = 100 + age as i32;
                if is_taken {
                    self.arbiter
                        .step(Event::Forked { age, pid }, self.now, &mut all);
                } else {
                    events.push(Event::ForkRefused { age });
                }
            }
            all.extend(actions);
        }
        all
    }

    fn all_get_ready(&mut self) {
        let ages: Vec<_> = self.arbiter.workers().map(|(age, _)| age).collect();
        for age in ages {
            self.on(Event::Ready { age });
        }
    }

    fn ages(&self) -> Vec<u64> {
        self.arbiter.workers().map(|(age, _)| age).collect()
    }

    /// Lets whoever is told to stop do so, and whoever boots get ready, until nothing moves.
    fn settle(&mut self, mut actions: Vec<Action>) -> usize {
        let mut told = 0;
        for _ in 0..40 {
            told += actions
                .iter()
                .filter(|action| **action == Action::OldGoFirst)
                .count();
            let stopped = kills(&actions);
            actions = Vec::new();
            for (pid, signal) in stopped {
                assert_eq!(signal, libc::SIGTERM);
                let status = Status::Code(0);
                actions.extend(self.on(Event::Exited { pid, status }));
            }
            let before = self.ages();
            for age in before {
                actions.extend(self.on(Event::Ready { age }));
            }
            if actions.is_empty()
                && let Some(deadline) = self.arbiter.next_deadline()
            {
                self.now = deadline;
                actions.extend(self.on(Event::DeadlinePassed));
            }
        }
        told
    }
}

#[test]
fn a_worker_that_is_due_goes_first_where_its_replacement_is_refused_beside_it() {
    for cause in [Cause::MaxRequests, Cause::Memory, Cause::Age] {
        for workers in [1, 3] {
            let mut numbered = Numbered::serving(policy(workers));
            let due = Event::Due { age: 1, cause };
            let actions = numbered.on(due);
            assert_eq!(numbered.settle(actions), 1, "it is told once");
            let rest = 2..=workers as u64;
            let fresh = numbered.ages().pop().unwrap();
            assert_eq!(numbered.ages(), rest.chain([fresh]).collect::<Vec<_>>());
            assert!(fresh > workers as u64, "{cause:?}: it was replaced");
        }
    }
}

#[test]
fn the_next_one_that_is_due_goes_first_without_another_refusal() {
    let mut numbered = Numbered::serving(policy(2));
    let due = |age| Event::Due {
        age,
        cause: Cause::MaxRequests,
    };
    let actions = numbered.on(due(1));
    numbered.settle(actions);
    let actions = numbered.on(due(2));
    assert_eq!(
        (forks(&actions), kills(&actions)),
        (vec![], vec![(102, libc::SIGTERM)])
    );
    assert_eq!(numbered.settle(actions), 0);
    assert!(numbered.ages().iter().all(|age| *age > 2));
}

#[test]
fn a_reload_replaces_them_one_after_the_other() {
    let mut numbered = Numbered::serving(policy(3));
    let actions = numbered.on(Event::Reloaded(policy(3)));
    assert_eq!(numbered.settle(actions), 1);
    assert!(numbered.ages().len() == 3 && numbered.ages().iter().all(|age| *age > 3));
}

#[test]
fn a_worker_that_is_drained_is_waited_for_where_its_replacement_is_refused_beside_it() {
    let mut numbered = Numbered::serving(policy(1));
    let actions = numbered.on(Event::Stuck { age: 1 });
    assert_eq!(numbered.settle(actions), 1);
    assert_eq!(numbered.ages().len(), 1);
}

#[test]
fn the_only_worker_does_not_go_for_a_new_pre_fork_that_has_never_taken_one() {
    let mut numbered = Numbered::serving(policy(1));
    numbered.most = 0;
    let actions = numbered.on(Event::Reloaded(policy(1)));
    assert_eq!(numbered.settle(actions), 0);
    assert_eq!(numbered.ages(), [1]);
}

#[test]
fn of_several_workers_one_goes_at_most_where_every_fork_is_refused() {
    let mut numbered = Numbered::serving(policy(3));
    numbered.most = 0;
    let actions = numbered.on(Event::Reloaded(policy(3)));
    numbered.settle(actions);
    assert_eq!(numbered.ages(), [2, 3]);
}

#[test]
fn a_refusal_in_the_place_of_a_worker_that_died_changes_no_order() {
    let mut numbered = Numbered::serving(policy(2));
    numbered.most = 1;
    let status = Status::Signal(libc::SIGKILL);
    let actions = numbered.on(Event::Exited { pid: 101, status });
    assert_eq!(numbered.settle(actions), 0);
    assert_eq!(numbered.ages(), [2]);
}
