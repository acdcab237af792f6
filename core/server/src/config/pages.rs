//! What is written from the command for its users' shells and manuals: completions, the man page.

use clap::{Arg, ArgMatches, Command};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::cli::Answer;
use super::command::command;
use super::declared;

const NAME: &str = "tricorn";

const SHELLS: [(&str, Shell); 3] = [
    ("bash", Shell::Bash),
    ("zsh", Shell::Zsh),
    ("fish", Shell::Fish),
];

const DESCRIPTION: &str = "Serves the application from workers that it forks and minds. Each setting below can be given in the config file as well, by the name that tricorn --print-config shows.";

/// The rows of a section that the arguments do not tell of: what, and what about it.
type Rows<'a> = &'a [(&'a str, &'a str)];

const COMMANDS: Rows<'static> = &[
    (
        "tricorn hooks list",
        "Print the handlers of every event in the order they run, and why.",
    ),
    (
        "tricorn plugin inspect FILE",
        "Print what a compiled plugin says of itself.",
    ),
    (
        "tricorn plugin check FILE",
        "Put a compiled plugin to the test.",
    ),
    ("tricorn plugin new NAME", "Begin a crate for a plugin."),
    (
        "tricorn migrate [FILE] [-- COMMAND LINE]",
        "Say what changes for a site that moves here from gunicorn.",
    ),
    (
        "tricorn completions SHELL",
        "Print completions for bash, zsh or fish.",
    ),
    ("tricorn man", "Print this page."),
];

const FILES: Rows<'static> = &[(
    "tricorn.conf.py, gunicorn.conf.py",
    "The config file, where --config names none: the first of them in the directory that the server is started in. A name of the module is a setting, or a hook.",
)];

const ARGUMENTS: Rows<'static> = &[(
    "TRICORN_CMD_ARGS, GUNICORN_CMD_ARGS",
    "Arguments, as a shell splits them. The command line comes before the first, that before the second, and that before the config file.",
)];

const CODES: Rows<'static> = &[
    ("0", "It was stopped as asked."),
    (
        "1",
        "The configuration, an address, or a hook at the start.",
    ),
    ("2", "The command line, or the environment."),
    ("3", "No worker could boot."),
    ("4", "The application is not where it is said to be."),
];

const SIGNALS: Rows<'static> = &[
    ("TERM", "Stop, and answer what was accepted."),
    ("INT, QUIT", "Stop at once."),
    (
        "HUP",
        "Read the configuration again, and replace the workers.",
    ),
    ("TTIN, TTOU", "One worker more, one less."),
    ("USR1", "Open the log files again."),
    ("USR2", "Start a successor on the same sockets."),
    ("WINCH", "Stop the workers, and stay."),
];

/// The verbs.
pub(super) fn commands() -> [Command; 2] {
    let shell = Arg::new("shell")
        .value_name("SHELL")
        .required(true)
        .value_parser(SHELLS.map(|(name, _)| name))
        .help("bash, zsh or fish")
        .hide_possible_values(true);
    [
        Command::new("completions")
            .about("Print completions of this command for a shell")
            .override_usage("tricorn completions bash|zsh|fish")
            .arg(shell),
        Command::new("man")
            .about("Print the man page of this command")
            .override_usage("tricorn man"),
    ]
}

/// Completions for the shell that is asked for.
pub(super) fn completions(matches: &ArgMatches) -> Answer {
    let asked = matches.get_one::<String>("shell");
    let shell = SHELLS
        .iter()
        .find(|(name, _)| asked.is_some_and(|asked| asked == name));
    let mut written = Vec::new();
    if let Some((_, shell)) = shell {
        clap_complete::generate(*shell, &mut command(), NAME, &mut written);
    }
    Answer::page(&written)
}

/// The man page.
pub(super) fn man() -> Answer {
    let mut written = Vec::new();
    // Nothing fails that is written into memory.
    let _ = write_man(&mut written);
    Answer::page(&written)
}

fn write_man(page: &mut Vec<u8>) -> std::io::Result<()> {
    let command = command().mut_args(with_other_names).long_about(DESCRIPTION);
    let man = Man::new(command).source(format!("{NAME} {}", env!("CARGO_PKG_VERSION")));
    man.render_title(page)?;
    man.render_name_section(page)?;
    man.render_synopsis_section(page)?;
    man.render_description_section(page)?;
    let variables: Vec<_> = declared::all()
        .filter_map(|setting| {
            let says = format!("Default of the setting {}.", setting.name);
            Some((setting.variable()?, says))
        })
        .collect();
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, says)| (*name, says.as_str()))
        .collect();
    let mut roff = Roff::new();
    section(&mut roff, "COMMANDS", &[COMMANDS]);
    roff.to_writer(page)?;
    man.render_options_section(page)?;
    let mut roff = Roff::new();
    section(&mut roff, "FILES", &[FILES]);
    section(&mut roff, "ENVIRONMENT", &[ARGUMENTS, &variables]);
    section(&mut roff, "SIGNALS", &[SIGNALS]);
    section(&mut roff, "EXIT STATUS", &[CODES]);
    roff.to_writer(page)
}

/// The page shows one long name of a flag; the others stand in its text.
fn with_other_names(argument: Arg) -> Arg {
    let others = argument.get_visible_aliases().unwrap_or_default();
    let others: Vec<_> = others.iter().map(|other| format!("--{other}")).collect();
    match argument.get_help() {
        Some(help) if !others.is_empty() => {
            let help = format!("{help}; also {}", others.join(", "));
            argument.help(help)
        }
        _ => argument,
    }
}

fn section(roff: &mut Roff, title: &str, tables: &[Rows<'_>]) {
    roff.control("SH", [title]);
    for (what, about) in tables.iter().copied().flatten() {
        roff.control("TP", []);
        roff.text([bold(*what)]);
        roff.text([roman(*about)]);
    }
}
