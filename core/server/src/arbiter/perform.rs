//! Performing the actions that the state machine decides on.

use std::sync::Arc;

use nix::sys::signal::{Signal as Number, kill};
use nix::unistd::Pid;

use super::drive::{Birth, Child, Driver, Outcome};
use super::event::{Action, Event};
use super::{signals, sockets};
use crate::clock;
use crate::config::Config;
use crate::error::Exit;
use crate::hooks::{Age, Event as Hook, Interruption, Member, Occasion};
use crate::lifeline::{self, ArbiterEnd, HeldBack, WorkerEnd, WorkerSide};

impl Driver<'_> {
    pub(super) fn perform(&mut self, action: Action) -> Option<Outcome> {
        match action {
            Action::Fork { id, age } => {
                return self
                    .fork(id, age)
                    .map(|birth| Outcome::Worker(Box::new(birth)));
            }
            Action::Kill { pid, signal } => {
                // A process that is gone already is reaped at the next look.
                let _ = kill(Pid::from_raw(pid), Number::try_from(signal).ok());
            }
            Action::Upgrade => self.upgrade(),
            Action::RefuseUpgrade(why) => self.refuse_upgrade(why),
            Action::AwaitSuccessor => {
                log::info!("The stop waits until the successor serves; QUIT does not wait");
            }
            Action::Reload => self.reload(),
            Action::ReopenLogs => {
                crate::log::reopen();
                self.fire(Hook::LogReopen, &Occasion::Itself);
            }
            Action::CloseListeners => self.close_listeners(),
            Action::CountSet { new, old } => self.tell_count(new, Some(old)),
            Action::WorkerReady { age } => {
                self.serve();
                self.fire(Hook::WorkerReady, &Occasion::Worker(self.member(age)));
            }
            Action::WorkerDue { age, cause } => self.tell_due(age, cause),
            Action::OldGoFirst => log::warn!(
                "pre_fork takes no worker beside those that it replaces: until the next reload each \
                 leaves before its replacement is forked, as with max_surge = 0"
            ),
            Action::WorkerTimeout { age, pid, silence } => {
                log::error!(target: crate::log::CRITICAL, "WORKER TIMEOUT (pid:{pid})");
                self.explain(age, pid, silence);
                self.host.note_abort(age);
                self.fire(Hook::WorkerTimeout, &Occasion::Worker(self.member(age)));
            }
            Action::WorkerGone(departed) => self.bury(&departed),
            Action::Halt(exit) => return Some(Outcome::Left(self.halt(exit))),
        }
        None
    }

    /// Fires an event whose handlers' failures are only logged. A `SystemExit` among them stops the
    /// server in order.
    pub(super) fn fire(&mut self, hook: Hook, occasion: &Occasion<'_>) {
        crate::log::deliver();
        if let Err(Interruption::Exit(code)) = self.generation.bus.fire(hook, occasion) {
            self.queue.push_back(Event::Leave(Exit::Asked(code)));
        }
    }

    pub(super) fn tell_count(&mut self, new: usize, old: Option<usize>) {
        self.host.show_wanted(new);
        self.fire(Hook::NworkersChanged, &Occasion::Count { new, old });
    }

    /// Forks a worker; what it is born with, in the child.
    fn fork(&mut self, id: usize, age: Age) -> Option<Birth> {
        if !self.host.expect_worker(age, id) {
            self.fork_refused(age);
            return None;
        }
        let member = Member { age, id, pid: 0 };
        let pre_fork = self
            .generation
            .bus
            .fire(Hook::PreFork, &Occasion::Worker(member));
        if let Err(Interruption::Exit(code)) = pre_fork {
            self.queue.push_back(Event::Leave(Exit::Asked(code)));
        }
        if pre_fork.is_err() {
            self.fork_refused(age);
            return None;
        }
        let (ours, theirs) = match lifeline::pair() {
            Ok(pair) => pair,
            Err(error) => {
                log::error!("cannot fork a worker: {error}");
                self.fork_failed(age);
                return None;
            }
        };
        self.board.cell(id).reset(clock::now());
        let held_back = signals::hold_back();
        match self.host.fork() {
            Ok(None) => {
                signals::take_down();
                self.signals.leave_to_arbiter();
                self.host.become_worker();
                self.board.close_descriptor();
                drop(ours);
                // Siblings' ends: as long as a copy is open anywhere, their end is not seen.
                self.children.clear();
                self.gone.clear();
                Some(self.birth(member, theirs, held_back))
            }
            Ok(Some(pid)) => {
                held_back.release();
                self.adopt_child(Member { pid, ..member }, ours);
                None
            }
            Err(error) => {
                held_back.release();
                log::error!("cannot fork a worker: {error}");
                self.fork_failed(age);
                None
            }
        }
    }

    fn fork_refused(&mut self, age: Age) {
        self.host.forget_worker(age);
        self.queue.push_back(Event::ForkRefused { age });
    }

    fn fork_failed(&mut self, age: Age) {
        self.host.forget_worker(age);
        self.queue.push_back(Event::ForkFailed { age });
    }

    /// A worker that lives, by its age.
    pub(super) fn member(&self, age: Age) -> Member {
        let child = self.children.iter().find(|child| child.member.age == age);
        child.map_or(Member { age, id: 0, pid: 0 }, |child| child.member)
    }

    fn adopt_child(&mut self, member: Member, end: ArbiterEnd) {
        if let Err(failure) = self.epoll_add(&end) {
            // Its reports are then found at the next look, a second later at most.
            log::warn!("{failure}");
        }
        let Member { age, pid, .. } = member;
        self.host.know_worker(age, pid);
        self.children.push(Child {
            member,
            end,
            reports: true,
            plugins: Arc::clone(&self.generation.plugins),
            stuck_in: None,
        });
        self.queue.push_back(Event::Forked { age, pid });
    }

    fn birth(&self, member: Member, pipes: WorkerEnd, held_back: HeldBack) -> Birth {
        let Member { age, id, .. } = member;
        Birth {
            age,
            max_requests: max_requests(&self.generation.config, age),
            generation: self.generation.clone(),
            listeners: self.listeners.clone(),
            side: WorkerSide {
                id,
                board: self.board,
                pipes,
                nudge: Arc::clone(&self.nudge),
                held_back,
            },
        }
    }

    fn close_listeners(&mut self) {
        self.service.stopping();
        if !self.succession.shares_sockets() && !self.succession.by_systemd {
            sockets::turn_newcomers_away(&self.listeners);
        }
        self.let_go(&self.listeners, &[]);
        self.listeners.clear();
        self.host.show_listeners(&[]);
    }

    fn halt(&mut self, exit: Exit) -> Exit {
        log::info!("Shutting down: tricorn");
        if exit == Exit::WorkerBoot || exit == Exit::AppNotFound {
            log::error!("No worker could boot: the server stops");
        }
        self.clean_up();
        if let Some(heir) = self.succession.heir() {
            self.service.hand_over(heir);
        }
        match self.generation.bus.fire(Hook::OnExit, &Occasion::Itself) {
            Err(Interruption::Exit(code)) => Exit::Asked(code),
            _ => exit,
        }
    }
}

/// `max_requests` with its jitter: different for each worker, so that they do not leave together.
fn max_requests(config: &Config, age: Age) -> u64 {
    use std::hash::{BuildHasher, RandomState};
    match config.max_requests {
        0 => 0,
        limit => limit + RandomState::new().hash_one(age) % (config.max_requests_jitter + 1),
    }
}
