//! Prometheus text on a path of its own: what the server does, summed over all workers, with the
//! metrics of the other plugins. It is answered without the application, and without Python.

use tricorn_hooks::abi::CAUSES;
use tricorn_hooks::prelude::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    /// The path.
    path: String,
    /// Clients that may read it, by address; everybody without any.
    allow: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            path: "/metrics".to_owned(),
            allow: Vec::new(),
        }
    }
}

/// What a cause is counted as that this version of the plugin does not know: none goes uncounted.
const OTHER: &str = "other";

struct Shared {
    options: Options,
    numbers: Numbers,
    workers: Gauge,
    /// In the order of `CAUSES`, and last those of a cause that is not among them.
    exits: Vec<Counter>,
}

#[derive(Clone, Copy)]
struct Numbers {
    /// By the first digit of the status; the first for requests without an answer.
    requests: [Counter; 6],
    refused: Counter,
    duration: Histogram,
    in_flight: Gauge,
    sent: Counter,
    connections: Gauge,
}

struct Prometheus {
    path: String,
    allow: Vec<String>,
    numbers: Numbers,
    metrics: Metrics,
}

impl Numbers {
    fn define(metrics: Metrics) -> Result<Self> {
        let request = |class: usize| {
            let label = match class {
                0 => r#"code="none""#.to_owned(),
                class => format!(r#"code="{class}xx""#),
            };
            let help = "Requests that have ended, by the class of their status.";
            metrics.counter("tricorn_requests_total", &label, help)
        };
        Ok(Self {
            requests: [
                request(0)?,
                request(1)?,
                request(2)?,
                request(3)?,
                request(4)?,
                request(5)?,
            ],
            refused: metrics.counter(
                "tricorn_refused_requests_total",
                "",
                "Requests that were malformed or too large.",
            )?,
            duration: metrics.histogram(
                "tricorn_request_duration_seconds",
                "",
                "From a request's head to its end.",
            )?,
            in_flight: metrics.gauge(
                "tricorn_requests_in_flight",
                "",
                "Requests that have begun to run and have not ended.",
            )?,
            sent: metrics.counter(
                "tricorn_sent_bytes_total",
                "",
                "Bytes of content that were sent.",
            )?,
            connections: metrics.gauge("tricorn_connections", "", "Open connections.")?,
        })
    }
}

impl StagedPlugin for Prometheus {
    type Options = Options;
    type Module = Shared;

    fn prepare(options: Options, arbiter: &Arbiter) -> Result<Shared> {
        if !options.path.starts_with('/') {
            return Err(Error::new(format!(
                "path: {:?} does not begin with '/'",
                options.path
            )));
        }
        let metrics = arbiter.metrics()?;
        let help = "Workers that have ended, by the cause.";
        let exit = |cause: &str| {
            metrics.counter(
                "tricorn_worker_exits_total",
                &format!("cause=\"{cause}\""),
                help,
            )
        };
        Ok(Shared {
            options,
            numbers: Numbers::define(metrics)?,
            workers: metrics.gauge("tricorn_workers", "", "Workers that the server keeps.")?,
            exits: CAUSES
                .into_iter()
                .chain([OTHER])
                .map(exit)
                .collect::<Result<_>>()?,
        })
    }

    fn start(shared: &Shared, worker: &Worker) -> Result<Self> {
        Ok(Self {
            path: shared.options.path.clone(),
            allow: shared.options.allow.clone(),
            numbers: shared.numbers,
            metrics: worker.metrics()?,
        })
    }
}

impl Prometheus {
    fn show(&self, request: &mut Request<'_>) -> Result<Flow> {
        if request.path() != self.path {
            return Ok(Flow::Continue);
        }
        let peer = request.peer();
        // A unix socket has no address: whoever may open it may read.
        let may_read = self.allow.is_empty()
            || peer.is_empty()
            || self.allow.iter().any(|other| other == peer);
        if !may_read {
            return request.respond(Answer::text(403, "Not for this client\n"));
        }
        let answer = Answer::new(200)
            .header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            .body(self.metrics.render()?);
        request.respond(answer)
    }

