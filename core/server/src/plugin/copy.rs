//! The private copy that a plugin is loaded from.
//!
//! Opened twice by one path, a file gives the old code although it was replaced; overwritten in
//! place, it pulls the code away under running workers. So what was read and checked is written to
//! a file of the server's own, named by its content, and that is opened: in a folder where nobody else
//! can put another in its place, or in sealed memory.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use tempfile::TempDir;

use super::file::PluginFile;
use crate::safe_path::steady_folder;

/// A copy, taken away when it is no longer needed. Lives in the process that made it only: the
/// children that try it out leave without its destructor.
#[derive(Debug)]
pub(super) struct PrivateCopy {
    /// What to open.
    pub(super) path: PathBuf,
    _place: Option<Place>,
}

#[derive(Debug)]
enum Place {
    /// A folder that nobody else may look into.
    Folder { _folder: TempDir },
    /// Where there is no such folder, or it cannot be written, or code in it not be run.
    Memory { _memory: OwnedFd },
}

impl PrivateCopy {
    /// Writes a copy: to the user's runtime folder or the temporary one, if nobody but root and this user
    /// can change what is on the way there, else to memory.
    ///
    /// # Errors
    /// No room anywhere.
    pub(super) fn make(file: &PluginFile, is_kept: bool) -> io::Result<Self> {
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let folders = runtime.into_iter().chain([std::env::temp_dir()]);
        for folder in folders.filter_map(|folder| steady_folder(&folder).ok().flatten()) {
            if !is_noexec(&folder)
                && let Ok(copy) = Self::in_folder(&folder, file, is_kept)
            {
                return Ok(copy);
            }
        }
        if is_kept {
            let path = file.path.display();
            log::warn!(
                "Plugin {path} is loaded from memory, and no copy is kept: neither XDG_RUNTIME_DIR nor TMPDIR names a folder for programs that only this user and root can change"
            );
        }
        Self::in_memory(file)
    }

    fn in_folder(base: &Path, file: &PluginFile, is_kept: bool) -> io::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("tricorn-")
            .tempdir_in(base)?;
        let name = file.path.file_name().unwrap_or_default().to_string_lossy();
        let path = folder.path().join(format!("{}-{name}", &file.sha256[..16]));
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?
            .write_all(&file.bytes)?;
        if is_kept {
            log::info!(
                "Plugin {} is loaded from {}",
                file.path.display(),
                path.display()
            );
            let _ = folder.keep();
            return Ok(Self { path, _place: None });
        }
        let place = Some(Place::Folder { _folder: folder });
        Ok(Self {
            path,
            _place: place,
        })
    }

    fn in_memory(file: &PluginFile) -> io::Result<Self> {
        let name = format!("{}-tricorn-plugin", &file.sha256[..16]);
        let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
        let mut memory = fs::File::from(memfd_create(name.as_str(), flags)?);
        memory.write_all(&file.bytes)?;
        fcntl(&memory, FcntlArg::F_ADD_SEALS(SealFlag::all()))?;
        let path = new_spelling(memory.as_raw_fd());
        let place = Some(Place::Memory {
            _memory: memory.into(),
        });
        Ok(Self {
            path,
            _place: place,
        })
    }
}

/// A path to a descriptor that no other had before. Numbers come again, and what was opened once by a
/// path is not opened anew by it.
fn new_spelling(file: RawFd) -> PathBuf {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let bits = (0..u32::BITS).map(|bit| number >> bit & 1 == 1);
    let spelling: String = bits
        .map(|is_set| if is_set { ".//" } else { "./" })
        .collect();
    format!("/proc/self/fd/{spelling}{file}").into()
}

fn is_noexec(folder: &Path) -> bool {
    nix::sys::statvfs::statvfs(folder).is_ok_and(|about| {
        about
            .flags()
            .contains(nix::sys::statvfs::FsFlags::ST_NOEXEC)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> PluginFile {
        PluginFile {
            remarks: Vec::new(),
            path: "/opt/libx.so".into(),
            bytes: b"code".to_vec(),
            sha256: "0123456789abcdef0123".into(),
        }
    }

    #[test]
    fn a_copy_is_there_as_long_as_it_is_needed() {
        let copy = PrivateCopy::make(&file(), false).unwrap();
        let path = copy.path.clone();
        assert!(path.ends_with("0123456789abcdef-libx.so"), "{path:?}");
        assert_eq!(fs::read(&path).unwrap(), b"code");
        drop(copy);
        assert!(!path.exists() && !path.parent().unwrap().exists());
    }

    #[test]
    fn memory_serves_where_no_folder_does() {
        let copy = PrivateCopy::in_memory(&file()).unwrap();
        assert_eq!(fs::read(&copy.path).unwrap(), b"code");
        let writable = OpenOptions::new().write(true).open(&copy.path).unwrap();
        let changed = (&writable).write(b"other").is_ok() || writable.set_len(0).is_ok();
        assert!(!changed, "it is sealed");
        let before = copy.path.clone().into_os_string();
        drop(copy);
        let copy = PrivateCopy::in_memory(&file()).unwrap();
        assert_ne!(copy.path.as_os_str(), before, "whatever its number is");
    }
}
