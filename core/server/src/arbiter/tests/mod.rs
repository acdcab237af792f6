//! The state machine, played as a script: no process is started.

mod booting;
mod numbering;
mod pairs;
mod pools;
mod rolling;
mod succession;

use std::time::{Duration, Instant};

use nix::libc;

use super::event::{Action, Event, Policy, Signal, Silence};
use super::slot::{Cause, Status};
use super::state::Arbiter;
use crate::error::Exit;

const GRACEFUL: Duration = Duration::from_secs(30);
const ABORT_GRACE: Duration = Duration::from_secs(5);
const BOOT: Duration = Duration::from_secs(300);

fn policy(workers: usize) -> Policy {
    Policy {
        workers,
        abort_grace: ABORT_GRACE,
        graceful: GRACEFUL,
        boot: Some(BOOT),
        max_age: None,
        surge: 4,
        recycles: false,
    }
}

/// An arbiter whose forks succeed at once: the worker of age N gets the process id 100 + N.
struct Script {
    arbiter: Arbiter,
    now: Instant,
    log: Vec<Action>,
}

impl Script {
    fn new(workers: usize) -> Self {
        Self::under(policy(workers))
    }

    fn under(policy: Policy) -> Self {
        Self {
            arbiter: Arbiter::new(policy),
            now: Instant::now(),
            log: Vec::new(),
        }
    }

    /// An arbiter with so many workers, all of them ready.
    fn serving(workers: usize) -> Self {
        Self::serving_under(policy(workers))
    }

    fn serving_under(policy: Policy) -> Self {
        let mut script = Self::under(policy);
        script.on(Event::Started);
        for age in 1..=policy.workers as u64 {
            script.on(Event::Ready { age });
        }
        script
    }

    /// The actions that an event leads to.
    fn on(&mut self, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        self.arbiter.step(event, self.now, &mut actions);
        let forks: Vec<_> = actions
            .iter()
            .filter_map(|action| {
                if let Action::Fork { age, .. } = action {
                    Some(*age)
                } else {
                    None
                }
            })
            .collect();
        for age in forks {
            let pid = 100 + age as i32;
            self.arbiter
                .step(Event::Forked { age, pid }, self.now, &mut actions);
        }
        self.log.extend(&actions);
        actions
    }

    fn signal(&mut self, signal: Signal) -> Vec<Action> {
        self.on(Event::Signal(signal))
    }

    fn exits(&mut self, age: i32, status: Status) -> Vec<Action> {
        self.on(Event::Exited {
            pid: 100 + age,
            status,
        })
    }

    fn pass(&mut self, time: Duration) -> Vec<Action> {
        self.now += time;
        self.on(Event::DeadlinePassed)
    }

    fn pids(&self) -> Vec<i32> {
        self.arbiter.workers().map(|(_, pid)| pid).collect()
    }
}

fn forks(actions: &[Action]) -> Vec<(usize, u64)> {
    let fork = |action: &Action| match action {
        Action::Fork { id, age } => Some((*id, *age)),
        _ => None,
    };
    actions.iter().filter_map(fork).collect()
}

fn kills(actions: &[Action]) -> Vec<(i32, i32)> {
    let kill = |action: &Action| match action {
        Action::Kill { pid, signal } => Some((*pid, *signal)),
        _ => None,
    };
    actions.iter().filter_map(kill).collect()
}

fn cause(actions: &[Action]) -> Option<Cause> {
    actions.iter().find_map(|action| match action {
        Action::WorkerGone(departed) => Some(departed.cause),
        _ => None,
    })
}

fn halt(actions: &[Action]) -> Option<Exit> {
    actions.iter().find_map(|action| {
        if let Action::Halt(exit) = action {
            Some(*exit)
        } else {
            None
        }
    })
}

#[test]
fn the_wanted_workers_are_forked_with_small_ids() {
    let mut script = Script::new(3);
    assert_eq!(forks(&script.on(Event::Started)), [(1, 1), (2, 2), (3, 3)]);
    assert_eq!(forks(&script.on(Event::DeadlinePassed)), [], "and no more");
}

