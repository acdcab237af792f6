//! Supervision as a state machine: `step(event, now) -> actions`. It starts no process and sends no
//! signal; it says what is to be done, and is told what came of it.
//!
//! ```text
//!   Forking ──Forked──► Booting ──Ready──► Serving ──┬─(surplus, old generation, stop)─► Stopping ──► Killed
//!      └─ForkFailed─► (pause)      └────────┬────────┴─(Silent; Still, after Stopping)─► Aborting ──► Killed
//!                                           └──────────────────── Exited, from any of them ──────────► gone
//! ```

use std::time::{Duration, Instant};

use nix::libc;

use super::event::{Action, Event, NoUpgrade, Policy, Signal, Silence};
use super::pauses::Pauses;
use super::slot::{Cause, Slot, State};
use crate::error::Exit;
use crate::hooks::Age;

/// What is left to workers when a graceful stop is cut short.
const QUICK_STOP: Duration = Duration::from_secs(2);

/// The arbiter's mind.
#[derive(Debug)]
pub struct Arbiter {
    pub(super) policy: Policy,
    pub(super) wanted: usize,
    /// In the order of their forks.
    pub(super) slots: Vec<Slot>,
    pub(super) next_age: Age,
    pub(super) generation: u64,
    pub(super) ever_ready: bool,
    /// A worker has said itself that it serves: from now on failures are retried, not fatal.
    pub(super) has_proof: bool,
    /// Boots that came to nothing, for reasons that may pass, before there was one that did not.
    pub(super) in_vain: usize,
    pub(super) pauses: Pauses,
    /// Of the present generation, a worker has been forked.
    pub(super) has_forked: bool,
    /// Workers of this generation are not to be forked beside those they replace.
    pub(super) old_go_first: bool,
    pub(super) stop: Option<Stop>,
    /// The arbiter that an upgrade has started; whether it serves.
    successor: Option<bool>,
    /// This arbiter is a successor, and the one before it lives.
    has_predecessor: bool,
    /// A stop that waits until the successor serves, and how long at most.
    farewell: Option<(Exit, Instant)>,
}

/// The end, under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stop {
    exit: Exit,
    quick: bool,
}

impl Stop {
    /// The signal that tells workers of it.
    fn signal(self) -> i32 {
        if self.quick {
            libc::SIGQUIT
        } else {
            libc::SIGTERM
        }
    }
}

