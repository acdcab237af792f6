//! The names of unix sockets: paths of files, and names in the kernel's abstract namespace (unix(7)),
//! for which there is no file. How they are written, and nothing of what is done with them.

use std::fmt;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The name of a unix socket.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum UnixName {
    /// The path of its file.
    Path(PathBuf),
    /// A name that is gone with the last socket of it.
    Abstract(String),
}

/// What an abstract name may be written with in front: as `ss` and systemd show it, as the kernel has it,
/// and as a command line has that, where a zero byte cannot stand.
const MARKS: [&str; 3] = ["@", "\0", "\\0"];

impl UnixName {
    /// Reads a name; `None` if there is nothing of it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let name = MARKS.iter().find_map(|mark| text.strip_prefix(mark));
        match name {
            Some(name) => (!name.is_empty()).then(|| Self::Abstract(name.to_owned())),
            None => (!text.is_empty()).then(|| Self::Path(text.into())),
        }
    }

    /// Returns the path of its file, if it has one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Path(path) => Some(path),
            Self::Abstract(_) => None,
        }
    }

    /// Returns the name as Python's `socket` takes it.
    #[must_use]
    pub fn for_python(&self) -> String {
        match self {
            Self::Path(path) => path.display().to_string(),
            Self::Abstract(name) => format!("\0{name}"),
        }
    }

    /// Returns the name as the system takes it.
    ///
    /// # Errors
    /// It is too long, or no path can be like that.
    pub fn to_address(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Path(path) => SocketAddr::from_pathname(path),
            Self::Abstract(name) => SocketAddr::from_abstract_name(name),
        }
    }
}

impl From<&str> for UnixName {
    fn from(path: &str) -> Self {
        Self::Path(path.into())
    }
}

impl fmt::Display for UnixName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Abstract(name) => write!(f, "@{}", name.replace('\0', "@")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_abstract_name_is_read_in_each_of_its_forms_and_shown_in_one() {
        for text in ["@site", "\0site", "\\0site"] {
            let name = UnixName::parse(text).unwrap();
            assert_eq!(name, UnixName::Abstract("site".into()), "{text:?}");
            assert_eq!(
                (name.to_string(), name.for_python()),
                ("@site".into(), "\0site".into())
            );
        }
        for nothing in ["", "@", "\0", "\\0"] {
            assert_eq!(UnixName::parse(nothing), None);
        }
    }

    #[test]
    fn a_file_may_have_the_mark_in_its_name_where_it_does_not_begin_with_it() {
        for path in ["./@site", "/run/@site", "a@b"] {
            assert_eq!(UnixName::parse(path), Some(UnixName::from(path)));
        }
    }
}
