//! `tricorn plugin ...` on the command line.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::cli::{Answer, incomplete};
use super::plugin_options::named;
use crate::error::Exit;

const INSPECT_USAGE: &str = "tricorn plugin inspect FILE";
const CHECK_USAGE: &str = "tricorn plugin check FILE [--option KEY=VALUE]";
const NEW_USAGE: &str = "tricorn plugin new NAME";

/// What to do about a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PluginVerb {
    /// Print what the file says of itself.
    Inspect(PathBuf),
    /// Put the file to the test, with these options.
    Check(PathBuf, Vec<(String, String)>),
    /// Begin a crate of this name.
    New(String),
}

/// What the words say is to be done.
pub(super) fn plugin_verb(matches: &ArgMatches) -> Result<PluginVerb, Answer> {
    match matches.subcommand() {
        Some(("inspect", matches)) => Ok(PluginVerb::Inspect(
            word(matches, "FILE", INSPECT_USAGE)?.into(),
        )),
        Some(("check", matches)) => {
            let file = word(matches, "FILE", CHECK_USAGE)?;
            let options = matches.get_many::<String>("option").into_iter().flatten();
            let options = options.map(|text| {
                text.split_once('=')
                    .map(|(key, value)| (key.to_owned(), value.to_owned()))
                    .ok_or_else(|| incomplete(&format!("--option {}", named(text))))
            });
            let options = options.collect::<Result<_, _>>()?;
            Ok(PluginVerb::Check(file.into(), options))
        }
        Some(("new", matches)) => Ok(PluginVerb::New(word(matches, "NAME", NEW_USAGE)?)),
        _ => Err(incomplete(
            "tricorn plugin inspect FILE, check FILE or new NAME",
        )),
    }
}

/// The word that a verb is about: without it, which is missing and how the verb is used.
fn word(matches: &ArgMatches, name: &str, usage: &str) -> Result<String, Answer> {
    let found = matches.get_one::<String>(name).cloned();
    found.ok_or_else(|| Answer {
        text: format!("error: {name} is missing; usage: {usage}\n"),
        is_error: true,
        exit: Exit::Usage,
    })
}

/// The command with its parts.
pub(super) fn plugin_command() -> Command {
    // What is missing is told by `word`, with the usage.
    let word = |name: &'static str| Arg::new(name).value_name(name);
    Command::new("plugin")
        .about("Look at a compiled plugin, put it to the test, or begin one")
        .override_usage(format!(
            "{INSPECT_USAGE}\n       {CHECK_USAGE}\n       {NEW_USAGE}"
        ))
        .subcommand(
            Command::new("inspect")
                .about("Print what a file says of itself, without running it here")
                .override_usage(INSPECT_USAGE)
                .arg(word("FILE")),
        )
        .subcommand(
            Command::new("check")
                .about("Put a file to the test, as its author would want it to be")
                .override_usage(CHECK_USAGE)
                .arg(word("FILE"))
                .arg(
                    Arg::new("option")
                        .long("option")
                        .value_name("KEY=VALUE")
                        .action(ArgAction::Append)
                        .help("Make the plugin with this option; may be repeated"),
                ),
        )
        .subcommand(
            Command::new("new")
                .about("Begin a crate that builds against the SDK that came with this server")
                .override_usage(NEW_USAGE)
                .arg(word("NAME")),
        )
}
