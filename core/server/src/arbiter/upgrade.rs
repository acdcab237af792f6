//! The upgrade: the program is executed anew beside this arbiter, by gunicorn's protocol.
//!
//! ```text
//!   USR2 ─► fork ─► pre_exec ─► exec, with GUNICORN_PID and GUNICORN_FD
//!                                 └─► the successor: pidfile.2, the same sockets, workers of its own
//!   its first worker serves ─► it tells this arbiter ─► which may stop from then on
//!   this arbiter is gone ─► the successor is the server: pidfile
//! ```
//!
//! Whatever fails on that way ends the forked child, and this arbiter serves on.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::libc;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getppid, pipe2, read, write};

use super::drive::Driver;
use super::event::{Event, NoUpgrade};
use super::signals;
use crate::config::Config;
use crate::hooks::{Event as Hook, Interruption, Occasion};
use crate::sock::{Inherited, PREDECESSOR, READY, SOCKETS};

/// The arbiter before this one, and the one after.
#[derive(Debug)]
pub(super) struct Succession {
    pub(super) predecessor: Option<i32>,
    /// Where the arbiter before is told that this one serves.
    pub(super) tell_ready: Option<OwnedFd>,
    /// The sockets are systemd's.
    pub(super) by_systemd: bool,
    successor: Option<Successor>,
}

#[derive(Debug)]
struct Successor {
    pid: i32,
    /// Where it says that it serves.
    ready: OwnedFd,
    serves: bool,
}

impl Succession {
    /// What a process's start says of it.
    pub(super) fn of(inherited: &mut Inherited) -> Self {
        Self {
            predecessor: inherited.predecessor,
            tell_ready: inherited.ready.take(),
            by_systemd: inherited.by_systemd,
            successor: None,
        }
    }

    /// Whether another arbiter has the same sockets.
    pub(super) fn shares_sockets(&self) -> bool {
        self.predecessor.is_some() || self.successor.is_some()
    }

    /// The successor, once it serves.
    pub(super) fn heir(&self) -> Option<i32> {
        let heir = self.successor.as_ref().filter(|heir| heir.serves);
        heir.map(|heir| heir.pid)
    }

    /// Lets the arbiter before know that this one serves.
    pub(super) fn announce(&mut self) {
        if let Some(ready) = self.tell_ready.take() {
            // One that is gone by now need not know.
            let _ = write(ready, b"R");
        }
    }

    /// What is added to names while there are two.
    pub(super) fn suffix(&self) -> &'static str {
        if self.predecessor.is_some() { ".2" } else { "" }
    }
}

