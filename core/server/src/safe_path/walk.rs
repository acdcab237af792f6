//! From a path to an open folder, one component after the other.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, open, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, fstat};
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};
use nix::unistd::Uid;

/// The most links that are followed on one way, as the kernel has it.
pub(super) const LINKS: usize = 40;

/// Flags to open a file or a folder without the right to read or write it.
const LOOK: OFlag = OFlag::O_PATH
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_CLOEXEC);

/// A step of the way that is still ahead.
#[derive(Debug)]
enum Part {
    Up,
    Name(OsString),
    /// A check: the folder was reached by a link of this user's, and must be his too.
    OwnedBy(u32),
}

/// A folder on the way, and what is ahead.
#[derive(Debug)]
pub(super) struct Walk {
    at: OwnedFd,
    ahead: VecDeque<Part>,
    links: usize,
    path: PathBuf,
    /// Nobody but root and this user can put another folder in the place of one that was passed.
    is_steady: bool,
}

/// A symbolic link, and where it leads.
pub(super) struct Link {
    about: FileStat,
    text: OsString,
    /// One of `/proc`, which only the kernel can follow.
    is_of_proc: bool,
}

impl Walk {
    pub(super) fn along(path: &Path) -> io::Result<Self> {
        let start = if path.is_absolute() { "/" } else { "." };
        let at = open(start, LOOK | OFlag::O_DIRECTORY, Mode::empty())?;
        let is_steady = is_steady(&fstat(&at)?);
        Ok(Self {
            at,
            ahead: parts(path.as_os_str()).collect(),
            links: 0,
            path: path.to_owned(),
            is_steady,
        })
    }

    /// Follows a link in a folder that was found before.
    pub(super) fn on(folder: OwnedFd, link: &Link, path: &Path) -> io::Result<Self> {
        let is_steady = is_steady(&fstat(&folder)?);
        let mut walk = Self {
            at: folder,
            ahead: VecDeque::new(),
            links: 0,
            path: path.to_owned(),
            is_steady,
        };
        walk.turn(&link.text)?;
        Ok(walk)
    }

    /// Goes to the folder of the last name.
    pub(super) fn reach_folder(mut self) -> io::Result<(OwnedFd, OsString)> {
        loop {
            let is_last = self.ahead.len() == 1;
            match self.ahead.pop_front() {
                Some(Part::Name(name)) if is_last => return Ok((self.at, name)),
                Some(part) => self.pass(part)?,
                None => return Err(Errno::EISDIR.into()),
            }
        }
    }

    /// Returns true if the path leads to a folder without a link, and other users cannot change where it
    /// leads.
    pub(super) fn stays_the_same(mut self) -> io::Result<bool> {
        while let Some(part) = self.ahead.pop_front() {
            self.pass(part)?;
        }
        Ok(self.is_steady && self.links == 0)
    }

    fn pass(&mut self, part: Part) -> io::Result<()> {
        match part {
            Part::Up => self.at = openat(&self.at, "..", LOOK, Mode::empty())?,
            Part::Name(name) => return self.enter(&name),
            Part::OwnedBy(user) => {
                if fstat(&self.at)?.st_uid != user {
                    return Err(refused(&self.path, user));
                }
            }
        }
        Ok(())
    }

    fn enter(&mut self, name: &OsStr) -> io::Result<()> {
        let next = openat(&self.at, name, LOOK, Mode::empty())?;
        let about = fstat(&next)?;
        if kind(&about) != libc::S_IFLNK {
            if kind(&about) != libc::S_IFDIR {
                return Err(Errno::ENOTDIR.into());
            }
            self.is_steady &= is_steady(&about);
            self.at = next;
            return Ok(());
        }
        let link = Link::read(&next, about)?;
        if let Some(user) = link.whose(&fstat(&self.at)?) {
            self.ahead.push_front(Part::OwnedBy(user));
        }
        if link.is_of_proc {
            self.links += 1;
            let flags = OFlag::O_PATH | OFlag::O_CLOEXEC | OFlag::O_DIRECTORY;
            self.at = openat(&self.at, name, flags, Mode::empty())?;
            return Ok(());
        }
        self.turn(&link.text)
    }

    /// Goes on along the text of a link.
    fn turn(&mut self, text: &OsStr) -> io::Result<()> {
        self.links += 1;
        if self.links > LINKS {
            return Err(Errno::ELOOP.into());
        }
        if Path::new(text).is_absolute() {
            self.at = openat(AT_FDCWD, "/", LOOK | OFlag::O_DIRECTORY, Mode::empty())?;
        }
        let parts: Vec<_> = parts(text).collect();
        parts
            .into_iter()
            .rev()
            .for_each(|part| self.ahead.push_front(part));
        Ok(())
    }
}

impl Link {
    /// Reads the link of this name; `None` if it is one no longer.
    pub(super) fn at(folder: &OwnedFd, name: &OsStr) -> io::Result<Option<Self>> {
        let link = openat(folder, name, LOOK, Mode::empty())?;
        let about = fstat(&link)?;
        let is_link = kind(&about) == libc::S_IFLNK;
        is_link.then(|| Self::read(&link, about)).transpose()
    }

    fn read(link: &OwnedFd, about: FileStat) -> io::Result<Self> {
        Ok(Self {
            about,
            text: readlinkat(link, "")?,
            is_of_proc: fstatfs(link)?.filesystem_type() == PROC_SUPER_MAGIC,
        })
    }

    pub(super) fn is_of_proc(&self) -> bool {
        self.is_of_proc
    }

    /// Returns the user who must own the target of the link; `None` if it may lead anywhere, because this
    /// process is not root or because only root can have put the link there.
    pub(super) fn whose(&self, folder: &FileStat) -> Option<u32> {
        let user = self.about.st_uid;
        let may_lead_anywhere = !Uid::effective().is_root() || user == 0 || is_private(folder);
        (!may_lead_anywhere).then_some(user)
    }
}

fn parts(path: &OsStr) -> impl Iterator<Item = Part> {
    Path::new(path)
        .components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(Part::Name(name.to_owned())),
            Component::ParentDir => Some(Part::Up),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        })
}

pub(super) fn kind(about: &FileStat) -> libc::mode_t {
    about.st_mode & libc::S_IFMT
}

fn is_ours(about: &FileStat) -> bool {
    about.st_uid == 0 || about.st_uid == Uid::effective().as_raw()
}

/// Returns true if only root and this user can put anything into the folder. Members of root's group count
/// as root.
pub(super) fn is_private(folder: &FileStat) -> bool {
    let others = if folder.st_gid == 0 { 0o002 } else { 0o022 };
    is_ours(folder) && folder.st_mode & others == 0
}

/// Returns true if only root and this user can replace or rename their files in the folder.
pub(super) fn is_steady(folder: &FileStat) -> bool {
    const STICKY: u32 = 0o1000;
    is_private(folder) || (is_ours(folder) && folder.st_mode & STICKY != 0)
}

/// The error for a link of another user's whose target is not his own.
pub(super) fn refused(path: &Path, user: u32) -> io::Error {
    let what = format!(
        "user {user} has put a link in the way of {}, to what is not his, and root does not follow it \
         (have root make the link, or name what it leads to)",
        path.display()
    );
    io::Error::new(io::ErrorKind::PermissionDenied, what)
}
