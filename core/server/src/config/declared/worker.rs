//! Worker processes.

use super::super::setting::{Default, Kind, Reach, Section, Setting};
use super::super::value::Value;

const S: Section = Section::WorkerProcesses;

pub(super) const NO_ASGI: &str = "WSGI is served";

pub(super) const SETTINGS: &[Setting] = &[
    Setting::new(
        S,
        "workers",
        Kind::Count,
        Default::Env("WEB_CONCURRENCY", workers_default),
    )
    .flags(&["-w", "--workers"])
    .help("Number of worker processes"),
    Setting::new(S, "worker_class", Kind::Class, Default::Str("sync"))
        .flags(&["-k", "--worker-class"])
        .metavar("CLASS")
        .help("How a worker runs requests: sync or gthread"),
    Setting::new(S, "threads", Kind::Count, Default::Int(1))
        .flags(&["--threads"])
        .help("Threads of a gthread worker; more than 1 makes gthread of sync"),
    Setting::new(S, "worker_connections", Kind::Count, Default::Int(1000))
        .flags(&["--worker-connections"])
        .help("Connections one worker holds open at most"),
    Setting::new(S, "max_requests", Kind::Count, Default::Int(0))
        .flags(&["--max-requests"])
        .help("Requests after which a worker is replaced; 0 for never"),
    Setting::new(S, "max_requests_jitter", Kind::Count, Default::Int(0))
        .flags(&["--max-requests-jitter"])
        .help("Up to so many requests are added to max_requests, at random for each worker"),
    Setting::new(S, "max_worker_memory", Kind::Bytes, Default::Int(0))
        .ours()
        .flags(&["--max-worker-memory"])
        .help("Resident memory, such as 300M, at which a worker is replaced; 0 for never"),
    Setting::new(S, "max_worker_age", Kind::Seconds, Default::Int(0))
        .ours()
        .flags(&["--max-worker-age"])
        .help("Seconds of serving after which a worker is replaced; 0 for never"),
    Setting::new(S, "max_surge", Kind::Count, Default::Int(4))
        .ours()
        .flags(&["--max-surge"])
        .help("Workers beyond the wanted number while others are replaced; 0: each leaves before its replacement is forked"),
    Setting::new(S, "timeout", Kind::Count, Default::Int(30))
        .flags(&["-t", "--timeout"])
        .metavar("SECONDS")
        .help("Silence after which a worker is aborted and replaced; 0 for never"),
    Setting::new(S, "request_timeout", Kind::Seconds, Default::Int(0))
        .ours()
        .flags(&["--request-timeout"])
        .help("Time one request may run before it is ended; 0 for no limit"),
    Setting::new(S, "boot_timeout", Kind::Seconds, Default::Int(300))
        .ours()
        .flags(&["--boot-timeout"])
        .help("Time a worker may take from its fork until it serves; 0 for no limit"),
    Setting::new(S, "abort_grace", Kind::Seconds, Default::Int(5))
        .ours()
        .flags(&["--abort-grace"])
        .metavar("SECONDS")
        .help("Time an aborted worker has for its hooks before it is killed"),
    Setting::new(S, "graceful_timeout", Kind::Count, Default::Int(30))
        .flags(&["--graceful-timeout"])
        .metavar("SECONDS")
        .help("Time a stopping worker has to finish its requests"),
    Setting::new(S, "keepalive", Kind::Count, Default::Int(2))
        .flags(&["--keep-alive"])
        .metavar("SECONDS")
        .help("Time an idle connection is kept open; 0 to close after each answer"),
    Setting::new(
        S,
        "asgi_loop",
        Kind::Choice(&["auto", "asyncio", "uvloop"]),
        Default::Str("auto"),
    )
    .flags(&["--asgi-loop"])
    .metavar("LOOP")
    .help("Event loop of an ASGI application: auto, asyncio or uvloop")
    .reach(Reach::Later(NO_ASGI)),
    Setting::new(
        S,
        "asgi_lifespan",
        Kind::Choice(&["auto", "on", "off"]),
        Default::Str("auto"),
    )
    .flags(&["--asgi-lifespan"])
    .metavar("MODE")
    .help("Whether an ASGI application is told of the worker's start and end: auto, on or off")
    .reach(Reach::Later(NO_ASGI)),
    Setting::new(
        S,
        "asgi_disconnect_grace_period",
        Kind::Count,
        Default::Int(3),
    )
    .flags(&["--asgi-disconnect-grace-period"])
    .metavar("SECONDS")
    .help("Time an ASGI application has to end a request whose client is gone")
    .reach(Reach::Later(NO_ASGI)),
    Setting::new(
        S,
        "websocket_max_message_size",
        Kind::Count,
        Default::Int(16 * 1024 * 1024),
    )
    .flags(&["--websocket-max-message-size"])
    .metavar("BYTES")
    .help("Longest message of a WebSocket; 0 for no limit")
    .reach(Reach::Later(NO_ASGI)),
    Setting::new(
        S,
        "http_parser",
        Kind::Choice(&["auto", "fast", "python"]),
        Default::Str("auto"),
    )
    .flags(&["--http-parser"])
    .metavar("PARSER")
    .help("Which parser reads requests: auto, fast or python")
    .reach(Reach::Inert("there is one parser, and it is fast")),
];

/// A variable that is no number is kept as it is, so that the check can name it.
fn workers_default(concurrency: Option<&str>) -> Value {
    concurrency.map_or(Value::Int(1), Value::from)
}
