//! The declarations of all settings, by section. Pure tables: a setting is added by adding a row.

mod control;
mod dirty;
mod http;
mod http2;
mod logging;

pub(crate) use logging::ACCESS_LOG_FORMAT;
mod mechanics;
mod plugins;
mod server;
mod tls;
mod worker;

use super::setting::Setting;

/// Every setting, section by section, in the order of the reference.
pub fn all() -> impl Iterator<Item = &'static Setting> {
    [
        server::SETTINGS,
        worker::SETTINGS,
        http::SECURITY,
        http::BUFFERS,
        mechanics::DEBUGGING,
        mechanics::SETTINGS,
        http::SETTINGS,
        plugins::SETTINGS,
        logging::SETTINGS,
        mechanics::NAMING,
        tls::SETTINGS,
        http2::SETTINGS,
        dirty::SETTINGS,
        dirty::HOOKS,
        control::SETTINGS,
    ]
    .into_iter()
    .flatten()
}

/// The setting of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Setting> {
    all().find(|setting| setting.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_and_flags_are_unique_and_every_setting_has_a_help() {
        let (mut names, mut flags) = (BTreeSet::new(), BTreeSet::new());
        for setting in all() {
            assert!(names.insert(setting.name), "{} twice", setting.name);
            assert!(!setting.help.is_empty(), "{} has no help", setting.name);
            assert!(
                !setting.help.ends_with('.'),
                "{}: a full stop",
                setting.name
            );
            for flag in setting.flags {
                assert!(flags.insert(flag), "{flag} twice");
            }
        }
    }

    #[test]
    fn sections_stand_together() {
        let mut sections: Vec<_> = all().map(|setting| setting.section).collect();
        sections.dedup();
        let distinct: BTreeSet<_> = sections.iter().collect();
        assert_eq!(sections.len(), distinct.len(), "{sections:?}");
    }
}
