//! The error log and the access log, on log4rs, built anew in each process.
//!
//! log4rs's own appenders write a line in pieces and lock across the fork; these write whole lines,
//! each batch in one `write(2)` to a file opened for appending. Who logs is not known here.

mod appenders;
mod foreign;
mod lines;
mod lost;
mod options;
mod outlet;
mod relay;
mod sink;
pub mod statsd;
pub mod syslog;
mod timestamp;
mod urgent;

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use log::LevelFilter;
use log4rs::append::Append;
use log4rs::config::runtime::{ConfigBuilder, LoggerBuilder, RootBuilder};
use log4rs::config::{Appender, Config, Logger, Root};

use appenders::{AccessAppender, ErrorAppender, RelayAppender, StatsdAppender, SyslogAppender};
use foreign::Sinks;
use sink::Sink;
use statsd::Statsd;
use syslog::{INFO, Syslog};

pub use foreign::Foreign;
pub use options::{CannotOpen, Options, Owner, Target};
pub use relay::{Raised, Relay, Thrown};
pub use timestamp::{clf_time, error_time, iso_time};
pub use urgent::Urgent;

/// The target of access lines.
pub const ACCESS: &str = "tricorn::access";

/// The target of messages above `error`: Rust's levels end there, Python's do not.
pub const CRITICAL: &str = "tricorn::critical";

/// The target of errors that carry a traceback.
pub const EXCEPTION: &str = "tricorn::exception";

/// The target of messages that are whole lines already, with the time in them or without.
pub const AS_IT_IS: &str = "tricorn::line";

struct Installed {
    handle: log4rs::Handle,
    open: Mutex<Open>,
}

/// What is open in this process.
struct Open {
    errors: Arc<Sink>,
    access: Option<Arc<Sink>>,
    syslog: Option<Arc<Syslog>>,
    statsd: Option<Arc<Statsd>>,
    /// The files of a configuration of log4rs's own.
    foreign: Arc<Sinks>,
    options: Options,
    /// Standard output and standard error go to the error log's file.
    captures: bool,
}

/// The greatest level that is logged, as a number: 1 for errors, 5 for traces.
static LEVEL: AtomicI32 = AtomicI32::new(3);

/// The greatest level that is logged, as a number, for compiled code to look at.
#[must_use]
pub fn level_word() -> &'static AtomicI32 {
    &LEVEL
}

static INSTALLED: OnceLock<Installed> = OnceLock::new();

/// Opens the logs. May be called again with other options: a reload does.
///
/// # Errors
/// A file that cannot be opened. What was open before stays in use.
pub fn install(options: &Options) -> Result<(), CannotOpen> {
    let mut open = Open::new(options)?;
    let level = options
        .foreign
        .as_ref()
        .map_or(options.level, Foreign::level);
    LEVEL.store(level as i32, Ordering::Relaxed);
    if let Some(installed) = INSTALLED.get() {
        let mut former = lock(&installed.open);
        open.captures = former.captures;
        installed.handle.set_config(open.config());
        *former = open;
    } else if let Ok(handle) = log4rs::init_config(open.config()) {
        let _ = INSTALLED.set(Installed {
            handle,
            open: Mutex::new(open),
        });
    }
    let problem = syslog_problem();
    if let Some(problem) = problem {
        log::warn!("{problem}");
    }
    Ok(())
}

fn syslog_problem() -> Option<String> {
    let syslog = lock(&INSTALLED.get()?.open).syslog.clone();
    syslog.and_then(|syslog| syslog.problem())
}

/// An operator's own logger.
static RELAY: Mutex<Option<Arc<dyn Relay>>> = Mutex::new(None);

/// There is one.
static RELAYED: AtomicBool = AtomicBool::new(false);

/// Gives what would be written to the error log to an operator's own logger, or no longer.
pub fn relay_to(relay: Option<Arc<dyn Relay>>) {
    RELAYED.store(relay.is_some(), Ordering::Relaxed);
    let former = std::mem::replace(
        &mut *RELAY.lock().unwrap_or_else(PoisonError::into_inner),
        relay,
    );
    if let Some(installed) = INSTALLED.get() {
        installed.handle.set_config(lock(&installed.open).config());
    }
    // Only now: dropping it may run code of the operator's.
    drop(former);
}

