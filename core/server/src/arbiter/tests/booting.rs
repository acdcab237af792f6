//! Workers that never come to serve, or hardly: when the server gives up, and how long it waits.

use std::time::Duration;

use nix::libc;

use super::super::event::{Action, Event, Policy};
use super::super::slot::{Cause, Status};
use super::{Script, cause, forks, halt, policy};
use crate::error::Exit;

#[test]
fn once_a_worker_has_served_boot_failures_are_retried_with_a_growing_pause() {
    let mut script = Script::serving(1);
    script.now += Duration::from_secs(60);
    assert_eq!(forks(&script.exits(1, Status::Code(0))), [(1, 2)]);
    let mut pauses = Vec::new();
    for age in 2..14 {
        let actions = script.exits(age, Status::Code(3));
        assert_eq!((forks(&actions), halt(&actions)), (vec![], None));
        let pause = script.arbiter.next_deadline().unwrap() - script.now;
        pauses.push(pause);
        assert_eq!(forks(&script.pass(pause)).len(), 1);
    }
    assert!(
        pauses.windows(2).all(|pair| pair[0] <= pair[1]),
        "{pauses:?}"
    );
    assert_eq!(pauses[0], Duration::from_millis(250));
    assert_eq!(pauses.last(), Some(&Duration::from_secs(30)));
    script.on(Event::Ready { age: 14 });
    script.now += Duration::from_secs(60);
    assert_eq!(
        forks(&script.exits(14, Status::Code(0))).len(),
        1,
        "a ready worker ends the pauses"
    );
}

#[test]
fn a_worker_that_crashes_as_soon_as_it_serves_is_not_forked_in_a_tight_loop() {
    let mut script = Script::serving(1);
    assert_eq!(forks(&script.exits(1, Status::Signal(libc::SIGSEGV))), []);
    assert!(script.arbiter.next_deadline().is_some());
}

/// The pauses before each of so many forks, where every worker serves and then ends so at once.
fn pauses(script: &mut Script, first: i32, count: i32, status: Status) -> Vec<Duration> {
    let ages = first..first + count;
    ages.map(|age| {
        script.on(Event::Ready { age: age as u64 });
        assert_eq!(halt(&script.exits(age, status)), None);
        let pause = script.arbiter.next_deadline().unwrap() - script.now;
        assert_eq!(forks(&script.pass(pause)).len(), 1);
        pause
    })
    .collect()
}

#[test]
fn workers_that_end_as_soon_as_they_serve_are_forked_with_a_growing_pause() {
    for status in [
        Status::Code(0),
        Status::Code(3),
        Status::Signal(libc::SIGSEGV),
    ] {
        let mut script = Script::serving(1);
        let pauses = pauses(&mut script, 1, 8, status);
        let millis: Vec<_> = pauses.iter().map(Duration::as_millis).collect();
        assert_eq!(millis, [250, 500, 1000, 2000, 4000, 4000, 4000, 4000]);
    }
}

#[test]
fn a_worker_that_has_settled_makes_the_next_pause_short_again() {
    let mut script = Script::serving(1);
    pauses(&mut script, 1, 6, Status::Code(1));
    script.on(Event::Ready { age: 7 });
    script.now += Duration::from_secs(60);
    assert_eq!(forks(&script.exits(7, Status::Code(1))).len(), 1);
    let again = pauses(&mut script, 8, 2, Status::Code(1));
    assert_eq!(again[0], Duration::from_millis(250));
}

#[test]
fn workers_that_fail_at_the_same_time_are_one_reason_to_pause() {
    let mut script = Script::serving(4);
    for age in 1..=4 {
        script.exits(age, Status::Signal(libc::SIGSEGV));
    }
    assert_eq!(forks(&script.pass(Duration::from_millis(250))).len(), 4);
}

