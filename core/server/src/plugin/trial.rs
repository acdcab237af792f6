//! What happens in the child that tries a plugin out: opened, checked, its module made
//! and taken down.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::time::Duration;

use super::descriptor::Tolerance;
use super::host::Ctx;
use super::link;
use super::load::Candidate;
use super::module::{init, take_down};
use super::probe::probe;
use super::shared;

/// Tries all candidates: for each the reasons against it.
///
/// # Errors
/// No processes or descriptors left.
pub(super) fn all(
    candidates: &[Candidate],
    limit: Duration,
    tolerance: Tolerance,
) -> io::Result<Vec<Vec<String>>> {
    probe(candidates.len(), (limit, "load"), |place| {
        link::become_probe();
        match shared::separate() {
            Ok(()) => one(&candidates[place], tolerance),
            Err(why) => vec![format!("there is no memory to try it out in: {why}")],
        }
    })
}

/// Tries one; runs in the child.
fn one(candidate: &Candidate, tolerance: Tolerance) -> Vec<String> {
    let before = threads();
    let contents = match candidate.open(tolerance) {
        Ok(contents) => contents,
        Err(reasons) => return reasons,
    };
    let wanted = match candidate.wanted(contents) {
        Ok(wanted) => wanted,
        Err(reason) => return vec![reason],
    };
    let mut reasons = Vec::new();
    let mut made = Vec::new();
    for descriptor in &wanted {
        let ctx = Ctx::new(descriptor.id.clone(), usize::MAX);
        match init(descriptor, &candidate.spec, ctx) {
            Ok(state) => made.push((descriptor, state)),
            Err(why) => reasons.push(why),
        }
    }
    let started = new_threads(&before);
    if !started.is_empty() && !tolerance.threads {
        reasons.push(format!(
            "it starts threads in the arbiter ({}), which a fork would lose: start them in the worker, or plugin_allow = 'threads'",
            started.join(", ")
        ));
    }
    for (descriptor, state) in made.into_iter().rev() {
        take_down(descriptor, state);
    }
    reasons
}

/// Threads by number, with their names.
pub(super) type Threads = BTreeMap<String, String>;

/// The threads of this process.
pub(super) fn threads() -> Threads {
    let Ok(entries) = fs::read_dir("/proc/self/task") else {
        return BTreeMap::new();
    };
    entries
        .flatten()
        .map(|entry| {
            let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            let number = entry.file_name().to_string_lossy().into_owned();
            (number, name.trim().to_owned())
        })
        .collect()
}

/// The names of threads that were not there before.
pub(super) fn new_threads(before: &Threads) -> Vec<String> {
    threads()
        .into_iter()
        .filter(|(number, _)| !before.contains_key(number))
        .map(|(_, name)| name)
        .collect()
}
