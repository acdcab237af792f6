//! The error log and the access log, on log4rs, built anew in each process.
//!
//! log4rs's own appenders write a line in pieces and lock across the fork; these write whole lines,
//! each batch in one `write(2)` to a file opened for appending. Who logs is not known here.

mod appenders;
mod sink;
mod timestamp;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use log::LevelFilter;
use log4rs::config::{Appender, Config, Logger, Root};

use appenders::{AccessAppender, ErrorAppender};
use sink::Sink;

pub use sink::Target;
pub use timestamp::{clf_time, error_time};

/// The target of access lines.
pub const ACCESS: &str = "tricorn::access";

/// The target of messages above `error`: Rust's levels end there, Python's do not.
pub const CRITICAL: &str = "tricorn::critical";

/// Where the logs go, and how much of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The error log.
    pub errors: Target,
    /// The access log, if there is one.
    pub access: Option<Target>,
    /// The least level of the error log.
    pub level: LevelFilter,
}

/// A log file that cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the log file {}: {error}", path.display())]
pub struct CannotOpen {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub error: io::Error,
}

struct Installed {
    handle: log4rs::Handle,
    open: Mutex<Open>,
}

/// The sinks of this process.
struct Open {
    errors: Arc<Sink>,
    access: Option<Arc<Sink>>,
    options: Options,
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
    let open = Open::new(options)?;
    let config = open.config();
    LEVEL.store(options.level as i32, Ordering::Relaxed);
    if let Some(installed) = INSTALLED.get() {
        installed.handle.set_config(config);
        *lock(&installed.open) = open;
    } else if let Ok(handle) = log4rs::init_config(config) {
        let _ = INSTALLED.set(Installed {
            handle,
            open: Mutex::new(open),
        });
    }
    Ok(())
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
        installed.handle.set_config(open.config());
    }
}

/// Opens the files again, after somebody has moved them away.
pub fn reopen() {
    let Some(installed) = INSTALLED.get() else {
        return;
    };
    let mut open = lock(&installed.open);
    flush_sinks(&open);
    let options = open.options.clone();
    match Open::new(&options) {
        Ok(fresh) => {
            installed.handle.set_config(fresh.config());
            *open = fresh;
        }
        Err(error) => {
            drop(open);
            log::error!("{error}; writing on to the old one");
        }
    }
}

/// Writes the access lines that are waiting. Called once a turn of a worker's loop.
pub fn flush() {
    if let Some(installed) = INSTALLED.get() {
        flush_sinks(&lock(&installed.open));
    }
}

fn flush_sinks(open: &Open) {
    if let Some(access) = &open.access {
        access.flush();
    }
}

/// Points standard output and standard error at the error log's file, if it is one.
///
/// # Errors
/// The operating system's.
pub fn capture_output() -> io::Result<()> {
    INSTALLED.get().map_or(Ok(()), |installed| {
        lock(&installed.open).errors.take_stdio()
    })
}

fn lock(open: &Mutex<Open>) -> std::sync::MutexGuard<'_, Open> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Open {
    fn new(options: &Options) -> Result<Self, CannotOpen> {
        let open = |target: &Target| {
            Sink::open(target)
                .map(Arc::new)
                .map_err(|error| CannotOpen {
                    path: target.path(),
                    error,
                })
        };
        Ok(Self {
            errors: open(&options.errors)?,
            access: options.access.as_ref().map(open).transpose()?,
            options: options.clone(),
        })
    }

    fn config(&self) -> Config {
        let errors = ErrorAppender::new(Arc::clone(&self.errors));
        let mut builder =
            Config::builder().appender(Appender::builder().build("errors", Box::new(errors)));
        if let Some(sink) = &self.access {
            let access = AccessAppender::new(Arc::clone(sink));
            builder = builder
                .appender(Appender::builder().build("access", Box::new(access)))
                .logger(
                    Logger::builder()
                        .appender("access")
                        .additive(false)
                        .build(ACCESS, LevelFilter::Info),
                );
        } else {
            builder = builder.logger(
                Logger::builder()
                    .additive(false)
                    .build(ACCESS, LevelFilter::Off),
            );
        }
        let root = Root::builder().appender("errors").build(self.options.level);
        builder.build_lossy(root).0
    }
}
