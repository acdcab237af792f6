//! Names that are nearly others: in a config file a setting's or a flag's.

use super::declared;

/// The setting whose name is nearly `name`, if `name` is no setting itself. Short names are left
/// alone, where a difference of two letters is another word.
#[must_use]
pub fn nearly_a_setting(name: &str) -> Option<&'static str> {
    if declared::find(name).is_some() || name.len() < 5 || name.starts_with('_') {
        return None;
    }
    named_by_flag(name).or_else(|| closest(name))
}

/// The setting that the flag of this name sets: `preload` is none, but `--preload` sets one.
fn named_by_flag(name: &str) -> Option<&'static str> {
    let flag = format!("--{}", name.replace('_', "-"));
    declared::all()
        .find(|setting| setting.flags.contains(&flag.as_str()))
        .map(|setting| setting.name)
}

fn closest(name: &str) -> Option<&'static str> {
    nearest(name, declared::all().map(|setting| setting.name))
}

/// The one of some names that `name` nearly is.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .filter(|&(distance, known)| distance <= if known.len() < 8 { 1 } else { 2 })
        .min()
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_are_noticed_and_other_words_are_not() {
        assert_eq!(nearly_a_setting("loglever"), Some("loglevel"));
        assert_eq!(nearly_a_setting("worker_clas"), Some("worker_class"));
        assert_eq!(nearly_a_setting("wrokers"), Some("workers"));
        assert_eq!(nearly_a_setting("preload"), Some("preload_app"));
        assert_eq!(nearly_a_setting("access_logfile"), Some("accesslog"));
        for other in [
            "workers",
            "name",
            "port",
            "host",
            "multiprocessing",
            "_loglevel",
            "django_port",
            "worker",
        ] {
            let expected = (other == "worker").then_some("workers");
            assert_eq!(nearly_a_setting(other), expected, "{other}");
        }
    }
}
