//! The reference of settings and hooks: made of the declarations, and compared with what is checked
//! in. `make reference` writes it anew.

mod hooks;
mod settings;

use std::collections::BTreeSet;
use std::io::Result;
use std::path::{Path, PathBuf};
use std::{env, fs};

use tricorn_server::config::cli::command;
use tricorn_server::config::declared;
use tricorn_server::hooks::Event;

fn place(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.join("docs/reference").join(name)
}

/// Compares what was made with what is checked in, or checks it in.
fn compare(name: &str, made: &str) -> Result<()> {
    let path = place(name);
    if env::var_os("TRICORN_WRITE_REFERENCE").is_some() {
        fs::write(&path, made)?;
    }
    let is_fresh = fs::read_to_string(&path)? == made;
    assert!(
        is_fresh,
        "docs/reference/{name} is stale: run make reference"
    );
    Ok(())
}

#[test]
fn the_reference_of_settings_is_what_the_declarations_say() -> Result<()> {
    compare("settings.md", &settings::page())
}

#[test]
fn the_reference_of_hooks_is_what_the_table_says() -> Result<()> {
    compare("hooks.md", &hooks::page())
}

/// What stands in back ticks behind a beginning of a line, up to the next mark.
fn names(page: &str, beginning: &str) -> Result<BTreeSet<String>> {
    let lines = fs::read_to_string(place(page))?;
    let behind = lines
        .lines()
        .filter_map(|line| line.strip_prefix(beginning));
    let quoted = behind.flat_map(|rest| rest.split('`').step_by(2));
    let words = quoted.filter_map(|text| text.split([' ', '=', '[']).next());
    let words = words.filter(|word| !word.is_empty());
    Ok(words.map(str::to_owned).collect())
}

#[test]
fn code_reference_and_command_line_name_the_same_settings() -> Result<()> {
    let declared: BTreeSet<_> = declared::all()
        .map(|setting| setting.name.to_owned())
        .collect();
    assert_eq!(names("settings.md", "### `")?, declared);
    let not_settings = ["help", "version", "hook"];
    let flags = command()
        .get_arguments()
        .filter(|a| !not_settings.contains(&a.get_id().as_str()))
        .flat_map(|argument| {
            let long = argument.get_long_and_visible_aliases().unwrap_or_default();
            let short = argument.get_short().map(|short| format!("-{short}"));
            let long = long.into_iter().map(|long| format!("--{long}"));
            long.chain(short).collect::<Vec<_>>()
        })
        .collect::<BTreeSet<_>>();
    assert_eq!(names("settings.md", "* Flag: `")?, flags);
    Ok(())
}

#[test]
fn code_and_reference_name_the_same_hooks() -> Result<()> {
    let events: BTreeSet<_> = Event::ALL
        .iter()
        .map(|event| event.name().to_owned())
        .collect();
    assert_eq!(names("hooks.md", "## `")?, events);
    Ok(())
}
