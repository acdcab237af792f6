//! A program that was executed in place and cannot come up: its workers serve on, and it is tried
//! again.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::handover::Handover;
use crate::error::Exit;

/// The first pause before another try, doubled up to the longest.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How long workers have to leave when the server is stopped meanwhile.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(50);

/// What comes next.
#[derive(Debug)]
pub enum Stranded {
    /// The program is to be executed again, with this handed over.
    Again(OwnedFd),
    /// The process is to leave.
    Leave(Exit),
}

/// Waits: for HUP, or some time, to try again; or until the server is told to stop, or no worker is
/// left.
///
/// # Errors
/// What is handed over cannot be written again.
pub fn wait_stranded(left: &mut Handover) -> io::Result<Stranded> {
    let pause = SHORTEST_PAUSE.saturating_mul(1 << left.tries.min(10));
    let until = Instant::now() + pause.min(LONGEST_PAUSE);
    left.tries += 1;
    while Instant::now() < until {
        sleep(left, until);
        reap(left);
        if left.workers.is_empty() {
            return Ok(Stranded::Leave(Exit::WorkerBoot));
        }
        let heard = left.signals.as_ref().map(|signals| signals.take());
        let heard = heard.unwrap_or_default();
        let quick = [Signal::SIGINT, Signal::SIGQUIT];
        if heard.iter().any(|signal| quick.contains(signal)) {
            return Ok(stop(left, Signal::SIGQUIT));
        }
        if heard.contains(&Signal::SIGTERM) {
            return Ok(stop(left, Signal::SIGTERM));
        }
        if heard.contains(&Signal::SIGHUP) {
            return again(left);
        }
    }
    again(left)
}

fn again(left: &Handover) -> io::Result<Stranded> {
    let memory = left.write()?;
    left.keep_to_this_process(false);
    if let Some(signals) = &left.signals {
        let _held_until_then = signals.leave_to_next_program();
    }
    Ok(Stranded::Again(memory))
}

fn sleep(left: &Handover, until: Instant) {
    let longest = until.saturating_duration_since(Instant::now());
    let timeout = PollTimeout::try_from(longest).unwrap_or(PollTimeout::MAX);
    if let Some(signals) = &left.signals {
        let _ = poll(
            &mut [PollFd::new(signals.as_fd(), PollFlags::POLLIN)],
            timeout,
        );
    }
}

fn reap(left: &mut Handover) {
    left.workers.retain(|worker| {
        let look = waitpid(Pid::from_raw(worker.pid), Some(WaitPidFlag::WNOHANG));
        matches!(look, Ok(WaitStatus::StillAlive))
    });
}

fn stop(left: &mut Handover, signal: Signal) -> Stranded {
    tell_all(left, signal);
    let until = Instant::now() + PATIENCE;
    while !left.workers.is_empty() && Instant::now() < until {
        std::thread::sleep(LOOK);
        reap(left);
    }
    tell_all(left, Signal::SIGKILL);
    Stranded::Leave(Exit::Ok)
}

fn tell_all(left: &Handover, signal: Signal) {
    for worker in &left.workers {
        // One that is gone is reaped at the next look.
        let _ = kill(Pid::from_raw(worker.pid), signal);
    }
}
