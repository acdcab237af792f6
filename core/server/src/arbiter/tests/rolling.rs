//! Replacing workers: reloads, workers that are due, boots that take too long.

use std::time::Duration;

use nix::libc;

use super::super::event::{Action, Event, Policy, Signal, Silence};
use super::super::slot::{Cause, Status};
use super::{ABORT_GRACE, BOOT, GRACEFUL, Script, cause, forks, halt, kills, policy};
use crate::error::Exit;

#[test]
fn a_large_reload_never_has_more_workers_than_the_surge_allows() {
    let mut script = Script::serving(10);
    let mut next = 11;
    assert_eq!(forks(&script.on(Event::Reloaded(policy(10)))).len(), 4);
    while next <= 20 {
        let actions = script.on(Event::Ready { age: next });
        assert_eq!(kills(&actions).len(), 1, "one fresh, one old");
        assert_eq!(forks(&actions).len(), usize::from(next <= 16), "{next}");
        next += 1;
    }
    for age in 1..=10 {
        script.exits(age, Status::Code(0));
    }
    assert_eq!(script.pids(), (111..=120).collect::<Vec<_>>());
}

#[test]
fn reloads_that_follow_each_other_faster_than_workers_boot_come_to_an_end() {
    let mut script = Script::serving(2);
    for _ in 0..5 {
        script.on(Event::Reloaded(policy(2)));
    }
    let mut age = 3;
    while script.arbiter.workers().any(|(age, _)| age <= 2) || age < 5 {
        let actions = script.on(Event::Ready { age });
        for (pid, _) in kills(&actions) {
            script.exits(pid - 100, Status::Code(0));
        }
        age += 1;
        assert!(age < 30, "no end");
    }
    while script.pids().len() > 2 {
        let actions = script.on(Event::Ready { age });
        for (pid, _) in kills(&actions) {
            script.exits(pid - 100, Status::Code(0));
        }
        age += 1;
        assert!(age < 30, "no end");
    }
}

#[test]
fn a_worker_that_is_due_serves_until_its_replacement_does() {
    for reason in [Cause::MaxRequests, Cause::Memory] {
        let mut script = Script::serving(2);
        script.now += Duration::from_secs(60);
        let due = Event::Due {
            age: 1,
            cause: reason,
        };
        let actions = script.on(due);
        assert_eq!(
            actions[0],
            Action::WorkerDue {
                age: 1,
                cause: reason
            }
        );
        assert_eq!((forks(&actions).len(), kills(&actions)), (1, vec![]));
        assert_eq!(script.on(due), [], "once");
        assert_eq!(
            kills(&script.on(Event::Ready { age: 3 })),
            [(101, libc::SIGTERM)]
        );
        assert_eq!(cause(&script.exits(1, Status::Code(0))), Some(reason));
    }
}

#[test]
fn without_a_surge_a_worker_leaves_before_its_replacement_is_forked() {
    let tight = Policy {
        surge: 0,
        ..policy(2)
    };
    let mut script = Script::serving_under(tight);
    script.now += Duration::from_secs(60);
    let actions = script.on(Event::Due {
        age: 1,
        cause: Cause::MaxRequests,
    });
    assert_eq!(kills(&actions), [(101, libc::SIGTERM)]);
    assert_eq!(forks(&actions), []);
    let actions = script.exits(1, Status::Code(0));
    assert_eq!(cause(&actions), Some(Cause::MaxRequests));
    assert_eq!(forks(&actions), [(1, 3)]);
}

#[test]
fn without_a_surge_a_reload_takes_one_worker_after_the_other() {
    let tight = Policy {
        surge: 0,
        ..policy(2)
    };
    let mut script = Script::serving_under(tight);
    let actions = script.on(Event::Reloaded(tight));
    assert_eq!(
        (forks(&actions), kills(&actions)),
        (vec![], vec![(101, libc::SIGTERM)])
    );
    assert_eq!(forks(&script.exits(1, Status::Code(0))), [(1, 3)]);
    assert_eq!(
        kills(&script.on(Event::DeadlinePassed)),
        [],
        "not before it serves"
    );
    assert_eq!(
        kills(&script.on(Event::Ready { age: 3 })),
        [(102, libc::SIGTERM)]
    );
    assert_eq!(forks(&script.exits(2, Status::Code(0))), [(2, 4)]);
    assert_eq!(kills(&script.on(Event::Ready { age: 4 })), []);
}

#[test]
fn workers_that_grew_too_large_are_replaced_one_at_a_time() {
    let mut script = Script::serving(3);
    let due = |age| Event::Due {
        age,
        cause: Cause::Memory,
    };
    assert_eq!(forks(&script.on(due(1))).len(), 1);
    assert_eq!(script.on(due(2)), []);
    script.on(Event::Ready { age: 4 });
    assert_eq!(script.on(due(2)), [], "not before the first is gone");
    script.exits(1, Status::Code(0));
    assert_eq!(forks(&script.on(due(2))).len(), 1);
}

#[test]
fn workers_that_are_old_enough_are_replaced_one_at_a_time() {
    let ageing = Policy {
        max_age: Some(Duration::from_secs(3600)),
        ..policy(2)
    };
    let mut script = Script::serving_under(ageing);
    assert_eq!(
        script.arbiter.next_deadline(),
        Some(script.now + Duration::from_secs(3600))
    );
    let actions = script.pass(Duration::from_secs(3600));
    assert_eq!(forks(&actions).len(), 1);
    assert_eq!(
        kills(&script.on(Event::Ready { age: 3 })),
        [(101, libc::SIGTERM)]
    );
    let actions = script.exits(1, Status::Code(0));
    assert_eq!(cause(&actions), Some(Cause::Age));
    assert_eq!(forks(&actions).len(), 1, "and now the next");
}

#[test]
fn a_worker_with_a_request_that_cannot_be_ended_is_drained_and_replaced_at_once() {
    let mut script = Script::serving(1);
    let actions = script.on(Event::Stuck { age: 1 });
    assert_eq!(kills(&actions), [(101, libc::SIGTERM)]);
    assert_eq!(forks(&actions).len(), 1);
    assert_eq!(kills(&script.pass(GRACEFUL)), [(101, libc::SIGKILL)]);
    let actions = script.exits(1, Status::Signal(libc::SIGKILL));
    assert_eq!(cause(&actions), Some(Cause::RequestTimeout));
}

#[test]
fn a_worker_that_boots_for_too_long_is_aborted() {
    let mut script = Script::serving(1);
    script.signal(Signal::Ttin);
    assert_eq!(script.arbiter.next_deadline(), Some(script.now + BOOT));
    let actions = script.pass(BOOT);
    assert!(actions.contains(&Action::WorkerTimeout {
        age: 2,
        pid: 102,
        silence: Silence::Boot,
    }));
    assert_eq!(kills(&actions), [(102, libc::SIGABRT)]);
    let actions = script.exits(2, Status::Code(1));
    assert_eq!(cause(&actions), Some(Cause::Boot));
    assert_eq!(
        (halt(&actions), forks(&actions)),
        (None, vec![]),
        "tried again later"
    );
}

#[test]
fn a_first_worker_that_boots_for_too_long_ends_the_server() {
    let mut script = Script::new(1);
    script.on(Event::Started);
    script.pass(BOOT);
    script.pass(ABORT_GRACE);
    let actions = script.exits(1, Status::Signal(libc::SIGKILL));
    assert_eq!(halt(&actions), Some(Exit::WorkerBoot));
}
