//! HUP with `preload_reload`: the arbiter executes its program anew, in place.
//!
//! ```text
//!   HUP ─► a probe, in a child: does the new code load? ──no──► the reload is given up
//!                                     │yes
//!   on_reload, pre_exec ─► exec: the same process, with its children, sockets and shared memory
//!     └─► the new code is loaded, on_starting, when_ready ─► the workers are replaced, one by one
//! ```

use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Instant;

use nix::libc;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, dup2_stderr, dup2_stdout};

use super::drive::Driver;
use super::event::Event;
use super::handover::{Asked, HANDOVER, Handover, Record};
use super::signals;
use crate::error::{Blame, Exit, Failure};
use crate::hooks::Event as Hook;
use crate::precedence;

/// The variable that has a program check what it would serve, and end: the probe.
pub const PROBE: &str = "TRICORN_PROBE";

/// What is shown at most of what a probe has written.
const MOST: u64 = 64 * 1024;

/// A child that loads the new code, to find out whether it can be.
#[derive(Debug)]
struct Probe {
    pid: Pid,
    output: File,
    until: Option<Instant>,
    /// Another reload was asked for meanwhile.
    again: bool,
}

/// A reload in place, as far as it has come.
#[derive(Debug, Default)]
pub(super) struct Renewal {
    probe: Option<Probe>,
    is_proven: bool,
    /// The workers that were wanted when it was asked for.
    wanted: usize,
}

impl Driver<'_> {
    pub(super) fn begin_renewal(&mut self) {
        self.renewal.wanted = self.machine.wanted();
        if let Some(probe) = &mut self.renewal.probe {
            probe.again = true;
            return log::info!("A reload is under way; if it fails, there is another");
        }
        if self.is_left_to_upgrade() {
            return;
        }
        match self.start_probe() {
            Ok(probe) => {
                log::info!("Loading the new code in process {} first", probe.pid);
                self.renewal.probe = Some(probe);
            }
            Err(error) => {
                let what = format!("the new code cannot be tried: {error}");
                self.give_up_reload(&Failure::new(Blame::Environment, what));
            }
        }
    }

    /// Two programs at once are enough: with another arbiter there, there is no reload in place.
    fn is_left_to_upgrade(&mut self) -> bool {
        let is_under_way = self.succession.shares_sockets();
        if is_under_way {
            let what = Failure::operator("an upgrade is under way").mend("end it first");
            self.give_up_reload(&what);
        }
        is_under_way
    }

    fn start_probe(&self) -> std::io::Result<Probe> {
        let output = memfd_create("probe", MFdFlags::MFD_CLOEXEC)?;
        let held_back = signals::hold_back();
        let forked = self.host.fork();
        if let Ok(None) = forked {
            signals::take_down();
            held_back.release();
            self.be_probe(&output);
        }
        held_back.release();
        let limit = self.generation.config.time.boot;
        Ok(Probe {
            // The child has not come here.
            pid: Pid::from_raw(forked?.unwrap_or_default()),
            output: output.into(),
            until: limit.and_then(|limit| Instant::now().checked_add(limit)),
            again: false,
        })
    }

    /// In the forked child: checks configuration and application, and ends.
    fn be_probe(&self, output: &OwnedFd) -> ! {
        precedence::give_way();
        let _ = dup2_stdout(output).and_then(|()| dup2_stderr(output));
        let failure = self.host.execute(&[(PROBE, "1".to_owned())]);
        // The descriptor is the memory that the arbiter reads.
        let _ = nix::unistd::write(output, failure.to_string().as_bytes());
        // SAFETY: ends this process at once, as is meant: its memory is a copy of the arbiter's.
        unsafe { libc::_exit(1) }
    }

    /// Looks whether the probe has come to its end.
    pub(super) fn gather_renewal(&mut self) {
        let Some(probe) = &mut self.renewal.probe else {
            return;
        };
        let is_late = probe.until.is_some_and(|until| until <= Instant::now());
        if is_late || self.machine.is_stopping() {
            // One that is gone already is reaped below.
            let _ = kill(probe.pid, Signal::SIGKILL);
        }
        let end = match waitpid(probe.pid, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => return,
            Ok(WaitStatus::Exited(_, 0)) => None,
            Ok(WaitStatus::Exited(_, code)) => Some(format!("it exits with code {code}")),
            _ if is_late => Some("it takes longer than boot_timeout".to_owned()),
            Ok(WaitStatus::Signaled(_, signal, _)) => Some(format!("it dies of {signal}")),
            _ => Some("nobody knows what came of it".to_owned()),
        };
        let Some(probe) = self.renewal.probe.take() else {
            return;
        };
        match end {
            _ if self.machine.is_stopping() => {}
            None => self.renewal.is_proven = true,
            Some(end) => self.tell_of_failed_probe(probe, &end),
        }
    }

    fn tell_of_failed_probe(&mut self, mut probe: Probe, end: &str) {
        let mut said = Vec::new();
        let read = probe
            .output
            .rewind()
            .and_then(|()| (&probe.output).take(MOST).read_to_end(&mut said));
        if read.is_ok() && !said.is_empty() {
            log::error!("{}", String::from_utf8_lossy(&said).trim_end());
        }
        self.give_up_reload(&Failure::operator(format!(
            "the new code cannot be loaded: {end}"
        )));
        if probe.again {
            self.begin_renewal();
        }
    }

    /// Executes the program in place, if a probe has shown that it can be. Comes back if that fails.
    pub(super) fn renew_if_proven(&mut self) {
        let is_proven = std::mem::take(&mut self.renewal.is_proven);
        if !is_proven || self.machine.is_stopping() || self.is_left_to_upgrade() {
            return;
        }
        let failure = match self.renew() {
            Ok(failure) | Err(failure) => failure,
        };
        if let asked @ Exit::Asked(_) = failure.exit() {
            self.queue.push_back(Event::Leave(asked));
        }
        self.give_up_reload(&failure);
    }

    fn renew(&mut self) -> Result<Failure, Failure> {
        self.fire_or_refuse(Hook::OnReload)?;
        self.fire_or_refuse(Hook::PreExec)?;
        log::info!("Executing the program anew, in place");
        let left = self.leave_to_itself();
        let memory = left.write().map_err(|error| {
            let what = format!("what is to be handed over cannot be written: {error}");
            Failure::new(Blame::Environment, what)
        })?;
        crate::log::deliver();
        crate::log::flush();
        let held_back = self.signals.leave_to_next_program();
        left.keep_to_this_process(false);
        let failure = self
            .host
            .execute(&[(HANDOVER, memory.as_raw_fd().to_string())]);
        left.keep_to_this_process(true);
        held_back.release();
        Ok(failure)
    }

    fn leave_to_itself(&self) -> Handover {
        let now = Instant::now();
        let ends = |age| {
            let child = self.children.iter().find(|child| child.member.age == age);
            child.map(|child| child.end.numbers())
        };
        let records = self.machine.slots().iter();
        Handover {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            board: self.board.number(),
            nudge: self.nudge.as_fd().as_raw_fd(),
            sockets: self
                .listeners
                .iter()
                .map(|it| it.as_fd().as_raw_fd())
                .collect(),
            by_systemd: self.succession.by_systemd,
            generation: self.machine.generation(),
            next_age: self.machine.next_age(),
            asked: Asked::since(self.renewal.wanted, self.machine.wanted()),
            workers: records
                .filter_map(|slot| Record::of(slot, ends(slot.age)?, now))
                .collect(),
            tries: 0,
            signals: None,
        }
    }
}
