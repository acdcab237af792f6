//! The control socket.

use std::env;
use std::path::PathBuf;

use super::super::setting::{Default, Kind, Reach, Section, Setting};
use super::super::value::Value;

const S: Section = Section::Control;

const NONE: Reach = Reach::Later("there is no control socket");

pub(super) const SETTINGS: &[Setting] = &[
    Setting::new(
        S,
        "control_socket",
        Kind::Text,
        Default::Env("XDG_RUNTIME_DIR", socket_default),
    )
    .flags(&["--control-socket"])
    .metavar("PATH")
    .help("Unix socket that commands to the server come by")
    .reach(NONE),
    Setting::new(S, "control_socket_mode", Kind::Mode, Default::Int(0o600))
        .flags(&["--control-socket-mode"])
        .metavar("MODE")
        .help("Mode of the control socket's file")
        .reach(NONE),
    Setting::new(
        S,
        "control_socket_disable",
        Kind::Bool,
        Default::Bool(false),
    )
    .flags(&["--no-control-socket"])
    .help("Open no control socket")
    .reach(Reach::Inert("there is none to be opened")),
];

/// gunicorn's place: in the directory for such files, or else in the user's own.
fn socket_default(directory: Option<&str>) -> Value {
    let directory = directory.filter(|directory| !directory.is_empty());
    let path = match directory {
        Some(directory) => PathBuf::from(directory).join("gunicorn.ctl"),
        None => env::home_dir()
            .unwrap_or_default()
            .join(".gunicorn/gunicorn.ctl"),
    };
    path.display().to_string().into()
}