/// Whether an operator's own logger has the messages, and writes them itself.
#[must_use]
pub fn is_relayed() -> bool {
    relay().is_some_and(|relay| !relay.gives_back())
}

fn relay() -> Option<Arc<dyn Relay>> {
    let is_there = RELAYED.load(Ordering::Relaxed);
    let relay = || RELAY.lock().unwrap_or_else(PoisonError::into_inner).clone();
    is_there.then(relay).flatten()
}

/// Whether there is a log to write to.
#[must_use]
pub fn is_installed() -> bool {
    INSTALLED.get().is_some()
}

/// Gives a forked child its own appenders, over the files that are open already: no lock and no
/// half-written batch crosses the fork, and no file has to be opened by a user who may not.
pub fn after_fork() {
    if let Some(installed) = INSTALLED.get() {
        let mut open = lock(&installed.open);
        // Without a descriptor to spare, the sinks of the parent serve on.
        if let Ok(errors) = open.errors.inherit() {
            open.errors = Arc::new(errors);
        }
        if let Some(Ok(access)) = open.access.as_ref().map(|sink| sink.inherit()) {
            open.access = Some(Arc::new(access));
        }
        open.foreign = Arc::new(open.foreign.inherit());
        open.syslog = open
            .syslog
            .as_ref()
            .map(|syslog| Arc::new(syslog.inherit()));
        open.statsd = open
            .statsd
            .as_ref()
            .map(|statsd| Arc::new(statsd.inherit()));
        installed.handle.set_config(open.config());
    }
    if let Some(relay) = relay() {
        relay.after_fork();
    }
}

/// Opens the files again, after somebody has moved them away.
pub fn reopen() {
    let Some(installed) = INSTALLED.get() else {
        return;
    };
    let problems = lock(&installed.open).reopen();
    for problem in problems {
        log::error!("{problem}; writing on to the old one");
    }
    if let Some(relay) = relay() {
        relay.reopen();
    }
}

/// Logs an exception: with its traceback, unless an operator's own logger takes it as it is.
pub fn log_raised(raised: &Raised<'_>) {
    if !relay().is_some_and(|relay| relay.take(raised)) {
        let Raised { message, trace, .. } = raised;
        log::error!(target: EXCEPTION, "{message}\n{}", trace.trim_end());
    }
}

/// Lets an operator's own logger have what waits for it. Called where no lock is held.
pub fn deliver() {
    if let Some(relay) = relay() {
        relay.deliver();
    }
}

/// Writes lines to the native error log, whoever else the log is given to: for what an operator's
/// own logger cannot say itself.
pub fn write_natively(text: &str) {
    let errors = INSTALLED
        .get()
        .map(|installed| Arc::clone(&lock(&installed.open).errors));
    if let Some(errors) = errors {
        let (time, pid) = (error_time(), std::process::id());
        errors.write(format!("[{time}] [{pid}] [ERROR] {text}\n").as_bytes());
    }
}

/// How a signal's handler writes to the native error log, as that is now; before there is one, or
/// while another is opened, to standard error.
#[must_use]
pub fn urgent() -> Urgent {
    // Never waited for: whoever holds it may be the one that logs through a plugin.
    let open = INSTALLED.get().and_then(|it| it.open.try_lock().ok());
    let errors = open.map(|open| open.errors.descriptor());
    Urgent::new(errors.unwrap_or(libc::STDERR_FILENO))
}

