//! The page of settings.

use std::fmt::Write;

use tricorn_server::config::{Kind, Reach, Section, Setting, Switch, declared};

const OPENING: &str = "\
# Settings

Every setting, as it is declared; `make reference` writes this page, and a test compares it with the
declarations. What gunicorn has too has its name, flags, values, default and section. A name without a flag
can only be set in a config file.

A value comes from the first of these that gives one:

1. the command line
2. the variable `TRICORN_CMD_ARGS`, then `GUNICORN_CMD_ARGS`: flags, as a shell would split them
3. the config file: a name of the module is a setting. `-c` names it: a path, `file:PATH` or
   `python:MODULE`; otherwise `tricorn.conf.py` or `gunicorn.conf.py` where the server is started
4. the variable that the default depends on, where there is one
5. the default

A list replaces the list of a lower place. `tricorn --print-config MODULE:NAME` shows what has come of it and from
where. Hooks are set in the same file, and have a page of their own: [hooks.md](hooks.md).
";

pub(super) fn page() -> String {
    let mut page = OPENING.to_owned();
    let mut section: Option<Section> = None;
    for setting in declared::all() {
        if section != Some(setting.section) {
            section = Some(setting.section);
            let _ = write!(page, "\n## {}\n", setting.section.title());
        }
        page.push_str(&entry(setting));
    }
    page
}

fn entry(setting: &Setting) -> String {
    let mut entry = format!("\n### `{}`\n\n{}.\n\n", setting.name, setting.help);
    if !setting.flags.is_empty() {
        let flags = setting.flags.iter().map(|flag| format!("`{flag}`"));
        let flags = flags.collect::<Vec<_>>().join(", ");
        let _ = writeln!(entry, "* Flag: {flags}");
    }
    let _ = writeln!(entry, "* Value: {}", value(setting.kind));
    let _ = writeln!(entry, "* Default: {}", default(setting));
    if setting.secret {
        entry.push_str("* Secrets in it are not printed\n");
    }
    match setting.reach {
        Reach::Full => {}
        Reach::Inert(why) => {
            let _ = writeln!(entry, "* Accepted, without an effect: {why}");
        }
        Reach::Later(instead) => {
            let _ = writeln!(entry, "* Not honoured yet: {instead}");
        }
        Reach::Refused(missing) => {
            let _ = writeln!(
                entry,
                "* Another value than the default is refused: {missing}"
            );
        }
    }
    if setting.ours {
        entry.push_str("* tricorn's own\n");
    }
    entry
}

fn default(setting: &Setting) -> String {
    let shown = match setting.kind {
        Kind::Bool | Kind::Off | Kind::Report(_) => {
            Some(setting.default_value(|_| None).to_string())
        }
        _ => setting.default_shown(),
    };
    let shown = shown.map_or_else(|| "none".to_owned(), |shown| format!("`{shown}`"));
    match setting.variable() {
        Some(name) => format!("{shown}, unless the variable `{name}` is set"),
        None => shown,
    }
}

fn value(kind: Kind) -> String {
    let fixed = match kind {
        Kind::Text => "text",
        Kind::Bool => "`True` or `False`; the flag means `True`",
        Kind::Off => "`True` or `False`; the flag means `False`",
        Kind::Count => "a whole number, 0 or more",
        Kind::Seconds => "seconds, 0 or more, also a fraction",
        Kind::Bytes => "bytes, 0 or more, also with a unit: `300M`, `1.5G`",
        Kind::Mode => "a mode: a number, or text that is octal when it begins with 0",
        Kind::List => "a list of texts, or one text; the flag may be repeated",
        Kind::Files => "a list of files that exist, or of patterns; the flag may be repeated",
        Kind::CommaList => "texts separated by commas, or a list of texts",
        Kind::Networks => {
            "addresses and networks separated by commas, or a list of them; `*` for all"
        }
        Kind::Dict => "a dict of texts",
        Kind::Mapping => "a dict",
        Kind::Plugins => {
            "a list of paths, or of dicts with the key `path`; the flag may be repeated"
        }
        Kind::Class => "a class, its dotted name or an alias",
        Kind::Anything => "anything",
        Kind::Directory => "a directory that exists",
        Kind::User => "a user, by name or number",
        Kind::Group => "a group, by name or number",
        _ => return made_value(kind),
    };
    fixed.to_owned()
}

/// What is said of kinds that have words, ends or arguments.
fn made_value(kind: Kind) -> String {
    let quoted = |words: &[&str]| {
        let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
        quoted.join(", ")
    };
    match kind {
        Kind::Range(least, most) => format!("a whole number from {least} to {most}"),
        Kind::Choice(words) => format!("one of {}", quoted(words)),
        Kind::Switch(Switch { words, on, .. }) => format!(
            "one of {}; `False` means `{}`, `True` means `{on}`",
            quoted(words),
            words[0]
        ),
        Kind::Report(forms) => format!(
            "`True` or `False`, or one of {}; the flag alone means `True`, and takes a form behind `=`",
            quoted(forms)
        ),
        Kind::Words(words) => format!(
            "some of {}, separated by commas or in a list",
            quoted(words)
        ),
        Kind::Ranking(words) => {
            format!("some of {}, each once, separated by commas", quoted(words))
        }
        Kind::Callable(names) => format!(
            "a function that takes `({})`, or its dotted name",
            names.join(", ")
        ),
        other => unreachable!("{other:?} has words of its own"),
    }
}
