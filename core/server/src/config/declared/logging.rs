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
    .help("Format of a line of the access log, or a preset: common, combined, json"),
    Setting::new(S, "access_log_exclude", Kind::List, Default::List(&[]))
        .ours()
        .flags(&["--access-log-exclude"])
        .metavar("PATTERN")
        .help("Paths that are not logged, such as '/health' or '/static/*'"),
    Setting::new(S, "access_log_formatter", Kind::Anything, Default::None)
        .ours()
        .flags(&["--access-log-formatter"])
        .metavar("CALLABLE")
        .help("What makes a line of the access log of its atoms: a callable, its dotted name, or plugin:ID"),
    Setting::new(S, "logger_class", Kind::Class, Default::Str("native"))
        .flags(&["--logger-class"])
        .metavar("CLASS")
        .help("Who has the logs: native, a Python class with gunicorn's interface, or plugin:ID"),
    Setting::new(S, "logconfig", Kind::Text, Default::None)
        .flags(&["--log-config"])
        .metavar("FILE")
        .help("Configuration of the logs: a file for Python's logging, or one for log4rs (.yaml, .toml, .json)"),
    Setting::new(S, "logconfig_dict", Kind::Mapping, Default::Dict(&[]))
        .help("Configuration of the logs, for Python's logging"),
    Setting::new(S, "logconfig_json", Kind::Text, Default::None)
        .flags(&["--log-config-json"])
        .metavar("FILE")
        .help("Configuration of the logs, for Python's logging, as JSON"),
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
    Setting::new(S, "syslog", Kind::Bool, Default::Bool(false))
        .flags(&["--log-syslog"])
        .help("Send both logs to a syslog too"),
    Setting::new(S, "syslog_addr", Kind::Text, Default::Str("udp://localhost:514"))
        .flags(&["--log-syslog-to"])
        .metavar("ADDRESS")
        .help("Address of the syslog: udp://HOST:PORT, tcp://HOST:PORT, unix://PATH#dgram or unix://PATH#stream"),
    Setting::new(S, "syslog_prefix", Kind::Text, Default::None)
        .flags(&["--log-syslog-prefix"])
        .metavar("NAME")
        .help("Name of the site in a syslog's lines; the process's name by default"),
    Setting::new(S, "syslog_facility", Kind::Text, Default::Str("user"))
        .flags(&["--log-syslog-facility"])
        .metavar("FACILITY")
        .help("Facility of a syslog's lines, such as user, daemon or local0"),
    Setting::new(
        S,
        "disable_redirect_access_to_syslog",
        Kind::Bool,
        Default::Bool(false),
    )
    .flags(&["--disable-redirect-access-to-syslog"])
    .help("Send only the error log to the syslog"),
    Setting::new(S, "statsd_host", Kind::Text, Default::None)
        .flags(&["--statsd-host"])
        .metavar("ADDRESS")
        .help("Address of a statsd: HOST, HOST:PORT or unix://PATH"),
    Setting::new(S, "statsd_prefix", Kind::Text, Default::Str(""))
        .flags(&["--statsd-prefix"])
        .metavar("PREFIX")
        .help("Prefix of the names of statsd's metrics"),
    Setting::new(S, "dogstatsd_tags", Kind::Text, Default::Str(""))
        .flags(&["--dogstatsd-tags"])
        .metavar("TAGS")
        .help("Tags of statsd's metrics, separated by commas"),
    Setting::new(S, "enable_backlog_metric", Kind::Bool, Default::Bool(false))
        .flags(&["--enable-backlog-metric"])
        .help("Tell statsd how many connections wait to be accepted"),
    Setting::new(
        S,
        "enable_stdio_inheritance",
        Kind::Bool,
        Default::Bool(false),
    )
    .flags(&["-R", "--enable-stdio-inheritance"])
    .help("Let a daemon keep output that has been redirected"),
];
