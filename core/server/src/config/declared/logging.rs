//! Logging.

use super::super::setting::{Default, Kind, Section, Setting};

const S: Section = Section::Logging;

/// gunicorn's default access line: the combined format with the process's own time stamp.
pub(crate) const ACCESS_LOG_FORMAT: &str =
    r#"%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s""#;

pub(super) const SETTINGS: &[Setting] = &[
    Setting::new(S, "accesslog", Kind::Text, Default::None)
        .flags(&["--access-logfile"])
        .metavar("FILE")
        .help("File for the access log; '-' for standard output"),
    Setting::new(
        S,
        "access_log_format",
        Kind::Text,
        Default::Str(ACCESS_LOG_FORMAT),
    )
    .flags(&["--access-logformat"])
    .metavar("FORMAT")
    .help("Format of a line of the access log"),
    Setting::new(S, "errorlog", Kind::Text, Default::Str("-"))
        .flags(&["--error-logfile", "--log-file"])
        .metavar("FILE")
        .help("File for the error log; '-' for standard error"),
    Setting::new(S, "loglevel", Kind::Text, Default::Str("info"))
        .flags(&["--log-level"])
        .metavar("LEVEL")
        .help("Least level that is logged: debug, info, warning, error or critical"),
    Setting::new(S, "capture_output", Kind::Bool, Default::Bool(false))
        .flags(&["--capture-output"])
        .help("Send standard output and standard error to the error log's file"),
];