impl Arbiter {
    /// An arbiter that has no workers yet.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            wanted: policy.workers,
            slots: Vec::new(),
            next_age: 1,
            generation: 1,
            ever_ready: false,
            has_proof: false,
            in_vain: 0,
            pauses: Pauses::default(),
            has_forked: false,
            old_go_first: false,
            stop: None,
            successor: None,
            has_predecessor: false,
            farewell: None,
        }
    }

    /// The successor of an arbiter that still lives.
    #[must_use]
    pub fn succeeding(policy: Policy) -> Self {
        Self {
            has_predecessor: true,
            ..Self::new(policy)
        }
    }

    /// An arbiter that goes on with workers there are already, all of an old generation.
    pub(super) fn resuming(
        policy: Policy,
        slots: Vec<Slot>,
        next_age: Age,
        generation: u64,
    ) -> Self {
        Self {
            slots,
            next_age,
            generation: generation + 1,
            ever_ready: true,
            has_proof: true,
            ..Self::new(policy)
        }
    }

    /// The workers, in the order of their forks.
    pub(super) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The number of reloads, and one.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// The age of the next worker to be forked.
    pub(super) fn next_age(&self) -> Age {
        self.next_age
    }

    /// Takes an event in, and adds what is to be done about it to `actions`.
    pub fn step(&mut self, event: Event, now: Instant, actions: &mut Vec<Action>) {
        match event {
            Event::Started | Event::DeadlinePassed => {}
            Event::Signal(signal) => self.take_signal(signal, now, actions),
            Event::Forked { age, pid } => self.take_fork(age, pid, now, actions),
            Event::ForkFailed { age } => self.take_failed_fork(age, now),
            Event::ForkRefused { age } => self.take_refused_fork(age, now, actions),
            Event::Ready { age } => self.take_ready(age, true, now, actions),
            Event::Presumed { age } => self.take_ready(age, false, now, actions),
            Event::Silent { age } => self.abort(age, now, actions),
            Event::Still { age } => self.drain_still(age, now, actions),
            Event::Due { age, cause } => self.mark_due(age, cause, now, actions),
            Event::Stuck { age } => self.mark_due(age, Cause::RequestTimeout, now, actions),
            Event::Upgrading => self.successor = Some(false),
            Event::SuccessorReady => self.successor = self.successor.map(|_| true),
            Event::SuccessorGone => self.successor = None,
            Event::Promoted => self.has_predecessor = false,
            Event::Exited { pid, status } => self.take_exit(pid, status, now, actions),
            Event::Reloaded(policy) => self.take_policy(policy),
            Event::SetWorkers(count) => self.set_wanted(count, actions),
            Event::Leave(exit) => self.begin_stop(exit, false, now, actions),
        }
        self.end_wait_for_successor(now, actions);
        self.abort_slow_boots(now, actions);
        self.kill_overdue(now, actions);
        if self.stop.is_none() {
            self.balance(now, actions);
        } else if self.slots.is_empty() {
            let exit = self.stop.map_or(Exit::Ok, |stop| stop.exit);
            actions.push(Action::Halt(exit));
        }
    }

    /// When `DeadlinePassed` is due.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let serves_on = self.stop.is_none();
        let resume = self.pauses.until().filter(|_| serves_on);
        let aged = self.next_aged().filter(|_| serves_on).map(|(at, _)| at);
        let farewell = self.farewell.map(|(_, until)| until);
        self.slots
            .iter()
            .filter_map(Slot::kill_at)
            .chain(self.slots.iter().filter_map(|slot| self.boots_until(slot)))
            .chain(resume)
            .chain(aged)
            .chain(farewell)
            .min()
    }

    /// The workers that the time-out holds for: id, age and process id. One that boots is none of
    /// them: it has a limit of its own.
    pub fn watched(&self) -> impl Iterator<Item = (usize, Age, i32)> {
        self.slots
            .iter()
            .filter(|slot| slot.serves())
            .map(|slot| (slot.id, slot.age, slot.pid))
    }

    /// The workers that boot: id and age.
    pub(super) fn booting(&self) -> impl Iterator<Item = (usize, Age)> {
        let booting = self.slots.iter().filter(|slot| slot.boots());
        booting.map(|slot| (slot.id, slot.age))
    }

    /// Whether a worker has been ready.
    #[must_use]
    pub fn was_ever_ready(&self) -> bool {
        self.ever_ready
    }

    /// Every worker there is: age and process id.
    pub fn workers(&self) -> impl Iterator<Item = (Age, i32)> {
        self.slots
            .iter()
            .filter(|slot| slot.pid > 0)
            .map(|slot| (slot.age, slot.pid))
    }

    /// The number of workers to keep.
    #[must_use]
    pub fn wanted(&self) -> usize {
        self.wanted
    }

    /// Whether the server is stopping.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stop.is_some()
    }

    fn take_signal(&mut self, signal: Signal, now: Instant, actions: &mut Vec<Action>) {
        match signal {
            Signal::Term => self.stop_in_turn(Exit::Ok, now, actions),
            Signal::Int | Signal::Quit => self.begin_stop(Exit::Ok, true, now, actions),
            Signal::Hup if self.serves_on() => actions.push(Action::Reload),
            Signal::Usr2 if self.serves_on() => self.upgrade(actions),
            Signal::Winch if self.wanted > 0 => self.set_wanted(0, actions),
            Signal::Ttin => self.set_wanted(self.wanted + 1, actions),
            Signal::Ttou if self.wanted > 1 => self.set_wanted(self.wanted - 1, actions),
            Signal::Usr1 => {
                actions.push(Action::ReopenLogs);
                self.signal_all(libc::SIGUSR1, actions);
            }
            Signal::Hup | Signal::Ttou | Signal::Usr2 | Signal::Winch => {}
        }
    }

    fn serves_on(&self) -> bool {
        self.stop.is_none() && self.farewell.is_none()
    }

    fn upgrade(&mut self, actions: &mut Vec<Action>) {
        actions.push(match (self.successor, self.has_predecessor) {
            (Some(_), _) => Action::RefuseUpgrade(NoUpgrade::HasSuccessor),
            (None, true) => Action::RefuseUpgrade(NoUpgrade::HasPredecessor),
            (None, false) => Action::Upgrade,
        });
    }

    /// Stops, but not before a successor that boots has come to serve.
    fn stop_in_turn(&mut self, exit: Exit, now: Instant, actions: &mut Vec<Action>) {
        if self.successor == Some(false) && self.stop.is_none() {
            if self.farewell.is_none() {
                self.farewell = Some((exit, now + self.policy.graceful));
                actions.push(Action::AwaitSuccessor);
            }
        } else {
            self.begin_stop(exit, false, now, actions);
        }
    }

    fn end_wait_for_successor(&mut self, now: Instant, actions: &mut Vec<Action>) {
        if let Some((exit, until)) = self.farewell
            && (self.successor != Some(false) || until <= now)
        {
            self.begin_stop(exit, false, now, actions);
        }
    }

    /// A stop that began while the worker was being forked means that one too.
    fn take_fork(&mut self, age: Age, pid: i32, now: Instant, actions: &mut Vec<Action>) {
        let (stop, patience) = (self.stop, self.policy.graceful);
        let generation = self.generation;
        let slot = self.slot_mut(age);
        let Some(slot) = slot.filter(|slot| slot.state == State::Forking) else {
            return;
        };
        slot.pid = pid;
        slot.forked_at = now;
        let is_present = slot.generation == generation;
        slot.state = match stop {
            None => State::Booting,
            Some(stop) => {
                let signal = stop.signal();
                actions.push(Action::Kill { pid, signal });
                State::Stopping {
                    kill_at: now + patience,
                }
            }
        };
        self.has_forked |= is_present;
    }

    pub(super) fn slot_mut(&mut self, age: Age) -> Option<&mut Slot> {
        self.slots.iter_mut().find(|slot| slot.age == age)
    }

    fn take_ready(&mut self, age: Age, says_so: bool, now: Instant, actions: &mut Vec<Action>) {
        let Some(slot) = self.slot_mut(age) else {
            return;
        };
        slot.has_proof |= says_so;
        let is_first = slot.ready_at.is_none();
        slot.ready_at = slot.ready_at.or(Some(now));
        if slot.state == State::Booting {
            slot.state = State::Serving;
        }
        self.ever_ready = true;
        self.has_proof |= says_so;
        if is_first {
            actions.push(Action::WorkerReady { age });
        }
    }

    fn abort(&mut self, age: Age, now: Instant, actions: &mut Vec<Action>) {
        let kill_at = now + self.policy.abort_grace;
        let Some(slot) = self.slot_mut(age) else {
            return;
        };
        if matches!(slot.state, State::Booting | State::Serving) {
            let pid = slot.pid;
            let silence = match slot.state {
                State::Booting => Silence::Boot,
                _ => Silence::Itself,
            };
            slot.state = State::Aborting { kill_at };
            actions.push(Action::WorkerTimeout { age, pid, silence });
            actions.push(Action::Kill {
                pid,
                signal: libc::SIGABRT,
            });
        }
    }

    /// When a worker that boots has taken too long.
    fn boots_until(&self, slot: &Slot) -> Option<Instant> {
        let most = self.policy.boot.filter(|_| slot.boots())?;
        slot.forked_at.checked_add(most)
    }

    fn abort_slow_boots(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let is_late = |slot: &&Slot| self.boots_until(slot).is_some_and(|until| until <= now);
        let late: Vec<_> = self.slots.iter().filter(is_late).map(|s| s.age).collect();
        for age in late {
            self.abort(age, now, actions);
        }
    }

    /// The new number of workers has been told by whoever loaded the configuration: before
    /// `on_reload`, which may refuse it.
    fn take_policy(&mut self, policy: Policy) {
        self.policy = policy;
        self.generation += 1;
        self.pauses = Pauses::default();
        self.has_forked = false;
        self.old_go_first = false;
        self.wanted = policy.workers;
    }

    /// gunicorn tells of every set, also of one that changes nothing.
    fn set_wanted(&mut self, count: usize, actions: &mut Vec<Action>) {
        if self.stop.is_none() {
            actions.push(Action::CountSet {
                new: count,
                old: self.wanted,
            });
            self.wanted = count;
        }
    }

    pub(super) fn begin_stop(
        &mut self,
        exit: Exit,
        quick: bool,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        self.farewell = None;
        match self.stop {
            None => {
                self.stop = Some(Stop { exit, quick });
                actions.push(Action::CloseListeners);
                self.stop_all(now + self.policy.graceful, actions);
            }
            // The stop is under way already; INT or QUIT cut a graceful one short.
            Some(stop) if quick && !stop.quick => {
                self.stop = Some(Stop { quick, ..stop });
                self.stop_all(now + QUICK_STOP.min(self.policy.graceful), actions);
            }
            Some(_) => {}
        }
    }

    fn stop_all(&mut self, kill_at: Instant, actions: &mut Vec<Action>) {
        let signal = self.stop.map_or(libc::SIGTERM, Stop::signal);
        for slot in &mut self.slots {
            if matches!(
                slot.state,
                State::Booting | State::Serving | State::Stopping { .. }
            ) {
                slot.state = State::Stopping { kill_at };
                actions.push(Action::Kill {
                    pid: slot.pid,
                    signal,
                });
            }
        }
    }

    fn signal_all(&self, signal: i32, actions: &mut Vec<Action>) {
        actions.extend(self.workers().map(|(_, pid)| Action::Kill { pid, signal }));
    }

    fn kill_overdue(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let (serves_on, grace) = (self.stop.is_none(), self.policy.abort_grace);
        for slot in &mut self.slots {
            if slot.kill_at().is_none_or(|at| at > now) {
                continue;
            }
            let is_drained = matches!(slot.state, State::Stopping { .. });
            let (state, signal) = if is_drained && slot.due == Some(Cause::Timeout) && serves_on {
                let kill_at = now + grace;
                (State::Aborting { kill_at }, libc::SIGABRT)
            } else {
                let aborted = matches!(slot.state, State::Aborting { .. });
                (State::Killed { aborted }, libc::SIGKILL)
            };
            slot.state = state;
            actions.push(Action::Kill {
                pid: slot.pid,
                signal,
            });
        }
    }
}
