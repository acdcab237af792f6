//! The configuration as the rest of the server reads it: typed, checked, frozen.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tricorn_http::Rules;

use super::address::Address;
use super::layers::Settings;
use super::plugin_options::AddressedOption;
use super::plugins::PluginSpec;
use super::telemetry::{Statsd, Syslog};

/// How a worker runs requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerClass {
    /// On the worker's one thread.
    Sync,
    /// On a pool of threads.
    Gthread,
    /// As the worker object sees fit: its class has a loop of its own.
    Own,
}

impl WorkerClass {
    /// The name operators know it by.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Gthread => "gthread",
            Self::Own => "own",
        }
    }
}

/// How long clients and workers may take. `None` means without end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeLimits {
    /// A client: the head of a request.
    pub header: Option<Duration>,
    /// A client: silence inside a body.
    pub body: Option<Duration>,
    /// A client: no byte read of an answer.
    pub write: Option<Duration>,
    /// An idle connection; zero closes it after each answer.
    pub keepalive: Duration,
    /// A worker: silence.
    pub timeout: Option<Duration>,
    /// A worker: until it serves.
    pub boot: Option<Duration>,
    /// A worker: its life. It is replaced then.
    pub worker_age: Option<Duration>,
    /// One request.
    pub request: Option<Duration>,
    /// An aborted worker: its hooks.
    pub abort_grace: Duration,
    /// A stopping worker: its requests.
    pub graceful: Duration,
}

/// Sizes and numbers of what one worker holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Open connections.
    pub connections: usize,
    /// Bytes of a body that is read before the application is called.
    pub request_body: usize,
    /// A body in chunks is read before the application is called, too.
    pub reads_chunks: bool,
    /// Bytes of all such bodies together.
    pub request_bodies: usize,
    /// Bytes of an answer held for a slow client.
    pub response: usize,
}

/// What is logged, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logging {
    /// The error log; `None` for standard error.
    pub errorlog: Option<PathBuf>,
    /// The access log.
    pub accesslog: Option<AccessSink>,
    /// The format of its lines.
    pub access_format: String,
    /// Who makes its lines.
    pub formatter: Maker,
    /// Who has the logs.
    pub logger: Maker,
    /// A configuration of log4rs's own, in place of the files.
    pub log4rs: Option<PathBuf>,
    /// Patterns of paths that it is spared.
    pub access_exclude: Vec<String>,
    /// A syslog that lines are sent to as well.
    pub syslog: Option<Syslog>,
    /// A statsd that is told of requests.
    pub statsd: Option<Statsd>,
    /// It is told of connections that wait, too.
    pub backlog_metric: bool,
    /// The least level.
    pub level: log::LevelFilter,
    /// Descriptors 1 and 2 go to the error log's file.
    pub capture_output: bool,
}

impl Logging {
    /// Whether the access format is the server's to read: somebody else's may have atoms of its own.
    #[must_use]
    pub fn formats_natively(&self) -> bool {
        self.logger != Maker::Gateway && self.formatter == Maker::Native
    }

    /// Whether requests are logged.
    #[must_use]
    pub fn logs_access(&self) -> bool {
        self.accesslog.is_some()
            || self.log4rs.is_some()
            || self.syslog.as_ref().is_some_and(|syslog| syslog.access)
    }
}

/// Who makes the lines of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Maker {
    /// The server.
    Native,
    /// Code on the gateway's side: a Python class, a callable.
    Gateway,
    /// The compiled plugin of this id.
    Plugin(String),
}

/// Where access lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessSink {
    /// Standard output.
    Stdout,
    /// A file.
    File(PathBuf),
}

/// One generation's configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The settings it was made of.
    pub settings: Settings,
    /// Addresses to listen on.
    pub bind: Vec<Address>,
    /// Connections that may wait.
    pub backlog: i32,
    /// Worker processes.
    pub workers: usize,
    /// How they run requests.
    pub worker_class: WorkerClass,
    /// What their class is called.
    pub worker_name: String,
    /// Threads of each; 1 for sync.
    pub threads: usize,
    /// Requests after which a worker is replaced; 0 for never.
    pub max_requests: u64,
    /// The most that is added to it at random.
    pub max_requests_jitter: u64,
    /// Bytes of resident memory at which a worker is replaced.
    pub max_worker_memory: Option<u64>,
    /// Workers beyond the wanted ones while others are replaced.
    pub max_surge: usize,
    /// An address has as many sockets as there are workers.
    pub reuse_port: bool,
    /// Time limits.
    pub time: TimeLimits,
    /// Sizes and numbers.
    pub bounds: Bounds,
    /// How request heads are read, and who is believed.
    pub rules: Arc<Rules>,
    /// Logs.
    pub logging: Logging,
    /// The application is loaded before the fork.
    pub preload: bool,
    /// And loaded anew by a reload.
    pub preload_reload: bool,
    /// What is loaded is hidden from the garbage collector before the first fork.
    pub gc_freeze: bool,
    /// Files may be sent by the kernel.
    pub sendfile: bool,
    /// Detach from the terminal.
    pub daemon: bool,
    /// And keep output that has been redirected.
    pub inherits_stdio: bool,
    /// The arbiter's pidfile.
    pub pidfile: Option<PathBuf>,
    /// User id of workers.
    pub user: Option<u32>,
    /// Group id of workers.
    pub group: Option<u32>,
    /// Workers have all groups of their user.
    pub initgroups: bool,
    /// Mode bits that unix sockets lack.
    pub umask: u32,
    /// Variables set for the application.
    pub env: Vec<(String, String)>,
    /// The name in titles.
    pub proc_name: String,
    /// Compiled plugins.
    pub plugins: Plugins,
}

/// Which compiled plugins are loaded, and how strictly.
#[derive(Debug, Clone)]
pub struct Plugins {
    /// The plugins, in their order.
    pub specs: Vec<PluginSpec>,
    /// Options for those of them that bear an id.
    pub addressed: Vec<AddressedOption>,
    /// Time in which each must load.
    pub timeout: Duration,
    /// Faults that are let through: words of `plugin_allow`.
    pub allowed: Vec<String>,
    /// The copies they are loaded from stay where they are.
    pub keep_copies: bool,
}
