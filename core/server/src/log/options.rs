//! Where the logs go, and how much of them.

use std::io;
use std::path::PathBuf;

use log::LevelFilter;

use super::foreign::Foreign;
use super::{statsd, syslog};

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A file, made if it is not there.
    File(PathBuf),
}

impl Target {
    pub(super) fn path(&self) -> PathBuf {
        match self {
            Self::Stdout => "/dev/stdout".into(),
            Self::Stderr => "/dev/stderr".into(),
            Self::File(path) => path.clone(),
        }
    }
}

/// Whom log files are given to, so that workers which run as that user can open them again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The user's number.
    pub user: Option<u32>,
    /// The group's number.
    pub group: Option<u32>,
}

/// Where the logs go, and how much of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The error log.
    pub errors: Target,
    /// The access log, if there is one.
    pub access: Option<Target>,
    /// The least level of the error log.
    pub level: LevelFilter,
    /// Whom the files are given to, by a process that may do so.
    pub owner: Option<Owner>,
    /// What is sent to a syslog besides.
    pub syslog: Option<syslog::Options>,
    /// A configuration of log4rs's own, in place of all files here.
    pub foreign: Option<Foreign>,
    /// Who is told of metrics.
    pub statsd: Option<statsd::Options>,
}

/// A log that cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the log {}: {error}", path.display())]
pub struct CannotOpen {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub error: io::Error,
}
