//! HTTP/2.

use super::super::setting::{Default, Kind, Reach, Section, Setting, Switch};

const S: Section = Section::Http2;

const HTTP1: Reach = Reach::Later("HTTP/1 is served");

const CLEARTEXT: Switch = Switch {
    words: &["off", "prior-knowledge", "upgrade", "both"],
    on: "prior-knowledge",
    bare: false,
};

const MOST_WINDOW: i64 = (1 << 31) - 1;
const LEAST_FRAME: i64 = 1 << 14;
const MOST_FRAME: i64 = (1 << 24) - 1;

pub(super) const SETTINGS: &[Setting] = &[
    Setting::new(
        S,
        "http_protocols",
        Kind::Ranking(&["h1", "h2"]),
        Default::Str("h1"),
    )
    .flags(&["--http-protocols"])
    .metavar("PROTOCOLS")
    .help("Versions of HTTP to offer under TLS, the preferred one first: h1, h2")
    .reach(HTTP1),
    Setting::new(
        S,
        "http2_cleartext",
        Kind::Switch(&CLEARTEXT),
        Default::Str("off"),
    )
    .flags(&["--http2-cleartext"])
    .metavar("MODE")
    .help("HTTP/2 without TLS, for proxies that are trusted: off, prior-knowledge, upgrade or both")
    .reach(HTTP1),
    Setting::new(
        S,
        "http2_max_concurrent_streams",
        Kind::Range(1, u32::MAX as i64),
        Default::Int(100),
    )
    .flags(&["--http2-max-concurrent-streams"])
    .help("Requests that one connection of HTTP/2 may have on the way")
    .reach(HTTP1),
    Setting::new(
        S,
        "http2_initial_window_size",
        Kind::Range(0, MOST_WINDOW),
        Default::Int(65535),
    )
    .flags(&["--http2-initial-window-size"])
    .metavar("BYTES")
    .help("Bytes of a body that HTTP/2 lets a client send unread")
    .reach(HTTP1),
    Setting::new(
        S,
        "http2_max_frame_size",
        Kind::Range(LEAST_FRAME, MOST_FRAME),
        Default::Int(LEAST_FRAME),
    )
    .flags(&["--http2-max-frame-size"])
    .metavar("BYTES")
    .help("Longest frame of HTTP/2")
    .reach(HTTP1),
    Setting::new(
        S,
        "http2_max_header_list_size",
        Kind::Count,
        Default::Int(65536),
    )
    .flags(&["--http2-max-header-list-size"])
    .metavar("BYTES")
    .help("Bytes that the header fields of a request of HTTP/2 may take; 0 for no limit")
    .reach(HTTP1),
];
