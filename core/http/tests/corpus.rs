//! Replays `tests/corpus`: every file whole, byte by byte, and at random splits. What is found must
//! not depend on how the bytes were split.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tricorn_http::body::{BodyDecoder, Decoded};
use tricorn_http::network::AllowList;
use tricorn_http::proxy::{self, Opening};
use tricorn_http::trust::{HeaderMap, ProxyProtocol, Trust};
use tricorn_http::{Head, HeadScan, Leniency, PeerError, Rules, Scanned, percent_decode};

/// A case: its name, its bytes, and what must happen.
struct Case {
    name: String,
    bytes: Vec<u8>,
    expected: Value,
}

fn cases(folder: &str) -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/corpus")
        .join(folder);
    let mut paths: Vec<PathBuf> = fs::read_dir(&root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "http")
        })
        .collect();
    paths.sort();
    assert!(
        paths.len() >= 60,
        "{} has {} cases",
        root.display(),
        paths.len()
    );
    paths
        .into_iter()
        .map(|path| Case {
            name: path.file_stem().unwrap().to_string_lossy().into_owned(),
            bytes: fs::read(&path).unwrap(),
            expected: serde_json::from_slice(&fs::read(path.with_extension("json")).unwrap())
                .unwrap(),
        })
        .collect()
}

fn rules(settings: &Value) -> Rules {
    let is = |name: &str| settings[name] == true;
    let leniency = Leniency {
        obsolete_folding: is("permit_obsolete_folding"),
        strip_header_spaces: is("strip_header_spaces"),
        any_method: is("permit_unconventional_http_method"),
        any_version: is("permit_unconventional_http_version"),
        casefold_method: is("casefold_http_method"),
        missing_host: is("permit_missing_host"),
    };
    let trust = Trust {
        forwarded: AllowList::parse(["127.0.0.1"]).unwrap(),
        secure_scheme_fields: vec![
            ("X-FORWARDED-PROTO".into(), b"https".to_vec()),
            ("X-FORWARDED-SSL".into(), b"on".to_vec()),
        ],
        forwarder_fields: vec!["SCRIPT_NAME".into(), "PATH_INFO".into()],
        header_map: match settings["header_map"].as_str() {
            Some("refuse") => HeaderMap::Refuse,
            Some("dangerous") => HeaderMap::Dangerous,
            _ => HeaderMap::Drop,
        },
        proxy_protocol: match settings["proxy_protocol"].as_str() {
            Some("v1") => ProxyProtocol::V1,
            Some("v2") => ProxyProtocol::V2,
            Some("auto") => ProxyProtocol::Auto,
            _ => ProxyProtocol::Off,
        },
        proxy: AllowList::parse([settings["proxy_allow_ips"].as_str().unwrap_or("127.0.0.1")])
            .unwrap(),
    };
    Rules {
        leniency,
        trust,
        ..Rules::default()
    }
}

/// A connection as a server would keep it: the bytes not used up, and how far they were understood.
struct Connection {
    rules: Rules,
    input: Vec<u8>,
    opened: bool,
    client: Option<SocketAddr>,
    scan: HeadScan,
    under_way: Option<(Head, BodyDecoder, Vec<u8>)>,
    requests: Vec<Value>,
}

impl Connection {
    fn new(settings: &Value) -> Self {
        Self {
            rules: rules(settings),
            input: Vec::new(),
            opened: false,
            client: None,
            scan: HeadScan::default(),
            under_way: None,
            requests: Vec::new(),
        }
    }

    fn receive(&mut self, bytes: &[u8]) -> Result<(), PeerError> {
        self.input.extend_from_slice(bytes);
        while self.step()? {}
        Ok(())
    }

    /// Whether anything was understood.
    fn step(&mut self) -> Result<bool, PeerError> {
        if let Some((_, decoder, content)) = &mut self.under_way {
            let (used, ended) = match decoder.decode(&self.input)? {
                Decoded::Content { skip, len } => {
                    content.extend_from_slice(&self.input[skip..skip + len]);
                    (skip + len, false)
                }
                Decoded::Partial { used } => (used, false),
                Decoded::End { used } => (used, true),
            };
            self.input.drain(..used);
            if ended {
                self.finish();
            }
            return Ok(used > 0 || ended);
        }
        if !self.opened {
            return self.open();
        }
        let Scanned::Complete(extent) = self.scan.advance(&self.input, &self.rules.limits)? else {
            return Ok(false);
        };
        let mut head = Head::default();
        head.read(&self.input, extent, &self.rules, true)?;
        self.input.drain(..extent.end);
        self.scan = HeadScan::default();
        let decoder = BodyDecoder::new(head.framing(), &self.rules.limits);
        self.under_way = Some((head, decoder, Vec::new()));
        Ok(true)
    }

    fn open(&mut self) -> Result<bool, PeerError> {
        match proxy::read(&self.input, self.rules.trust.proxy_protocol)? {
            Opening::Partial => return Ok(false),
            Opening::Absent => {}
            Opening::Header { len, peer } => {
                if !self
                    .rules
                    .trust
                    .proxy
                    .allows(Some("127.0.0.1".parse().unwrap()))
                {
                    return Err(PeerError::ProxyNotAllowed);
                }
                self.client = peer.map(|peer| peer.client);
                self.input.drain(..len);
            }
        }
        self.opened = true;
        Ok(true)
    }

