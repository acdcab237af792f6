//! `tricorn plugin inspect FILE`: what a file says of itself, with none of it run in this process.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use super::super::descriptor::{Contents, Tolerance};
use super::super::link;
use super::super::load::Candidate;
use super::super::peek::{Peek, peek};
use super::super::probe::report;

/// How long opening a file may take.
const LIMIT: Duration = Duration::from_secs(10);

/// Everything is let through: a file that a server would refuse can be looked at too.
const TOLERANT: Tolerance = Tolerance {
    panic_abort: true,
    threads: true,
    permissions: true,
};

/// Describes a plugin file.
///
/// # Errors
/// Every reason for which it is no plugin.
pub fn inspect(path: &Path) -> Result<String, Vec<String>> {
    let candidate = Candidate::of_file(path)?;
    let peek = peek(&candidate.file.bytes)?;
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "file         {}", candidate.file.path.display());
    let _ = writeln!(text, "sha256       {}", candidate.file.sha256);
    let _ = writeln!(text, "note         {}", describe_note(&peek));
    let told = report(LIMIT, || {
        link::become_probe();
        candidate.open(TOLERANT).map(|contents| describe(&contents))
    });
    match told {
        Ok(told) => Ok(text + &told?),
        Err(error) => Err(vec![format!("it cannot be opened in a child: {error}")]),
    }
}

fn describe_note(peek: &Peek) -> String {
    match &peek.note {
        Some(note) => format!(
            "ABI {}.{}, {}",
            note.abi_major, note.abi_minor, note.toolchain
        ),
        None => "none: what follows the file said when it was opened".to_owned(),
    }
}

fn describe(contents: &Contents) -> String {
    let mut text = String::new();
    let sdk = match contents.sdk_version.as_str() {
        "" => "none".to_owned(),
        version => version.to_owned(),
    };
    let _ = writeln!(text, "compiler     {}", contents.toolchain);
    let _ = writeln!(text, "sdk          {sdk}");
    if contents.aborts {
        let _ = writeln!(
            text,
            "warning      built with panic=abort: a panic ends the worker"
        );
    }
    for plugin in &contents.plugins {
        let _ = writeln!(text, "\nplugin       {} {}", plugin.id, plugin.version);
        if !plugin.description.is_empty() {
            let _ = writeln!(text, "             {}", plugin.description);
        }
        let threads = if plugin.is_thread_safe {
            "called by several threads at once"
        } else {
            "called by one thread at a time"
        };
        let _ = writeln!(text, "             {threads}");
        if plugin.is_required {
            let _ = writeln!(
                text,
                "             required: without it requests are answered with 503"
            );
        }
        for handler in &plugin.handlers {
            let mut why = format!("priority {}", handler.priority);
            for (word, names) in [("before", &handler.before), ("after", &handler.after)] {
                if !names.is_empty() {
                    let _ = write!(why, ", {word} {}", names.join(", "));
                }
            }
            let event = handler.event.name();
            let _ = writeln!(text, "  {event:16} {} ({why})", handler.name);
        }
    }
    text
}
