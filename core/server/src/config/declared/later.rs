//! Settings of gunicorn's whose time has not come: known, shown on `cfg`, and pointed out where
//! somebody relies on them.

use super::super::setting::{Default, Kind, Reach, Section, Setting};

const NO_TLS: &str = "there is no TLS";
const NO_HTTP2: &str = "HTTP/1 is served";
const NO_ASGI: &str = "WSGI is served";
const NO_DIRTY: &str = "there are no dirty workers";
const NO_CONTROL: &str = "there is no control socket";

const fn later(
    section: Section,
    name: &'static str,
    kind: Kind,
    default: Default,
    instead: &'static str,
) -> Setting {
    Setting::new(section, name, kind, default)
        .help("Not honoured by this version")
        .reach(Reach::Later(instead))
}

const fn text(section: Section, name: &'static str, instead: &'static str) -> Setting {
    later(section, name, Kind::Anything, Default::None, instead)
}

const fn number(
    section: Section,
    name: &'static str,
    default: i64,
    instead: &'static str,
) -> Setting {
    later(section, name, Kind::Count, Default::Int(default), instead)
}

const fn truth(section: Section, name: &'static str, instead: &'static str) -> Setting {
    later(section, name, Kind::Bool, Default::Bool(false), instead)
}

const fn word(
    section: Section,
    name: &'static str,
    default: &'static str,
    instead: &'static str,
) -> Setting {
    later(
        section,
        name,
        Kind::Anything,
        Default::Str(default),
        instead,
    )
}

use Section::{Http as H, ServerMechanics as S, Tls as T, WorkerProcesses as W};

pub(super) static WORKERS: &[Setting] = &[
    word(W, "asgi_loop", "auto", NO_ASGI).flags(&["--asgi-loop"]),
    word(W, "asgi_lifespan", "auto", NO_ASGI).flags(&["--asgi-lifespan"]),
    number(W, "asgi_disconnect_grace_period", 3, NO_ASGI)
        .flags(&["--asgi-disconnect-grace-period"]),
    number(W, "websocket_max_message_size", 16 * 1024 * 1024, NO_ASGI)
        .flags(&["--websocket-max-message-size"]),
    word(W, "http_parser", "auto", "there is one parser").flags(&["--http-parser"]),
    later(W, "dirty_apps", Kind::List, Default::List(&[]), NO_DIRTY).flags(&["--dirty-app"]),
    number(W, "dirty_workers", 0, NO_DIRTY).flags(&["--dirty-workers"]),
    number(W, "dirty_threads", 1, NO_DIRTY).flags(&["--dirty-threads"]),
    number(W, "dirty_timeout", 300, NO_DIRTY).flags(&["--dirty-timeout"]),
    number(W, "dirty_graceful_timeout", 30, NO_DIRTY).flags(&["--dirty-graceful-timeout"]),
    text(W, "on_dirty_starting", NO_DIRTY),
    text(W, "dirty_post_fork", NO_DIRTY),
    text(W, "dirty_worker_init", NO_DIRTY),
    text(W, "dirty_worker_exit", NO_DIRTY),
];

pub(super) static MECHANICS: &[Setting] = &[
    text(S, "tmp_upload_dir", "bodies are kept in memory"),
    text(S, "control_socket", NO_CONTROL).flags(&["--control-socket"]),
    later(
        S,
        "control_socket_mode",
        Kind::Mode,
        Default::Int(0o600),
        NO_CONTROL,
    )
    .flags(&["--control-socket-mode"]),
    truth(S, "control_socket_disable", NO_CONTROL).flags(&["--no-control-socket"]),
];

pub(super) static HTTP: &[Setting] = &[
    word(H, "protocol", "http", "HTTP is served").flags(&["--protocol"]),
    word(H, "uwsgi_allow_ips", "127.0.0.1,::1", "HTTP is served").flags(&["--uwsgi-allow-from"]),
    word(H, "root_path", "", NO_ASGI).flags(&["--root-path"]),
    word(H, "http_protocols", "h1", NO_HTTP2).flags(&["--http-protocols"]),
    word(H, "http2_cleartext", "off", NO_HTTP2).flags(&["--http2-cleartext"]),
    number(H, "http2_max_concurrent_streams", 100, NO_HTTP2)
        .flags(&["--http2-max-concurrent-streams"]),
    number(H, "http2_initial_window_size", 65535, NO_HTTP2).flags(&["--http2-initial-window-size"]),
    number(H, "http2_max_frame_size", 16384, NO_HTTP2).flags(&["--http2-max-frame-size"]),
    number(H, "http2_max_header_list_size", 65536, NO_HTTP2)
        .flags(&["--http2-max-header-list-size"]),
];

pub(super) static TLS: &[Setting] = &[
    text(T, "ssl_version", NO_TLS).flags(&["--ssl-version"]),
    number(T, "cert_reqs", 0, NO_TLS).flags(&["--cert-reqs"]),
    text(T, "ca_certs", NO_TLS).flags(&["--ca-certs"]),
    later(
        T,
        "suppress_ragged_eofs",
        Kind::Bool,
        Default::Bool(true),
        NO_TLS,
    )
    .flags(&["--suppress-ragged-eofs"]),
    truth(T, "do_handshake_on_connect", NO_TLS).flags(&["--do-handshake-on-connect"]),
    text(T, "ciphers", NO_TLS).flags(&["--ciphers"]),
];
