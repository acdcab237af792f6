//! Children of nobody's: as PID 1, in a container, the arbiter inherits every orphan, and has to
//! wait for each, or the table of processes fills up.
//!
//! Subprocesses that hooks have started are its children too, and the hooks' own to wait for: what
//! has ended is left to them for a while.

use std::collections::HashMap;
use std::fs;
use std::time::{Duration, Instant};

use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{Pid, getpid};

use super::drive::Driver;

/// How long a hook has to wait for its subprocess.
const GRACE: Duration = Duration::from_secs(5);

/// Between two looks.
const BETWEEN: Duration = Duration::from_secs(1);

/// Children that have ended and that nobody has waited for.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    last: Option<Instant>,
    ended: HashMap<i32, Instant>,
}

impl Strangers {
    /// Looks at the children of this process other than `own`; those whose time is over.
    fn look(&mut self, own: &[i32], now: Instant) -> Vec<i32> {
        self.last = Some(now);
        let ended: Vec<_> = children()
            .into_iter()
            .filter(|pid| !own.contains(pid) && has_ended(*pid))
            .collect();
        self.ended.retain(|pid, _| ended.contains(pid));
        for pid in &ended {
            self.ended.entry(*pid).or_insert(now);
        }
        let is_over = |since: &Instant| now.duration_since(*since) >= GRACE;
        let over = self.ended.iter().filter(|(_, since)| is_over(since));
        over.map(|(pid, _)| *pid).collect()
    }
}

impl Driver<'_> {
    pub(super) fn bury_strangers(&mut self) {
        let now = Instant::now();
        let is_due = self
            .strangers
            .last
            .is_none_or(|last| now.duration_since(last) >= BETWEEN);
        if getpid() != Pid::from_raw(1) || !is_due {
            return;
        }
        let own: Vec<_> = self.children.iter().map(|child| child.member.pid).collect();
        for pid in self.strangers.look(&own, now) {
            // Somebody else may have waited for it in between.
            let _ = waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG));
            log::debug!("An orphan (pid:{pid}) has ended");
        }
    }
}

/// The children of this process.
fn children() -> Vec<i32> {
    let list = fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
    list.split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

/// Whether a process waits to be waited for.
fn has_ended(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')')
        .next()
        .is_some_and(|rest| rest.trim_start().starts_with('Z'))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_child_that_nobody_waits_for_is_found_after_a_while() {
        let mut ended = Command::new("true").spawn().unwrap();
        let mut alive = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = ended.id().cast_signed();
        while !has_ended(pid) {
            std::thread::yield_now();
        }
        let (mut strangers, now) = (Strangers::default(), Instant::now());
        assert!(
            !strangers.look(&[], now).contains(&pid),
            "its owner has time"
        );
        assert!(strangers.look(&[], now + GRACE).contains(&pid));
        assert!(
            !strangers.look(&[pid], now + GRACE).contains(&pid),
            "our own"
        );
        let living = alive.id().cast_signed();
        assert!(!strangers.look(&[], now + 2 * GRACE).contains(&living));
        alive.kill().unwrap();
        alive.wait().unwrap();
        ended.wait().unwrap();
    }
}