#[test]
fn a_worker_that_dies_is_replaced_under_its_id() {
    let mut script = Script::serving(2);
    script.now += Duration::from_secs(60);
    let actions = script.exits(1, Status::Signal(libc::SIGSEGV));
    assert_eq!(cause(&actions), Some(Cause::Crash));
    assert_eq!(forks(&actions), [(1, 3)]);
}

#[test]
fn one_that_leaves_at_once_is_not_replaced_at_once() {
    let mut script = Script::serving(1);
    let actions = script.exits(1, Status::Code(0));
    assert_eq!(cause(&actions), Some(Cause::Retired));
    let forks = |actions: &[Action]| {
        actions
            .iter()
            .any(|action| matches!(action, Action::Fork { .. }))
    };
    assert!(!forks(&actions));
    assert!(forks(&script.pass(Duration::from_millis(250))));
}

#[test]
fn the_end_is_told_before_the_replacement_is_forked() {
    let mut script = Script::serving(1);
    script.now += Duration::from_secs(60);
    let actions = script.exits(1, Status::Code(0));
    assert_eq!(cause(&actions), Some(Cause::Retired));
    let gone = actions
        .iter()
        .position(|a| matches!(a, Action::WorkerGone(_)));
    let fork = actions
        .iter()
        .position(|a| matches!(a, Action::Fork { .. }));
    assert!(gone.is_some() && gone < fork);
}

#[test]
fn a_first_worker_that_cannot_boot_ends_the_server_with_3() {
    let mut script = Script::new(2);
    script.on(Event::Started);
    let actions = script.exits(1, Status::Code(3));
    assert_eq!(cause(&actions), Some(Cause::Boot));
    assert_eq!(kills(&actions), [(102, libc::SIGTERM)]);
    assert_eq!(halt(&actions), None, "not before the other is gone");
    assert_eq!(
        halt(&script.exits(2, Status::Signal(libc::SIGTERM))),
        Some(Exit::WorkerBoot)
    );
}

#[test]
fn a_missing_application_ends_the_server_with_4_however_many_workers_fail() {
    let mut script = Script::new(3);
    script.on(Event::Started);
    script.exits(1, Status::Code(4));
    script.exits(2, Status::Code(4));
    assert_eq!(
        halt(&script.exits(3, Status::Code(3))),
        Some(Exit::AppNotFound),
        "the first cause counts"
    );
}

#[test]
fn a_failed_fork_is_tried_again_after_a_pause() {
    let mut script = Script::serving(1);
    let mut actions = Vec::new();
    script
        .arbiter
        .step(Event::SetWorkers(2), script.now, &mut actions);
    assert_eq!(forks(&actions), [(2, 2)]);
    actions.clear();
    script
        .arbiter
        .step(Event::ForkFailed { age: 2 }, script.now, &mut actions);
    assert_eq!(forks(&actions), []);
    assert_eq!(forks(&script.pass(Duration::from_millis(250))), [(2, 3)]);
}

#[test]
fn a_silent_worker_is_aborted_then_killed_then_replaced() {
    let mut script = Script::serving(2);
    let actions = script.on(Event::Silent { age: 1 });
    assert!(actions.contains(&Action::WorkerTimeout {
        age: 1,
        pid: 101,
        silence: Silence::Itself,
    }));
    assert_eq!(kills(&actions), [(101, libc::SIGABRT)]);
    assert_eq!(
        kills(&script.on(Event::Silent { age: 1 })),
        [],
        "once is enough"
    );
    assert_eq!(kills(&script.pass(ABORT_GRACE)), [(101, libc::SIGKILL)]);
    let actions = script.exits(1, Status::Signal(libc::SIGKILL));
    assert_eq!(cause(&actions), Some(Cause::Timeout));
    assert_eq!(forks(&actions).len(), 1);
}

