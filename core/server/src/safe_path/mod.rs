//! Files in folders that somebody else may write, for a server that root has started.
//!
//! Whoever may write a folder may put a link there, to any file of root's, or another folder in the
//! place of one that was looked at. So a path is walked once, from folder to open folder, and
//! everything that follows is done to a name in the last one, which is never followed. A link is
//! followed if only root can have made it, or if it leads to what belongs to whoever made it; one that
//! leads elsewhere is refused. For a process that is not root, links lead anywhere.

mod walk;

use std::collections::hash_map::RandomState;
use std::ffi::OsString;
use std::fs::File;
use std::hash::BuildHasher;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, renameat};
use nix::sys::stat::{FileStat, Mode, fstat, fstatat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchownat, unlinkat};

use walk::{LINKS, Link, Walk, is_private, is_steady, kind, refused};

/// A name in a folder that is open.
#[derive(Debug)]
pub struct Place {
    folder: OwnedFd,
    name: OsString,
    /// As it was given.
    path: PathBuf,
}

/// A file that is open for lines to be added to it.
#[derive(Debug)]
pub struct Appended {
    /// The file.
    pub file: File,
    /// It may be given to the user for whom it is written: it is new, or was the path's own before and no
    /// file that somebody has only moved or linked there.
    pub may_be_given: bool,
}

impl Place {
    /// Finds the folder that a path leads to.
    ///
    /// # Errors
    /// There is no such folder; a link on the way that is not followed.
    pub fn find(path: &Path) -> io::Result<Self> {
        let (folder, name) = Walk::along(path)?.reach_folder()?;
        let path = path.to_owned();
        Ok(Self { folder, name, path })
    }

    /// Opens the file of the name, unless it is a link.
    ///
    /// # Errors
    /// The operating system's; `ELOOP` for a link.
    pub fn open(&self, flags: OFlag, mode: u32) -> nix::Result<File> {
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
        let mode = Mode::from_bits_truncate(mode);
        openat(&self.folder, self.name.as_os_str(), flags, mode).map(File::from)
    }

