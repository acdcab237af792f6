//! The upgrade: when it begins, and when a stop waits for it.

use nix::libc;

use super::super::event::{Action, Event, NoUpgrade, Signal};
use super::super::state::Arbiter;
use super::{GRACEFUL, Script, kills, policy};

#[test]
fn an_upgrade_begins_once_and_not_in_a_successor() {
    let mut script = Script::serving(1);
    assert_eq!(script.signal(Signal::Usr2), [Action::Upgrade]);
    script.on(Event::Upgrading);
    assert_eq!(
        script.signal(Signal::Usr2),
        [Action::RefuseUpgrade(NoUpgrade::HasSuccessor)]
    );
    script.on(Event::SuccessorGone);
    assert_eq!(
        script.signal(Signal::Usr2),
        [Action::Upgrade],
        "another try"
    );
    script.arbiter = Arbiter::succeeding(policy(1));
    assert_eq!(
        script.signal(Signal::Usr2)[0],
        Action::RefuseUpgrade(NoUpgrade::HasPredecessor)
    );
    script.on(Event::Promoted);
    assert!(script.signal(Signal::Usr2).contains(&Action::Upgrade));
}

#[test]
fn term_waits_until_the_successor_serves_or_is_gone_or_time_is_up() {
    for end in [Event::SuccessorReady, Event::SuccessorGone] {
        let mut script = upgrading();
        assert_eq!(script.signal(Signal::Term), [Action::AwaitSuccessor]);
        assert_eq!(script.signal(Signal::Term), []);
        assert_eq!(script.signal(Signal::Hup), []);
        assert_eq!(kills(&script.on(end)), [(101, libc::SIGTERM)], "{end:?}");
    }
    let mut script = upgrading();
    script.signal(Signal::Term);
    assert_eq!(script.arbiter.next_deadline(), Some(script.now + GRACEFUL));
    assert_eq!(kills(&script.pass(GRACEFUL)), [(101, libc::SIGTERM)]);
}

#[test]
fn quit_does_not_wait_for_the_successor_and_neither_does_term_once_it_serves() {
    let mut script = upgrading();
    script.signal(Signal::Term);
    assert_eq!(kills(&script.signal(Signal::Quit)), [(101, libc::SIGQUIT)]);
    let mut script = upgrading();
    script.on(Event::SuccessorReady);
    assert_eq!(kills(&script.signal(Signal::Term)), [(101, libc::SIGTERM)]);
}

fn upgrading() -> Script {
    let mut script = Script::serving(1);
    script.signal(Signal::Usr2);
    script.on(Event::Upgrading);
    script
}
