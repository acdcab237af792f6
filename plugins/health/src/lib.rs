//! Liveness and readiness, answered without the application: an orchestrator's probes do not wait
//! behind it, and do not fill its log.
//!
//! A worker that answers is alive. It is ready as long as it is not stopping, and a file that may be
//! named is not there: `touch` it, and the load balancer looks elsewhere.

use std::path::PathBuf;

use tricorn_hooks::prelude::*;

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields, default)]
struct Options {
    /// The path that says whether the worker lives.
    live: String,
    /// The path that says whether it wants requests.
    ready: String,
    /// While this file is there, it wants none.
    maintenance_file: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            live: "/livez".to_owned(),
            ready: "/readyz".to_owned(),
            maintenance_file: None,
        }
    }
}

struct Health {
    options: Options,
    worker: Worker,
}

impl Plugin for Health {
    type Options = Options;

    fn check(options: &Options) -> Result<()> {
        for (name, path) in [("live", &options.live), ("ready", &options.ready)] {
            if !path.starts_with('/') {
                return Err(Error::new(format!(
                    "{name}: {path:?} does not begin with '/'"
                )));
            }
        }
        Ok(())
    }

    fn new(options: &Options, worker: &Worker) -> Result<Self> {
        Ok(Self {
            options: options.clone(),
            worker: *worker,
        })
    }
}

impl Health {
    fn answer(&self, request: &mut Request<'_>) -> Result<Flow> {
        let path = request.path();
        let answer = if path == self.options.live {
            Answer::text(200, "alive\n")
        } else if path == self.options.ready {
            self.readiness()
        } else {
            return Ok(Flow::Continue);
        };
        if !matches!(request.method(), "GET" | "HEAD") {
            return request.respond(Answer::text(405, "GET only\n").header("Allow", "GET, HEAD"));
        }
        request.respond(answer.header("Cache-Control", "no-store"))
    }

    fn readiness(&self) -> Answer {
        let file = self.options.maintenance_file.as_ref();
        if self.worker.is_stopping() {
            Answer::text(503, "stopping\n")
        } else if file.is_some_and(|file| file.exists()) {
            Answer::text(503, "maintenance\n")
        } else {
            Answer::text(200, "ready\n")
        }
    }
}

on!(Health, request_head => answer, priority: -200);

export_plugin!(
    Health,
    id = "tricorn.health",
    description = "Answers probes of liveness and readiness"
);

#[cfg(test)]
mod tests {
    use tricorn_hooks::testing::{FakeHost, FakeRequest};

    use super::*;

    fn status(host: &FakeHost, method: &str, target: &str) -> Option<u16> {
        let mut request = FakeRequest::new(method, target);
        let flow = host.request_head(&mut request).unwrap();
        assert_eq!(flow == Flow::Respond, request.answer.is_some());
        request.answer.as_ref().map(|answer| answer.status)
    }

    #[test]
    fn probes_are_answered_and_nothing_else() {
        let host = FakeHost::load(tricorn_plugin_entry_v1, "tricorn.health", "{}").unwrap();
        assert_eq!(status(&host, "GET", "/livez"), Some(200));
        assert_eq!(status(&host, "GET", "/readyz?verbose"), Some(200));
        assert_eq!(status(&host, "POST", "/readyz"), Some(405));
        assert_eq!(status(&host, "GET", "/"), None);
    }

    #[test]
    fn a_file_takes_the_server_out_of_rotation() {
        let file = std::env::temp_dir().join(format!("tricorn-health-{}", std::process::id()));
        let options = format!(r#"{{"maintenance_file": {file:?}, "ready": "/up"}}"#);
        let host = FakeHost::load(tricorn_plugin_entry_v1, "tricorn.health", &options).unwrap();
        assert_eq!(status(&host, "GET", "/up"), Some(200));
        std::fs::write(&file, "").unwrap();
        assert_eq!(status(&host, "GET", "/up"), Some(503));
        assert_eq!(status(&host, "GET", "/livez"), Some(200));
        std::fs::remove_file(&file).unwrap();
    }

    #[test]
    fn wrong_options_are_named() {
        let loaded = FakeHost::load(
            tricorn_plugin_entry_v1,
            "tricorn.health",
            r#"{"live": "x"}"#,
        );
        assert!(loaded.unwrap_err().to_string().contains("live"));
    }
}