#[test]
fn term_stops_gracefully_and_halts_when_all_are_gone() {
    let mut script = Script::serving(2);
    let actions = script.signal(Signal::Term);
    assert_eq!(actions[0], Action::CloseListeners);
    assert_eq!(
        kills(&actions),
        [(101, libc::SIGTERM), (102, libc::SIGTERM)]
    );
    assert_eq!(
        kills(&script.signal(Signal::Term)),
        [],
        "a second TERM changes nothing"
    );
    let actions = script.exits(1, Status::Code(0));
    assert_eq!((forks(&actions), halt(&actions)), (vec![], None));
    assert_eq!(cause(&actions), Some(Cause::Asked));
    assert_eq!(halt(&script.exits(2, Status::Code(0))), Some(Exit::Ok));
}

#[test]
fn what_has_not_stopped_in_time_is_killed() {
    let mut script = Script::serving(1);
    script.signal(Signal::Term);
    assert_eq!(script.arbiter.next_deadline(), Some(script.now + GRACEFUL));
    assert_eq!(kills(&script.pass(GRACEFUL)), [(101, libc::SIGKILL)]);
    assert_eq!(
        halt(&script.exits(1, Status::Signal(libc::SIGKILL))),
        Some(Exit::Ok)
    );
}

#[test]
fn int_and_quit_stop_at_once_and_cut_a_graceful_stop_short() {
    for signal in [Signal::Int, Signal::Quit] {
        let mut script = Script::serving(1);
        assert_eq!(kills(&script.signal(signal)), [(101, libc::SIGQUIT)]);
        let mut script = Script::serving(1);
        script.signal(Signal::Term);
        assert_eq!(kills(&script.signal(signal)), [(101, libc::SIGQUIT)]);
        assert_eq!(
            script.arbiter.next_deadline(),
            Some(script.now + Duration::from_secs(2))
        );
    }
}

#[test]
fn ttin_and_ttou_change_the_number_and_tell() {
    let mut script = Script::serving(1);
    let actions = script.signal(Signal::Ttin);
    assert_eq!(actions[0], Action::CountSet { new: 2, old: 1 });
    assert_eq!(forks(&actions), [(2, 2)]);
    script.on(Event::Ready { age: 2 });
    let actions = script.signal(Signal::Ttou);
    assert_eq!(actions[0], Action::CountSet { new: 1, old: 2 });
    assert_eq!(kills(&actions), [(101, libc::SIGTERM)], "the oldest goes");
    assert_eq!(script.signal(Signal::Ttou), [], "not below one");
}

#[test]
fn a_reload_replaces_workers_one_by_one_as_new_ones_get_ready() {
    let mut script = Script::serving(2);
    assert_eq!(script.signal(Signal::Hup), [Action::Reload]);
    let actions = script.on(Event::Reloaded(policy(3)));
    assert_eq!(forks(&actions), [(3, 3), (4, 4), (5, 5)]);
    assert_eq!(kills(&actions), [], "the old serve on");
    assert_eq!(kills(&script.on(Event::Ready { age: 3 })), []);
    assert_eq!(
        kills(&script.on(Event::Ready { age: 4 })),
        [(101, libc::SIGTERM)]
    );
    assert_eq!(
        kills(&script.on(Event::Ready { age: 5 })),
        [(102, libc::SIGTERM)]
    );
    script.exits(1, Status::Code(0));
    script.exits(2, Status::Code(0));
    assert_eq!(script.pids(), [103, 104, 105]);
}

#[test]
fn a_reload_whose_workers_cannot_boot_keeps_the_old_ones() {
    let mut script = Script::serving(1);
    script.now += Duration::from_secs(60);
    script.on(Event::Reloaded(policy(1)));
    let actions = script.exits(2, Status::Code(3));
    assert_eq!((halt(&actions), kills(&actions)), (None, vec![]));
    assert_eq!(script.pids(), [101]);
}

#[test]
fn a_signal_during_a_reload_is_acted_on() {
    let mut script = Script::serving(1);
    script.on(Event::Reloaded(policy(1)));
    assert_eq!(
        kills(&script.signal(Signal::Term)),
        [(101, libc::SIGTERM), (102, libc::SIGTERM)]
    );
    assert_eq!(
        script.signal(Signal::Hup),
        [],
        "and no reload during a stop"
    );
}

