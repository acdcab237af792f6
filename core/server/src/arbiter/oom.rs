//! Whether the kernel has killed processes for want of memory: the counter of the control group.

use std::fs;
use std::path::{Path, PathBuf};

/// The counter, and what it was at the last look.
#[derive(Debug)]
pub(super) struct OomKills {
    file: Option<PathBuf>,
    seen: u64,
}

/// What is known of a worker that was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Suspicion {
    /// The counter has gone up: the kernel has killed somebody.
    Kernel,
    /// The counter has not.
    Nobody,
    /// There is no counter.
    Unknown,
}

impl OomKills {
    /// Finds the counter of this process's group.
    pub(super) fn find() -> Self {
        Self::find_in(Path::new("/proc/self/cgroup"), Path::new("/sys/fs/cgroup"))
    }

    fn find_in(groups: &Path, root: &Path) -> Self {
        let groups = fs::read_to_string(groups).unwrap_or_default();
        let file = groups.lines().flat_map(|line| places(line, root));
        let file = file.into_iter().find(|place| count(place).is_some());
        let seen = file.as_deref().and_then(count).unwrap_or(0);
        Self { file, seen }
    }

    /// Looks at the counter after a worker was killed.
    pub(super) fn suspect(&mut self) -> Suspicion {
        let Some(kills) = self.file.as_deref().and_then(count) else {
            return Suspicion::Unknown;
        };
        let before = std::mem::replace(&mut self.seen, kills);
        if kills > before {
            Suspicion::Kernel
        } else {
            Suspicion::Nobody
        }
    }
}

/// Where the counter of a line of `/proc/self/cgroup` may be. In a container the path is often the
/// host's, and the group's files stand at the root.
fn places(line: &str, root: &Path) -> Vec<PathBuf> {
    let mut parts = line.splitn(3, ':');
    let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next())
    else {
        return Vec::new();
    };
    let path = path.trim_start_matches('/');
    let (base, name) = if controllers.is_empty() {
        (root.to_owned(), "memory.events")
    } else if controllers
        .split(',')
        .any(|controller| controller == "memory")
    {
        (root.join("memory"), "memory.oom_control")
    } else {
        return Vec::new();
    };
    vec![base.join(path).join(name), base.join(name)]
}

fn count(file: &Path) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("oom_kill "))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(line: &str, file: &str) -> (tempfile::TempDir, OomKills, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let groups = folder.path().join("cgroup");
        fs::write(&groups, format!("11:cpu:/x\n{line}\n")).unwrap();
        let counter = folder.path().join(file);
        fs::create_dir_all(counter.parent().unwrap()).unwrap();
        fs::write(&counter, "oom_kill_disable 0\noom_kill 3\n").unwrap();
        let kills = OomKills::find_in(&groups, folder.path());
        (folder, kills, counter)
    }

    #[test]
    fn a_counter_that_goes_up_tells_of_the_kernel_in_both_hierarchies() {
        for (line, file) in [
            ("0::/site/web", "site/web/memory.events"),
            ("0::/of/the/host", "memory.events"),
            ("4:memory:/site", "memory/site/memory.oom_control"),
        ] {
            let (_folder, mut kills, counter) = group(line, file);
            assert_eq!(kills.suspect(), Suspicion::Nobody, "{line}");
            fs::write(&counter, "oom_kill 4\n").unwrap();
            assert_eq!(kills.suspect(), Suspicion::Kernel, "{line}");
            assert_eq!(kills.suspect(), Suspicion::Nobody, "{line}: once");
        }
    }

    #[test]
    fn without_a_counter_nothing_is_known() {
        let (_folder, mut kills, _) = group("4:memory:/site", "elsewhere");
        assert_eq!(kills.suspect(), Suspicion::Unknown);
    }
}
