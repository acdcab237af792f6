//! Trying plugins out in a child, so that a constructor that crashes or an init that hangs is a
//! message and not the end of the server.
//!
//! One child tries them one after the other, and says over a pipe what it is at. Where it dies or
//! takes too long, the plugin it was at is to blame, and another child goes on with the next.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, pipe2};

use super::{link, own_threads, shared};
use crate::error::Failure;

/// How long a thing may take, and what it is to do meanwhile.
type Limit<'w> = (Duration, &'w str);

/// Tries `count` things in children, each within `limit`: for each the reasons against it.
///
/// `trial` runs in a child, which ends right after the last one without any destructor.
///
/// # Errors
/// No processes or descriptors left.
pub(super) fn probe(
    count: usize,
    limit: Limit<'_>,
    trial: impl Fn(usize) -> Vec<String>,
) -> io::Result<Vec<Vec<String>>> {
    let mut found = vec![Vec::new(); count];
    let mut next = 0;
    while next < count {
        next = round(next, &mut found, limit, &trial)?;
    }
    Ok(found)
}

/// Runs one thing in a child within `limit`, and gives what it has to say.
///
/// # Errors
/// No processes or descriptors left.
pub(super) fn report(
    limit: Duration,
    trial: impl Fn() -> Result<String, Vec<String>>,
) -> io::Result<Result<String, Vec<String>>> {
    // Texts have lines, which reasons have not.
    const LINE_END: &str = "\u{1}";
    const TEXT: &str = "\u{2}";
    let told = probe(1, (limit, "load"), |_| match trial() {
        Ok(text) => vec![format!("{TEXT}{}", text.replace('\n', LINE_END))],
        Err(reasons) => reasons,
    })?;
    let told = told.into_iter().next().unwrap_or_default();
    let text = match told.as_slice() {
        [only] => only
            .strip_prefix(TEXT)
            .map(|text| text.replace(LINE_END, "\n")),
        _ => None,
    };
    Ok(text.ok_or(told))
}

/// Tries one thing in a child within `limit`, with nothing of what it does to shared memory left.
///
/// # Errors
/// The reasons against it.
pub fn rehearse(
    limit: Duration,
    trial: impl Fn() -> Result<(), Failure>,
) -> Result<(), Vec<String>> {
    let told = probe(1, (limit, "come to an end"), |_| {
        link::become_probe();
        let separated = shared::separate().map_err(|why| why.to_string());
        let tried = separated.and_then(|()| trial().map_err(|failure| failure.to_string()));
        tried.err().into_iter().collect()
    });
    match told {
        Ok(told) if told.iter().all(Vec::is_empty) => Ok(()),
        Ok(told) => Err(told.into_iter().flatten().collect()),
        Err(error) => Err(vec![format!("it cannot be tried out: {error}")]),
    }
}

/// Tries from `first` on until all are tried or one has ended the child; where to go on.
fn round(
    first: usize,
    found: &mut [Vec<String>],
    limit: Limit<'_>,
    trial: &impl Fn(usize) -> Vec<String>,
) -> io::Result<usize> {
    let (from_child, to_parent) = pipe2(OFlag::O_CLOEXEC)?;
    let before = hold_signals()?;
    // SAFETY: the child touches no lock of the parent's: it opens plugins, which glibc prepares for
    // at a fork, writes to the pipe and leaves.
    let forked = unsafe { fork() };
    if let Ok(ForkResult::Child) = forked {
        drop(from_child);
        run_child(first, found.len(), to_parent, trial);
    }
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
    drop(to_parent);
    let ForkResult::Parent { child } = forked? else {
        return Ok(found.len());
    };
    watch(first, found, limit, &Watched { child, from_child })
}

/// A signal that a child got with the arbiter's handlers would look like one to the arbiter. Those that
/// faults are told by end the child, whoever raises them.
fn hold_signals() -> nix::Result<SigSet> {
    let mut before = SigSet::empty();
    let held = own_threads::held_back();
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&held), Some(&mut before))?;
    Ok(before)
}