/// Writes the access lines that are waiting. Called once a turn of a worker's loop.
pub fn flush() {
    let Some(installed) = INSTALLED.get() else {
        return;
    };
    let (access, syslog, foreign) = {
        let open = lock(&installed.open);
        let foreign = open
            .options
            .foreign
            .as_ref()
            .map(|_| Arc::clone(&open.foreign));
        (open.access.clone(), open.syslog.clone(), foreign)
    };
    for (target, sink) in foreign.iter().flat_map(|foreign| foreign.all()) {
        let lost = sink.lost.take();
        if lost > 0 {
            let path = target.path();
            write_natively(&format!(
                "{lost} lines of {} were lost: they could not be written",
                path.display()
            ));
        }
    }
    if let Some(access) = access {
        access.flush();
        let lost = access.lost.take();
        if lost > 0 {
            log::warn!("{lost} lines of the access log were lost: they could not be written");
        }
    }
    let lost = syslog.map_or(0, |syslog| syslog.lost.take());
    if lost > 0 {
        log::warn!("{lost} lines were lost: the syslog did not take them");
    }
}

/// Points standard output and standard error at the error log's file, if it is one.
///
/// # Errors
/// The operating system's.
pub fn capture_output() -> io::Result<()> {
    INSTALLED.get().map_or(Ok(()), |installed| {
        let mut open = lock(&installed.open);
        open.captures = true;
        open.errors.take_stdio()
    })
}

/// Where access lines go.
#[derive(Debug, Clone)]
pub struct AccessLines {
    /// Wherever a configuration of log4rs's own says.
    by_logger: bool,
    sink: Option<Arc<Sink>>,
    syslog: Option<Arc<Syslog>>,
}

/// Where access lines go in this process; `None` if nowhere. The way stays the same when files are
/// opened again.
#[must_use]
pub fn access_lines() -> Option<AccessLines> {
    let open = lock(&INSTALLED.get()?.open);
    let syslog = open.syslog.clone().filter(|syslog| syslog.takes_access());
    let by_logger = open.options.foreign.is_some();
    (by_logger || open.access.is_some() || syslog.is_some()).then(|| AccessLines {
        by_logger,
        sink: open.access.clone(),
        syslog,
    })
}

impl AccessLines {
    /// Adds a line, which `render` appends without its end.
    pub fn add(&self, render: impl FnOnce(&mut String)) {
        if let (Some(sink), None, false) = (&self.sink, &self.syslog, self.by_logger) {
            return sink.add(|lines| {
                render(lines);
                lines.push('\n');
            });
        }
        let mut line = String::new();
        render(&mut line);
        if self.by_logger {
            return log::info!(target: ACCESS, "{line}");
        }
        if let Some(syslog) = &self.syslog {
            syslog.send(INFO, "access", &line);
        }
        if let Some(sink) = &self.sink {
            line.push('\n');
            sink.add(|lines| lines.push_str(&line));
        }
    }
}

/// Who is told of metrics in this process, if anybody.
#[must_use]
pub fn metrics() -> Option<Arc<Statsd>> {
    lock(&INSTALLED.get()?.open).statsd.clone()
}

