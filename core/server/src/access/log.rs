//! Who is told of a finished request: the access log, a statsd, the operator's own code.

use std::sync::Arc;

use super::exclude::Exclude;
use super::format::Format;
use crate::config::{Logging, Maker};
use crate::exchange::{Finished, Record};
use crate::log::statsd::Statsd;
use crate::log::{self, AccessLines};

/// What is done with the facts of a finished request.
#[derive(Debug)]
enum Way {
    /// A line by a compiled format.
    Lines(Format, AccessLines),
    /// The gateway is told, at the end of the turn.
    Gateway,
}

/// Who is told of a worker's finished requests.
#[derive(Debug)]
pub struct RequestLog {
    exclude: Exclude,
    statsd: Option<Arc<Statsd>>,
    way: Option<Way>,
    wants_duration: bool,
}

impl RequestLog {
    /// As the configuration wants it, with the logs that this process has open; `None` if nobody is
    /// to be told.
    ///
    /// # Errors
    /// A format or a pattern that is none.
    pub fn open(logging: &Logging) -> Result<Option<Self>, String> {
        let patterns = logging.access_exclude.iter().map(String::as_str);
        let exclude = Exclude::compile(patterns)?;
        let statsd = log::metrics();
        let by_gateway = logging.logger == Maker::Gateway
            || (logging.formatter == Maker::Gateway && logging.logs_access());
        let way = if by_gateway {
            Some(Way::Gateway)
        } else if let Some(lines) = log::access_lines() {
            let format = Format::compile(&logging.access_format);
            let format = format.map_err(|invalid| invalid.to_string())?;
            Some(Way::Lines(format, lines))
        } else {
            None
        };
        if way.is_none() && statsd.is_none() {
            return Ok(None);
        }
        let wants_duration = match &way {
            Some(Way::Lines(format, _)) => format.wants_duration() || statsd.is_some(),
            _ => true,
        };
        Ok(Some(Self {
            exclude,
            statsd,
            way,
            wants_duration,
        }))
    }

    /// Whether anybody asks how long requests take.
    #[must_use]
    pub fn wants_duration(&self) -> bool {
        self.wants_duration
    }

    /// Tells of a request. What is left to tell the gateway, if it is to be told.
    pub fn tell(&self, record: &Record<'_>) -> Option<Finished> {
        if let Some(statsd) = &self.statsd {
            let response = record.response;
            let status = response.has_begun().then(|| response.status().code());
            statsd.request(status, record.duration);
        }
        if self.exclude.takes(record.request.head.path()) {
            return None;
        }
        match &self.way {
            Some(Way::Lines(format, lines)) => {
                lines.add(|line| format.render(record, line));
                None
            }
            Some(Way::Gateway) => Some(Finished::of(record)),
            None => None,
        }
    }

    /// Lets what has been told leave, at the end of a turn.
    pub fn flush(&self) {
        log::flush();
        if let Some(statsd) = &self.statsd {
            statsd.flush();
        }
    }
}
