//! Debugging, server mechanics and process naming.

use super::super::setting::{Default, Kind, Reach, Section, Setting};
use super::super::value::Value;

const D: Section = Section::Debugging;

pub(super) const DEBUGGING: &[Setting] = &[
    Setting::new(D, "reload", Kind::Bool, Default::Bool(false))
        .flags(&["--reload"])
        .help("Restart workers when a source file changes"),
    Setting::new(
        D,
        "reload_engine",
        Kind::Choice(ENGINES),
        Default::Str("auto"),
    )
    .flags(&["--reload-engine"])
    .metavar("ENGINE")
    .help("How changes are noticed: auto, poll or inotify"),
    Setting::new(D, "reload_extra_files", Kind::Files, Default::List(&[]))
        .flags(&["--reload-extra-file"])
        .metavar("FILE")
        .help("Another file, or pattern of files, to watch for --reload; may be repeated"),
    Setting::new(D, "spew", Kind::Bool, Default::Bool(false))
        .flags(&["--spew"])
        .help("Print every line of Python that runs"),
    Setting::new(D, "check_config", Kind::Bool, Default::Bool(false))
        .flags(&["--check-config"])
        .help("Check the configuration and the application, then exit"),
    Setting::new(D, "print_config", Kind::Report(&["text", "json"]), Default::Bool(false))
        .flags(&["--print-config"])
        .help("Print the settings and where each comes from, check them, then exit; --print-config=json for programs"),
];

const S: Section = Section::ServerMechanics;
const ENGINES: &[&str] = &["auto", "poll", "inotify"];

pub(super) const SETTINGS: &[Setting] = &[
    Setting::new(S, "preload_app", Kind::Bool, Default::Bool(false))
        .flags(&["--preload"])
        .help("Load the application before the workers are forked"),
    Setting::new(S, "preload_reload", Kind::Bool, Default::Bool(false))
        .ours()
        .flags(&["--preload-reload"])
        .help("With preload_app, let HUP load the application anew: the arbiter executes itself in place"),
    Setting::new(S, "gc_freeze", Kind::Bool, Default::Bool(false))
        .ours()
        .flags(&["--gc-freeze"])
        .help("Before the first fork, take what is loaded out of the garbage collector's sight, so that workers share its memory for longer"),
    Setting::new(
        S,
        "sendfile",
        Kind::Off,
        Default::Env("SENDFILE", sendfile_default),
    )
    .flags(&["--no-sendfile"])
    .help("Do not use sendfile() for files that the application returns"),
    Setting::new(S, "reuse_port", Kind::Bool, Default::Bool(false))
        .flags(&["--reuse-port"])
        .help("Make as many listening sockets of an address as there are workers, with SO_REUSEPORT; all workers take from all"),
    Setting::new(S, "chdir", Kind::Directory, Default::Start)
        .flags(&["--chdir"])
        .metavar("DIRECTORY")
        .help("Change to this directory before the application is loaded"),
    Setting::new(S, "daemon", Kind::Bool, Default::Bool(false))
        .flags(&["-D", "--daemon"])
        .help("Run in the background"),
    Setting::new(S, "raw_env", Kind::List, Default::List(&[]))
        .secret()
        .flags(&["-e", "--env"])
        .metavar("NAME=VALUE")
        .help("Set an environment variable for the application; may be repeated"),
    Setting::new(S, "pidfile", Kind::Text, Default::None)
        .flags(&["-p", "--pid"])
        .metavar("FILE")
        .help("File that holds the arbiter's process id while it runs"),
    Setting::new(S, "worker_tmp_dir", Kind::Text, Default::None)
        .flags(&["--worker-tmp-dir"])
        .metavar("DIRECTORY")
        .help("Directory of the file with a worker's heartbeat")
        .reach(Reach::Inert(
            "the heartbeat is kept in memory, not in a file",
        )),
    Setting::new(S, "user", Kind::User, Default::None)
        .flags(&["-u", "--user"])
        .help("User that workers run as"),
    Setting::new(S, "group", Kind::Group, Default::None)
        .flags(&["-g", "--group"])
        .help("Group that workers run as; without it, that of the user they become"),
    Setting::new(S, "initgroups", Kind::Bool, Default::Bool(false))
        .flags(&["--initgroups"])
        .help("Give workers all groups of their user, and not group alone"),
    Setting::new(S, "umask", Kind::Mode, Default::Int(0))
        .flags(&["-m", "--umask"])
        .metavar("MODE")
        .help("Mode bits that unix sockets are made without"),
    Setting::new(S, "tmp_upload_dir", Kind::Text, Default::None)
        .metavar("DIRECTORY")
        .help("Directory for bodies on their way")
        .reach(Reach::Inert("no body is kept in a file, by gunicorn neither")),
    Setting::new(S, "gunicorn_compat", Kind::Off, Default::Bool(true))
        .ours()
        .flags(&["--no-gunicorn-compat"])
        .help("Leave imports of gunicorn to gunicorn itself"),
    Setting::new(S, "pythonpath", Kind::Text, Default::None)
        .flags(&["--pythonpath"])
        .metavar("DIRECTORIES")
        .help("Directories, separated by commas, to search for Python modules first"),
    Setting::new(S, "paste", Kind::Text, Default::None)
        .flags(&["--paste", "--paster"])
        .metavar("FILE[#NAME]")
        .help("Load the application from a PasteDeploy file"),
    Setting::new(S, "raw_paste_global_conf", Kind::List, Default::List(&[]))
        .flags(&["--paste-global"])
        .secret()
        .metavar("KEY=VALUE")
        .help("Set a global value of the PasteDeploy file; may be repeated"),
];

pub(super) const NAMING: &[Setting] = &[
    Setting::new(
        Section::ProcessNaming,
        "proc_name",
        Kind::Text,
        Default::None,
    )
    .flags(&["-n", "--name"])
    .metavar("NAME")
    .help("Name shown in the processes' titles"),
    Setting::new(
        Section::ProcessNaming,
        "default_proc_name",
        Kind::Text,
        Default::Str("gunicorn"),
    )
    .help("Name shown where proc_name is not set; the application's, once it is known"),
];

/// gunicorn's reading: set, and not a yes, turns sendfile off.
fn sendfile_default(variable: Option<&str>) -> Value {
    let yes = |text: &str| {
        matches!(
            text.to_ascii_lowercase().as_str(),
            "y" | "1" | "yes" | "true"
        )
    };
    Value::Bool(variable.is_none_or(yes))
}
