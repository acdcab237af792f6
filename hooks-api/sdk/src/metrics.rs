//! Numbers that all processes of the server add to.

use std::time::Duration;

use tricorn_abi as abi;

use crate::error::{Result, check};
use crate::host::{Host, collect};
use crate::text::lend;

/// The server's metrics. Defining is possible in [`crate::StagedPlugin::prepare`] only.
#[derive(Debug, Clone, Copy)]
pub struct Metrics {
    host: Host,
    table: &'static abi::Metrics,
}

/// One metric.
#[derive(Debug, Clone, Copy)]
struct Metric {
    metrics: Metrics,
    id: u32,
}

/// A count that only grows.
#[derive(Debug, Clone, Copy)]
pub struct Counter(Metric);

/// A number that rises and falls. What a worker has added is taken back when it is gone.
#[derive(Debug, Clone, Copy)]
pub struct Gauge(Metric);

/// A distribution of durations.
#[derive(Debug, Clone, Copy)]
pub struct Histogram(Metric);

impl Metrics {
    pub(crate) fn of(host: Host) -> Result<Self> {
        let table = host.table(abi::INTERFACE_METRICS)?;
        Ok(Self { host, table })
    }

    fn define(self, kind: u32, name: &str, labels: &str, help: &str) -> Result<Metric> {
        let mut id = 0;
        // SAFETY: as the ABI describes the function; the texts live through the call.
        let code = unsafe {
            (self.table.define)(
                self.host.ctx(),
                kind,
                lend(name.as_bytes()),
                lend(labels.as_bytes()),
                lend(help.as_bytes()),
                &raw mut id,
            )
        };
        check(&format!("metric '{name}'"), code)?;
        Ok(Metric { metrics: self, id })
    }

    /// A counter. `labels` is the inside of the braces, such as `code="200"`, or empty.
    ///
    /// # Errors
    /// A name that Prometheus does not take; no room left; too late.
    pub fn counter(self, name: &str, labels: &str, help: &str) -> Result<Counter> {
        self.define(abi::METRIC_COUNTER, name, labels, help)
            .map(Counter)
    }

    /// A gauge.
    ///
    /// # Errors
    /// As `counter`.
    pub fn gauge(self, name: &str, labels: &str, help: &str) -> Result<Gauge> {
        self.define(abi::METRIC_GAUGE, name, labels, help)
            .map(Gauge)
    }

    /// A histogram, shown in seconds.
    ///
    /// # Errors
    /// As `counter`.
    pub fn histogram(self, name: &str, labels: &str, help: &str) -> Result<Histogram> {
        self.define(abi::METRIC_HISTOGRAM, name, labels, help)
            .map(Histogram)
    }

    /// All metrics of all plugins, as Prometheus text.
    ///
    /// # Errors
    /// A server that cannot.
    pub fn render(self) -> Result<Vec<u8>> {
        // SAFETY: as the ABI describes the function, with a sink and its context.
        collect("render", |sink, context| unsafe {
            (self.table.render)(self.host.ctx(), sink, context)
        })
    }
}

impl Metric {
    fn add(self, amount: i64) {
        let Metrics { host, table } = self.metrics;
        // SAFETY: as the ABI describes the function. It fails for a metric that is not defined only.
        unsafe { (table.add)(host.ctx(), self.id, amount) };
    }

    fn read(self) -> i64 {
        let Metrics { host, table } = self.metrics;
        // SAFETY: as above.
        unsafe { (table.read)(host.ctx(), self.id) }
    }
}

impl Counter {
    /// Counts one.
    pub fn increment(self) {
        self.0.add(1);
    }

    /// Counts so many.
    pub fn add(self, amount: u32) {
        self.0.add(amount.into());
    }

    /// The sum over all processes.
    #[must_use]
    pub fn read(self) -> i64 {
        self.0.read()
    }
}

impl Gauge {
    /// Adds to this process's part, or takes away from it.
    pub fn add(self, amount: i64) {
        self.0.add(amount);
    }

    /// Sets this process's part.
    pub fn set(self, value: i64) {
        let Metrics { host, table } = self.0.metrics;
        // SAFETY: as above.
        unsafe { (table.set)(host.ctx(), self.0.id, value) };
    }

    /// The sum over all processes.
    #[must_use]
    pub fn read(self) -> i64 {
        self.0.read()
    }
}

impl Histogram {
    /// Adds a duration.
    pub fn observe(self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let Metrics { host, table } = self.0.metrics;
        // SAFETY: as above.
        unsafe { (table.observe)(host.ctx(), self.0.id, nanoseconds) };
    }
}
