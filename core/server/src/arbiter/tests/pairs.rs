//! Every pair of a worker's state and an event that can meet it: what comes of the worker; and what
//! holds whatever meets whatever.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use nix::libc;

use super::super::event::{Action, Event, Signal};
use super::super::slot::{Cause, State, Status};
use super::super::state::Arbiter;
use super::{ABORT_GRACE, GRACEFUL, policy};
use crate::error::Exit;

const PID: i32 = 101;

const STATES: [&str; 7] = [
    "forking", "booting", "serving", "stopping", "aborting", "killed", "aborted",
];

/// An arbiter whose first worker is in this state, at this time. It is no longer too young to be
/// replaced at once.
fn arbiter(state: &str, start: Instant) -> (Arbiter, Instant) {
    let mut arbiter = Arbiter::new(policy(1));
    let mut now = start;
    let mut step = |event, now| arbiter.step(event, now, &mut Vec::new());
    step(Event::Started, now);
    if state == "forking" {
        return (arbiter, now);
    }
    step(Event::Forked { age: 1, pid: PID }, now);
    if state == "booting" {
        return (arbiter, now);
    }
    step(Event::Ready { age: 1 }, now);
    now += Duration::from_secs(60);
    match state {
        "serving" => {}
        "stopping" => step(Event::Stuck { age: 1 }, now),
        "aborting" => step(Event::Silent { age: 1 }, now),
        "killed" => {
            step(Event::Stuck { age: 1 }, now);
            now += GRACEFUL;
            step(Event::DeadlinePassed, now);
        }
        _ => {
            step(Event::Silent { age: 1 }, now);
            now += ABORT_GRACE;
            step(Event::DeadlinePassed, now);
        }
    }
    (arbiter, now)
}

fn state_of(arbiter: &Arbiter) -> &'static str {
    let slot = arbiter.slots().iter().find(|slot| slot.age == 1);
    match slot.map(|slot| slot.state) {
        None => "gone",
        Some(State::Forking) => "forking",
        Some(State::Booting) => "booting",
        Some(State::Serving) => "serving",
        Some(State::Stopping { .. }) => "stopping",
        Some(State::Aborting { .. }) => "aborting",
        Some(State::Killed { aborted: false }) => "killed",
        Some(State::Killed { aborted: true }) => "aborted",
    }
}

/// Rows are events, columns are `STATES`; `-` stands for no change.
#[test]
fn what_comes_of_a_worker_in_each_state_at_each_event() {
    let exited = |status| Event::Exited { pid: PID, status };
    let due = |cause| Event::Due { age: 1, cause };
    let signal = Event::Signal;
    let rows: [(Event, [&str; 7]); 28] = [
        (Event::Started, ["-"; 7]),
        (
            Event::Forked { age: 1, pid: PID },
            ["booting", "-", "-", "-", "-", "-", "-"],
        ),
        (
            Event::ForkFailed { age: 1 },
            ["gone", "-", "-", "-", "-", "-", "-"],
        ),
        (
            Event::ForkRefused { age: 1 },
            ["gone", "-", "-", "-", "-", "-", "-"],
        ),
        (
            Event::Ready { age: 1 },
            ["-", "serving", "-", "-", "-", "-", "-"],
        ),
        (
            Event::Presumed { age: 1 },
            ["-", "serving", "-", "-", "-", "-", "-"],
        ),
        (
            Event::Silent { age: 1 },
            ["-", "aborting", "aborting", "-", "-", "-", "-"],
        ),
        (
            Event::Still { age: 1 },
            ["-", "-", "stopping", "-", "-", "-", "-"],
        ),
        (due(Cause::MaxRequests), ["-"; 7]),
        (due(Cause::Memory), ["-"; 7]),
        (due(Cause::Age), ["-"; 7]),
        (
            Event::Stuck { age: 1 },
            ["-", "stopping", "stopping", "-", "-", "-", "-"],
        ),
        (
            exited(Status::Code(0)),
            ["-", "gone", "gone", "gone", "gone", "gone", "gone"],
        ),
        (
            exited(Status::Code(3)),
            ["-", "gone", "gone", "gone", "gone", "gone", "gone"],
        ),
        (
            exited(Status::Signal(9)),
            ["-", "gone", "gone", "gone", "gone", "gone", "gone"],
        ),
        (Event::DeadlinePassed, ["-"; 7]),
        (Event::Reloaded(policy(1)), ["-"; 7]),
        (Event::SetWorkers(3), ["-"; 7]),
        (
            Event::SetWorkers(0),
            ["-", "stopping", "stopping", "-", "-", "-", "-"],
        ),
        (
            Event::Leave(Exit::Ok),
            ["-", "stopping", "stopping", "-", "-", "-", "-"],
        ),
        (
            signal(Signal::Term),
            ["-", "stopping", "stopping", "-", "-", "-", "-"],
        ),
        (
            signal(Signal::Int),
            ["-", "stopping", "stopping", "-", "-", "-", "-"],
        ),
        (
            signal(Signal::Quit),
            ["-", "stopping", "stopping", "-", "-", "-", "-"],
        ),
        (signal(Signal::Hup), ["-"; 7]),
        (signal(Signal::Ttin), ["-"; 7]),
        (signal(Signal::Ttou), ["-"; 7]),
        (signal(Signal::Usr1), ["-"; 7]),
        (
            signal(Signal::Winch),
            ["-", "stopping", "stopping", "-", "-", "-", "-"],
        ),
    ];
    for (event, expected) in rows {
        for (state, expected) in STATES.into_iter().zip(expected) {
            let (mut arbiter, now) = arbiter(state, Instant::now());
            assert_eq!(state_of(&arbiter), state, "the way there");
            arbiter.step(event, now, &mut Vec::new());
            let expected = if expected == "-" { state } else { expected };
            assert_eq!(state_of(&arbiter), expected, "{event:?} meets {state}");
        }
    }
}

