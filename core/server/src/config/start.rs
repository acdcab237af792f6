//! The directory the server was started in: what relative places are measured from, whatever
//! `chdir` says, and however often the configuration is read again.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The directory, found at the first call.
///
/// `$PWD` is preferred where it names the same directory: behind a symbolic link that is switched
/// to another release, a reload then finds the new one.
pub fn start_directory() -> &'static Path {
    static START: OnceLock<PathBuf> = OnceLock::new();
    START.get_or_init(|| {
        let here = env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        env::var_os("PWD")
            .map(PathBuf::from)
            .filter(|named| named.is_absolute() && is_same(named, &here))
            .unwrap_or(here)
    })
}

/// A place, measured from the directory the server was started in.
#[must_use]
pub fn from_start(place: &str) -> PathBuf {
    start_directory().join(place)
}

fn is_same(one: &Path, other: &Path) -> bool {
    match (fs::metadata(one), fs::metadata(other)) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_places_are_measured_from_the_start_and_absolute_ones_stay() {
        assert!(is_same(start_directory(), &env::current_dir().unwrap()));
        assert_eq!(from_start("site"), start_directory().join("site"));
        assert_eq!(from_start("/site"), Path::new("/site"));
    }
}