    fn begin(&self, _: &mut Request<'_>) {
        self.numbers.in_flight.add(1);
    }

    fn end(&self, _: &Done<'_>) {
        self.numbers.in_flight.add(-1);
    }

    fn count(&self, done: &Done<'_>) {
        let class = usize::from(done.status / 100).min(5);
        self.numbers.requests[class].increment();
        self.numbers.duration.observe(done.duration);
        self.numbers
            .sent
            .add(u32::try_from(done.sent).unwrap_or(u32::MAX));
    }

    fn refuse(&self, _: &Refusal<'_>) {
        self.numbers.refused.increment();
    }

    fn open(&self, _: &Connection<'_>) {
        self.numbers.connections.add(1);
    }

    fn close(&self, _: &Connection<'_>) {
        self.numbers.connections.add(-1);
    }

    fn resize(shared: &Shared, count: &Count) {
        shared
            .workers
            .set(i64::try_from(count.new).unwrap_or(i64::MAX));
    }

    fn mourn(shared: &Shared, worker: &Departure) {
        let mut causes = CAUSES.iter();
        let place = causes.position(|cause| *cause == worker.cause);
        if let Some(counter) = shared.exits.get(place.unwrap_or(CAUSES.len())) {
            counter.increment();
        }
    }
}

on!(Prometheus, request_head => show, priority: -150);
// The first to hear of a request, so that each `post_request` has its `pre_request`.
on!(Prometheus, pre_request => begin, priority: -1000);
on!(Prometheus, post_request => end);
on!(Prometheus, access => count);
on!(Prometheus, request_error => refuse);
on!(Prometheus, conn_open => open);
on!(Prometheus, conn_close => close);
on!(Prometheus, nworkers_changed => resize);
on!(Prometheus, child_exit => mourn);

export_plugin!(
    Prometheus,
    id = "tricorn.metrics",
    description = "Shows the server's numbers as Prometheus text"
);

#[cfg(test)]
mod tests {
    use tricorn_hooks::abi;
    use tricorn_hooks::testing::{FakeHost, FakeRequest};

    use super::*;

    fn host(options: &str) -> FakeHost {
        FakeHost::load(tricorn_plugin_entry_v1, "tricorn.metrics", options).unwrap()
    }

    #[test]
    fn requests_are_counted_from_their_beginning_to_their_end() {
        let host = host("{}");
        let mut request = FakeRequest::new("GET", "/");
        request.response.status = 404;
        host.pre_request(&mut request).unwrap();
        assert_eq!(host.metric("tricorn_requests_in_flight"), Some(1));
        host.end(&mut request).unwrap();
        assert_eq!(host.metric("tricorn_requests_in_flight"), Some(0));
        assert_eq!(
            host.metric(r#"tricorn_requests_total{code="4xx"}"#),
            Some(1)
        );
        assert_eq!(host.metric("tricorn_request_duration_seconds"), Some(1));
    }

    #[test]
    fn workers_that_are_gone_are_counted_by_cause() {
        let host = host("{}");
        let count =
            |cause: &str| host.metric(&format!("tricorn_worker_exits_total{{cause=\"{cause}\"}}"));
        for cause in CAUSES {
            assert_eq!(count(cause), Some(0), "{cause} is there before it happens");
            host.worker_event(abi::EVENT_CHILD_EXIT, cause).unwrap();
            assert_eq!(count(cause), Some(1), "{cause}");
        }
        host.worker_event(abi::EVENT_CHILD_EXIT, "of a later server")
            .unwrap();
        assert_eq!(count("other"), Some(1));
    }

    #[test]
    fn the_text_is_for_those_who_may_read_it() {
        let host = host(r#"{"path": "/m", "allow": ["192.0.2.7"]}"#);
        let status = |peer: &str| {
            let mut request = FakeRequest::new("GET", "/m").peer(peer);
            host.request_head(&mut request).unwrap();
            request.answer.as_ref().unwrap().status
        };
        assert_eq!(
            (status("192.0.2.7"), status("192.0.2.8"), status("")),
            (200, 403, 200)
        );
    }
}