fn events() -> Vec<Event> {
    let mut events = vec![
        Event::Started,
        Event::Stuck { age: 1 },
        Event::Silent { age: 1 },
        Event::Still { age: 1 },
        Event::Ready { age: 1 },
        Event::Ready { age: 2 },
        Event::Presumed { age: 1 },
        Event::ForkRefused { age: 2 },
        Event::Upgrading,
        Event::SuccessorReady,
        Event::SuccessorGone,
        Event::Promoted,
        Event::DeadlinePassed,
        Event::Reloaded(policy(2)),
        Event::SetWorkers(0),
        Event::SetWorkers(3),
        Event::Leave(Exit::Asked(7)),
    ];
    let signals = [
        Signal::Term,
        Signal::Int,
        Signal::Quit,
        Signal::Hup,
        Signal::Ttin,
        Signal::Ttou,
        Signal::Usr1,
        Signal::Usr2,
        Signal::Winch,
    ];
    events.extend(signals.map(Event::Signal));
    for status in [Status::Code(0), Status::Code(4), Status::Signal(11)] {
        events.push(Event::Exited { pid: PID, status });
    }
    for cause in [Cause::MaxRequests, Cause::Memory, Cause::Age] {
        events.push(Event::Due { age: 1, cause });
    }
    events
}

/// What holds whatever has met whatever.
fn check(arbiter: &Arbiter, actions: &[Action], was_stopping: bool, story: &str) {
    let ids: BTreeSet<_> = arbiter.slots().iter().map(|slot| slot.id).collect();
    assert_eq!(ids.len(), arbiter.slots().len(), "an id twice: {story}");
    let ages: Vec<_> = arbiter.slots().iter().map(|slot| slot.age).collect();
    assert!(ages.is_sorted(), "not in the order of forks: {story}");
    for action in actions {
        match *action {
            Action::Kill { pid, .. } => assert!(pid > 0, "nobody is killed: {story}"),
            Action::Fork { .. } => assert!(!was_stopping, "a fork at the end: {story}"),
            Action::Halt(_) => {
                assert!(
                    arbiter.is_stopping() && arbiter.slots().is_empty(),
                    "{story}"
                );
            }
            _ => {}
        }
    }
}

#[test]
fn whatever_three_events_meet_a_worker_in_any_state_what_must_hold_holds() {
    let events = events();
    let start = Instant::now();
    for state in STATES {
        for &first in &events {
            for &second in &events {
                for &third in &events {
                    let (mut arbiter, mut now) = arbiter(state, start);
                    let story = || format!("{state}: {first:?}, {second:?}, {third:?}");
                    for event in [first, second, third] {
                        let was_stopping = arbiter.is_stopping();
                        let mut actions = Vec::new();
                        arbiter.step(event, now, &mut actions);
                        fork_all(&mut arbiter, now, &mut actions);
                        check(&arbiter, &actions, was_stopping, &story());
                        now += Duration::from_secs(1);
                    }
                }
            }
        }
    }
}

/// Lets every fork that was asked for succeed, as the driver does before it takes the next event.
fn fork_all(arbiter: &mut Arbiter, now: Instant, actions: &mut Vec<Action>) {
    let forking = arbiter
        .slots()
        .iter()
        .filter(|slot| slot.state == State::Forking);
    let ages: Vec<_> = forking.map(|slot| slot.age).collect();
    for age in ages {
        let pid = 100 + age as i32;
        arbiter.step(Event::Forked { age, pid }, now, actions);
    }
}

#[test]
fn from_everywhere_quit_leads_to_the_end_within_the_time_there_is() {
    let events = events();
    let start = Instant::now();
    for state in STATES {
        for &first in &events {
            let (mut arbiter, mut now) = arbiter(state, start);
            let mut actions = Vec::new();
            for event in [first, Event::Signal(Signal::Quit)] {
                arbiter.step(event, now, &mut actions);
                fork_all(&mut arbiter, now, &mut actions);
            }
            now += GRACEFUL;
            arbiter.step(Event::DeadlinePassed, now, &mut actions);
            for (_, pid) in arbiter.workers().collect::<Vec<_>>() {
                let status = Status::Signal(libc::SIGKILL);
                arbiter.step(Event::Exited { pid, status }, now, &mut actions);
            }
            let is_over = actions
                .iter()
                .any(|action| matches!(action, Action::Halt(_)));
            assert!(is_over, "{state}: {first:?}");
        }
    }
}