impl Driver<'_> {
    /// The title of this process.
    pub(super) fn show_title(&self) {
        let name = &self.generation.config.proc_name;
        let suffix = self.succession.suffix();
        self.host
            .set_title(&format!("gunicorn: master [{name}{suffix}]"));
    }

    /// The place of this process's pidfile.
    pub(super) fn pidfile_of(&self, config: &Config) -> Option<PathBuf> {
        let mut path = config.pidfile.clone()?.into_os_string();
        path.push(self.succession.suffix());
        Some(path.into())
    }

    pub(super) fn refuse_upgrade(&self, why: NoUpgrade) {
        let why = match why {
            NoUpgrade::HasSuccessor => {
                "there is a successor already; stop it first, or this server"
            }
            NoUpgrade::HasPredecessor => "the server before this one still runs; stop it first",
        };
        log::warn!("No upgrade: {why}");
    }

    pub(super) fn upgrade(&mut self) {
        let (ready, theirs) = match pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK) {
            Ok(pair) => pair,
            Err(error) => return self.give_up_upgrade(&error),
        };
        let held_back = signals::hold_back();
        match self.host.fork() {
            Ok(None) => {
                signals::take_down();
                held_back.release();
                self.succeed(&theirs)
            }
            Ok(Some(pid)) => {
                held_back.release();
                log::info!("Upgrade: the successor is process {pid}");
                // Without it, it is heard of at the next look.
                let _ = self.epoll_add(&ready);
                self.succession.successor = Some(Successor {
                    pid,
                    ready,
                    serves: false,
                });
                self.show_succession();
                self.queue.push_back(Event::Upgrading);
            }
            Err(error) => {
                held_back.release();
                self.give_up_upgrade(&error);
            }
        }
    }

    fn give_up_upgrade(&mut self, error: &dyn std::fmt::Display) {
        log::error!("The upgrade is given up: {error}; this server serves on");
        self.queue.push_back(Event::SuccessorGone);
    }

    /// In the forked child: becomes the successor, or ends. Nothing of the arbiter's is cleaned up
    /// here: it is all in use.
    fn succeed(&self, ready: &OwnedFd) -> ! {
        let code = match self.generation.bus.fire(Hook::PreExec, &Occasion::Itself) {
            Err(Interruption::Exit(code)) => code,
            // The bus has logged what it was.
            Err(Interruption::Failed { .. }) => 1,
            Ok(()) => {
                log::error!("The upgrade fails: {}", self.execute_successor(ready));
                1
            }
        };
        crate::log::deliver();
        crate::log::flush();
        // SAFETY: ends this process at once, as is meant: its memory is a copy of the arbiter's.
        unsafe { libc::_exit(code) }
    }

    fn execute_successor(&self, ready: &OwnedFd) -> crate::error::Failure {
        let sockets = self.listeners.iter().map(|listener| listener.as_fd());
        for fd in sockets.clone().chain([ready.as_fd()]) {
            // An open descriptor takes flags.
            let _ = fcntl(fd, FcntlArg::F_SETFD(FdFlag::empty()));
        }
        let numbers: Vec<_> = sockets.map(|fd| fd.as_raw_fd().to_string()).collect();
        let own = std::process::id().to_string();
        let mut variables = vec![
            (PREDECESSOR, getppid().to_string()),
            (READY, ready.as_raw_fd().to_string()),
        ];
        if self.succession.by_systemd {
            variables.push(("LISTEN_PID", own));
            variables.push(("LISTEN_FDS", numbers.len().to_string()));
        } else {
            variables.push((SOCKETS, numbers.join(",")));
        }
        self.host.execute(&variables)
    }

    /// Looks whether the arbiter after this one serves, or is gone, and whether the one before is.
    pub(super) fn gather_succession(&mut self) {
        if let Some(successor) = &mut self.succession.successor {
            let mut byte = [0u8];
            if !successor.serves && read(&successor.ready, &mut byte) == Ok(1) {
                successor.serves = true;
                let pid = successor.pid;
                log::info!("Upgrade: the successor (pid:{pid}) serves");
                self.queue.push_back(Event::SuccessorReady);
            }
        }
        self.bury_successor();
        let predecessor = self.succession.predecessor;
        if predecessor.is_some_and(|pid| getppid() != Pid::from_raw(pid)) {
            self.be_promoted();
        }
    }

    fn bury_successor(&mut self) {
        let Some(successor) = &self.succession.successor else {
            return;
        };
        let (pid, serves) = (successor.pid, successor.serves);
        let end = match waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(_, code)) => format!("it exited with code {code}"),
            Ok(WaitStatus::Signaled(_, signal, _)) => format!("it was killed by {signal}"),
            // Somebody else has reaped it.
            Err(nix::errno::Errno::ECHILD) => "it is gone".to_owned(),
            _ => return,
        };
        if serves {
            log::warn!("The successor (pid:{pid}) is gone: {end}; this server serves on");
        } else {
            log::error!("The upgrade has failed: {end} before it served; this server serves on");
        }
        self.succession.successor = None;
        self.show_succession();
        self.queue.push_back(Event::SuccessorGone);
    }

    /// The arbiter before is gone: this one is the server now.
    fn be_promoted(&mut self) {
        let former = self.succession.predecessor.take();
        log::info!("The server before is gone: this one has taken over");
        self.show_title();
        self.show_succession();
        let path = self.generation.config.pidfile.clone();
        if let (Some(pidfile), Some(path)) = (&mut self.pidfile, path) {
            pidfile.move_to(&path, former);
        }
        self.service.hand_over(std::process::id().cast_signed());
        if self.machine.was_ever_ready() {
            self.service.ready();
        }
        self.queue.push_back(Event::Promoted);
    }

    pub(super) fn show_succession(&self) {
        let successor = self.succession.successor.as_ref().map(|heir| heir.pid);
        self.host
            .show_succession(self.succession.predecessor, successor);
    }
}