#[test]
fn usr1_reaches_every_worker() {
    let mut script = Script::serving(2);
    let actions = script.signal(Signal::Usr1);
    assert_eq!(actions[0], Action::ReopenLogs);
    assert_eq!(
        kills(&actions),
        [(101, libc::SIGUSR1), (102, libc::SIGUSR1)]
    );
}

#[test]
fn a_hook_can_ask_the_server_to_leave_with_a_code() {
    let mut script = Script::serving(1);
    let actions = script.on(Event::Leave(Exit::Asked(7)));
    assert_eq!(kills(&actions), [(101, libc::SIGTERM)]);
    assert_eq!(
        halt(&script.exits(1, Status::Code(0))),
        Some(Exit::Asked(7))
    );
}

#[test]
fn a_stop_that_begins_while_a_worker_is_forked_waits_for_that_one_too() {
    let mut arbiter = Arbiter::new(policy(1));
    let now = Instant::now();
    let mut step = |event| {
        let mut actions = Vec::new();
        arbiter.step(event, now, &mut actions);
        actions
    };
    step(Event::Started);
    let actions = step(Event::Leave(Exit::Asked(7)));
    assert_eq!((kills(&actions), halt(&actions)), (vec![], None));
    let actions = step(Event::Forked { age: 1, pid: 101 });
    assert_eq!(kills(&actions), [(101, libc::SIGTERM)]);
    let status = Status::Code(0);
    let actions = step(Event::Exited { pid: 101, status });
    assert_eq!(halt(&actions), Some(Exit::Asked(7)));
}

#[test]
fn a_stop_that_begins_while_a_fork_fails_ends_at_once() {
    let mut arbiter = Arbiter::new(policy(1));
    let mut actions = Vec::new();
    for event in [
        Event::Started,
        Event::Leave(Exit::Asked(7)),
        Event::ForkFailed { age: 1 },
    ] {
        arbiter.step(event, Instant::now(), &mut actions);
    }
    assert_eq!(halt(&actions), Some(Exit::Asked(7)));
}

#[test]
fn no_workers_are_a_number_too() {
    let mut script = Script::new(0);
    assert_eq!(script.on(Event::Started), []);
    assert_eq!(halt(&script.signal(Signal::Term)), Some(Exit::Ok));
}

#[test]
fn strangers_and_stale_news_change_nothing() {
    let mut script = Script::serving(1);
    for event in [
        Event::Exited {
            pid: 999,
            status: Status::Code(0),
        },
        Event::Ready { age: 99 },
        Event::Silent { age: 99 },
        Event::ForkFailed { age: 99 },
    ] {
        let actions = script.on(event);
        assert_eq!(kills(&actions), [], "{event:?}");
        assert!(halt(&actions).is_none());
    }
    assert_eq!(script.pids(), [101]);
}

#[test]
fn ttou_takes_a_worker_that_does_not_serve_yet_before_one_that_does() {
    let mut script = Script::serving(1);
    script.signal(Signal::Ttin);
    assert_eq!(kills(&script.signal(Signal::Ttou)), [(102, libc::SIGTERM)]);
}

#[test]
fn winch_stops_all_workers_and_hup_or_ttin_bring_them_back() {
    let mut script = Script::serving(2);
    let actions = script.signal(Signal::Winch);
    assert_eq!(actions[0], Action::CountSet { new: 0, old: 2 });
    assert_eq!(
        kills(&actions),
        [(101, libc::SIGTERM), (102, libc::SIGTERM)]
    );
    assert_eq!(
        script.signal(Signal::Winch),
        [],
        "a second one changes nothing"
    );
    script.exits(1, Status::Code(0));
    assert_eq!(halt(&script.exits(2, Status::Code(0))), None);
    assert_eq!(forks(&script.signal(Signal::Ttin)).len(), 1);
    assert_eq!(forks(&script.on(Event::Reloaded(policy(2)))).len(), 2);
}