/// A socket for datagrams to an address, that never waits.
fn udp(address: &SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = if address.is_ipv4() {
        ([0, 0, 0, 0], 0).into()
    } else {
        ([0u16; 8], 0).into()
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn lock(open: &Mutex<Open>) -> MutexGuard<'_, Open> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Open {
    fn new(options: &Options) -> Result<Self, CannotOpen> {
        let open = |target: &Target| {
            Sink::open(target, options.owner)
                .map(Arc::new)
                .map_err(|error| cannot_open(target, error))
        };
        let open = Self {
            errors: open(&options.errors)?,
            access: options.access.as_ref().map(open).transpose()?,
            syslog: options.syslog.clone().map(Syslog::new).map(Arc::new),
            statsd: options.statsd.clone().map(Statsd::new).map(Arc::new),
            foreign: Arc::default(),
            options: options.clone(),
            captures: false,
        };
        if let Some(foreign) = &options.foreign {
            let built = foreign.build(&open.foreign, Some(options));
            built.map_err(|error| CannotOpen {
                path: foreign.path().to_owned(),
                error: io::Error::other(error),
            })?;
        }
        Ok(open)
    }

    /// Opens each file again; what could not be.
    fn reopen(&self) -> Vec<CannotOpen> {
        let access = self.access.as_ref().zip(self.options.access.as_ref());
        let sinks = std::iter::once((&self.errors, &self.options.errors)).chain(access);
        let mut problems = Vec::new();
        for (sink, target) in sinks {
            if let Err(error) = sink.reopen(target, &self.options) {
                problems.push(cannot_open(target, error));
            }
        }
        for (target, sink) in self.foreign.all() {
            if let Err(error) = sink.reopen(&target, &self.options) {
                problems.push(cannot_open(&target, error));
            }
        }
        if self.captures {
            // What fails leaves them where they were.
            let _ = self.errors.take_stdio();
        }
        problems
    }

    fn config(&self) -> Config {
        let foreign = self.options.foreign.as_ref();
        if let Some(Ok(config)) = foreign.map(|it| it.build(&self.foreign, Some(&self.options))) {
            return config;
        }
        let (builder, root) = self.error_log(Config::builder());
        let (builder, access) = self.access_log(builder);
        let builder = builder.logger(access);
        builder.build_lossy(root).0
    }

    fn error_log(&self, builder: ConfigBuilder) -> (ConfigBuilder, Root) {
        let sink = Arc::clone(&self.errors);
        let mut parts: Vec<(&'static str, Box<dyn Append>)> =
            vec![("errors", Box::new(ErrorAppender { sink }))];
        if let Some(syslog) = &self.syslog {
            parts.push(("errors in syslog", syslog_appender(syslog, "error")));
        }
        let statsd = self.statsd.as_ref().map(|statsd| {
            let statsd = Arc::clone(statsd);
            ("statsd", Box::new(StatsdAppender { statsd }) as _)
        });
        let parts = match relay() {
            // A message that comes back is counted when it does.
            Some(relay) if relay.gives_back() => {
                parts.extend(statsd);
                vec![relayed(relay, parts)]
            }
            Some(relay) => [relayed(relay, Vec::new())]
                .into_iter()
                .chain(statsd)
                .collect(),
            None => parts.into_iter().chain(statsd).collect(),
        };
        let (builder, names) = appenders(builder, parts);
        let root: RootBuilder = Root::builder().appenders(names);
        (builder, root.build(self.options.level))
    }

    fn access_log(&self, builder: ConfigBuilder) -> (ConfigBuilder, Logger) {
        let mut parts: Vec<(&'static str, Box<dyn Append>)> = Vec::new();
        if let Some(sink) = &self.access {
            let sink = Arc::clone(sink);
            parts.push(("access", Box::new(AccessAppender { sink })));
        }
        if let Some(syslog) = self.syslog.as_ref().filter(|syslog| syslog.takes_access()) {
            parts.push(("access in syslog", syslog_appender(syslog, "access")));
        }
        let level = if parts.is_empty() {
            LevelFilter::Off
        } else {
            LevelFilter::Info
        };
        let (builder, names) = appenders(builder, parts);
        let logger: LoggerBuilder = Logger::builder().appenders(names).additive(false);
        (builder, logger.build(ACCESS, level))
    }
}

/// A relay, and what is done with what it does not take.
fn relayed(
    relay: Arc<dyn Relay>,
    native: Vec<(&'static str, Box<dyn Append>)>,
) -> (&'static str, Box<dyn Append>) {
    let native = native.into_iter().map(|(_, appender)| appender).collect();
    ("relay", Box::new(RelayAppender { relay, native }))
}

fn syslog_appender(syslog: &Arc<Syslog>, log: &'static str) -> Box<dyn Append> {
    let syslog = Arc::clone(syslog);
    Box::new(SyslogAppender { syslog, log })
}

fn appenders(
    mut builder: ConfigBuilder,
    parts: Vec<(&'static str, Box<dyn Append>)>,
) -> (ConfigBuilder, Vec<&'static str>) {
    let mut names = Vec::new();
    for (name, appender) in parts {
        builder = builder.appender(Appender::builder().build(name, appender));
        names.push(name);
    }
    (builder, names)
}

fn cannot_open(target: &Target, error: io::Error) -> CannotOpen {
    CannotOpen {
        path: target.path(),
        error,
    }
}
