//! `tricorn plugin ...` on the command line.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::cli::{Answer, incomplete};

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
    let word = |matches: &ArgMatches, name: &str| {
        matches.get_one::<String>(name).cloned().unwrap_or_default()
    };
    match matches.subcommand() {
        Some(("inspect", matches)) => Ok(PluginVerb::Inspect(word(matches, "file").into())),
        Some(("check", matches)) => {
            let options = matches.get_many::<String>("option").into_iter().flatten();
            let options = options.map(|text| {
                text.split_once('=')
                    .map(|(key, value)| (key.to_owned(), value.to_owned()))
                    .ok_or_else(|| incomplete(&format!("--option {text}=VALUE")))
            });
            let options = options.collect::<Result<_, _>>()?;
            Ok(PluginVerb::Check(word(matches, "file").into(), options))
        }
        Some(("new", matches)) => Ok(PluginVerb::New(word(matches, "name"))),
        _ => Err(incomplete(
            "tricorn plugin inspect FILE, check FILE or new NAME",
        )),
    }
}

/// The command with its parts.
pub(super) fn plugin_command() -> Command {
    let file = || Arg::new("file").value_name("FILE").required(true);
    Command::new("plugin")
        .about("Look at a compiled plugin, put it to the test, or begin one")
        .override_usage("tricorn plugin inspect FILE\n       tricorn plugin check FILE [--option KEY=VALUE]\n       tricorn plugin new NAME")
        .subcommand(
            Command::new("inspect")
                .about("Print what a file says of itself, without running it here")
                .override_usage("tricorn plugin inspect FILE")
                .arg(file()),
        )
        .subcommand(
            Command::new("check")
                .about("Put a file to the test, as its author would want it to be")
                .override_usage("tricorn plugin check FILE [--option KEY=VALUE]")
                .arg(file())
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
                .override_usage("tricorn plugin new NAME")
                .arg(Arg::new("name").value_name("NAME").required(true)),
        )
}
