//! The resident memory of workers.

use std::collections::HashMap;
use std::fs;
use std::time::{Duration, Instant};

use nix::unistd::{SysconfVar, sysconf};

use crate::hooks::Age;

/// Between two looks.
const BETWEEN: Duration = Duration::from_secs(1);

/// Looks at workers' memory, and remembers who was too large at the last look.
#[derive(Debug, Default)]
pub(super) struct MemoryWatch {
    last: Option<Instant>,
    suspects: HashMap<Age, u64>,
}

impl MemoryWatch {
    /// The workers (id, age, process id) that are larger than `most` bytes, now and at the look
    /// before: their size. A peak that is over by then is let pass.
    pub(super) fn look(
        &mut self,
        most: u64,
        workers: &[(usize, Age, i32)],
        now: Instant,
    ) -> Vec<(Age, u64)> {
        if self
            .last
            .is_some_and(|last| now.duration_since(last) < BETWEEN)
        {
            return Vec::new();
        }
        self.last = Some(now);
        let sizes = workers
            .iter()
            .filter_map(|&(_, age, pid)| Some((age, resident(pid)?)));
        let large: HashMap<_, _> = sizes.filter(|&(_, bytes)| bytes > most).collect();
        let before = std::mem::replace(&mut self.suspects, large);
        let confirmed = self
            .suspects
            .iter()
            .filter(|(age, _)| before.contains_key(age));
        let mut confirmed: Vec<_> = confirmed.map(|(&age, &bytes)| (age, bytes)).collect();
        // The largest first: they are replaced one at a time.
        confirmed.sort_by_key(|&(_, bytes)| std::cmp::Reverse(bytes));
        confirmed
    }
}

/// Bytes of a process's memory that are in RAM; `None` once it is gone.
fn resident(pid: i32) -> Option<u64> {
    let statm = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    let page = sysconf(SysconfVar::PAGE_SIZE).ok()??;
    pages.checked_mul(u64::try_from(page).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_too_large_when_two_looks_say_so() {
        let own = i32::try_from(std::process::id()).unwrap();
        let workers = [(1, 7, own), (2, 8, i32::MAX)];
        let mut watch = MemoryWatch::default();
        let start = Instant::now();
        assert_eq!(watch.look(1, &workers, start), []);
        assert_eq!(watch.look(1, &workers, start + BETWEEN / 2), [], "too soon");
        let found = watch.look(1, &workers, start + BETWEEN);
        assert_eq!(found.len(), 1);
        assert!(found[0].0 == 7 && found[0].1 > 1 << 20);
        assert_eq!(watch.look(u64::MAX, &workers, start + 2 * BETWEEN), []);
        assert_eq!(
            watch.look(1, &workers, start + 3 * BETWEEN),
            [],
            "a new suspicion"
        );
    }
}