#[test]
fn a_worker_that_serves_does_not_end_the_pause_of_another() {
    let mut script = Script::new(2);
    script.on(Event::Started);
    script.on(Event::Ready { age: 1 });
    script.exits(1, Status::Signal(libc::SIGSEGV));
    assert_eq!(forks(&script.on(Event::Ready { age: 2 })), []);
}

#[test]
fn workers_that_are_recycled_fast_are_not_waited_for_longer_and_longer() {
    let recycling = Policy {
        recycles: true,
        ..policy(1)
    };
    let mut script = Script::serving_under(recycling);
    let pauses = pauses(&mut script, 1, 5, Status::Code(0));
    assert!(
        pauses
            .iter()
            .all(|pause| *pause == Duration::from_millis(250))
    );
}

#[test]
fn boots_that_end_without_an_error_or_by_a_signal_end_the_server_when_they_are_too_many() {
    for status in [Status::Code(0), Status::Signal(libc::SIGKILL)] {
        let mut script = Script::new(2);
        script.on(Event::Started);
        let mut age = 0;
        let exit = loop {
            age += 1;
            let actions = script.exits(age, status);
            if script.arbiter.is_stopping() {
                let other = script.pids().first().map(|pid| pid - 100);
                break other.map_or_else(|| halt(&actions), |age| halt(&script.exits(age, status)));
            }
            script.pass(Duration::from_secs(30));
        };
        assert_eq!((age, exit), (5, Some(Exit::WorkerBoot)));
    }
}

#[test]
fn one_that_was_asked_to_leave_while_it_booted_is_no_failure() {
    let mut script = Script::new(1);
    script.on(Event::Started);
    for age in 1..20 {
        script.on(Event::SetWorkers(0));
        assert_eq!(
            cause(&script.exits(age, Status::Code(0))),
            Some(Cause::Asked)
        );
        assert_eq!(forks(&script.on(Event::SetWorkers(1))).len(), 1);
    }
}

#[test]
fn forks_that_the_operators_code_refuses_end_the_server_when_they_are_too_many() {
    let mut script = Script::new(1);
    let mut actions = Vec::new();
    script
        .arbiter
        .step(Event::Started, script.now, &mut actions);
    for age in 1..=4 {
        assert_eq!(halt(&actions), None);
        script.now += Duration::from_secs(30);
        let refused = Event::ForkRefused { age };
        script.arbiter.step(refused, script.now, &mut actions);
        script.now += Duration::from_secs(30);
        script
            .arbiter
            .step(Event::DeadlinePassed, script.now, &mut actions);
    }
    assert_eq!(halt(&actions), Some(Exit::WorkerBoot));
}

// Classes that do not tell whether they serve.

#[test]
fn a_worker_that_is_only_taken_for_ready_ends_the_server_by_the_code_that_says_it_could_not_boot() {
    for (code, exit) in [(3, Exit::WorkerBoot), (4, Exit::AppNotFound)] {
        let mut script = Script::new(1);
        script.on(Event::Started);
        assert!(
            script
                .on(Event::Presumed { age: 1 })
                .contains(&Action::WorkerReady { age: 1 })
        );
        script.now += Duration::from_secs(10);
        assert_eq!(halt(&script.exits(1, Status::Code(code))), Some(exit));
    }
}

#[test]
fn a_worker_that_is_only_taken_for_ready_is_replaced_when_it_ends_otherwise() {
    let mut script = Script::new(1);
    script.on(Event::Started);
    script.on(Event::Presumed { age: 1 });
    script.now += Duration::from_secs(10);
    assert_eq!(forks(&script.exits(1, Status::Code(1))).len(), 1);
}

#[test]
fn its_first_sign_of_life_later_is_no_second_readiness() {
    let mut script = Script::new(1);
    script.on(Event::Started);
    script.on(Event::Presumed { age: 1 });
    assert_eq!(script.on(Event::Ready { age: 1 }), []);
    script.now += Duration::from_secs(10);
    assert_eq!(
        halt(&script.exits(1, Status::Code(3))),
        None,
        "it has served"
    );
}
