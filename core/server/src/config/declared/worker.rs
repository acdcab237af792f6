//! Worker processes.

use super::super::setting::{Default, Kind, Section, Setting};
use super::super::value::Value;

const S: Section = Section::WorkerProcesses;

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
];

/// A variable that is no number is kept as it is, so that the check can name it.
fn workers_default(concurrency: Option<&str>) -> Value {
    concurrency.map_or(Value::Int(1), Value::from)
}
