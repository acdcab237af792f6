//! What fails: forks, boots, workers. When that is the end of the server, and what it is tried again
//! after.

use std::time::Instant;

use super::event::Action;
use super::pauses;
use super::slot::{Cause, Departed, Slot, State, Status};
use super::state::Arbiter;
use crate::error::Exit;
use crate::hooks::Age;

/// So many boots more than there are workers may come to nothing, for reasons that may pass, before
/// the server gives up.
const BOOTS_IN_VAIN: usize = 3;

impl Arbiter {
    pub(super) fn take_exit(
        &mut self,
        pid: i32,
        status: Status,
        now: Instant,
        actions: &mut Vec<Action>,
    ) {
        let Some(index) = self.slots.iter().position(|slot| slot.pid == pid) else {
            return;
        };
        self.note_settled(now);
        let slot = self.slots.remove(index);
        let departed = slot.departs(status);
        actions.push(Action::WorkerGone(departed));
        if let Some(exit) = self.fatal(&slot, departed) {
            self.begin_stop(exit, false, now, actions);
        } else if let Some(most) =
            pauses::longest_after(&slot, departed.cause, now, self.policy.recycles)
        {
            self.pauses.begin(now, most);
        }
    }

    /// The exit code of the server, if this end means that no worker will ever serve.
    fn fatal(&mut self, slot: &Slot, departed: Departed) -> Option<Exit> {
        if self.has_proof || slot.has_proof {
            return None;
        }
        let is_boot = slot.ready_at.is_none();
        match (departed.cause, departed.status) {
            (Cause::Boot, _) if slot.is_aborted() => Some(Exit::WorkerBoot),
            (Cause::Boot, Status::Code(0)) | (Cause::Crash, _) if is_boot => self.give_up_in_time(),
            // These codes have one meaning, also from a class that does not tell when it serves.
            (Cause::Boot | Cause::Failed, Status::Code(code)) => {
                [Exit::AppNotFound, Exit::WorkerBoot]
                    .into_iter()
                    .find(|exit| exit.code() == code)
                    .or(is_boot.then_some(Exit::WorkerBoot))
            }
            _ => None,
        }
    }

    /// One boot more has come to nothing, for a reason that may pass.
    fn give_up_in_time(&mut self) -> Option<Exit> {
        self.in_vain += 1;
        let is_hopeless = self.in_vain >= self.wanted.saturating_add(BOOTS_IN_VAIN);
        is_hopeless.then_some(Exit::WorkerBoot)
    }

    fn note_settled(&mut self, now: Instant) {
        let settled = self.slots.iter().filter(|slot| slot.has_settled(now));
        for slot in settled {
            self.pauses.settle(slot.forked_at);
        }
    }

    pub(super) fn take_failed_fork(&mut self, age: Age, now: Instant) {
        let fails = |slot: &Slot| slot.age == age && slot.state == State::Forking;
        self.slots.retain(|slot| !fails(slot));
        self.note_settled(now);
        self.pauses.begin(now, pauses::after_failed_fork());
    }

    /// What refuses a worker beside those that it is to replace may take it in their place: hooks
    /// number workers. One that has never taken a worker is not believed for the last one's sake.
    pub(super) fn take_refused_fork(&mut self, age: Age, now: Instant, actions: &mut Vec<Action>) {
        if self
            .slot_mut(age)
            .is_none_or(|slot| slot.state != State::Forking)
        {
            return;
        }
        self.take_failed_fork(age, now);
        let is_beside = self.slots.len() >= self.wanted;
        if is_beside && self.surge() > 0 && (self.has_forked || self.wanted > 1) {
            self.old_go_first = true;
            self.pauses.end();
            actions.push(Action::OldGoFirst);
        } else if !self.ever_ready
            && self.stop.is_none()
            && let Some(exit) = self.give_up_in_time()
        {
            self.begin_stop(exit, false, now, actions);
        }
    }
}
