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
use super::plugins;
use super::start::from_start;
use super::telemetry::{
    Statsd, StatsdAddress, Syslog, SyslogAddress, facility as facility_number, prefix,
};
use super::typed::{AccessSink, Bounds, Config, Logging, Maker, Plugins, TimeLimits, WorkerClass};
use super::value::Value;
use crate::error::Failure;

/// Names of the server's own logger: its own, and gunicorn's.
const OWN_LOGGER: [&str; 3] = ["native", "simple", "gunicorn.glogging.Logger"];

impl Config {
    /// Reads the typed configuration out of checked settings.
    ///
    /// # Errors
    /// A value that its kind allows and its meaning does not.
    pub fn from_settings(settings: Settings) -> Result<Self, Failure> {
        let read = Reader(&settings);
        let (worker_class, threads) = read.worker_class()?;
        Ok(Self {
            bind: read.bind()?,
            backlog: i32::try_from(read.count("backlog")).unwrap_or(i32::MAX),
            workers: read.size("workers"),
            worker_class,
            threads,
            max_requests: read.count("max_requests"),
            max_requests_jitter: read.count("max_requests_jitter"),
            time: read.time_limits(),
            bounds: read.bounds(),
            rules: Arc::new(read.rules()?),
            logging: read.logging()?,
            preload: read.truth("preload_app"),
            sendfile: read.truth("sendfile"),
            daemon: read.truth("daemon"),
            pidfile: read.text("pidfile").map(PathBuf::from),
            user: read.id("user"),
            group: read.id("group"),
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

struct Reader<'s>(&'s Settings);

impl Reader<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        match self.0.value(name) {
            Value::Str(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    fn truth(&self, name: &str) -> bool {
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
                _ => return Err(self.unknown_class()),
            },
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

    fn unknown_class(&self) -> Failure {
        let value = self.0.value("worker_class");
        self.0
            .complain(
                "worker_class",
                format_args!("{value} is not a worker class of this version"),
            )
            .mend("give sync or gthread")
    }

    fn bind(&self) -> Result<Vec<Address>, Failure> {
        let addresses = strings(self.0.value("bind"))
            .map(Address::parse)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|invalid| {
                self.0
                    .complain("bind", invalid)
                    .mend("give HOST:PORT, [V6]:PORT, unix:PATH or fd://N")
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
        Ok(Plugins {
            specs: plugins::specs(self.0)?,
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

    fn logging(&self) -> Result<Logging, Failure> {
        Ok(Logging {
            errorlog: self
                .text("errorlog")
                .filter(|path| *path != "-")
                .map(PathBuf::from),
            accesslog: self.text("accesslog").map(|path| match path {
                "-" => AccessSink::Stdout,
                path => AccessSink::File(path.into()),
            }),
            access_format: self
                .text("access_log_format")
                .unwrap_or_default()
                .to_owned(),
            formatter: self.formatter()?,
            logger: self.logger()?,
            log4rs: self.log4rs().map(from_start),
            access_exclude: strings(self.0.value("access_log_exclude"))
                .map(str::to_owned)
                .collect(),
            syslog: self.syslog()?,
            statsd: self.statsd()?,
            backlog_metric: self.truth("enable_backlog_metric"),
            level: self.level()?,
            capture_output: self.truth("capture_output"),
        })
    }

    /// A name that stands for a plugin, by its id.
    fn plugin_id(&self, setting: &str) -> Result<Option<String>, Failure> {
        match self
            .text(setting)
            .and_then(|text| text.strip_prefix("plugin:"))
        {
            Some("") => Err(self
                .0
                .complain(setting, "'plugin:' names no plugin")
                .mend("give plugin:ID, with the id of a plugin in 'plugins'")),
            id => Ok(id.map(str::to_owned)),
        }
    }

    fn formatter(&self) -> Result<Maker, Failure> {
        if let Some(id) = self.plugin_id("access_log_formatter")? {
            return Ok(Maker::Plugin(id));
        }
        Ok(match self.0.value("access_log_formatter") {
            Value::None => Maker::Native,
            _ => Maker::Gateway,
        })
    }

    /// A file for log4rs, by the end of its name.
    fn log4rs(&self) -> Option<&str> {
        let is_log4rs = |path: &&str| {
            let end = path.rsplit_once('.').map_or("", |(_, end)| end);
            matches!(end, "yaml" | "yml" | "toml" | "json")
        };
        self.text("logconfig").filter(is_log4rs)
    }

    /// The server's own logger, by any of its names, is native, unless it is to be configured as only
    /// the standard library's loggers can be.
    fn logger(&self) -> Result<Maker, Failure> {
        if let Some(id) = self.plugin_id("logger_class")? {
            return Ok(Maker::Plugin(id));
        }
        let is_set = |name: &str| match self.0.value(name) {
            Value::None => false,
            Value::Str(text) => !text.is_empty(),
            Value::Dict(items) => !items.is_empty(),
            _ => true,
        };
        let by_log4rs = self.log4rs().is_some();
        let is_configured = ["logconfig", "logconfig_dict", "logconfig_json"]
            .into_iter()
            .any(|name| is_set(name) && !(by_log4rs && name == "logconfig"));
        Ok(match self.0.value("logger_class") {
            Value::None if !is_configured => Maker::Native,
            Value::Str(name) if OWN_LOGGER.contains(&name.as_str()) && !is_configured => {
                Maker::Native
            }
            _ => Maker::Gateway,
        })
    }

    fn syslog(&self) -> Result<Option<Syslog>, Failure> {
        if !self.truth("syslog") {
            return Ok(None);
        }
        let address = self.text("syslog_addr").unwrap_or_default();
        let address = SyslogAddress::parse(address).map_err(|what| {
            let mend = "give udp://HOST:PORT, tcp://HOST:PORT or unix://PATH";
            self.0.complain("syslog_addr", what).mend(mend)
        })?;
        let facility = self.text("syslog_facility").unwrap_or("user");
        let number = facility_number(facility).ok_or_else(|| {
            let what = format_args!("'{facility}' is not a facility");
            let mend = "give one such as user, daemon or local0";
            self.0.complain("syslog_facility", what).mend(mend)
        })?;
        let name = self.text("syslog_prefix").map(str::to_owned);
        Ok(Some(Syslog {
            address,
            facility: number,
            name: name.unwrap_or_else(|| self.proc_name().replace(':', ".")),
            access: !self.truth("disable_redirect_access_to_syslog"),
        }))
    }

    fn statsd(&self) -> Result<Option<Statsd>, Failure> {
        let Some(address) = self
            .text("statsd_host")
            .filter(|address| !address.is_empty())
        else {
            return Ok(None);
        };
        let address = StatsdAddress::parse(address).map_err(|what| {
            let mend = "give HOST, HOST:PORT or unix://PATH";
            self.0.complain("statsd_host", what).mend(mend)
        })?;
        Ok(Some(Statsd {
            address,
            prefix: prefix(self.text("statsd_prefix").unwrap_or_default()),
            tags: self.text("dogstatsd_tags").unwrap_or_default().to_owned(),
        }))
    }

    /// gunicorn's levels; `critical` is above `error`, and both are errors here.
    fn level(&self) -> Result<log::LevelFilter, Failure> {
        let name = self.text("loglevel").unwrap_or("info");
        match name.to_ascii_lowercase().as_str() {
            "trace" => Ok(log::LevelFilter::Trace),
            "debug" | "notset" => Ok(log::LevelFilter::Debug),
            "info" => Ok(log::LevelFilter::Info),
            "warning" | "warn" => Ok(log::LevelFilter::Warn),
            "error" | "critical" | "fatal" => Ok(log::LevelFilter::Error),
            _ => Err(self
                .0
                .complain("loglevel", format_args!("'{name}' is not a level"))
                .mend("give debug, info, warning, error or critical")),
        }
    }

    fn env(&self) -> Result<Vec<(String, String)>, Failure> {
        strings(self.0.value("raw_env"))
            .filter(|item| !item.is_empty())
            .map(|item| match item.split_once('=') {
                Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
                _ => Err(self
                    .0
                    .complain("raw_env", format_args!("'{item}' is not NAME=VALUE"))
                    .mend("give NAME=VALUE")),
            })
            .collect()
    }

    fn proc_name(&self) -> String {
        let name = self
            .text("proc_name")
            .or_else(|| self.text("default_proc_name"));
        name.unwrap_or("tricorn").to_owned()
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
            ("worker_class", "gevent", "sync or gthread"),
            ("loglevel", "loud", "'loud' is not a level"),
            ("raw_env", "NAME", "NAME=VALUE"),
            ("bind", "a:b", "'a:b' does not end in a port"),
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
