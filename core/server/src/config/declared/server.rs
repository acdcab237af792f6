//! Config file and server socket.

use super::super::setting::{Default, Kind, Section, Setting};
use super::super::value::Value;

const S: Section = Section::ServerSocket;

pub(super) const SETTINGS: &[Setting] = &[
    Setting::new(
        Section::ConfigFile,
        "config",
        Kind::Text,
        Default::Str("./gunicorn.conf.py"),
    )
    .flags(&["-c", "--config"])
    .metavar("CONFIG")
    .help("Config file: PATH, file:PATH or python:MODULE; where none is named, ./tricorn.conf.py comes first"),
    Setting::new(Section::ConfigFile, "wsgi_app", Kind::Text, Default::None)
        .metavar("MODULE:NAME")
        .help("Application to serve where none is named on the command line"),
    Setting::new(S, "bind", Kind::List, Default::Env("PORT", bind_default))
        .flags(&["-b", "--bind"])
        .metavar("ADDRESS")
        .help("Address to listen on: HOST:PORT, [V6]:PORT, unix:PATH, unix:@NAME (abstract) or fd://N; may be repeated"),
    Setting::new(S, "backlog", Kind::Count, Default::Int(2048))
        .flags(&["--backlog"])
        .help("Connections that may wait to be accepted"),
];

fn bind_default(port: Option<&str>) -> Value {
    let address = port.map_or_else(
        || "127.0.0.1:8000".to_owned(),
        |port| format!("0.0.0.0:{port}"),
    );
    Value::List(vec![Value::Str(address)])
}
