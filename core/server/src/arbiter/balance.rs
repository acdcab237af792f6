//! How many workers there are, and which: forking what is missing, replacing what is outdated,
//! retiring what is too many.
//!
//! A worker is outdated if it is of an old generation, or due to be replaced. It serves on until a
//! fresh one serves in its place, as long as the policy allows a surge; without one it leaves first.

use std::time::Instant;

use nix::libc;

use super::event::{Action, Silence};
use super::slot::{Cause, Slot, State};
use super::state::Arbiter;
use crate::hooks::Age;

impl Arbiter {
    /// Brings the workers closer to what is wanted.
    pub(super) fn balance(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let waits = self.pauses.is_on(now);
        self.mark_aged(now, actions);
        self.retire_outdated(now, actions);
        self.retire_surplus(now, actions);
        // Last: what leaves makes room.
        if !waits {
            self.fill(now, actions);
        }
    }

    /// A worker is to be replaced. Those that have grown too large go one at a time.
    pub(super) fn mark_due(
        &mut self,
        age: Age,
        cause: Cause,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        if cause == Cause::Memory && self.is_any_due(cause) {
            return;
        }
        let kill_at = now + self.policy.graceful;
        let has_surge = self.surge() > 0;
        let Some(slot) = self.slot_mut(age) else {
            return;
        };
        if slot.due.is_some() || !slot.is_staying() {
            return;
        }
        slot.due = Some(cause);
        actions.push(Action::WorkerDue { age, cause });
        let leaves_first = cause == Cause::MaxRequests && !has_surge;
        if leaves_first || cause == Cause::RequestTimeout {
            stop(slot, kill_at, actions);
        }
    }

    /// No thread of a worker's pool moves. Nobody can say whether one ever will: it is replaced, has
    /// the time of a graceful stop to answer what it can, and is aborted then.
    pub(super) fn drain_still(&mut self, age: Age, now: Instant, actions: &mut Vec<Action>) {
        let kill_at = now + self.policy.graceful;
        let Some(slot) = self.slot_mut(age).filter(|slot| slot.serves()) else {
            return;
        };
        let (pid, silence, cause) = (slot.pid, Silence::Pool, Cause::Timeout);
        slot.due = Some(cause);
        actions.push(Action::WorkerTimeout { age, pid, silence });
        actions.push(Action::WorkerDue { age, cause });
        stop(slot, kill_at, actions);
    }

    fn is_any_due(&self, cause: Cause) -> bool {
        self.slots.iter().any(|slot| slot.due == Some(cause))
    }

    /// The workers that may be replaced for their size, as id, age and process id: none while one is.
    pub(super) fn to_be_weighed(&self) -> Vec<(usize, Age, i32)> {
        if self.is_any_due(Cause::Memory) {
            return Vec::new();
        }
        let weighed = self.slots.iter().filter(|slot| slot.serves());
        weighed
            .filter(|slot| slot.due.is_none())
            .map(|slot| (slot.id, slot.age, slot.pid))
            .collect()
    }

    /// When the next worker is old enough to be replaced: one at a time.
    pub(super) fn next_aged(&self) -> Option<(Instant, Age)> {
        let most = self.policy.max_age?;
        if self.is_any_due(Cause::Age) {
            return None;
        }
        self.slots
            .iter()
            .filter(|slot| slot.serves() && slot.is_fresh(self.generation))
            .filter_map(|slot| Some((slot.ready_at?.checked_add(most)?, slot.age)))
            .min()
    }

    fn mark_aged(&mut self, now: Instant, actions: &mut Vec<Action>) {
        if let Some((at, age)) = self.next_aged()
            && at <= now
        {
            self.mark_due(age, Cause::Age, now, actions);
        }
    }

    /// Forks what is missing, as far as there is room beside those that are to be replaced.
    fn fill(&mut self, now: Instant, actions: &mut Vec<Action>) {
        while self.places_taken() < self.wanted && self.has_room() {
            let Some(id) = self.free_id() else { return };
            let age = self.next_age;
            self.next_age += 1;
            self.slots.push(Slot::new(id, age, self.generation, now));
            actions.push(Action::Fork { id, age });
        }
    }

    /// Workers of the present generation that need no replacement, and those whose end is awaited
    /// before there is one.
    fn places_taken(&self) -> usize {
        let generation = self.generation;
        let takes = |slot: &&Slot| {
            slot.is_fresh(generation) || slot.is_aborted() && slot.generation == generation
        };
        self.slots.iter().filter(takes).count()
    }

    /// How many workers may live beyond the wanted ones.
    pub(super) fn surge(&self) -> usize {
        if self.old_go_first {
            0
        } else {
            self.policy.surge
        }
    }

    fn has_room(&self) -> bool {
        let has_surge = self.surge() > 0;
        let lives = |slot: &&Slot| slot.holds_its_place() || !has_surge;
        let living = self.slots.iter().filter(lives).count();
        living < self.wanted.saturating_add(self.surge())
    }

    /// Stops outdated workers, oldest first, as fresh ones serve in their place.
    fn retire_outdated(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let generation = self.generation;
        let serving = self.slots.iter().filter(|slot| slot.serves()).count();
        let mut excess = serving.saturating_sub(self.wanted);
        let fresh = self.count(|slot| slot.serves() && slot.is_fresh(generation));
        let replaced = fresh >= self.wanted;
        if !replaced && excess == 0 && self.goes_first() {
            excess = 1;
        }
        let kill_at = now + self.policy.graceful;
        for slot in &mut self.slots {
            if !slot.is_outdated(generation) {
                continue;
            }
            if replaced || excess > 0 && slot.serves() {
                excess = excess.saturating_sub(usize::from(slot.serves()));
                stop(slot, kill_at, actions);
            }
        }
    }

    /// Without a surge, and with every worker serving, one of them has to make room.
    fn goes_first(&self) -> bool {
        self.surge() == 0
            && self.pauses.until().is_none()
            && self.slots.len() == self.wanted
            && self.slots.iter().all(Slot::serves)
    }

    /// Stops workers that are too many: first those that do not serve yet, then the oldest.
    fn retire_surplus(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let (generation, kill_at) = (self.generation, now + self.policy.graceful);
        let mut surplus = self
            .count(|slot| slot.is_fresh(generation))
            .saturating_sub(self.wanted);
        let booting = self.slots.iter_mut().rev().filter(|slot| slot.boots());
        for slot in booting.filter(|slot| slot.is_fresh(generation)) {
            if surplus > 0 {
                surplus -= 1;
                stop(slot, kill_at, actions);
            }
        }
        // Slots stand in the order of their forks: the first is the oldest.
        for slot in self.slots.iter_mut().filter(|slot| slot.serves()) {
            if surplus > 0 && slot.is_fresh(generation) {
                surplus -= 1;
                stop(slot, kill_at, actions);
            }
        }
    }

    fn count(&self, what: impl Fn(&Slot) -> bool) -> usize {
        self.slots.iter().filter(|slot| what(slot)).count()
    }

    /// The smallest id that no living worker has.
    fn free_id(&self) -> Option<usize> {
        (1..=crate::lifeline::WORKERS_AT_MOST)
            .find(|id| self.slots.iter().all(|slot| slot.id != *id))
    }
}

/// Asks a worker to stop, if there is a process to ask.
fn stop(slot: &mut Slot, kill_at: Instant, actions: &mut Vec<Action>) {
    if matches!(slot.state, State::Booting | State::Serving) {
        slot.state = State::Stopping { kill_at };
        actions.push(Action::Kill {
            pid: slot.pid,
            signal: libc::SIGTERM,
        });
    }
}
