//! A plugin's file, before any of it runs: who may write it, what it holds, what it hashes to.

use std::fs::{Metadata, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Uid};
use sha2::{Digest, Sha256};

use crate::config::{Place, PluginSpec};

/// Finds the file that an entry point of this name stands for.
pub type Resolve<'r> = &'r dyn Fn(&str) -> Result<PathBuf, String>;

/// What was read of a plugin's file.
#[derive(Debug, Clone)]
pub(super) struct PluginFile {
    /// Where it stands.
    pub path: PathBuf,
    /// What it holds.
    pub bytes: Vec<u8>,
    /// What that hashes to, as `sha256sum` prints it.
    pub sha256: String,
    /// What is no reason against it, and should be known.
    pub remarks: Vec<String>,
}

/// The largest file that is read: with all that debuggers want, plugins are far below.
const LARGEST: u64 = 1 << 30;

/// Reads the file that the settings name, and checks that nobody else may write it: the file, and
/// the reasons for which it is not to be loaded.
///
/// # Errors
/// Why it cannot be read.
pub(super) fn read(
    spec: &PluginSpec,
    is_strict: bool,
    resolve: Resolve<'_>,
) -> Result<(PluginFile, Vec<String>), Vec<String>> {
    let path = match &spec.place {
        Place::File(path) => path.clone(),
        Place::Package(name) => resolve(name).map_err(|why| vec![why])?,
    };
    let mut reasons = Vec::new();
    let file = open(&path, is_strict, &mut reasons)?;
    if let Some(wanted) = spec
        .sha256
        .as_ref()
        .filter(|wanted| **wanted != file.sha256)
    {
        reasons.push(format!(
            "its SHA-256 is {}, the settings say {wanted}",
            file.sha256
        ));
    }
    Ok((file, reasons))
}

fn open(
    path: &Path,
    is_strict: bool,
    reasons: &mut Vec<String>,
) -> Result<PluginFile, Vec<String>> {
    let refused = |error: std::io::Error| vec![format!("it cannot be read: {error}")];
    // What is no file, such as a pipe, must not be waited for.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
        .map_err(refused)?;
    let about = file.metadata().map_err(refused)?;
    if !about.is_file() {
        return Err(vec!["it is not a file".into()]);
    }
    if about.len() > LARGEST {
        return Err(vec![format!(
            "it has {} bytes, a plugin {LARGEST} at most",
            about.len()
        )]);
    }
    let mut remarks = Vec::new();
    if is_strict {
        reasons.extend(distrust(path, &about, &mut remarks));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST)
        .read_to_end(&mut bytes)
        .map_err(refused)?;
    let sha256 = hexadecimal(&Sha256::digest(&bytes));
    Ok(PluginFile {
        path: path.to_owned(),
        bytes,
        sha256,
        remarks,
    })
}

/// Compiled code has all the rights of the server: whoever may write it has them too.
///
/// Whoever may write a folder further up may put another in the place of the file's. But volumes are
/// often mounted open to all of a container, so that is only remarked: it is the operator's to judge.
fn distrust(path: &Path, about: &Metadata, remarks: &mut Vec<String>) -> Vec<String> {
    let mut reasons = distrust_own("the file", about);
    for (folder, is_own) in folders_above(path) {
        let what = match is_own {
            true => format!("its folder {}", folder.display()),
            false => format!("the folder {} above it", folder.display()),
        };
        match std::fs::metadata(&folder) {
            Ok(about) if is_own => reasons.extend(distrust_own(&what, &about)),
            Ok(about) => remarks.extend(distrust_others(&what, &about)),
            Err(error) => reasons.push(format!("{what} cannot be looked at: {error}")),
        }
    }
    reasons
}

/// The folders that lead to a file, by the name that it was given and to where it really is, and whether
/// the file is in them itself.
fn folders_above(path: &Path) -> Vec<(PathBuf, bool)> {
    let mut found: Vec<(PathBuf, bool)> = Vec::new();
    for path in [std::path::absolute(path), path.canonicalize()] {
        for (place, folder) in path
            .iter()
            .flat_map(|path| path.ancestors().skip(1))
            .enumerate()
        {
            match found.iter_mut().find(|(other, _)| other == folder) {
                Some((_, is_own)) => *is_own |= place == 0,
                None => found.push((folder.to_owned(), place == 0)),
            }
        }
    }
    found
}

