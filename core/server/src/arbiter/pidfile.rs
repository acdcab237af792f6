//! The file that holds the arbiter's process id.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::error::{Blame, Failure};
use crate::safe_path::Place;

/// A pidfile that this process has written.
#[derive(Debug)]
pub(super) struct Pidfile {
    path: PathBuf,
    owner: u32,
}

impl Pidfile {
    /// Writes the file. One that names a process that is gone, or nothing at all, is replaced.
    pub(super) fn create(path: &Path) -> Result<Self, Failure> {
        if let Some(pid) = other(path) {
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
        if let Some(pid) = other(path).filter(|&pid| Some(pid.cast_signed()) != former) {
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
        let found = Place::find(&self.path).map(|place| place.look());
        if !matches!(found, Ok(Ok(Some(_))))
            && let Err(error) = write(&self.path, self.owner)
        {
            log::warn!("cannot write the pidfile {}: {error}", self.path.display());
        }
    }

    /// Removes the file, if this process wrote it and nobody has since.
    pub(super) fn remove(&self) {
        if std::process::id() != self.owner {
            return;
        }
        if let Ok(place) = Place::find(&self.path)
            && read(&place) == Some(self.owner)
        {
            // Somebody else may have removed it in between, which is just as well.
            let _ = place.remove();
        }
    }
}

/// The process that a pidfile names, which is read as a small file or not at all.
fn read(place: &Place) -> Option<u32> {
    const LONGEST: u64 = 32;
    // What is no file, such as a pipe, must not be waited for.
    let file = place.open(OFlag::O_RDONLY | OFlag::O_NONBLOCK, 0).ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text).ok()?;
    text.trim().parse().ok().filter(|&pid| pid > 0)
}

/// The other process that a pidfile names, if it runs.
fn other(path: &Path) -> Option<u32> {
    let place = Place::find(path).ok()?;
    read(&place).filter(|&pid| is_alive(pid))
}

fn is_alive(pid: u32) -> bool {
    let Ok(pid) = i32::try_from(pid) else {
        return false;
    };
    pid.cast_unsigned() != std::process::id()
        && !matches!(kill(Pid::from_raw(pid), None), Err(Errno::ESRCH))
}

/// Readers see the old file or the whole new one, never a part. A link is replaced like a file.
fn write(path: &Path, pid: u32) -> io::Result<()> {
    Place::find(path)?.replace(format!("{pid}\n").as_bytes(), 0o644)
}

#[cfg(test)]
mod tests {
    use std::fs;

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