fn run_child(
    first: usize,
    count: usize,
    to_parent: OwnedFd,
    trial: &impl Fn(usize) -> Vec<String>,
) -> ! {
    let mut to_parent = std::fs::File::from(to_parent);
    for place in first..count {
        let mut say = |mark: u8, text: &str| {
            let text = text.replace('\n', " ");
            // A parent that is gone needs no answer.
            let _ = writeln!(to_parent, "{}{text}", char::from(mark));
        };
        say(b'+', "");
        for reason in trial(place) {
            say(b'!', &reason);
        }
        say(b'.', "");
    }
    // SAFETY: ends the child at once, which owns nothing that must be put in order.
    unsafe { libc::_exit(0) }
}

struct Watched {
    child: Pid,
    from_child: OwnedFd,
}

fn watch(
    first: usize,
    found: &mut [Vec<String>],
    (limit, task): Limit<'_>,
    watched: &Watched,
) -> io::Result<usize> {
    let mut at = first;
    let mut lines = Vec::new();
    let mut deadline = Instant::now() + limit;
    let mut is_late = false;
    loop {
        match receive(&watched.from_child, deadline)? {
            Received::Bytes(bytes) => lines.extend(bytes),
            Received::End => break,
            Received::Nothing => {
                is_late = true;
                // It may have ended at this very moment.
                let _ = kill(watched.child, Signal::SIGKILL);
                break;
            }
        }
        while let Some(end) = lines.iter().position(|&b| b == b'\n') {
            let line: Vec<u8> = lines.drain(..=end).collect();
            let text = String::from_utf8_lossy(&line[1..end]).into_owned();
            match line[0] {
                b'!' => found[at].push(text),
                b'.' => at += 1,
                _ => deadline = Instant::now() + limit,
            }
        }
    }
    let status = reap(watched.child)?;
    if at >= found.len() {
        return Ok(at);
    }
    found[at].push(if is_late {
        format!("it did not {task} within {} seconds", limit.as_secs_f64())
    } else {
        describe(status)
    });
    Ok(at + 1)
}

enum Received {
    Bytes(Vec<u8>),
    End,
    Nothing,
}

fn receive(from: &OwnedFd, deadline: Instant) -> io::Result<Received> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout =
            PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(from.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(0) if left.is_zero() => return Ok(Received::Nothing),
            Ok(0) | Err(Errno::EINTR) => continue,
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        let mut bytes = vec![0; 4096];
        let mut file = std::fs::File::from(from.try_clone()?);
        let count = file.read(&mut bytes)?;
        bytes.truncate(count);
        return Ok(if count == 0 {
            Received::End
        } else {
            Received::Bytes(bytes)
        });
    }
}

fn reap(child: Pid) -> io::Result<Option<WaitStatus>> {
    loop {
        match waitpid(child, None) {
            Ok(status) => return Ok(Some(status)),
            Err(Errno::EINTR) => {}
            // Somebody else has reaped it: how it ended nobody knows.
            Err(Errno::ECHILD) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
}

fn describe(status: Option<WaitStatus>) -> String {
    match status {
        Some(WaitStatus::Signaled(_, signal, _)) => {
            format!("it died of {signal} when it was tried out")
        }
        Some(WaitStatus::Exited(_, code)) => {
            format!("it ended the process with code {code} when it was tried out")
        }
        _ => "it ended the process when it was tried out".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_gets_its_own_verdict_whatever_the_others_do() {
        let limit = Duration::from_millis(300);
        let found = probe(6, (limit, "load"), |place| match place {
            0 => vec![],
            1 => vec!["wrong\nin two lines".into(), "and more".into()],
            2 => std::process::abort(),
            3 => loop {
                std::thread::park();
            },
            // SAFETY: ends the child.
            4 => unsafe { libc::_exit(7) },
            _ => vec![],
        })
        .unwrap();
        assert_eq!(found[0], Vec::<String>::new());
        assert_eq!(found[1], ["wrong in two lines", "and more"]);
        assert_eq!(found[2], ["it died of SIGABRT when it was tried out"]);
        assert_eq!(found[3], ["it did not load within 0.3 seconds"]);
        assert_eq!(
            found[4],
            ["it ended the process with code 7 when it was tried out"]
        );
        assert_eq!(found[5], Vec::<String>::new());
    }
}