/// Nobody but root and the server may write it.
fn distrust_own(what: &str, about: &Metadata) -> Vec<String> {
    let mut reasons: Vec<_> = distrust_others(what, about).into_iter().collect();
    let (owner, us) = (about.uid(), Uid::effective().as_raw());
    if owner != us && owner != 0 {
        reasons.push(format!(
            "{what} belongs to user {owner}, neither root nor user {us} of the server: chown it, or plugin_allow = 'permissions'"
        ));
    }
    reasons.extend(distrust_group(what, about));
    reasons
}

fn distrust_others(what: &str, about: &Metadata) -> Option<String> {
    const OTHERS_WRITE: u32 = 0o002;
    let mode = about.permissions().mode();
    (mode & OTHERS_WRITE != 0 && !is_sticky(about)).then(|| {
        format!(
            "{what} may be written by anybody (mode {:o}): chmod o-w, or plugin_allow = 'permissions'",
            mode & 0o7777
        )
    })
}

/// The group is root's, or the server's own, or has nothing to write.
fn distrust_group(what: &str, about: &Metadata) -> Option<String> {
    const GROUP_WRITES: u32 = 0o020;
    let mode = about.permissions().mode();
    let (group, ours) = (about.gid(), Gid::effective().as_raw());
    let is_open = mode & GROUP_WRITES != 0 && !is_sticky(about);
    (is_open && group != 0 && group != ours).then(|| {
        format!(
            "{what} may be written by group {group}, neither root's nor group {ours} of the server (mode {:o}): chmod g-w, or plugin_allow = 'permissions'",
            mode & 0o7777
        )
    })
}

/// In a sticky folder, such as /tmp, nobody can replace another's file.
fn is_sticky(about: &Metadata) -> bool {
    const STICKY: u32 = 0o1000;
    about.is_dir() && about.permissions().mode() & STICKY != 0
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Layer, Settings, Source, Value};

    fn spec(path: &Path, sha256: Option<&str>) -> PluginSpec {
        let path: Value = path.display().to_string().into();
        let mut entry = vec![("path".to_owned(), path)];
        entry.extend(sha256.map(|sum| ("sha256".to_owned(), sum.into())));
        let layer = Layer {
            source: Source::CommandLine,
            values: vec![("plugins".into(), Value::List(vec![Value::Dict(entry)]))],
        };
        let settings = Settings::resolve(&[layer], |_| None).unwrap();
        let config = crate::config::Config::from_settings(settings).unwrap();
        config.plugins.specs[0].clone()
    }

    fn reasons(spec: &PluginSpec) -> String {
        read(spec, true, &|_| Err("no packages here".into()))
            .map_or_else(|reasons| reasons, |(_, reasons)| reasons)
            .join("; ")
    }

    #[test]
    fn a_file_that_others_may_write_is_not_loaded() {
        let folder = std::env::temp_dir().join(format!("tricorn-file-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let deep = folder.join("deep");
        std::fs::create_dir_all(&deep).unwrap();
        let path = deep.join("a.so");
        std::fs::write(&path, b"abc").unwrap();
        let set = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        let sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        set(&path, 0o644);
        set(&folder, 0o755);
        set(&deep, 0o755);
        assert_eq!(reasons(&spec(&path, Some(sum))), "");
        set(&path, 0o646);
        set(&deep, 0o777);
        let text = reasons(&spec(&path, Some(&"0".repeat(64))));
        for part in [
            "the file may be written by anybody (mode 646)",
            &format!("its folder {} may", deep.display()),
            sum,
        ] {
            assert!(text.contains(part), "{text}");
        }
        set(&deep, 0o1777);
        assert!(!reasons(&spec(&path, None)).contains("folder"));
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(reasons(&spec(&path, None)).contains("cannot be read"));
        assert!(reasons(&spec(Path::new("/"), None)).contains("not a file"));
    }
}