    /// Returns the attributes of the file or link of the name; `None` if there is none.
    ///
    /// # Errors
    /// The operating system's.
    pub fn look(&self) -> nix::Result<Option<FileStat>> {
        match fstatat(
            &self.folder,
            self.name.as_os_str(),
            AtFlags::AT_SYMLINK_NOFOLLOW,
        ) {
            Ok(about) => Ok(Some(about)),
            Err(Errno::ENOENT) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes the name.
    ///
    /// # Errors
    /// The operating system's.
    pub fn remove(&self) -> nix::Result<()> {
        unlinkat(
            &self.folder,
            self.name.as_os_str(),
            UnlinkatFlags::NoRemoveDir,
        )
    }

    /// Puts a new file with this content in the place of whatever has the name: readers see the former or
    /// the whole new one.
    ///
    /// # Errors
    /// The operating system's. Nothing is left behind then.
    pub fn replace(&self, content: &[u8], mode: u32) -> io::Result<()> {
        let fresh = Self {
            folder: self.folder.try_clone()?,
            name: format!(".tricorn-{:016x}", RandomState::new().hash_one(&self.name)).into(),
            path: self.path.clone(),
        };
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL;
        let mut file = fresh.open(flags, mode)?;
        let done = file.write_all(content).and_then(|()| {
            let (from, to) = (fresh.name.as_os_str(), self.name.as_os_str());
            Ok(renameat(&self.folder, from, &self.folder, to)?)
        });
        if done.is_err() {
            // Of no use to anybody; what went wrong is told already.
            let _ = fresh.remove();
        }
        done
    }

    /// Gives the socket that this process has just bound to the name to a user and a group.
    ///
    /// # Errors
    /// Somebody has put another thing in its place; the operating system's.
    pub fn give_socket(&self, user: Option<u32>, group: Option<u32>) -> io::Result<()> {
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let found = openat(&self.folder, self.name.as_os_str(), flags, Mode::empty())?;
        let about = fstat(&found)?;
        let is_own = kind(&about) == libc::S_IFSOCK
            && about.st_nlink == 1
            && about.st_uid == Uid::effective().as_raw();
        if !is_own {
            let what = "somebody who may write its folder has put another file in its place";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
        }
        let (user, group) = (user.map(Uid::from_raw), group.map(Gid::from_raw));
        Ok(fchownat(&found, "", user, group, AtFlags::AT_EMPTY_PATH)?)
    }
}

/// Opens a file to add lines to it, and makes it if it is not there. A named pipe without a reader is
/// not waited for.
///
/// # Errors
/// A link or another name of a file that is not followed; the operating system's.
pub fn append(path: &Path) -> io::Result<Appended> {
    let mut place = Place::find(path)?;
    let mut owner = None;
    for _ in 0..LINKS {
        let folder = fstat(&place.folder)?;
        match place.open(APPEND, 0) {
            Ok(file) => return place.vetted(file, &folder, owner),
            Err(Errno::ENOENT) => match place.create(&folder, owner) {
                // Somebody else has made it at the same time.
                Err(error) if error.raw_os_error() == Some(libc::EEXIST) => {}
                created => return created,
            },
            Err(Errno::ELOOP) => {
                let Some(link) = Link::at(&place.folder, &place.name)? else {
                    continue;
                };
                owner = link.whose(&folder).or(owner);
                if link.is_of_proc() {
                    return place.through_proc(owner);
                }
                (place.folder, place.name) = Walk::on(place.folder, &link, path)?.reach_folder()?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(Errno::ELOOP.into())
}

const APPEND: OFlag = OFlag::O_WRONLY
    .union(OFlag::O_APPEND)
    .union(OFlag::O_NONBLOCK);

impl Place {
    fn create(&self, folder: &FileStat, owner: Option<u32>) -> io::Result<Appended> {
        if let Some(owner) = owner.filter(|&owner| folder.st_uid != owner) {
            return Err(refused(&self.path, owner));
        }
        Ok(Appended {
            file: self.open(APPEND | OFlag::O_CREAT | OFlag::O_EXCL, 0o666)?,
            may_be_given: true,
        })
    }

    fn vetted(&self, file: File, folder: &FileStat, owner: Option<u32>) -> io::Result<Appended> {
        let about = fstat(&file)?;
        if let Some(owner) = owner.filter(|&owner| about.st_uid != owner && !is_output(&about)) {
            return Err(refused(&self.path, owner));
        }
        let is_regular = kind(&about) == libc::S_IFREG;
        let has_other_names = is_regular && about.st_nlink > 1;
        let is_private = is_private(folder);
        let is_theirs = folder.st_uid != 0 && folder.st_uid == about.st_uid;
        if Uid::effective().is_root() && has_other_names && !is_private && !is_theirs {
            let what = format!(
                "{} is another name of a file of user {}'s, in a folder that others may write: \
                 remove it, or give another path",
                self.path.display(),
                about.st_uid
            );
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
        }
        // What others may have moved here is given to nobody who could not read it before.
        let is_legible = about.st_mode & 0o004 != 0;
        let may_be_given = is_regular && !has_other_names && (is_private || is_legible);
        Ok(Appended { file, may_be_given })
    }

    /// Opens the target of a link of `/proc`.
    fn through_proc(&self, owner: Option<u32>) -> io::Result<Appended> {
        let flags = APPEND | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
        let file = File::from(openat(
            &self.folder,
            self.name.as_os_str(),
            flags,
            Mode::empty(),
        )?);
        let about = fstat(&file)?;
        match owner.filter(|&owner| about.st_uid != owner && !is_output(&about)) {
            Some(owner) => Err(refused(&self.path, owner)),
            None => Ok(Appended {
                file,
                may_be_given: false,
            }),
        }
    }
}

/// Returns true for the null device, and for where this process writes anyway.
fn is_output(about: &FileStat) -> bool {
    let null = libc::makedev(1, 3);
    let is_same = |other: FileStat| (other.st_dev, other.st_ino) == (about.st_dev, about.st_ino);
    (kind(about) == libc::S_IFCHR && about.st_rdev == null)
        || fstat(io::stdout()).is_ok_and(is_same)
        || fstat(io::stderr()).is_ok_and(is_same)
}

/// Returns the folder's path without links, if nobody but root and this user can put another folder in
/// the place of one of its components, or another file in the place of one of theirs in it.
///
/// # Errors
/// There is no such folder.
pub fn steady_folder(folder: &Path) -> io::Result<Option<PathBuf>> {
    // What a stranger's link leads to is not gone to at all.
    Walk::along(folder)?.stays_the_same()?;
    let real = folder.canonicalize()?;
    let is_steady = Walk::along(&real)?.stays_the_same()?;
    Ok(is_steady.then_some(real))
}

/// Says who else may change a file whose code root runs: everybody, or `user`, as whom the workers of
/// root's server run. `None` if nobody may, or this process is not root.
#[must_use]
pub fn who_may_change(path: &Path, user: Option<u32>) -> Option<String> {
    if !Uid::effective().is_root() {
        return None;
    }
    let real = path.canonicalize().ok()?;
    let about = [Some(real.as_path()), real.parent()];
    about.into_iter().flatten().find_map(|path| {
        let about = nix::sys::stat::stat(path).ok()?;
        let what = path.display();
        if about.st_mode & 0o002 != 0 && !is_steady(&about) {
            return Some(format!(
                "{what} may be written by anybody (mode {:o}): chmod o-w",
                about.st_mode & 0o7777
            ));
        }
        let is_workers = user.is_some_and(|user| user != 0 && user == about.st_uid);
        is_workers.then(|| format!("{what} belongs to the workers' user: chown root"))
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    use tempfile::TempDir;

    use super::*;

    const STRANGER: u32 = 12345;

    /// A folder of root's, and one in it that is a stranger's.
    fn folders() -> (TempDir, PathBuf, PathBuf) {
        assert!(
            Uid::effective().is_root(),
            "only root has folders of others: run this test as root"
        );
        let base = tempfile::tempdir().unwrap();
        let (ours, theirs) = (base.path().join("ours"), base.path().join("theirs"));
        fs::create_dir(&ours).unwrap();
        fs::create_dir(&theirs).unwrap();
        chown(&theirs, Some(STRANGER), Some(STRANGER)).unwrap();
        (base, ours, theirs)
    }

    fn link(to: &Path, at: &Path, user: u32) {
        symlink(to, at).unwrap();
        std::os::unix::fs::lchown(at, Some(user), Some(user)).unwrap();
    }

    fn why(path: &Path) -> String {
        append(path).map_or_else(|error| error.to_string(), |_| String::new())
    }

    #[test]
    fn a_strangers_link_leads_to_what_is_his_and_nowhere_else() {
        let (_base, ours, theirs) = folders();
        fs::write(ours.join("secret"), "kept").unwrap();
        link(&ours.join("secret"), &theirs.join("file"), STRANGER);
        link(&ours.join("new"), &theirs.join("dangling"), STRANGER);
        link(Path::new("/dev/zero"), &theirs.join("device"), STRANGER);
        link(&ours, &theirs.join("folder"), STRANGER);
        link(Path::new("/proc/self/cwd"), &theirs.join("magic"), STRANGER);
        for name in ["file", "dangling", "device", "folder/x", "magic/x"] {
            let said = why(&theirs.join(name));
            assert!(
                said.contains(&format!("user {STRANGER} has put a link")),
                "{name}: {said}"
            );
        }
        assert_eq!(fs::read_dir(&ours).unwrap().count(), 1);
        assert_eq!(fs::read(ours.join("secret")).unwrap(), b"kept");
        for (name, to) in [("null", "/dev/null"), ("stream", "/dev/stderr")] {
            link(Path::new(to), &theirs.join(name), STRANGER);
            assert_eq!(
                why(&theirs.join(name)),
                "",
                "nothing is written there that is not anyway"
            );
        }
        let deep = theirs.join("deep");
        fs::create_dir(&deep).unwrap();
        chown(&deep, Some(STRANGER), Some(STRANGER)).unwrap();
        link(Path::new("deep"), &theirs.join("own"), STRANGER);
        link(Path::new("../theirs/own/x"), &theirs.join("x"), STRANGER);
        assert_eq!(why(&theirs.join("own/y")) + &why(&theirs.join("x")), "");
        assert_eq!(fs::read_dir(&deep).unwrap().count(), 2);
    }

    #[test]
    fn links_that_root_has_made_lead_anywhere() {
        let (_base, ours, theirs) = folders();
        link(&ours, &theirs.join("folder"), 0);
        link(&theirs, &ours.join("there"), STRANGER);
        link(Path::new("/dev/stdout"), &theirs.join("stream"), 0);
        for path in ["folder/a", "folder/there/b"] {
            assert_eq!(why(&theirs.join(path)), "");
        }
        assert_eq!(why(&theirs.join("stream")), "");
        assert!(ours.join("a").is_file() && theirs.join("b").is_file());
        link(Path::new("loop"), &ours.join("loop"), 0);
        assert!(why(&ours.join("loop")).contains("symbolic links"));
        assert!(why(&ours.join("loop/x")).contains("symbolic links"));
    }

    #[test]
    fn another_name_of_roots_file_is_refused_where_others_may_have_made_it() {
        let (_base, ours, theirs) = folders();
        fs::write(ours.join("secret"), "kept").unwrap();
        for folder in [&ours, &theirs] {
            fs::hard_link(ours.join("secret"), folder.join("other")).unwrap();
        }
        assert!(why(&theirs.join("other")).contains("is another name of a file of user 0's"));
        let own = append(&ours.join("other")).unwrap();
        assert!(!own.may_be_given);
    }

    #[test]
    fn only_what_nobody_can_have_moved_there_is_given_away() {
        let (_base, ours, theirs) = folders();
        for (folder, mode, is_given) in [
            (&ours, 0o600, true),
            (&theirs, 0o600, false),
            (&theirs, 0o644, true),
        ] {
            let path = folder.join(format!("{mode:o}"));
            assert!(append(&path).unwrap().may_be_given, "it is new");
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(append(&path).unwrap().may_be_given, is_given, "{path:?}");
        }
    }

    #[test]
    fn a_file_is_replaced_and_no_link_followed() {
        let (_base, ours, theirs) = folders();
        fs::write(ours.join("secret"), "kept").unwrap();
        link(&ours.join("secret"), &theirs.join("pid"), STRANGER);
        let place = Place::find(&theirs.join("pid")).unwrap();
        assert_eq!(place.open(OFlag::O_RDONLY, 0).unwrap_err(), Errno::ELOOP);
        place.replace(b"1\n", 0o644).unwrap();
        assert_eq!(fs::read(theirs.join("pid")).unwrap(), b"1\n");
        assert_eq!(fs::read(ours.join("secret")).unwrap(), b"kept");
        assert_eq!(fs::read_dir(&theirs).unwrap().count(), 1);
        assert!(Place::find(Path::new("/")).is_err());
    }

    #[test]
    fn a_socket_is_given_away_and_nothing_that_was_put_in_its_place() {
        use std::os::unix::net::UnixListener;
        let (_base, ours, theirs) = folders();
        let path = theirs.join("s");
        let owner =
            |path: &Path| std::os::unix::fs::MetadataExt::uid(&fs::symlink_metadata(path).unwrap());
        let give = || {
            Place::find(&path)
                .unwrap()
                .give_socket(Some(STRANGER), None)
        };
        let _listener = UnixListener::bind(&path).unwrap();
        give().unwrap();
        assert_eq!(owner(&path), STRANGER);
        let other = ours.join("other");
        let _other = UnixListener::bind(&other).unwrap();
        fs::remove_file(&path).unwrap();
        fs::hard_link(&other, &path).unwrap();
        assert!(give().is_err());
        fs::remove_file(&path).unwrap();
        link(&other, &path, STRANGER);
        assert!(
            give()
                .unwrap_err()
                .to_string()
                .contains("has put another file")
        );
        fs::remove_file(&path).unwrap();
        fs::write(&path, "").unwrap();
        assert!(give().is_err());
        assert_eq!((owner(&other), owner(&path)), (0, 0));
    }

    #[test]
    fn who_may_change_what_root_runs_is_told() {
        let (_base, ours, theirs) = folders();
        let (own, other) = (ours.join("conf.py"), theirs.join("conf.py"));
        fs::write(&own, "").unwrap();
        fs::write(&other, "").unwrap();
        assert_eq!(who_may_change(&own, Some(STRANGER)), None);
        let told = who_may_change(&other, Some(STRANGER)).unwrap();
        assert!(
            told.contains("theirs belongs to the workers' user"),
            "{told}"
        );
        assert_eq!(who_may_change(&other, None), None);
        fs::set_permissions(&own, Permissions::from_mode(0o666)).unwrap();
        let told = who_may_change(&own, None).unwrap();
        assert!(
            told.contains("conf.py may be written by anybody (mode 666)"),
            "{told}"
        );
    }

    #[test]
    fn a_folder_is_steady_if_all_above_it_are() {
        let (base, ours, theirs) = folders();
        assert_eq!(steady_folder(&ours).unwrap(), Some(ours.clone()));
        let inner = theirs.join("inner");
        fs::create_dir(&inner).unwrap();
        assert_eq!(steady_folder(&inner).unwrap(), None);
        let open = base.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
        assert_eq!(steady_folder(&open).unwrap(), None);
        fs::set_permissions(&open, Permissions::from_mode(0o1777)).unwrap();
        assert_eq!(steady_folder(&open).unwrap(), Some(open));
        assert!(steady_folder(Path::new("/nowhere")).is_err());
        link(&ours, &theirs.join("link"), STRANGER);
        assert!(steady_folder(&theirs.join("link")).is_err());
    }
}
