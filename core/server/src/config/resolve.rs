//! From checked settings to the typed configuration.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tricorn_http::network::AllowList;
use tricorn_http::trust::{HeaderMap, ProxyProtocol, Trust};
use tricorn_http::{Leniency, Limits, Rules};

use super::address::Address;
use super::check::strings;
use super::layers::Settings;
use super::plugin_options::{self, named};
use super::plugins;
use super::typed::{Bounds, Config, Plugins, TimeLimits, WorkerClass};
use super::value::Value;
use crate::error::Failure;

impl Config {
    /// Reads the typed configuration out of checked settings.
    ///
    /// # Errors
    /// A value that its kind allows and its meaning does not.
    pub fn from_settings(settings: Settings) -> Result<Self, Failure> {
        let read = Reader(&settings);
        read.protocols()?;
        let (worker_class, threads) = read.worker_class()?;
        Ok(Self {
            bind: read.bind()?,
            backlog: i32::try_from(read.count("backlog")).unwrap_or(i32::MAX),
            workers: read.size("workers"),
            worker_class,
            worker_name: read.worker_name(worker_class),
            threads,
            max_requests: read.count("max_requests"),
            max_requests_jitter: read.count("max_requests_jitter"),
            max_worker_memory: Some(read.count("max_worker_memory")).filter(|&most| most > 0),
            max_surge: read.size("max_surge"),
            reuse_port: read.truth("reuse_port"),
            time: read.time_limits(),
            bounds: read.bounds(),
            rules: Arc::new(read.rules()?),
            logging: read.logging()?,
            preload: read.truth("preload_app"),
            preload_reload: read.truth("preload_reload"),
            gc_freeze: read.truth("gc_freeze"),
            sendfile: read.truth("sendfile"),
            daemon: read.truth("daemon"),
            inherits_stdio: read.truth("enable_stdio_inheritance"),
            pidfile: read.text("pidfile").map(PathBuf::from),
            user: read.id("user"),
            group: read.id("group"),
            initgroups: read.truth("initgroups"),
            umask: read.count("umask") as u32 & 0o7777,
            env: read.env()?,
            proc_name: read.proc_name(),
            plugins: read.plugins()?,
            settings,
        })
    }
}

/// Longer than any server runs; a time limit beyond it is one that never comes.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

pub(super) struct Reader<'s>(pub(super) &'s Settings);

