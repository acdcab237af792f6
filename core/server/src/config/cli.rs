//! The command line, derived from the declarations.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::check::strings;
use super::declared;
use super::layers::{Layer, Source};
use super::plugin_cli::{plugin_command, plugin_verb};
use super::setting::{Default, Kind, Reach, Setting};
use super::value::Value;
use crate::error::{Exit, Failure};

/// What a command line asks for.
#[derive(Debug, Clone)]
pub struct CommandLine {
    /// The verb.
    pub verb: Verb,
    /// The application, where one is named.
    pub app: Option<String>,
    /// The flags.
    pub layer: Layer,
    /// `--hook EVENT=MODULE:NAME`, in the order given.
    pub hooks: Vec<(String, String)>,
}

pub use super::plugin_cli::PluginVerb;

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verb {
    /// Serve the application.
    Serve,
    /// Print every event's handlers in the order they run.
    ListHooks,
    /// Something about one plugin file.
    Plugin(PluginVerb),
}

/// A command line that is answered at once: help, the version, or what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What to print.
    pub text: String,
    /// Whether it goes to standard error.
    pub is_error: bool,
    /// The code to exit with.
    pub exit: Exit,
}

/// Parses arguments, the program's name not among them.
///
/// # Errors
/// The answer, where there is nothing to do but to print it.
pub fn parse(arguments: &[String], source: Source) -> Result<CommandLine, Answer> {
    let arguments = give_proxy_protocol_its_mode(arguments);
    let matches = command()
        .try_get_matches_from(arguments)
        .map_err(|error| answer(&error))?;
    let (verb, matches) = match matches.subcommand() {
        Some(("hooks", hooks)) => match hooks.subcommand() {
            Some(("list", list)) => (Verb::ListHooks, list.clone()),
            _ => return Err(incomplete("tricorn hooks list")),
        },
        Some(("plugin", plugin)) => {
            return Ok(CommandLine {
                verb: Verb::Plugin(plugin_verb(plugin)?),
                app: None,
                layer: Layer {
                    source,
                    values: Vec::new(),
                },
                hooks: Vec::new(),
            });
        }
        _ => (Verb::Serve, matches),
    };
    let app = matches
        .get_many::<String>("app")
        .and_then(|mut words| words.next().cloned());
    let hooks = hooks(&matches)?;
    Ok(CommandLine {
        verb,
        app,
        layer: Layer {
            source,
            values: values(&matches),
        },
        hooks,
    })
}

/// Parses the arguments that an environment variable holds, split as a shell splits them.
///
/// # Errors
/// What is wrong with them, naming the variable.
pub fn parse_variable(name: &'static str, text: &str) -> Result<CommandLine, Failure> {
    let wrong =
        |what: String| Failure::operator(what).from_origin(format!("environment variable {name}"));
    let words = shlex::split(text)
        .ok_or_else(|| wrong(format!("{text:?} has an unclosed quote")).exits_with(Exit::Usage))?;
    parse(&words, Source::Environment(name)).map_err(|answer| {
        let first = answer.text.lines().next().unwrap_or_default();
        wrong(first.trim_start_matches("error: ").to_owned()).exits_with(Exit::Usage)
    })
}

fn values(matches: &ArgMatches) -> Vec<(String, Value)> {
    let given = |setting: &&Setting| {
        !setting.flags.is_empty()
            && matches.value_source(setting.name) == Some(clap::parser::ValueSource::CommandLine)
    };
    declared::all()
        .filter(given)
        .map(|setting| (setting.name.to_owned(), value(setting, matches)))
        .collect()
}

fn value(setting: &Setting, matches: &ArgMatches) -> Value {
    let words = || {
        matches
            .get_many::<String>(setting.name)
            .into_iter()
            .flatten()
    };
    match setting.kind {
        Kind::Bool => Value::Bool(true),
        Kind::Off => Value::Bool(false),
        Kind::List | Kind::Files | Kind::Plugins => {
            Value::List(words().map(|word| word.as_str().into()).collect())
        }
        _ => words()
            .last()
            .map_or(Value::None, |word| word.as_str().into()),
    }
}

