//! The words of a command line, brought into a form that is read as gunicorn's parser would read them:
//! names cut short, values that begin with a dash, a flag whose value may be left out.

use super::cli::Answer;
use super::declared;
use super::setting::{Kind, Setting};

/// Flags that are no setting's. The last is no flag of gunicorn's.
const OTHERS: [&str; 3] = ["--help", "--version", "--hook"];

/// What may stand behind a flag.
enum Takes {
    Nothing,
    Value,
    /// A word that this setting takes; without one, this one.
    Word(&'static Setting, &'static str),
}

/// The words as the command reads them.
pub(super) fn prepare(words: &[String]) -> Result<Vec<String>, Answer> {
    let mut prepared = Vec::with_capacity(words.len());
    let mut words = words.iter().map(String::as_str).peekable();
    while let Some(word) = words.next() {
        if word == "--" {
            prepared.push(word.to_owned());
            break;
        }
        let flag = whole(word)?;
        let next = words.peek().copied();
        let joined = match (takes(&flag), next) {
            (Takes::Value, Some(value)) if !value.starts_with('-') || is_value(value) => {
                words.next();
                format!("{flag}={value}")
            }
            (Takes::Value, Some(value)) => return Err(no_value(&flag, value)),
            (Takes::Word(setting, _), Some(value)) if is_word_of(setting, value) => {
                words.next();
                format!("{flag}={value}")
            }
            (Takes::Word(_, on), _) => format!("{flag}={on}"),
            _ => flag,
        };
        prepared.push(joined);
    }
    prepared.extend(words.map(str::to_owned));
    Ok(prepared)
}

/// What begins with a dash and is a value all the same: a dash, a number, and what has a space in it.
fn is_value(word: &str) -> bool {
    let is_number = word.parse::<f64>().is_ok()
        && word[1..].starts_with(|c: char| c == '.' || c.is_ascii_digit());
    word == "-" || word.contains(' ') || is_number
}

fn is_word_of(setting: &Setting, word: &str) -> bool {
    !word.is_empty() && setting.check(word.into()).is_ok()
}

fn takes(flag: &str) -> Takes {
    let setting = declared::all().find(|setting| setting.flags.contains(&flag));
    match setting.map(|setting| (setting, setting.kind)) {
        Some((_, Kind::Bool | Kind::Off | Kind::Report(_))) => Takes::Nothing,
        Some((setting, Kind::Switch(switch))) if switch.bare => Takes::Word(setting, switch.on),
        Some(_) => Takes::Value,
        None if flag == "--hook" => Takes::Value,
        None => Takes::Nothing,
    }
}

/// The whole of a long name that was cut short. What is unambiguous to gunicorn is here too: names of
/// tricorn's own stand back.
fn whole(word: &str) -> Result<String, Answer> {
    let (name, value) = match word.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (word, None),
    };
    if !name.starts_with("--") || name.contains(' ') || is_whole(name) {
        return Ok(word.to_owned());
    }
    let (theirs, ours) = (matching(name, false), matching(name, true));
    let meant = match (&theirs[..], &ours[..]) {
        ([one], _) | ([], [one]) => *one,
        ([], []) => name,
        _ => {
            let all = [theirs, ours].concat().join(", ");
            return Err(Answer::refusal(&format!(
                "{name} is short for several: {all}"
            )));
        }
    };
    Ok(value.map_or_else(|| meant.to_owned(), |value| format!("{meant}={value}")))
}

fn is_whole(name: &str) -> bool {
    OTHERS.contains(&name) || declared::all().any(|setting| setting.flags.contains(&name))
}

/// The flags that begin so, one for each setting.
fn matching(name: &str, ours: bool) -> Vec<&'static str> {
    let settings = declared::all().filter(|setting| setting.ours == ours);
    let mut found = Vec::new();
    let others = if ours { &OTHERS[2..] } else { &OTHERS[..2] };
    let each = others.iter().map(std::slice::from_ref);
    for flags in settings.map(|setting| setting.flags).chain(each) {
        found.extend(flags.iter().find(|flag| flag.starts_with(name)).copied());
    }
    found
}

