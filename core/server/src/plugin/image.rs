//! A shared object that has been opened. It stays open for ever: its code may be on some thread's
//! stack, and its destructors cannot be told apart from the server's.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use tricorn_abi as abi;

/// Opened code, found again by what it hashes to.
#[derive(Debug)]
pub(super) struct Image {
    sha256: String,
    entry: abi::EntryFunction,
}

/// The images of this process. Those of the arbiter are its workers' too.
static IMAGES: Mutex<Vec<&'static Image>> = Mutex::new(Vec::new());

/// So many different images in one process's life are a leak worth a warning: each reload with
/// other code adds one.
const MANY: usize = 32;

impl Image {
    /// The image of this content, if it is open.
    pub(super) fn find(sha256: &str) -> Option<&'static Self> {
        images()
            .iter()
            .find(|image| image.sha256 == sha256)
            .copied()
    }

    /// Opens a file. Its constructors run.
    pub(super) fn open(path: &Path, sha256: &str) -> Result<&'static Self, String> {
        let flags = RTLD_NOW | RTLD_LOCAL | libc::RTLD_NODELETE;
        // SAFETY: whatever the constructors do, they do with the server's rights: the operator has
        // named this file, and it was tried out in a child before.
        let library = unsafe { Library::open(Some(path), flags) };
        let library = library.map_err(|error| explain(&error, path))?;
        // SAFETY: the ABI gives the symbol of this name this type.
        let entry = unsafe { library.get::<abi::EntryFunction>(abi::ENTRY_SYMBOL) }
            .map(|symbol| *symbol)
            .map_err(|error| explain(&error, path));
        // Never closed, whatever it exports.
        std::mem::forget(library);
        let image: &'static Self = Box::leak(Box::new(Self {
            sha256: sha256.to_owned(),
            entry: entry?,
        }));
        let mut images = images();
        images.push(image);
        if images.len() == MANY {
            log::warn!(
                "{MANY} different builds of plugins are loaded: they take memory until a restart"
            );
        }
        Ok(image)
    }

    /// Asks the file what it holds: a pointer to its static data.
    pub(super) fn entry(&self, host: *const abi::Host) -> *const abi::Entry {
        // SAFETY: the ABI lets the entry function be called at any time, any number of times.
        unsafe { (self.entry)(host) }
    }
}

fn images() -> std::sync::MutexGuard<'static, Vec<&'static Image>> {
    IMAGES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The loader's words, without the name of the copy, which nobody knows.
fn explain(error: &libloading::Error, path: &Path) -> String {
    use std::error::Error;
    let text = error
        .source()
        .map_or_else(|| error.to_string(), ToString::to_string);
    let text = text
        .trim_matches('"')
        .replace(&path.display().to_string(), "");
    format!("it cannot be opened: {}", text.trim_start_matches(": "))
}
