//! Supervision as a state machine: `step(event, now) -> actions`. It starts no process and sends no
//! signal; it says what is to be done, and is told what came of it.
//!
//! ```text
//!   Forking ──Forked──► Booting ──Ready──► Serving ──┬─(surplus, old generation, stop)─► Stopping ──► Killed
//!      └─ForkFailed─► (pause)      └────────┬────────┴─(Silent)────────────────────────► Aborting ──► Killed
//!                                           └──────────────────── Exited, from any of them ──────────► gone
//! ```

use std::time::{Duration, Instant};

use nix::libc;

use super::event::{Action, Event, Policy, Signal};
use super::slot::{Cause, Departed, Slot, State, Status};
use crate::error::Exit;
use crate::hooks::Age;

/// The first pause after a worker that hardly lived, doubled up to the longest.
const SHORTEST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What is left to workers when a graceful stop is cut short.
const QUICK_STOP: Duration = Duration::from_secs(2);

/// The arbiter's mind.
#[derive(Debug)]
pub struct Arbiter {
    policy: Policy,
    wanted: usize,
    slots: Vec<Slot>,
    next_age: Age,
    generation: u64,
    /// A worker has been ready: from now on failures are retried, not fatal.
    ever_ready: bool,
    /// Workers that hardly lived, one after the other.
    failures: u32,
    resume_at: Option<Instant>,
    stop: Option<Stop>,
}