fn no_value(flag: &str, next: &str) -> Answer {
    let mend = format!("one that begins with a dash is written {flag}={next}");
    Answer::refusal(&format!("{flag} is not followed by a value; {mend}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(words: &[&str]) -> Result<String, String> {
        let words: Vec<_> = words.iter().map(|&word| word.to_owned()).collect();
        prepare(&words)
            .map(|words| words.join("|"))
            .map_err(|answer| answer.text)
    }

    #[test]
    fn what_gunicorn_can_tell_from_the_beginning_of_a_name_is_told_here() {
        let theirs: Vec<&str> = declared::all()
            .filter(|setting| !setting.ours)
            .flat_map(|setting| setting.flags)
            .copied()
            .chain(["--help", "--version"])
            .filter(|flag| flag.starts_with("--") && *flag != "--limit-request-field-size")
            .collect();
        let mut count = 0;
        for flag in &theirs {
            for end in 3..flag.len() {
                let short = &flag[..end];
                let is_whole = theirs.contains(&short);
                let matches = theirs.iter().filter(|other| other.starts_with(short));
                if !is_whole && matches.count() == 1 {
                    assert_eq!(whole(short).as_deref(), Ok(*flag), "{short}");
                    count += 1;
                }
            }
        }
        assert!(count > 500, "{count}");
    }

    #[test]
    fn names_of_tricorns_own_are_told_from_their_beginnings_where_no_other_begins_so() {
        assert_eq!(whole("--max-su").as_deref(), Ok("--max-surge"));
        assert_eq!(whole("--prel").as_deref(), Ok("--preload"));
        assert_eq!(whole("--preload-").as_deref(), Ok("--preload-reload"));
        assert_eq!(whole("--hoo=a=b").as_deref(), Ok("--hook=a=b"));
        let refused = whole("--plugin-").unwrap_err().text;
        assert!(
            refused.contains("--plugin-option, --plugin-timeout"),
            "{refused}"
        );
    }

    #[test]
    fn a_name_that_is_short_for_several_is_told_with_all_of_them() {
        let refused = prepared(&["--max-req", "5"]).unwrap_err();
        assert_eq!(
            refused,
            "error: --max-req is short for several: --max-requests, --max-requests-jitter; see tricorn --help\n"
        );
        assert!(whole("--past").unwrap_err().text.contains("--paste-global"));
        assert_eq!(whole("--paster").as_deref(), Ok("--paster"));
    }

    #[test]
    fn values_may_begin_with_a_dash_where_they_cannot_be_flags() {
        for (words, read) in [
            (
                &["--access-logfile", "-", "app"][..],
                "--access-logfile=-|app",
            ),
            (&["-n", "-x y"], "-n=-x y"),
            (
                &["--access-logformat", "--%(h)s %(l)s"],
                "--access-logformat=--%(h)s %(l)s",
            ),
            (&["--timeout", "-5"], "--timeout=-5"),
            (&["--boot-timeout", "-.5"], "--boot-timeout=-.5"),
            (&["--name=-x"], "--name=-x"),
            (&["-w", "4", "--", "-x", "--pre"], "-w=4|--|-x|--pre"),
        ] {
            assert_eq!(prepared(words).as_deref(), Ok(read));
        }
        for words in [
            &["--name", "-x"][..],
            &["--name", "--bind", "a"],
            &["-n", "-inf"],
        ] {
            let refused = prepared(words).unwrap_err();
            let mend = format!("{}={};", words[0], words[1]);
            assert!(refused.contains(&mend), "{refused}");
        }
    }

    #[test]
    fn a_value_is_never_taken_for_a_flag_and_the_application_never_for_a_mode() {
        for (words, read) in [
            (
                &["--proxy-protocol", "app:app"][..],
                "--proxy-protocol=auto|app:app",
            ),
            (
                &["--proxy-protocol", "V1", "app"],
                "--proxy-protocol=V1|app",
            ),
            (&["--proxy-p", "-w", "2"], "--proxy-protocol=auto|-w=2"),
            (&["--print-config", "app"], "--print-config|app"),
            (&["--reload", "app"], "--reload|app"),
            (&["--hook", "a=b:c", "app"], "--hook=a=b:c|app"),
            (&["-w"], "-w"),
        ] {
            assert_eq!(prepared(words).as_deref(), Ok(read));
        }
    }
}
