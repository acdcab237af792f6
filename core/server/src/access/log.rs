//! Who is told of a finished request: the access log, a statsd, the operator's own code.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::exclude::Exclude;
use super::format::Format;
use super::maker::{LineMaker, Listener, Makers};
use crate::clock;
use crate::config::{Logging, Maker};
use crate::exchange::{Finished, Record};
use crate::log::statsd::Statsd;
use crate::log::{self, AccessLines};

/// What makes a line.
#[derive(Debug)]
struct Lines {
    format: Format,
    formatter: Option<Box<dyn LineMaker>>,
    /// How often the formatter has failed.
    failures: AtomicU64,
}

/// What is done with the facts of a finished request.
#[derive(Debug)]
enum Way {
    /// A line goes to the access log.
    Written(Lines, AccessLines),
    /// A compiled logger is told, with a line if there is to be one.
    Told(Option<Lines>, Box<dyn Listener>),
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
    /// Something has been told since it was last let leave.
    waits: AtomicBool,
    /// When that was.
    left: AtomicU64,
}

/// Somebody beside the access log is to be told of requests, by the gateway.
static HEARD: AtomicBool = AtomicBool::new(false);

/// Lets the gateway have the requests that the native format would make lines of, or no longer: it
/// sees to the lines meanwhile.
pub fn hear(is_heard: bool) {
    HEARD.store(is_heard, Ordering::Relaxed);
}

/// Whether the gateway has them.
#[must_use]
pub fn is_heard() -> bool {
    HEARD.load(Ordering::Relaxed)
}

/// How long a line may wait for the end of its turn before the next request runs, in nanoseconds.
const DUE: u64 = 1_000_000;

impl RequestLog {
    /// As the configuration wants it, with the logs that this process has open; `None` if nobody is
    /// to be told.
    ///
    /// # Errors
    /// A format or a pattern that is none.
    pub fn open(logging: &Logging, makers: Makers) -> Result<Option<Self>, String> {
        let patterns = logging.access_exclude.iter().map(String::as_str);
        let exclude = Exclude::compile(patterns)?;
        let statsd = log::metrics();
        let by_gateway = logging.logger == Maker::Gateway
            || (logging.formatter == Maker::Gateway && logging.logs_access());
        let Makers {
            formatter,
            listener,
        } = makers;
        let lines = || Lines::new(logging, formatter);
        let way = if by_gateway {
            Some(Way::Gateway)
        } else if let Some(listener) = listener {
            let lines = logging.logs_access().then(lines).transpose()?;
            Some(Way::Told(lines, listener))
        } else if let Some(target) = log::access_lines() {
            Some(Way::Written(lines()?, target))
        } else {
            None
        };
        if way.is_none() && statsd.is_none() {
            return Ok(None);
        }
        let wants_duration = match &way {
            Some(Way::Written(lines, _)) => lines.wants_duration() || statsd.is_some(),
            _ => true,
        };
        Ok(Some(Self {
            exclude,
            statsd,
            way,
            wants_duration,
            waits: AtomicBool::new(false),
            left: AtomicU64::new(0),
        }))
    }

    /// Whether something waits that should not wait for another request.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.waits.load(Ordering::Relaxed)
            && clock::now().saturating_sub(self.left.load(Ordering::Relaxed)) > DUE
    }

    /// Whether anybody asks how long requests take.
    #[must_use]
    pub fn wants_duration(&self) -> bool {
        self.wants_duration || is_heard()
    }

    /// Tells of a request. What is left to tell the gateway, if it is to be told.
    pub fn tell(&self, record: &Record<'_>) -> Option<Finished> {
        if let Some(statsd) = &self.statsd {
            let response = record.response;
            let status = response.has_begun().then(|| response.status().code());
            statsd.request(status, record.duration);
        }
        self.waits.store(true, Ordering::Relaxed);
        if self.exclude.takes(record.request.head.path()) {
            return None;
        }
        match &self.way {
            Some(Way::Written(lines, _)) if is_heard() && lines.formatter.is_none() => {
                Some(Finished::of(record))
            }
            Some(Way::Written(lines, target)) => {
                target.add(|line| lines.make(record, line));
                None
            }
            Some(Way::Told(lines, listener)) => {
                let mut line = String::new();
                if let Some(lines) = lines {
                    lines.make(record, &mut line);
                }
                listener.access(&line, record);
                None
            }
            Some(Way::Gateway) => Some(Finished::of(record)),
            None => None,
        }
    }

    /// Lets what has been told leave, at the end of a turn.
    pub fn flush(&self) {
        if self.waits.swap(false, Ordering::Relaxed) {
            self.left.store(clock::now(), Ordering::Relaxed);
        }
        log::flush();
        if let Some(statsd) = &self.statsd {
            statsd.flush();
        }
        if let Some(Way::Told(_, listener)) = &self.way {
            listener.flush();
        }
    }
}

impl Lines {
    fn new(logging: &Logging, formatter: Option<Box<dyn LineMaker>>) -> Result<Self, String> {
        let compiled = Format::compile(&logging.access_format);
        // A formatter of the operator's own may have a language of its own.
        let format = match (compiled, &formatter) {
            (Err(_), Some(_)) => Format::compile("combined"),
            (compiled, _) => compiled,
        };
        Ok(Self {
            format: format.map_err(|invalid| invalid.to_string())?,
            formatter,
            failures: AtomicU64::new(0),
        })
    }

    fn wants_duration(&self) -> bool {
        self.formatter.is_some() || self.format.wants_duration()
    }

    fn make(&self, record: &Record<'_>, line: &mut String) {
        let Some(formatter) = &self.formatter else {
            return self.format.render(record, line);
        };
        if !formatter.make(record, line) {
            complain(&self.failures);
            self.format.render(record, line);
        }
    }
}

/// Counts a failure of a formatter, and says so each time the count has doubled.
fn complain(failures: &AtomicU64) {
    let count = failures.fetch_add(1, Ordering::Relaxed) + 1;
    if count.is_power_of_two() {
        ::log::error!(
            "access_log_formatter has failed {count} times in this worker; such lines have the built-in format"
        );
    }
}