fn hooks(matches: &ArgMatches) -> Result<Vec<(String, String)>, Answer> {
    let words = matches.get_many::<String>("hook").into_iter().flatten();
    words
        .map(|word| match word.split_once('=') {
            Some((event, target)) if !event.is_empty() && !target.is_empty() => {
                Ok((event.trim().to_owned(), target.trim().to_owned()))
            }
            _ => Err(Answer {
                text: format!("error: --hook '{word}' is not EVENT=MODULE:NAME\n"),
                is_error: true,
                exit: Exit::Usage,
            }),
        })
        .collect()
}

fn answer(error: &clap::Error) -> Answer {
    let is_error = error.use_stderr();
    let text = error.to_string();
    Answer {
        text: if is_error { in_one_line(&text) } else { text },
        is_error,
        exit: if is_error { Exit::Usage } else { Exit::Ok },
    }
}

/// What is wrong and the tip, if there is one; the usage is a word away.
fn in_one_line(text: &str) -> String {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let what = lines.next().unwrap_or_default();
    let tip = lines.find_map(|line| line.strip_prefix("tip: "));
    let tip = tip.map_or_else(String::new, |tip| format!("; {tip}"));
    format!("{what}{tip}; see tricorn --help\n")
}

/// A command whose last word is missing.
pub(super) fn incomplete(whole: &str) -> Answer {
    Answer {
        text: format!("error: say what: {whole}; see tricorn --help\n"),
        is_error: true,
        exit: Exit::Usage,
    }
}

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
        .override_usage("tricorn [OPTIONS] [APP_MODULE]\n       tricorn hooks list [OPTIONS]\n       tricorn plugin inspect|check|new ...")
        .subcommand(hooks)
        .subcommand(plugin_command())
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
    match setting.kind {
        Kind::Bool | Kind::Off => argument.action(ArgAction::SetTrue),
        Kind::List | Kind::Files | Kind::Plugins => argument
            .action(ArgAction::Append)
            .value_name(metavar(setting)),
        Kind::Choice(words) => argument
            .value_name(metavar(setting))
            .hide_possible_values(true)
            .value_parser(Suggested(words)),
        Kind::Switch(switch) => argument
            .value_name(metavar(setting))
            .num_args(if switch.bare { 0..=1 } else { 1..=1 })
            .default_missing_value(switch.on)
            .hide_possible_values(true)
            .value_parser(Suggested(switch.words)),
        _ => argument
            .action(ArgAction::Set)
            .value_name(metavar(setting))
            .allow_negative_numbers(true),
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
    if let Some(shown) = default_shown(setting) {
        text = format!("{text} [{shown}]");
    }
    match setting.reach {
        Reach::Full => text,
        Reach::Inert(_) => format!("{text} (without an effect)"),
        Reach::Later(_) => format!("{text} (not honoured yet)"),
        Reach::Refused(_) => format!("{text} (not there yet: refused)"),
    }
}

/// The default as one would write it on a command line, if there is any.
fn default_shown(setting: &Setting) -> Option<String> {
    if let Default::Start = setting.default {
        return Some(".".to_owned());
    }
    match (setting.default_value(|_| None), setting.kind) {
        (Value::None, _) | (_, Kind::Bool | Kind::Off) => None,
        (Value::List(items), _) if items.is_empty() => None,
        (list @ Value::List(_), _) => Some(strings(&list).collect::<Vec<_>>().join(",")),
        (Value::Str(text), _) if text.is_empty() => None,
        (Value::Str(text), _) => Some(text),
        (Value::Int(mode), Kind::Mode) if mode > 0 => Some(format!("0{mode:o}")),
        (other, _) => Some(other.to_string()),
    }
}

