//! Limits, buffers, trust, protocols and leniency.

use super::super::setting::{Default, Kind, Reach, Section, Setting, Switch};
use super::super::value::Value;

pub(super) const SECURITY: &[Setting] = &[
    Setting::new(
        Section::Security,
        "limit_request_line",
        Kind::Count,
        Default::Int(4094),
    )
    .flags(&["--limit-request-line"])
    .metavar("BYTES")
    .help("Longest request line; 0 for 1 MiB"),
    Setting::new(
        Section::Security,
        "limit_request_fields",
        Kind::Count,
        Default::Int(100),
    )
    .flags(&["--limit-request-fields"])
    .help("Most header fields of a request; 0 for 32768"),
    Setting::new(
        Section::Security,
        "limit_request_field_size",
        Kind::Count,
        Default::Int(8190),
    )
    .flags(&["--limit-request-field_size", "--limit-request-field-size"])
    .metavar("BYTES")
    .help("Longest header field of a request; 0 for 1 MiB"),
];

const B: Section = Section::Buffers;

pub(super) const BUFFERS: &[Setting] = &[
    Setting::new(B, "header_timeout", Kind::Seconds, Default::Int(30))
        .ours()
        .flags(&["--header-timeout"])
        .metavar("SECONDS")
        .help("Time a client has to send the head of a request"),
    Setting::new(B, "body_timeout", Kind::Seconds, Default::Int(30))
        .ours()
        .flags(&["--body-timeout"])
        .metavar("SECONDS")
        .help("Silence after which a client that owes a body is given up"),
    Setting::new(B, "write_timeout", Kind::Seconds, Default::Int(30))
        .ours()
        .flags(&["--write-timeout"])
        .metavar("SECONDS")
        .help("Time without progress after which a client that does not read is given up"),
    Setting::new(B, "request_body_buffer", Kind::Count, Default::Int(1024 * 1024))
        .ours()
        .flags(&["--request-body-buffer"])
        .metavar("BYTES")
        .help("A body up to this length is read before the application is called"),
    Setting::new(B, "request_body_chunks", Kind::Off, Default::Bool(true))
        .ours()
        .flags(&["--no-request-body-chunks"])
        .help("Give a chunked body to the application as it comes, without a CONTENT_LENGTH"),
    Setting::new(B, "request_body_memory", Kind::Count, Default::Int(64 * 1024 * 1024))
        .ours()
        .flags(&["--request-body-memory"])
        .metavar("BYTES")
        .help("Bytes that all bodies read in advance may take in one worker"),
    Setting::new(B, "response_buffer", Kind::Count, Default::Int(1024 * 1024))
        .ours()
        .flags(&["--response-buffer"])
        .metavar("BYTES")
        .help("Bytes of an answer that the server holds for a slow client before the application waits"),
];

const H: Section = Section::ServerMechanics;

const PROXY_PROTOCOL: Switch = Switch {
    words: &["off", "v1", "v2", "auto"],
    on: "auto",
    bare: true,
};

const NO_UWSGI: &str = "HTTP is served";

pub(super) const SETTINGS: &[Setting] = &[
    Setting::new(
        H,
        "secure_scheme_headers",
        Kind::Dict,
        Default::Dict(&[
            ("X-FORWARDED-PROTOCOL", "ssl"),
            ("X-FORWARDED-PROTO", "https"),
            ("X-FORWARDED-SSL", "on"),
        ]),
    )
    .help("Header names and the value of each with which a trusted proxy says https"),
    Setting::new(
        H,
        "forwarded_allow_ips",
        Kind::Networks,
        Default::Env("FORWARDED_ALLOW_IPS", allow_default),
    )
    .flags(&["--forwarded-allow-ips"])
    .metavar("NETWORKS")
    .help("Proxies whose scheme and forwarder headers are believed; '*' for all"),
    Setting::new(
        H,
        "forwarder_headers",
        Kind::CommaList,
        Default::List(&["SCRIPT_NAME", "PATH_INFO"]),
    )
    .flags(&["--forwarder-headers"])
    .metavar("NAMES")
    .help("Header names with underscores that a trusted proxy may send"),
    Setting::new(
        H,
        "header_map",
        Kind::Choice(&["drop", "refuse", "dangerous"]),
        Default::Str("drop"),
    )
    .flags(&["--header-map"])
    .help("What becomes of other header names with underscores: drop, refuse or dangerous"),
    Setting::new(
        H,
        "proxy_protocol",
        Kind::Switch(&PROXY_PROTOCOL),
        Default::Str("off"),
    )
    .flags(&["--proxy-protocol"])
    .metavar("MODE")
    .help("Expect a PROXY header on each connection: off, v1, v2 or auto"),
    Setting::new(
        H,
        "proxy_allow_ips",
        Kind::Networks,
        Default::Str("127.0.0.1,::1"),
    )
    .flags(&["--proxy-allow-from"])
    .metavar("NETWORKS")
    .help("Proxies that may send a PROXY header; '*' for all"),
    Setting::new(
        H,
        "protocol",
        Kind::Choice(&["http", "uwsgi"]),
        Default::Str("http"),
    )
    .flags(&["--protocol"])
    .metavar("PROTOCOL")
    .help("What is spoken on the addresses of bind: http or uwsgi")
    .reach(Reach::Refused(
        "the uwsgi protocol is not part of this version: let the proxy in front speak HTTP",
    )),
    Setting::new(
        H,
        "uwsgi_allow_ips",
        Kind::Networks,
        Default::Str("127.0.0.1,::1"),
    )
    .flags(&["--uwsgi-allow-from"])
    .metavar("NETWORKS")
    .help("Proxies that may speak uwsgi; '*' for all")
    .reach(Reach::Later(NO_UWSGI)),
    Setting::new(H, "root_path", Kind::Text, Default::Str(""))
        .flags(&["--root-path"])
        .metavar("PATH")
        .help("Path that an ASGI application is told it is mounted under")
        .reach(Reach::Later(super::worker::NO_ASGI)),
    Setting::new(
        H,
        "permit_obsolete_folding",
        Kind::Bool,
        Default::Bool(false),
    )
    .flags(&["--permit-obsolete-folding"])
    .help("Join header fields that are folded over several lines"),
    Setting::new(H, "strip_header_spaces", Kind::Bool, Default::Bool(false))
        .flags(&["--strip-header-spaces"])
        .help("Remove white space between a header name and its colon"),
    Setting::new(
        H,
        "permit_unconventional_http_method",
        Kind::Bool,
        Default::Bool(false),
    )
    .flags(&["--permit-unconventional-http-method"])
    .help("Serve methods with small letters, or of unusual length"),
    Setting::new(
        H,
        "permit_unconventional_http_version",
        Kind::Bool,
        Default::Bool(false),
    )
    .flags(&["--permit-unconventional-http-version"])
    .help("Serve any HTTP/d.d as if it were HTTP/1"),
    Setting::new(H, "casefold_http_method", Kind::Bool, Default::Bool(false))
        .flags(&["--casefold-http-method"])
        .help("Turn methods to capitals"),
    Setting::new(H, "permit_missing_host", Kind::Bool, Default::Bool(false))
        .ours()
        .flags(&["--permit-missing-host"])
        .help("Serve HTTP/1.1 requests that have no Host header"),
];

fn allow_default(allowed: Option<&str>) -> Value {
    Value::from(allowed.unwrap_or("127.0.0.1,::1"))
}
