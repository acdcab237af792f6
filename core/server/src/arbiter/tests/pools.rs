//! Workers with a pool of threads of which none moves.

use nix::libc;

use super::super::event::{Action, Event, Signal, Silence};
use super::super::slot::{Cause, Status};
use super::{ABORT_GRACE, GRACEFUL, Script, cause, forks, kills};

#[test]
fn a_worker_whose_pool_is_still_is_replaced_at_once_drained_and_aborted_in_the_end() {
    let mut script = Script::serving(1);
    let actions = script.on(Event::Still { age: 1 });
    assert!(actions.contains(&Action::WorkerTimeout {
        age: 1,
        pid: 101,
        silence: Silence::Pool
    }));
    assert_eq!(
        kills(&actions),
        [(101, libc::SIGTERM)],
        "others are answered"
    );
    assert_eq!(forks(&actions).len(), 1, "nobody waits for that");
    assert_eq!(script.on(Event::Still { age: 1 }), [], "once is enough");
    assert_eq!(kills(&script.pass(GRACEFUL)), [(101, libc::SIGABRT)]);
    assert_eq!(kills(&script.pass(ABORT_GRACE)), [(101, libc::SIGKILL)]);
    let actions = script.exits(1, Status::Signal(libc::SIGKILL));
    assert_eq!(cause(&actions), Some(Cause::Timeout));
    assert_eq!(forks(&actions), [], "its replacement is there");
}

#[test]
fn a_worker_whose_pool_was_still_may_leave_by_itself() {
    let mut script = Script::serving(1);
    script.on(Event::Still { age: 1 });
    let actions = script.exits(1, Status::Code(0));
    assert_eq!(cause(&actions), Some(Cause::Timeout));
}

#[test]
fn a_stop_does_not_take_longer_for_a_worker_whose_pool_is_still() {
    let mut script = Script::serving(1);
    script.on(Event::Still { age: 1 });
    script.signal(Signal::Term);
    let killed = kills(&script.pass(GRACEFUL));
    assert!(killed.contains(&(101, libc::SIGKILL)), "{killed:?}");
}
