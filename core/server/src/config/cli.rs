//! The command line, read by a command that is derived from the declarations.

use clap::ArgMatches;

use super::arguments;
pub use super::command::command;
use super::declared;
use super::layers::{Layer, Source};
use super::pages;
use super::plugin_cli::plugin_verb;
use super::setting::{Kind, Setting};
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

/// The verb that is told of another server's command line.
pub(super) const MIGRATE: &str = "migrate";

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verb {
    /// Serve the application.
    Serve,
    /// Print every event's handlers in the order they run.
    ListHooks,
    /// Something about one plugin file.
    Plugin(PluginVerb),
    /// Say what changes for a site that moves here, named by these words.
    Migrate(Vec<String>),
}

impl CommandLine {
    /// A command line that asks for nothing but this.
    fn of(verb: Verb, source: Source) -> Self {
        Self {
            verb,
            app: None,
            layer: Layer {
                source,
                values: Vec::new(),
            },
            hooks: Vec::new(),
        }
    }
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

impl Answer {
    /// What is wrong with the words.
    pub(super) fn refusal(what: &str) -> Self {
        Self {
            text: format!("error: {what}; see tricorn --help\n"),
            is_error: true,
            exit: Exit::Usage,
        }
    }

    /// What was asked for.
    pub(super) fn page(written: &[u8]) -> Self {
        Self {
            text: String::from_utf8_lossy(written).into_owned(),
            is_error: false,
            exit: Exit::Ok,
        }
    }
}

/// Parses arguments, the program's name not among them.
///
/// # Errors
/// The answer, where there is nothing to do but to print it.
pub fn parse(arguments: &[String], source: Source) -> Result<CommandLine, Answer> {
    // What stands after this word may be another server's command line: it is not read here.
    if let [word, words @ ..] = arguments
        && word == MIGRATE
        && source == Source::CommandLine
    {
        return Ok(CommandLine::of(Verb::Migrate(words.to_vec()), source));
    }
    let arguments = arguments::prepare(arguments)?;
    let matches = command()
        .try_get_matches_from(arguments)
        .map_err(|error| answer(&error))?;
    let (verb, matches) = match matches.subcommand() {
        Some(("hooks", hooks)) => match hooks.subcommand() {
            Some(("list", list)) => (Verb::ListHooks, list.clone()),
            _ => return Err(incomplete("tricorn hooks list")),
        },
        Some(("plugin", plugin)) => {
            return Ok(CommandLine::of(Verb::Plugin(plugin_verb(plugin)?), source));
        }
        Some((MIGRATE, _)) => return Err(incomplete("tricorn migrate [FILE], as the first word")),
        Some(("completions", shell)) => return Err(pages::completions(shell)),
        Some(("man", _)) => return Err(pages::man()),
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

/// Splits the arguments that an environment variable holds as a shell splits them.
///
/// # Errors
/// An unclosed quote, naming the variable.
pub fn split_variable(name: &'static str, text: &str) -> Result<Vec<String>, Failure> {
    shlex::split(text)
        .ok_or_else(|| wrong_variable(name, format!("{text:?} has an unclosed quote")))
}

/// Parses the arguments of an environment variable.
///
/// # Errors
/// What is wrong with them, naming the variable.
pub fn parse_variable(name: &'static str, words: &[String]) -> Result<CommandLine, Failure> {
    parse(words, Source::Environment(name)).map_err(|answer| {
        let first = answer.text.lines().next().unwrap_or_default();
        wrong_variable(name, first.trim_start_matches("error: ").to_owned())
    })
}

fn wrong_variable(name: &'static str, what: String) -> Failure {
    Failure::operator(what)
        .from_origin(Source::Environment(name).to_string())
        .exits_with(Exit::Usage)
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
            _ => Err(Answer::refusal(&format!(
                "--hook '{word}' is not EVENT=MODULE:NAME"
            ))),
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

/// What is wrong and the tip or the words there are; the usage is a word away.
fn in_one_line(text: &str) -> String {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut what = lines.next().unwrap_or_default().to_owned();
    if what.ends_with(':') {
        what = format!("{what} {}", lines.next().unwrap_or_default());
    }
    // What the words mean has been looked at before: a dash in front is no value's.
    let mut lines = lines.filter(|line| !line.starts_with("tip: to pass"));
    let tip = lines.find_map(|line| {
        let words = || line.strip_prefix("[possible values: ")?.strip_suffix(']');
        let words = || words().map(|words| format!("give one of {words}"));
        line.strip_prefix("tip: ").map(str::to_owned).or_else(words)
    });
    let tip = tip.map_or_else(String::new, |tip| format!("; {tip}"));
    format!("{what}{tip}; see tricorn --help\n")
}

/// A command whose last word is missing.
pub(super) fn incomplete(whole: &str) -> Answer {
    Answer::refusal(&format!("say what: {whole}"))
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
    fn what_stands_after_migrate_is_left_as_it_is() {
        let words = ["-- gunicorn -w 4 --no-such-flag", "--help", ""];
        for given in words {
            let expected = given.split_whitespace().map(str::to_owned).collect();
            let line = parsed(&format!("migrate {given}")).unwrap();
            assert_eq!(line.verb, Verb::Migrate(expected));
        }
        assert_eq!(parsed("-w 2 migrate").unwrap_err().exit, Exit::Usage);
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

    fn variable(text: &str) -> Result<CommandLine, Failure> {
        let name = "GUNICORN_CMD_ARGS";
        split_variable(name, text).and_then(|words| parse_variable(name, &words))
    }

    #[test]
    fn variables_hold_arguments_too() {
        let line = variable("-w 3 --name 'my site'").unwrap();
        assert_eq!(line.layer.values[1].1, Value::from("my site"));
        let failure = variable("--workerz 3").unwrap_err().to_string();
        assert!(
            failure.contains("--workerz") && failure.contains("GUNICORN_CMD_ARGS"),
            "{failure}"
        );
        assert!(variable("'").is_err());
    }

    #[test]
    fn hooks_can_be_given_on_the_command_line() {
        let line = parsed("--hook post_fork=a.b:c --hook on_exit=d:e").unwrap();
        assert_eq!(line.hooks.len(), 2);
        assert_eq!(parsed("--hook post_fork").unwrap_err().exit, Exit::Usage);
    }
}