impl Reader<'_> {
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match self.0.value(name) {
            Value::Str(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    pub(super) fn truth(&self, name: &str) -> bool {
        self.0.value(name) == &Value::Bool(true)
    }

    fn count(&self, name: &str) -> u64 {
        match self.0.value(name) {
            Value::Int(number) => u64::try_from(*number).unwrap_or(0),
            _ => 0,
        }
    }

    fn size(&self, name: &str) -> usize {
        usize::try_from(self.count(name)).unwrap_or(usize::MAX)
    }

    fn id(&self, name: &str) -> Option<u32> {
        match self.0.value(name) {
            Value::Int(number) => u32::try_from(*number).ok(),
            _ => None,
        }
    }

    fn seconds(&self, name: &str) -> Duration {
        let seconds = match self.0.value(name) {
            Value::Float(seconds) => Duration::try_from_secs_f64(*seconds).unwrap_or(LONGEST),
            _ => Duration::from_secs(self.count(name)),
        };
        seconds.min(LONGEST)
    }

    /// Zero stands for no limit.
    fn limit(&self, name: &str) -> Option<Duration> {
        Some(self.seconds(name)).filter(|limit| !limit.is_zero())
    }

    fn worker_class(&self) -> Result<(WorkerClass, usize), Failure> {
        let threads = self.size("threads").max(1);
        let class = match self.0.value("worker_class") {
            Value::Str(name) => match name.as_str() {
                "sync" | "gunicorn.workers.sync.SyncWorker" if threads == 1 => WorkerClass::Sync,
                "sync" | "gunicorn.workers.sync.SyncWorker" => WorkerClass::Gthread,
                "gthread" | "gunicorn.workers.gthread.ThreadWorker" => WorkerClass::Gthread,
                dotted if dotted.contains(['.', ':']) => WorkerClass::Own,
                _ => return Err(self.unknown_class()),
            },
            Value::Object(_) => WorkerClass::Own,
            _ => return Err(self.unknown_class()),
        };
        Ok((
            class,
            if class == WorkerClass::Sync {
                1
            } else {
                threads
            },
        ))
    }

    fn worker_name(&self, class: WorkerClass) -> String {
        match self.0.value("worker_class") {
            Value::Str(name) if class == WorkerClass::Own => name.clone(),
            Value::Object(object) => object.shown.clone(),
            _ => class.name().to_owned(),
        }
    }

    fn unknown_class(&self) -> Failure {
        let value = self.0.value("worker_class");
        self.0
            .complain(
                "worker_class",
                format_args!("{value} is not a worker class of this version"),
            )
            .mend("give sync, gthread, or the dotted name of a class of your own")
    }

    /// Whoever wants the second version of HTTP alone would be served what they have ruled out.
    fn protocols(&self) -> Result<(), Failure> {
        let is_h2_alone = strings(self.0.value("http_protocols")).eq(["h2"]);
        let failure = || {
            let what = "'h2' alone cannot be honoured";
            self.0
                .complain("http_protocols", what)
                .mend("HTTP/2 is not part of this version: give h1, or h2,h1")
        };
        if is_h2_alone { Err(failure()) } else { Ok(()) }
    }

    fn bind(&self) -> Result<Vec<Address>, Failure> {
        let addresses = strings(self.0.value("bind"))
            .map(Address::parse)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|invalid| {
                self.0
                    .complain("bind", invalid)
                    .mend("give HOST:PORT, [V6]:PORT, unix:PATH, unix:@NAME or fd://N")
            })?;
        if addresses.is_empty() {
            return Err(self
                .0
                .complain("bind", "there is no address to listen on")
                .mend("give HOST:PORT"));
        }
        Ok(addresses)
    }

    fn plugins(&self) -> Result<Plugins, Failure> {
        let mut specs = plugins::specs(self.0)?;
        let addressed = plugin_options::distribute(self.0, &mut specs)?;
        Ok(Plugins {
            specs,
            addressed,
            timeout: self.seconds("plugin_timeout"),
            allowed: strings(self.0.value("plugin_allow"))
                .map(str::to_owned)
                .collect(),
            keep_copies: self.truth("plugin_keep_copies"),
        })
    }

    fn time_limits(&self) -> TimeLimits {
        TimeLimits {
            header: self.limit("header_timeout"),
            body: self.limit("body_timeout"),
            write: self.limit("write_timeout"),
            keepalive: self.seconds("keepalive"),
            timeout: self.limit("timeout"),
            boot: self.limit("boot_timeout"),
            worker_age: self.limit("max_worker_age"),
            request: self.limit("request_timeout"),
            abort_grace: self.seconds("abort_grace"),
            graceful: self.seconds("graceful_timeout"),
        }
    }

    fn bounds(&self) -> Bounds {
        let connections = match self.size("worker_connections") {
            0 => usize::MAX,
            connections => connections,
        };
        Bounds {
            connections,
            request_body: self.size("request_body_buffer"),
            reads_chunks: self.truth("request_body_chunks"),
            request_bodies: self.size("request_body_memory"),
            response: self.size("response_buffer"),
        }
    }

    fn rules(&self) -> Result<Rules, Failure> {
        let limits = Limits::new(
            self.size("limit_request_line"),
            self.size("limit_request_fields"),
            self.size("limit_request_field_size"),
        );
        let leniency = Leniency {
            obsolete_folding: self.truth("permit_obsolete_folding"),
            strip_header_spaces: self.truth("strip_header_spaces"),
            any_method: self.truth("permit_unconventional_http_method"),
            any_version: self.truth("permit_unconventional_http_version"),
            casefold_method: self.truth("casefold_http_method"),
            missing_host: self.truth("permit_missing_host"),
        };
        Ok(Rules {
            limits,
            leniency,
            trust: self.trust()?,
        })
    }

    fn trust(&self) -> Result<Trust, Failure> {
        let secure_scheme_fields = match self.0.value("secure_scheme_headers") {
            Value::Dict(items) => items
                .iter()
                .filter_map(|(name, value)| match value {
                    Value::Str(value) => Some((name.clone(), value.clone().into_bytes())),
                    _ => None,
                })
                .collect(),
            _ => Vec::new(),
        };
        Ok(Trust {
            forwarded: self.networks("forwarded_allow_ips")?,
            secure_scheme_fields,
            forwarder_fields: strings(self.0.value("forwarder_headers"))
                .map(str::to_owned)
                .collect(),
            header_map: match self.text("header_map") {
                Some("refuse") => HeaderMap::Refuse,
                Some("dangerous") => HeaderMap::Dangerous,
                _ => HeaderMap::Drop,
            },
            proxy_protocol: match self.text("proxy_protocol") {
                Some("v1") => ProxyProtocol::V1,
                Some("v2") => ProxyProtocol::V2,
                Some("auto") => ProxyProtocol::Auto,
                _ => ProxyProtocol::Off,
            },
            proxy: self.networks("proxy_allow_ips")?,
        })
    }

    fn networks(&self, name: &str) -> Result<AllowList, Failure> {
        AllowList::parse(strings(self.0.value(name)))
            .map_err(|invalid| self.0.complain(name, invalid))
    }

    fn env(&self) -> Result<Vec<(String, String)>, Failure> {
        strings(self.0.value("raw_env"))
            .filter(|item| !item.is_empty())
            .map(|item| match item.split_once('=') {
                Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
                _ => Err(self
                    .0
                    .complain("raw_env", format_args!("{} is not NAME=VALUE", named(item)))
                    .mend("give NAME=VALUE")),
            })
            .collect()
    }

    pub(super) fn proc_name(&self) -> String {
        let name = self
            .text("proc_name")
            .or_else(|| self.text("default_proc_name"));
        name.unwrap_or("gunicorn").to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::super::layers::{Layer, Source};
    use super::*;

    fn config(values: &[(&str, Value)]) -> Result<Config, String> {
        let values = values
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        let layer = Layer {
            source: Source::CommandLine,
            values,
        };
        Settings::resolve(&[layer], |_| None)
            .and_then(Config::from_settings)
            .map_err(|e| e.to_string())
    }

    #[test]
    fn the_defaults_make_a_configuration() {
        let config = config(&[]).unwrap();
        assert_eq!(
            config.bind,
            [Address::Tcp {
                host: "127.0.0.1".into(),
                port: 8000
            }]
        );
        assert_eq!(
            (config.workers, config.worker_class, config.threads),
            (1, WorkerClass::Sync, 1)
        );
        assert_eq!(config.time.timeout, Some(Duration::from_secs(30)));
        assert_eq!(config.rules.limits, Limits::default());
        assert_eq!(config.logging.level, log::LevelFilter::Info);
        assert!(config.logging.errorlog.is_none() && config.logging.accesslog.is_none());
        assert!(config.sendfile && !config.daemon);
    }

    #[test]
    fn threads_make_gthread_of_sync() {
        let config = config(&[("threads", 4.into())]).unwrap();
        assert_eq!(
            (config.worker_class, config.threads),
            (WorkerClass::Gthread, 4)
        );
    }

    #[test]
    fn meanings_are_checked_too() {
        for (name, value, word) in [
            ("worker_class", "gevent", "sync, gthread"),
            ("loglevel", "loud", "'loud' is not a level"),
            ("raw_env", "NAME", "NAME=VALUE"),
            ("bind", "a:b", "'a:b' does not end in a port"),
            ("http_protocols", "h2", "'h2' alone cannot be honoured"),
        ] {
            let refused = config(&[(name, value.into())]).unwrap_err();
            assert!(
                refused.contains(word) && refused.contains("command line"),
                "{refused}"
            );
        }
        assert!(
            config(&[("bind", Value::List(vec![]))])
                .unwrap_err()
                .contains("no address")
        );
    }

    #[test]
    fn a_time_limit_of_zero_is_none() {
        let config =
            config(&[("timeout", 0.into()), ("header_timeout", Value::Float(0.5))]).unwrap();
        assert_eq!(config.time.timeout, None);
        assert_eq!(config.time.header, Some(Duration::from_millis(500)));
    }
}