/// The end, under way.
#[derive(Debug, Clone, Copy)]
struct Stop {
    exit: Exit,
    quick: bool,
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
            failures: 0,
            resume_at: None,
            stop: None,
        }
    }

    /// Takes an event in, and adds what is to be done about it to `actions`.
    pub fn step(&mut self, event: Event, now: Instant, actions: &mut Vec<Action>) {
        match event {
            Event::Started | Event::DeadlinePassed => {}
            Event::Signal(signal) => self.take_signal(signal, now, actions),
            Event::Forked { age, pid } => self.take_fork(age, pid, now),
            Event::ForkFailed { age } => {
                self.slots.retain(|slot| slot.age != age);
                self.pause(now);
            }
            Event::Ready { age } => self.take_ready(age, actions),
            Event::Silent { age } => self.abort(age, now, actions),
            Event::Exited { pid, status } => self.take_exit(pid, status, now, actions),
            Event::Reloaded(policy) => self.take_policy(policy),
            Event::SetWorkers(count) => self.set_wanted(count, actions),
            Event::Leave(exit) => self.begin_stop(exit, false, now, actions),
        }
        self.kill_overdue(now, actions);
        if self.stop.is_none() {
            self.fill(now, actions);
            self.retire(now, actions);
        } else if self.slots.is_empty() {
            let exit = self.stop.map_or(Exit::Ok, |stop| stop.exit);
            actions.push(Action::Halt(exit));
        }
    }

    /// When `DeadlinePassed` is due.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let resume = self.resume_at.filter(|_| self.stop.is_none());
        self.slots
            .iter()
            .filter_map(Slot::kill_at)
            .chain(resume)
            .min()
    }

    /// The workers that the time-out holds for: id, age and process id. One that boots is none of
    /// them: it may load its application for as long as that takes.
    pub fn watched(&self) -> impl Iterator<Item = (usize, Age, i32)> {
        self.slots
            .iter()
            .filter(|slot| slot.state == State::Serving)
            .map(|slot| (slot.id, slot.age, slot.pid))
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
            Signal::Term => self.begin_stop(Exit::Ok, false, now, actions),
            Signal::Int | Signal::Quit => self.begin_stop(Exit::Ok, true, now, actions),
            Signal::Hup if self.stop.is_none() => actions.push(Action::Reload),
            Signal::Ttin => self.set_wanted(self.wanted + 1, actions),
            Signal::Ttou if self.wanted > 1 => self.set_wanted(self.wanted - 1, actions),
            Signal::Usr1 => {
                actions.push(Action::ReopenLogs);
                self.signal_all(libc::SIGUSR1, actions);
            }
            Signal::Hup | Signal::Ttou => {}
        }
    }

    fn take_fork(&mut self, age: Age, pid: i32, now: Instant) {
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.age == age) {
            slot.pid = pid;
            slot.state = State::Booting;
            slot.forked_at = now;
        }
    }

    fn take_ready(&mut self, age: Age, actions: &mut Vec<Action>) {
        let Some(slot) = self.slots.iter_mut().find(|slot| slot.age == age) else {
            return;
        };
        slot.was_ready = true;
        if slot.state == State::Booting {
            slot.state = State::Serving;
        }
        self.ever_ready = true;
        self.failures = 0;
        self.resume_at = None;
        actions.push(Action::WorkerReady { age });
    }

    fn abort(&mut self, age: Age, now: Instant, actions: &mut Vec<Action>) {
        let kill_at = now + self.policy.abort_grace;
        let Some(slot) = self.slots.iter_mut().find(|slot| slot.age == age) else {
            return;
        };
        if matches!(slot.state, State::Booting | State::Serving) {
            slot.state = State::Aborting { kill_at };
            actions.push(Action::WorkerTimeout { age, pid: slot.pid });
            actions.push(Action::Kill {
                pid: slot.pid,
                signal: libc::SIGABRT,
            });
        }
    }

    fn take_exit(&mut self, pid: i32, status: Status, now: Instant, actions: &mut Vec<Action>) {
        let Some(index) = self.slots.iter().position(|slot| slot.pid == pid) else {
            return;
        };
        let slot = self.slots.remove(index);
        let departed = slot.departs(status);
        actions.push(Action::WorkerGone(departed));
        if let Some(exit) = self.fatal(departed) {
            self.begin_stop(exit, false, now, actions);
        } else if slot.ended_young(departed.cause, now) {
            self.pause(now);
        }
    }

    /// The exit code of the server, if this end means that no worker will ever serve.
    fn fatal(&self, departed: Departed) -> Option<Exit> {
        match (departed.cause, departed.status) {
            (Cause::Boot, Status::Code(code)) if !self.ever_ready && code != 0 => {
                Some(if code == Exit::AppNotFound.code() {
                    Exit::AppNotFound
                } else {
                    Exit::WorkerBoot
                })
            }
            _ => None,
        }
    }

    /// Waits before the next fork, longer each time.
    fn pause(&mut self, now: Instant) {
        let doubled = SHORTEST_PAUSE.saturating_mul(1 << self.failures.min(10));
        self.failures += 1;
        self.resume_at = Some(now + doubled.min(LONGEST_PAUSE));
    }

    /// The new number of workers has been told by whoever loaded the configuration: before
    /// `on_reload`, which may refuse it.
    fn take_policy(&mut self, policy: Policy) {
        self.policy = policy;
        self.generation += 1;
        self.failures = 0;
        self.resume_at = None;
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

    fn begin_stop(&mut self, exit: Exit, quick: bool, now: Instant, actions: &mut Vec<Action>) {
        let signal = if quick { libc::SIGQUIT } else { libc::SIGTERM };
        match self.stop {
            None => {
                self.stop = Some(Stop { exit, quick });
                actions.push(Action::CloseListeners);
                self.stop_all(now + self.policy.graceful, signal, actions);
            }
            // The stop is under way already; INT or QUIT cut a graceful one short.
            Some(stop) if quick && !stop.quick => {
                self.stop = Some(Stop { quick, ..stop });
                self.stop_all(now + QUICK_STOP.min(self.policy.graceful), signal, actions);
            }
            Some(_) => {}
        }
    }

    fn stop_all(&mut self, kill_at: Instant, signal: i32, actions: &mut Vec<Action>) {
        self.slots.retain(|slot| slot.state != State::Forking);
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
        for slot in &mut self.slots {
            if slot.kill_at().is_some_and(|at| at <= now) {
                slot.state = State::Killed {
                    aborted: matches!(slot.state, State::Aborting { .. }),
                };
                actions.push(Action::Kill {
                    pid: slot.pid,
                    signal: libc::SIGKILL,
                });
            }
        }
    }

    /// Forks what is missing of the present generation.
    fn fill(&mut self, now: Instant, actions: &mut Vec<Action>) {
        if self.resume_at.is_some_and(|at| now < at) {
            return;
        }
        self.resume_at = None;
        while self.places_taken() < self.wanted {
            let Some(id) = self.free_id() else { return };
            let age = self.next_age;
            self.next_age += 1;
            self.slots.push(Slot::new(id, age, self.generation, now));
            actions.push(Action::Fork { id, age });
        }
    }

    /// Retires the oldest surplus: workers of an old generation as those of the new one get ready,
    /// and workers of the present one that are too many.
    fn retire(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let ready = self
            .slots
            .iter()
            .filter(|slot| slot.generation == self.generation && slot.state == State::Serving);
        let keep_old = self.wanted.saturating_sub(ready.count());
        let generation = self.generation;
        self.retire_beyond(keep_old, now, actions, |slot| slot.generation < generation);
        self.retire_beyond(self.wanted, now, actions, |slot| {
            slot.generation == generation
        });
    }

    fn retire_beyond(
        &mut self,
        keep: usize,
        now: Instant,
        actions: &mut Vec<Action>,
        among: impl Fn(&Slot) -> bool,
    ) {
        let kill_at = now + self.policy.graceful;
        let staying = self
            .slots
            .iter()
            .filter(|slot| among(slot) && slot.is_staying())
            .count();
        let mut surplus = staying.saturating_sub(keep);
        // Slots stand in the order of their forks: the first is the oldest.
        for slot in self.slots.iter_mut().filter(|slot| among(slot)) {
            if surplus > 0 && matches!(slot.state, State::Booting | State::Serving) {
                slot.state = State::Stopping { kill_at };
                actions.push(Action::Kill {
                    pid: slot.pid,
                    signal: libc::SIGTERM,
                });
                surplus -= 1;
            }
        }
    }

    fn places_taken(&self) -> usize {
        let generation = self.generation;
        self.slots
            .iter()
            .filter(|slot| slot.generation == generation && slot.holds_its_place())
            .count()
    }

    /// The smallest id that no living worker has.
    fn free_id(&self) -> Option<usize> {
        (1..=crate::lifeline::WORKERS_AT_MOST)
            .find(|id| self.slots.iter().all(|slot| slot.id != *id))
    }
}
