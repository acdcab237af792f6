//! The file that holds the arbiter's process id.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::error::{Blame, Failure};

/// A pidfile that this process has written.
#[derive(Debug)]
pub(super) struct Pidfile {
    path: PathBuf,
    owner: u32,
}

impl Pidfile {
    /// Writes the file. One that names a process that is gone, or nothing at all, is replaced.
    pub(super) fn create(path: &Path) -> Result<Self, Failure> {
        if let Some(pid) = read(path).filter(|&pid| is_alive(pid)) {
            let what = format!(
                "the pidfile {} names process {pid}, which is running",
                path.display()
            );
            let mend = "stop that server, or give another --pid";
            return Err(Failure::new(Blame::Operator, what).mend(mend));
        }
        let owner = std::process::id();
        write(path, owner).map_err(|error| {
            Failure::operator(format!(
                "cannot write the pidfile {}: {error}",
                path.display()
            ))
            .mend("give a path this user may write")
        })?;
        Ok(Self {
            path: path.to_owned(),
            owner,
        })
    }

    /// Moves the file to where the server before had its own, whose process is gone.
    pub(super) fn move_to(&mut self, path: &Path, former: Option<i32>) {
        let other = read(path).filter(|&pid| is_alive(pid));
        if let Some(pid) = other.filter(|&pid| Some(pid.cast_signed()) != former) {
            let (path, own) = (path.display(), self.path.display());
            return log::warn!(
                "the pidfile {path} names process {pid}, which is running: {own} stays"
            );
        }
        match write(path, self.owner) {
            Ok(()) => {
                self.remove();
                path.clone_into(&mut self.path);
            }
            Err(error) => log::warn!("cannot write the pidfile {}: {error}", path.display()),
        }
    }

    /// Writes the file again, where it is gone.
    pub(super) fn renew(&self) {
        if !self.path.exists()
            && let Err(error) = write(&self.path, self.owner)
        {
            log::warn!("cannot write the pidfile {}: {error}", self.path.display());
        }
    }

    /// Removes the file, if this process wrote it and nobody has since.
    pub(super) fn remove(&self) {
        let is_ours = std::process::id() == self.owner && read(&self.path) == Some(self.owner);
        if is_ours {
            // Somebody else may have removed it in between, which is just as well.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn read(path: &Path) -> Option<u32> {
    fs::read_to_string(path)
        .ok()?
        .trim()
        .parse()
        .ok()
        .filter(|&pid| pid > 0)
}

fn is_alive(pid: u32) -> bool {
    let Ok(pid) = i32::try_from(pid) else {
        return false;
    };
    pid.cast_unsigned() != std::process::id()
        && !matches!(kill(Pid::from_raw(pid), None), Err(Errno::ESRCH))
}

/// Readers see the old file or the whole new one, never a part.
fn write(path: &Path, pid: u32) -> io::Result<()> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(format!(".{pid}"));
    let fresh = PathBuf::from(fresh);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o644)
        .open(&fresh)?;
    let done = writeln!(file, "{pid}").and_then(|()| fs::rename(&fresh, path));
    if done.is_err() {
        // Of no use to anybody; what went wrong is told already.
        let _ = fs::remove_file(&fresh);
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("tricorn-pidfile-{}-{name}", std::process::id()))
    }

    #[test]
    fn a_file_is_written_and_removed_by_its_owner() {
        let path = path("own");
        let pidfile = Pidfile::create(&path).unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            format!("{}\n", std::process::id())
        );
        Pidfile {
            path: path.clone(),
            owner: 1,
        }
        .remove();
        assert!(path.exists(), "another process's guard leaves it alone");
        pidfile.remove();
        assert!(!path.exists());
    }

    #[test]
    fn a_running_server_is_not_replaced_but_a_dead_one_is() {
        let path = path("other");
        fs::write(&path, "1\n").unwrap();
        let refused = Pidfile::create(&path).unwrap_err().to_string();
        assert!(
            refused.contains("names process 1, which is running"),
            "{refused}"
        );
        for stale in ["999999999\n", "garbage", ""] {
            fs::write(&path, stale).unwrap();
            Pidfile::create(&path).unwrap();
        }
        fs::write(&path, "77\n").unwrap();
        Pidfile {
            path: path.clone(),
            owner: std::process::id(),
        }
        .remove();
        assert!(path.exists(), "somebody else has written it since");
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_file_that_cannot_be_put_in_its_place_leaves_nothing_behind() {
        let folder = path("folder");
        let inner = folder.join("taken.pid");
        fs::create_dir_all(inner.join("a folder")).unwrap();
        assert!(Pidfile::create(&inner).is_err());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_path_that_cannot_be_written_is_one_clear_line() {
        let refused = Pidfile::create(Path::new("/nowhere/at/all.pid"))
            .unwrap_err()
            .to_string();
        assert!(
            refused.contains("cannot write the pidfile /nowhere/at/all.pid"),
            "{refused}"
        );
    }
}
