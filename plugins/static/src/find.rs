//! From a path to an open file inside the root.

use std::fs::{File, Metadata};
use std::path::{Component, Path, PathBuf};

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use percent_encoding::percent_decode_str;
use tricorn_hooks::{Error, Result};

/// The folder that everything is under.
#[derive(Debug, Clone)]
pub(crate) struct Root {
    folder: PathBuf,
    index: Option<String>,
}

/// What a path stands for.
#[derive(Debug)]
pub(crate) enum Place {
    /// A file.
    File(Box<Found>),
    /// A folder that has an index; the path lacks the slash behind it.
    Folder,
}

/// A file that is to be sent.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) file: File,
    pub(crate) about: Metadata,
    /// Its `Content-Type`.
    pub(crate) kind: String,
    /// Its `Content-Encoding`.
    pub(crate) coding: Option<&'static str>,
    /// Other clients may get another file of the same name.
    pub(crate) may_vary: bool,
}

/// Endings of files that were compressed in advance, the best first.
const CODINGS: [(&str, &str); 3] = [("br", ".br"), ("zstd", ".zst"), ("gzip", ".gz")];

impl Root {
    /// The folder, with all links in its own path followed.
    ///
    /// # Errors
    /// A folder that is not there.
    pub(crate) fn open(folder: &Path, index: Option<String>) -> Result<Self> {
        let wrong = |what: String| Error::new(format!("root: {}: {what}", folder.display()));
        let real = folder
            .canonicalize()
            .map_err(|error| wrong(error.to_string()))?;
        if !real.is_dir() {
            return Err(wrong("it is not a folder".to_owned()));
        }
        if index.as_ref().is_some_and(|index| index.contains('/')) {
            return Err(Error::new("index: it must be the name of a file"));
        }
        Ok(Self {
            folder: real,
            index,
        })
    }

    /// What a path stands for, as it is percent-encoded behind the prefix.
    pub(crate) fn find(&self, path: &str, codings: &str) -> Option<Place> {
        let decoded = percent_decode_str(path).decode_utf8().ok()?;
        let mut place = self.folder.join(self.inside(&decoded)?);
        let is_folder = place.is_dir();
        if is_folder {
            place.push(self.index.as_ref()?);
        }
        let found = self.find_file(place, codings)?;
        let is_whole = !is_folder || decoded.is_empty() || decoded.ends_with('/');
        Some(match is_whole {
            true => Place::File(Box::new(found)),
            false => Place::Folder,
        })
    }

    /// The file of this place, or one beside it that was compressed.
    fn find_file(&self, place: PathBuf, codings: &str) -> Option<Found> {
        let kind = kind(&place);
        let compressed: Vec<_> = CODINGS
            .into_iter()
            .map(|(coding, ending)| (coding, with_ending(&place, ending)))
            .filter(|(_, place)| place.is_file() && self.checked(place).is_some())
            .collect();
        let may_vary = !compressed.is_empty();
        let best = compressed
            .into_iter()
            .find(|(coding, _)| accepts(codings, coding));
        let (coding, place) = match best {
            Some((coding, place)) => (Some(coding), place),
            None => (None, place),
        };
        let file = self.open_file(&self.checked(&place)?)?;
        let about = file.metadata().ok().filter(Metadata::is_file)?;
        Some(Found {
            file,
            about,
            kind,
            coding,
            may_vary,
        })
    }

    /// A relative path of plain names; nothing that climbs, and nothing that is hidden.
    fn inside<'p>(&self, decoded: &'p str) -> Option<&'p Path> {
        let path = Path::new(decoded);
        let is_plain = path.components().all(|part| match part {
            Component::Normal(name) => !name.as_encoded_bytes().starts_with(b"."),
            _ => false,
        });
        (is_plain && !decoded.contains(['\0', '\\'])).then_some(path)
    }

    /// The real place of a file, if that is under the root as well: a link may lead elsewhere.
    fn checked(&self, place: &Path) -> Option<PathBuf> {
        let real = place.canonicalize().ok()?;
        real.starts_with(&self.folder).then_some(real)
    }

    /// Opens a file by its real place, in which there is no link: one that has come there since is not
    /// followed. What is no file, such as a pipe, is not waited for.
    fn open_file(&self, real: &Path) -> Option<File> {
        let step = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let last = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let inside = real.strip_prefix(&self.folder).ok()?;
        let mut folder = nix::fcntl::open(&self.folder, step, Mode::empty()).ok()?;
        for part in inside.parent()? {
            folder = openat(&folder, part, step, Mode::empty()).ok()?;
        }
        let file = openat(&folder, inside.file_name()?, last, Mode::empty());
        file.ok().map(File::from)
    }
}

fn with_ending(place: &Path, ending: &str) -> PathBuf {
    let mut name = place.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn kind(place: &Path) -> String {
    let kind = mime_guess::from_path(place).first_or_octet_stream();
    let is_text = kind.type_() == "text"
        || ["application/javascript", "application/json"].contains(&kind.essence_str());
    if is_text && kind.get_param("charset").is_none() {
        format!("{}; charset=utf-8", kind.essence_str())
    } else {
        kind.to_string()
    }
}

/// Whether `Accept-Encoding` lets a coding through (RFC 9110 section 12.5.3).
fn accepts(codings: &str, coding: &str) -> bool {
    let mut star = false;
    for element in codings.split(',') {
        let mut parts = element.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let quality = parts
            .find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")))
            .map_or(1.0, |quality| quality.trim().parse::<f32>().unwrap_or(0.0));
        if name.eq_ignore_ascii_case(coding) {
            return quality > 0.0;
        }
        star |= name == "*" && quality > 0.0;
    }
    star
}
