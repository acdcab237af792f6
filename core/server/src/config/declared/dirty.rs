//! Dirty arbiters and their hooks.

use super::super::setting::{Default, Kind, Reach, Section, Setting};

const S: Section = Section::Dirty;
const H: Section = Section::DirtyHooks;

const NONE: Reach = Reach::Later("there are no dirty workers");

pub(super) const SETTINGS: &[Setting] = &[
    Setting::new(S, "dirty_apps", Kind::List, Default::List(&[]))
        .flags(&["--dirty-app"])
        .metavar("MODULE:CLASS[:N]")
        .help("Class to run in dirty workers, and in how many; may be repeated")
        .reach(NONE),
    Setting::new(S, "dirty_workers", Kind::Count, Default::Int(0))
        .flags(&["--dirty-workers"])
        .help("Number of dirty workers; 0 for none")
        .reach(NONE),
    Setting::new(S, "dirty_timeout", Kind::Count, Default::Int(300))
        .flags(&["--dirty-timeout"])
        .metavar("SECONDS")
        .help("Time one call in a dirty worker may take")
        .reach(NONE),
    Setting::new(S, "dirty_threads", Kind::Count, Default::Int(1))
        .flags(&["--dirty-threads"])
        .help("Threads of a dirty worker")
        .reach(NONE),
    Setting::new(S, "dirty_graceful_timeout", Kind::Count, Default::Int(30))
        .flags(&["--dirty-graceful-timeout"])
        .metavar("SECONDS")
        .help("Time a stopping dirty worker has to finish its calls")
        .reach(NONE),
];

const fn hook(name: &'static str, arguments: &'static [&'static str]) -> Setting {
    Setting::new(H, name, Kind::Callable(arguments), Default::None).reach(NONE)
}

pub(super) const HOOKS: &[Setting] = &[
    hook("on_dirty_starting", &["arbiter"]).help("Called before a dirty arbiter starts"),
    hook("dirty_post_fork", &["arbiter", "worker"]).help("Called after a dirty worker's fork"),
    hook("dirty_worker_init", &["worker"]).help("Called when a dirty worker has its classes"),
    hook("dirty_worker_exit", &["arbiter", "worker"]).help("Called when a dirty worker has left"),
];