    fn finish(&mut self) {
        let Some((head, decoder, content)) = self.under_way.take() else {
            return;
        };
        let pair = |(name, value): (&[u8], &[u8])| json!([text(name), text(value)]);
        let trailers: Vec<Value> = decoder.trailers().fields().map(pair).collect();
        let mut decoded = Vec::new();
        percent_decode(head.path(), &mut decoded);
        self.requests.push(json!({
            "method": text(head.method()),
            "target": text(head.target()),
            "path": text(head.path()),
            "decoded": text(&decoded),
            "query": text(head.query()),
            "version": [head.version().major, head.version().minor],
            "headers": head.fields().map(|(_, name, value)| pair((name, value))).collect::<Vec<_>>(),
            "body": text(&content),
            "trailers": trailers,
            "keep_alive": head.keeps_alive(),
            "scheme": head.forwarded_https().map(|https| if https { "https" } else { "http" }),
            "client": self.client.map(|client| client.to_string()),
        }));
    }
}

fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|&b| char::from(b)).collect()
}

/// A way in which a case's bytes are split.
struct Splitting {
    name: String,
    /// Where the pieces end.
    ends: Vec<usize>,
}

impl Splitting {
    fn new(name: &str, ends: Vec<usize>) -> Self {
        Self {
            name: name.to_owned(),
            ends,
        }
    }
}

fn splittings(case: &Case) -> Vec<Splitting> {
    let length = case.bytes.len();
    let mut splittings = vec![
        Splitting::new("whole", vec![length]),
        Splitting::new("byte by byte", (1..=length).collect()),
    ];
    let mut state = case
        .name
        .bytes()
        .fold(0x9e37_79b9_7f4a_7c15_u64, |hash, b| {
            (hash ^ u64::from(b)).wrapping_mul(0x100_0000_01b3)
        });
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below.max(1) as u64) as usize
    };
    for _ in 0..20 {
        let mut ends: Vec<usize> = (0..1 + random(6)).map(|_| random(length)).collect();
        ends.push(length);
        ends.sort_unstable();
        ends.dedup();
        splittings.push(Splitting::new(&format!("split at {ends:?}"), ends));
    }
    splittings
}

fn replay(case: &Case, splitting: &Splitting) -> (Connection, Result<(), PeerError>) {
    let mut connection = Connection::new(&case.expected["settings"]);
    let mut start = 0;
    for &end in &splitting.ends {
        if let Err(error) = connection.receive(&case.bytes[start..end]) {
            return (connection, Err(error));
        }
        start = end;
    }
    (connection, Ok(()))
}

/// Compares what is expected, key by key: what a case does not mention may be anything.
fn assert_requests(case: &Case, found: &[Value], how: &str) {
    let expected = case.expected["requests"].as_array().unwrap();
    assert_eq!(
        found.len(),
        expected.len(),
        "{} {how}: {found:?}",
        case.name
    );
    for (found, expected) in found.iter().zip(expected) {
        for (key, value) in expected.as_object().unwrap() {
            assert_eq!(&found[key], value, "{}: {key}, {how}", case.name);
        }
        if expected.get("trailers").is_none() {
            assert_eq!(
                found["trailers"],
                json!([]),
                "{}: unexpected trailers",
                case.name
            );
        }
        if expected.get("client").is_none() {
            assert_eq!(
                found["client"],
                Value::Null,
                "{}: unexpected client",
                case.name
            );
        }
    }
}

#[test]
fn what_must_be_accepted_is_read_the_same_however_it_is_split() {
    for case in cases("accepted") {
        for splitting in splittings(&case) {
            let how = &splitting.name;
            let (connection, result) = replay(&case, &splitting);
            assert_eq!(result, Ok(()), "{} {how}", case.name);
            assert_requests(&case, &connection.requests, how);
            assert!(
                connection.input.is_empty(),
                "{}: bytes are left over",
                case.name
            );
        }
    }
}

#[test]
fn what_must_be_refused_is_refused_the_same_however_it_is_split() {
    for case in cases("refused") {
        for splitting in splittings(&case) {
            let how = &splitting.name;
            let (connection, result) = replay(&case, &splitting);
            let error = result.expect_err(&format!("{} {how} is accepted", case.name));
            let name = format!("{error:?}");
            let name = name.split('(').next().unwrap();
            assert_eq!(name, case.expected["error"], "{} {how}", case.name);
            assert_eq!(
                error.status().code(),
                case.expected["status"],
                "{}",
                case.name
            );
            assert!(
                connection.requests.is_empty(),
                "{}: a request got through",
                case.name
            );
        }
    }
}

#[test]
fn a_head_of_800_kilobytes_that_drips_in_costs_linear_time() {
    // A scan that started over at each byte would look at 300 billion of them here, and not come to
    // an end; this one looks at each once.
    let field = format!("X: {}\r\n", "a".repeat(8000));
    let head = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", field.repeat(98));
    assert!(head.len() > 780_000);
    let limits = tricorn_http::Limits::default();
    let mut scan = HeadScan::default();
    for end in 0..head.len() {
        assert_eq!(
            scan.advance(&head.as_bytes()[..end], &limits),
            Ok(Scanned::Partial)
        );
    }
    assert!(matches!(
        scan.advance(head.as_bytes(), &limits),
        Ok(Scanned::Complete(_))
    ));
}
