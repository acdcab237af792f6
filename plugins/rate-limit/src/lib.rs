//! So many requests a second for each client, counted over all workers in shared memory.
//!
//! Each client has one word of memory: the time at which its bucket is full again (the generic cell
//! rate algorithm, ITU-T I.371). A request moves it on by its own share with one atomic step, so no
//! lock is needed, and a worker that is killed leaves nothing half-done.

mod table;

use std::net::{IpAddr, SocketAddr};

use tricorn_hooks::prelude::*;

use table::{Table, Verdict};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    /// Requests a second.
    rate: f64,
    /// Requests that may come at once.
    #[serde(default = "ten")]
    burst: u32,
    /// Who counts as one client: `address`, or `header:NAME`. Of `X-Forwarded-For` it is the address
    /// that the nearest proxy has seen.
    #[serde(default = "address")]
    key: String,
    /// Paths under these prefixes are counted; all of them without any.
    #[serde(default)]
    paths: Vec<String>,
    /// Clients that are remembered at once.
    #[serde(default = "many")]
    clients: usize,
}

fn ten() -> u32 {
    10
}

fn many() -> usize {
    65_536
}

fn address() -> String {
    "address".to_owned()
}

/// The most clients that can be remembered: a gibibyte of memory.
const MOST_CLIENTS: usize = 1 << 26;

struct Shared {
    options: Options,
    header: Option<String>,
    table: Table,
    limited: Counter,
}

struct RateLimit {
    header: Option<String>,
    paths: Vec<String>,
    table: Table,
    limited: Counter,
}

impl StagedPlugin for RateLimit {
    type Options = Options;
    type Module = Shared;

    fn prepare(options: Options, arbiter: &Arbiter) -> Result<Shared> {
        if !(options.rate > 0.0 && options.rate <= 1e6) {
            return Err(Error::new(
                "rate: it must be above 0, and a million at most",
            ));
        }
        if options.burst == 0 {
            return Err(Error::new("burst: it must be 1 or more"));
        }
        if !(1..=MOST_CLIENTS).contains(&options.clients) {
            return Err(Error::new(format!(
                "clients: it must be from 1 to {MOST_CLIENTS}"
            )));
        }
        let header = match options.key.split_once(':') {
            Some(("header", name)) if !name.is_empty() => Some(name.to_owned()),
            None if options.key == "address" => None,
            _ => return Err(Error::new("key: it must be 'address' or 'header:NAME'")),
        };
        let zone = arbiter.zone("clients", Table::size(options.clients))?;
        let limited = arbiter.metrics()?.counter(
            "tricorn_rate_limited_total",
            "",
            "Requests that were refused because their client had sent too many.",
        )?;
        Ok(Shared {
            table: Table::new(zone.words(), options.rate, options.burst)?,
            header,
            options,
            limited,
        })
    }

    fn start(shared: &Shared, _: &Worker) -> Result<Self> {
        Ok(Self {
            header: shared.header.clone(),
            paths: shared.options.paths.clone(),
            table: shared.table,
            limited: shared.limited,
        })
    }
}

impl RateLimit {
    fn limit(&self, request: &mut Request<'_>) -> Result<Flow> {
        if !self.paths.is_empty() && !request.may_concern(&self.paths) {
            return Ok(Flow::Continue);
        }
        let network;
        let key = match &self.header {
            Some(name) if name.eq_ignore_ascii_case(FORWARDED) => {
                network = network_of(forwarded(request).unwrap_or_else(|| request.peer()));
                network.as_slice()
            }
            Some(name) => request.header(name).unwrap_or_default(),
            None => {
                network = network_of(request.peer());
                network.as_slice()
            }
        };
        match self.table.take(key, table::now()) {
            Verdict::Pass => Ok(Flow::Continue),
            Verdict::Wait(seconds) => {
                self.limited.increment();
                let answer = Answer::text(429, "Too many requests\n");
                request.respond(answer.header("Retry-After", seconds.to_string()))
            }
        }
    }
}

/// Each proxy writes the address that it has seen behind what it was sent.
const FORWARDED: &str = "x-forwarded-for";

/// The address that the nearest proxy has seen, if there is one that is believed. What stands before it
/// the client may have written.
fn forwarded<'r>(request: &'r Request<'_>) -> Option<&'r str> {
    let fields = request.headers();
    let fields = fields.filter(|(name, _)| name.eq_ignore_ascii_case(FORWARDED.as_bytes()));
    let (_, value) = fields.last().filter(|_| request.peer_is_trusted())?;
    let last = std::str::from_utf8(value).ok()?.rsplit(',').next()?.trim();
    (!last.is_empty()).then_some(last)
}

/// What counts as one client: an IPv4 address, or the first half of an IPv6 one, of which a client
/// has all the rest (RFC 6177).
fn network_of(peer: &str) -> Vec<u8> {
    // Some proxies write the port too.
    let address = peer
        .parse::<IpAddr>()
        .or_else(|_| peer.parse::<SocketAddr>().map(|address| address.ip()));
    match address.map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(address)) => address.octets().to_vec(),
        Ok(IpAddr::V6(address)) => address.octets()[..8].to_vec(),
        Err(_) => peer.as_bytes().to_vec(),
    }
}

