//! What the settings of the logs mean.

use std::path::PathBuf;

use super::check::strings;
use super::resolve::Reader;
use super::start::from_start;
use super::telemetry::{
    Statsd, StatsdAddress, Syslog, SyslogAddress, facility as facility_number, prefix,
};
use super::typed::{AccessSink, Logging, Maker};
use super::value::Value;
use crate::error::Failure;

/// Names of the server's own logger: its own, and gunicorn's.
const OWN_LOGGER: [&str; 3] = ["native", "simple", "gunicorn.glogging.Logger"];

impl Reader<'_> {
    /// What would be without an effect is refused: nobody would notice.
    fn judge_logging(&self, logging: &Logging) -> Result<(), Failure> {
        let is_own = logging.logger == Maker::Native;
        if !is_own && logging.formatter == Maker::Gateway {
            let what = "a logger of one's own makes its own lines";
            return Err(self
                .0
                .complain("access_log_formatter", what)
                .mend("leave it out, or leave logger_class out"));
        }
        let alone = "a log4rs file says where all logs go";
        if logging.log4rs.is_some() && !is_own {
            let mend = "leave logger_class out, or logconfig";
            return Err(self.0.complain("logger_class", alone).mend(mend));
        }
        if logging.log4rs.is_some() && logging.syslog.is_some() {
            let mend = "leave syslog out, or logconfig";
            return Err(self.0.complain("syslog", alone).mend(mend));
        }
        Ok(())
    }

    pub(super) fn logging(&self) -> Result<Logging, Failure> {
        let logging = self.read_logging()?;
        self.judge_logging(&logging)?;
        Ok(logging)
    }

    fn read_logging(&self) -> Result<Logging, Failure> {
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
            "debug" => Ok(log::LevelFilter::Debug),
            // gunicorn does not know it either, and takes its default.
            "info" | "notset" => Ok(log::LevelFilter::Info),
            "warning" | "warn" => Ok(log::LevelFilter::Warn),
            "error" | "critical" | "fatal" => Ok(log::LevelFilter::Error),
            _ => Err(self
                .0
                .complain("loglevel", format_args!("'{name}' is not a level"))
                .mend("give debug, info, warning, error or critical")),
        }
    }
}
