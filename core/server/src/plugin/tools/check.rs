//! `tricorn plugin check FILE`: the validator for authors. Each check runs in a child of its own, so
//! that one that kills its process is a line like any other.

use std::fmt::Write;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::super::basics;
use super::super::descriptor::Tolerance;
use super::super::link;
use super::super::load::Candidate;
use super::super::probe::probe;
use super::trials::{TRIALS, Trial};
use crate::config::{Config, Settings};

/// How long a check may take.
const LIMIT: Duration = Duration::from_secs(15);

/// Puts a plugin file to the test; what came of it, and whether all is well.
///
/// `options` are what its module is made with.
///
/// # Errors
/// Every reason for which it is no plugin.
pub fn check(path: &Path, options: Map<String, Value>) -> Result<(String, bool), Vec<String>> {
    let mut candidate = Candidate::of_file(path)?;
    candidate.spec.options = options;
    show_defaults();
    let found: io::Result<Vec<_>> = TRIALS.iter().map(|trial| put(trial, &candidate)).collect();
    let found = found.map_err(|error| vec![format!("it cannot be tried out: {error}")])?;
    Ok(tell(&found))
}

/// Puts one trial, in a child of its own: some make it a worker, which it stays.
fn put(trial: &Trial, candidate: &Candidate) -> io::Result<Vec<String>> {
    let found = probe(1, (LIMIT, "come to an end"), |_| {
        link::become_probe();
        run(trial, candidate)
    })?;
    Ok(found.into_iter().flatten().collect())
}

/// The settings that the plugin gets to see are those of a server that was told nothing.
fn show_defaults() {
    let defaults = Settings::resolve(&[], |_| None).and_then(Config::from_settings);
    if let Ok(config) = defaults {
        basics::show_config(&Arc::new(config));
    }
}

fn run(trial: &Trial, candidate: &Candidate) -> Vec<String> {
    let strict = Tolerance {
        permissions: true,
        ..Tolerance::default()
    };
    match candidate.open(strict) {
        Ok(contents) => (trial.run)(&contents, &candidate.spec),
        Err(reasons) => reasons,
    }
}

fn tell(found: &[Vec<String>]) -> (String, bool) {
    let mut text = String::new();
    let mut failed = 0;
    for (trial, reasons) in TRIALS.iter().zip(found) {
        let word = if reasons.is_empty() { "ok  " } else { "FAIL" };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{word}  {}", trial.what);
        for reason in reasons {
            let _ = writeln!(text, "      {reason}");
        }
        failed += usize::from(!reasons.is_empty());
    }
    let passed = TRIALS.len() - failed;
    let _ = writeln!(text, "{passed} passed, {failed} failed");
    (text, failed == 0)
}