on!(RateLimit, request_head => limit, priority: -50);

export_plugin!(
    RateLimit,
    id = "tricorn.rate-limit",
    description = "Refuses clients that send too many requests",
    required = true
);

#[cfg(test)]
mod tests {
    use tricorn_hooks::testing::{FakeHost, FakeRequest};

    use super::*;

    fn host(options: &str) -> FakeHost {
        FakeHost::load(tricorn_plugin_entry_v1, "tricorn.rate-limit", options).unwrap()
    }

    #[test]
    fn a_client_that_sends_too_many_is_told_when_to_come_again() {
        let host = host(r#"{"rate": 0.1, "burst": 2}"#);
        let flow = |peer: &str| {
            let mut request = FakeRequest::new("GET", "/").peer(peer);
            let flow = host.request_head(&mut request).unwrap();
            (flow, request.answer.clone())
        };
        assert_eq!(flow("192.0.2.1").0, Flow::Continue);
        assert_eq!(flow("192.0.2.1").0, Flow::Continue);
        let (refused, answer) = flow("192.0.2.1");
        assert_eq!(refused, Flow::Respond);
        let answer = answer.unwrap();
        assert_eq!(
            (answer.status, answer.header("retry-after").as_deref()),
            (429, Some("10"))
        );
        assert_eq!(flow("192.0.2.2").0, Flow::Continue, "another client");
        for peer in ["2001:db8::1", "2001:db8::2"] {
            assert_eq!(flow(peer).0, Flow::Continue);
        }
        assert_eq!(flow("2001:db8::3").0, Flow::Respond, "of one network");
        assert_eq!(flow("2001:db8:0:1::3").0, Flow::Continue);
        assert_eq!(host.metric("tricorn_rate_limited_total"), Some(2));
    }

    #[test]
    fn a_header_can_be_the_key_and_paths_can_be_left_alone() {
        let host = host(r#"{"rate": 0.1, "burst": 1, "key": "header:X-Key", "paths": ["/api"]}"#);
        let flow = |target: &str, key: &str| {
            let mut request = FakeRequest::new("GET", target).header("X-Key", key);
            host.request_head(&mut request).unwrap()
        };
        assert_eq!(flow("/api/a", "one"), Flow::Continue);
        assert_eq!(flow("/api/b", "one"), Flow::Respond);
        assert_eq!(flow("/%61pi/b", "one"), Flow::Respond);
        assert_eq!(flow("/api/b", "two"), Flow::Continue);
        assert_eq!(flow("/page", "one"), Flow::Continue);
    }

    #[test]
    fn behind_a_proxy_the_address_counts_that_it_has_seen() {
        let host = host(r#"{"rate": 0.1, "burst": 1, "key": "header:X-Forwarded-For"}"#);
        let flow = |request: FakeRequest, values: &[&str]| {
            let mut request = values.iter().fold(request, |request, value| {
                request.header("X-Forwarded-For", *value)
            });
            host.request_head(&mut request).unwrap()
        };
        let proxied = || FakeRequest::new("GET", "/").peer("192.0.2.1").trusted();
        assert_eq!(flow(proxied(), &["198.51.100.7"]), Flow::Continue);
        for values in [
            &["203.0.113.9, 198.51.100.7"] as &[&str],
            &["203.0.113.9", "198.51.100.7"],
            &["198.51.100.7:4711"],
        ] {
            assert_eq!(flow(proxied(), values), Flow::Respond, "{values:?}");
        }
        assert_eq!(flow(proxied(), &["198.51.100.8"]), Flow::Continue);
        assert_eq!(flow(proxied(), &["[2001:db8::1]:4711"]), Flow::Continue);
        assert_eq!(flow(proxied(), &["2001:db8::2"]), Flow::Respond);
        let stranger = || FakeRequest::new("GET", "/").peer("192.0.2.2");
        assert_eq!(flow(stranger(), &["198.51.100.9"]), Flow::Continue);
        assert_eq!(
            flow(stranger(), &["198.51.100.10"]),
            Flow::Respond,
            "not believed"
        );
        assert_eq!(
            flow(proxied(), &[]),
            Flow::Continue,
            "the proxy's own address"
        );
        assert_eq!(flow(proxied(), &[""]), Flow::Respond);
    }

    #[test]
    fn wrong_options_are_named() {
        for (options, name) in [
            (r#"{"rate": 0}"#, "rate"),
            (r#"{"rate": 1, "burst": 0}"#, "burst"),
            (r#"{"rate": 1, "key": "cookie"}"#, "key"),
            (r#"{"rate": 1, "clients": 0}"#, "clients"),
            (r#"{}"#, "rate"),
            (r#"{"rate": 1, "brust": 1}"#, "brust"),
        ] {
            let loaded = FakeHost::load(tricorn_plugin_entry_v1, "tricorn.rate-limit", options);
            let text = loaded.unwrap_err().to_string();
            assert!(text.contains(name), "{options}: {text}");
        }
    }
}
