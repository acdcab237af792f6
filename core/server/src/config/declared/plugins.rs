//! Compiled plugins.

use super::super::setting::{Default, Kind, Section, Setting};

const S: Section = Section::Plugins;

/// What `plugin_allow` can let through.
const ALLOWED: &[&str] = &["panic-abort", "threads", "permissions"];

pub(super) const SETTINGS: &[Setting] = &[
    Setting::new(S, "plugins", Kind::Plugins, Default::List(&[]))
        .ours()
        .flags(&["--plugin"])
        .metavar("FILE")
        .help("Compiled plugin to load: a file (FILE#ID for one of several in it) or package:NAME; may be repeated"),
    Setting::new(S, "plugin_options", Kind::List, Default::List(&[]))
        .ours()
        .secret()
        .flags(&["--plugin-option"])
        .metavar("NAME.KEY=VALUE")
        .help("Set an option of the plugin of this file name, package name or id, as JSON or as text; may be repeated"),
    Setting::new(S, "plugin_timeout", Kind::Seconds, Default::Int(10))
        .ours()
        .flags(&["--plugin-timeout"])
        .metavar("SECONDS")
        .help("Time in which a plugin must load when it is tried out in a child"),
    Setting::new(S, "plugin_allow", Kind::Words(ALLOWED), Default::List(&[]))
        .ours()
        .flags(&["--plugin-allow"])
        .metavar("WORDS")
        .help("Faults of plugins to let through: panic-abort, threads, permissions"),
    Setting::new(S, "plugin_keep_copies", Kind::Bool, Default::Bool(false))
        .ours()
        .flags(&["--plugin-keep-copies"])
        .help("Keep the copies that plugins are loaded from, for a debugger"),
];