/// `--proxy-protocol` may stand alone, and then the word after it is not its mode.
fn give_proxy_protocol_its_mode(arguments: &[String]) -> Vec<String> {
    let modes = ["off", "v1", "v2", "auto", "true", "false", "none", "0", "1"];
    let takes = |word: &String| modes.contains(&word.to_ascii_lowercase().as_str());
    let mut given = Vec::with_capacity(arguments.len());
    for (index, argument) in arguments.iter().enumerate() {
        let alone = argument == "--proxy-protocol" && !arguments.get(index + 1).is_some_and(takes);
        given.push(if alone {
            "--proxy-protocol=auto".to_owned()
        } else {
            argument.clone()
        });
    }
    given
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<CommandLine, Answer> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        parse(&words, Source::CommandLine)
    }

    fn shown(line: &str) -> String {
        let parsed = parsed(line).unwrap();
        let values = parsed
            .layer
            .values
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let mut words: Vec<_> = values.collect();
        words.extend(parsed.app);
        words.join(" ")
    }

    #[test]
    fn the_command_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn the_usual_command_line_is_understood() {
        assert_eq!(
            shown(
                "-c gunicorn.conf.py -w 4 -b 127.0.0.1:8000 -b unix:/tmp/s project.wsgi:application"
            ),
            "config='gunicorn.conf.py' bind=['127.0.0.1:8000', 'unix:/tmp/s'] workers='4' \
             project.wsgi:application"
        );
        assert_eq!(
            shown("--access-logfile - --preload --no-sendfile app"),
            "preload_app=True sendfile=False accesslog='-' app"
        );
    }

    #[test]
    fn the_last_of_a_repeated_flag_wins_and_names_may_be_shortened() {
        assert_eq!(
            shown("-w 1 --workers 2 --access-logfo %(h)s"),
            "workers='2' access_log_format='%(h)s'"
        );
        assert_eq!(
            shown("--limit-request-field-size 9"),
            "limit_request_field_size='9'"
        );
        assert_eq!(
            shown("--limit-request-field_size 9"),
            "limit_request_field_size='9'"
        );
    }

    #[test]
    fn proxy_protocol_does_not_eat_the_application() {
        assert_eq!(
            shown("--proxy-protocol app:app"),
            "proxy_protocol='auto' app:app"
        );
        assert_eq!(
            shown("--proxy-protocol v1 app:app"),
            "proxy_protocol='v1' app:app"
        );
    }

    #[test]
    fn a_word_that_is_a_verb_can_still_be_an_application() {
        assert_eq!(parsed("hooks list -w 2").unwrap().verb, Verb::ListHooks);
        assert_eq!(
            parsed("hooks:app").unwrap().app.as_deref(),
            Some("hooks:app")
        );
        let escaped = parsed("-- hooks").unwrap();
        assert_eq!(
            (escaped.verb, escaped.app.as_deref()),
            (Verb::Serve, Some("hooks"))
        );
        assert_eq!(parsed("hooks").unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn help_version_and_mistakes_are_answered_at_once() {
        let help = parsed("--help").unwrap_err();
        assert!(!help.is_error && help.exit == Exit::Ok);
        for setting in declared::all() {
            for flag in setting.flags.iter() {
                assert!(help.text.contains(flag), "{flag} is not in the help");
            }
        }
        assert!(
            parsed("-v")
                .unwrap_err()
                .text
                .contains(env!("CARGO_PKG_VERSION"))
        );
        let mistake = parsed("--no-such-flag").unwrap_err();
        assert!(mistake.is_error && mistake.exit == Exit::Usage);
        assert!(mistake.text.contains("--no-such-flag"), "{}", mistake.text);
    }

    #[test]
    fn variables_hold_arguments_too() {
        let line = parse_variable("GUNICORN_CMD_ARGS", "-w 3 --name 'my site'").unwrap();
        assert_eq!(line.layer.values[1].1, Value::from("my site"));
        let failure = parse_variable("GUNICORN_CMD_ARGS", "--workerz 3")
            .unwrap_err()
            .to_string();
        assert!(
            failure.contains("--workerz") && failure.contains("GUNICORN_CMD_ARGS"),
            "{failure}"
        );
        assert!(parse_variable("GUNICORN_CMD_ARGS", "'").is_err());
    }

    #[test]
    fn hooks_can_be_given_on_the_command_line() {
        let line = parsed("--hook post_fork=a.b:c --hook on_exit=d:e").unwrap();
        assert_eq!(line.hooks.len(), 2);
        assert_eq!(parsed("--hook post_fork").unwrap_err().exit, Exit::Usage);
    }
}
