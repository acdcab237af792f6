//! The command: verbs, arguments and their help, derived from the declarations.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, ArgAction, Command, ValueHint};

use super::cli::MIGRATE;
use super::declared;
use super::pages;
use super::plugin_cli::plugin_command;
use super::setting::{Kind, Reach, Setting};

/// The whole command, for parsing, help, completions and the man page.
#[must_use]
pub fn command() -> Command {
    let list = with_settings(
        Command::new("list")
            .about("Print the handlers of every event in the order they run, and why")
            .override_usage("tricorn hooks list [OPTIONS]"),
    );
    let hooks = Command::new("hooks")
        .about("Look at the event bus")
        .override_usage("tricorn hooks list [OPTIONS]")
        .subcommand(list);
    with_settings(Command::new("tricorn"))
        .version(env!("CARGO_PKG_VERSION"))
        .disable_version_flag(true)
        .arg(
            Arg::new("version")
                .short('v')
                .long("version")
                .action(ArgAction::Version)
                .help("Print the version"),
        )
        .about("A pre-fork server for Python web applications")
        .override_usage("tricorn [OPTIONS] [APP_MODULE]\n       tricorn hooks list [OPTIONS]\n       tricorn plugin inspect|check|new ...\n       tricorn migrate [FILE] [-- COMMAND LINE]\n       tricorn completions bash|zsh|fish\n       tricorn man")
        .subcommand(hooks)
        .subcommand(plugin_command())
        .subcommand(
            Command::new(MIGRATE)
                .about("Say what changes for a site that moves here from gunicorn")
                .arg(Arg::new("json").long("json").action(ArgAction::SetTrue))
                .arg(
                    Arg::new("file")
                        .value_name("FILE")
                        .value_hint(ValueHint::FilePath),
                ),
        )
        .subcommands(pages::commands())
        .subcommand_precedence_over_arg(true)
        .disable_help_subcommand(true)
}

fn with_settings(command: Command) -> Command {
    let arguments = declared::all()
        .filter(|setting| !setting.flags.is_empty())
        .map(argument);
    command
        .no_binary_name(true)
        .infer_long_args(true)
        .args_override_self(true)
        .args(arguments)
        .arg(
            Arg::new("app")
                .value_name("APP_MODULE")
                .num_args(0..)
                .help("The application: MODULE, MODULE:NAME or MODULE:NAME(ARGUMENTS)"),
        )
        .arg(
            Arg::new("hook")
                .long("hook")
                .value_name("EVENT=MODULE:NAME")
                .action(ArgAction::Append)
                .help_heading("Server Hooks")
                .help("Add a handler to an event; may be repeated"),
        )
}

fn argument(setting: &'static Setting) -> Arg {
    let mut argument = Arg::new(setting.name)
        .help_heading(setting.section.title())
        .help(help(setting));
    for flag in setting.flags {
        argument = match flag.strip_prefix("--") {
            Some(long) if argument.get_long().is_none() => argument.long(long),
            Some(long) => argument.visible_alias(long),
            None => argument.short(flag.chars().nth(1).unwrap_or('?')),
        };
    }
    if let Some(hint) = hint(setting) {
        argument = argument.value_hint(hint);
    }
    match setting.kind {
        Kind::Bool | Kind::Off => argument.action(ArgAction::SetTrue),
        Kind::List | Kind::Files | Kind::Plugins => argument
            .action(ArgAction::Append)
            .value_name(metavar(setting)),
        Kind::Choice(words) => argument
            .value_name(metavar(setting))
            .hide_possible_values(true)
            .value_parser(Suggested(words)),
        Kind::Report(forms) => argument
            .value_name("FORM")
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value(forms[0])
            .hide_possible_values(true)
            .value_parser(Suggested(forms)),
        Kind::Switch(switch) => argument
            .value_name(metavar(setting))
            .num_args(if switch.bare { 0..=1 } else { 1..=1 })
            .default_missing_value(switch.on)
            .hide_possible_values(true)
            .value_parser(Suggested(switch.words)),
        _ => {
            let argument = argument
                .action(ArgAction::Set)
                .value_name(metavar(setting))
                .allow_negative_numbers(true);
            match usual(setting.name) {
                [] => argument,
                words => argument
                    .hide_possible_values(true)
                    .value_parser(Suggested(words)),
            }
        }
    }
}

/// The words that are given most to a setting that takes others too.
fn usual(name: &str) -> &'static [&'static str] {
    match name {
        "worker_class" => &["sync", "gthread"],
        "loglevel" => &["debug", "info", "warning", "error", "critical"],
        _ => &[],
    }
}

/// Any text; shells are told of these words. What others mean is for the setting's check to say.
#[derive(Clone)]
struct Suggested(&'static [&'static str]);

impl TypedValueParser for Suggested {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.0.iter().map(PossibleValue::new)))
    }
}

/// What a shell may complete the value with.
fn hint(setting: &Setting) -> Option<ValueHint> {
    match (setting.kind, setting.metavar) {
        (Kind::Files | Kind::Plugins, _) | (Kind::Text, "FILE" | "CONFIG") => {
            Some(ValueHint::FilePath)
        }
        (Kind::Directory, _) | (Kind::Text, "DIRECTORY" | "DIRECTORIES") => {
            Some(ValueHint::DirPath)
        }
        (Kind::User, _) => Some(ValueHint::Username),
        _ => None,
    }
}

fn metavar(setting: &Setting) -> &'static str {
    match (setting.metavar, setting.kind) {
        ("", Kind::Count | Kind::Range(..)) => "N",
        ("", Kind::Bytes) => "SIZE",
        ("", Kind::Seconds) => "SECONDS",
        ("", Kind::User) => "USER",
        ("", Kind::Group) => "GROUP",
        ("", Kind::Choice(_)) => "CHOICE",
        ("", _) => "VALUE",
        (named, _) => named,
    }
}

/// The help, the default, and how far the setting reaches.
fn help(setting: &Setting) -> String {
    let mut text = setting.help.to_owned();
    if let Some(shown) = setting.default_shown() {
        text = format!("{text} [{shown}]");
    }
    match setting.reach {
        Reach::Full => text,
        Reach::Inert(_) => format!("{text} (without an effect)"),
        Reach::Later(_) => format!("{text} (not honoured yet)"),
        Reach::Refused(_) => format!("{text} (not there yet: refused)"),
    }
}
