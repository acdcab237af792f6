//! Whose fault a failure is, and what follows from that.
//!
//! Every failure that reaches an operator, a client or an exit code carries its blame; one function
//! maps the blame to each of the three.

use tricorn_http::Status;

use crate::secrets::without_secrets;

/// Who has to change something for this not to happen again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The client broke the protocol or went away.
    Peer,
    /// The served application raised, or answered what HTTP forbids.
    Application,
    /// A hook or a plugin failed.
    Plugin,
    /// A setting, a flag or a file is wrong.
    Operator,
    /// The machine: descriptors, memory, a port in use.
    Environment,
    /// A bug in this server.
    Us,
}

/// What follows from a failure's blame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consequence {
    /// The status a client gets if the failure hits its request.
    pub status: Status,
    /// The level at which the failure is logged.
    pub level: log::Level,
    /// The code the server exits with if the failure keeps it from starting.
    pub exit: Exit,
}

impl Blame {
    /// What follows: the one place where blame turns into a status, a level and a code.
    #[must_use]
    pub fn consequence(self) -> Consequence {
        let (status, level, exit) = match self {
            Self::Peer => (Status::BAD_REQUEST, log::Level::Warn, Exit::Ok),
            Self::Application => (
                Status::INTERNAL_SERVER_ERROR,
                log::Level::Error,
                Exit::WorkerBoot,
            ),
            Self::Plugin => (
                Status::INTERNAL_SERVER_ERROR,
                log::Level::Error,
                Exit::Startup,
            ),
            Self::Operator => (
                Status::INTERNAL_SERVER_ERROR,
                log::Level::Error,
                Exit::Startup,
            ),
            Self::Environment => (
                Status::SERVICE_UNAVAILABLE,
                log::Level::Error,
                Exit::Startup,
            ),
            Self::Us => (
                Status::INTERNAL_SERVER_ERROR,
                log::Level::Error,
                Exit::Startup,
            ),
        };
        Consequence {
            status,
            level,
            exit,
        }
    }
}

/// The codes this server exits with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Stopped as asked.
    Ok,
    /// Configuration, bind or start-up hook.
    Startup,
    /// The command line cannot be understood.
    Usage,
    /// A worker failed to boot.
    WorkerBoot,
    /// The application is not where the operator says.
    AppNotFound,
    /// A code that a hook asked for with `SystemExit`.
    Asked(i32),
}

impl Exit {
    /// The number given to the operating system.
    #[must_use]
    pub fn code(self) -> i32 {
        match self {
            Self::Ok => 0,
            Self::Startup => 1,
            Self::Usage => 2,
            Self::WorkerBoot => 3,
            Self::AppNotFound => 4,
            Self::Asked(code) => code,
        }
    }

    /// The meaning of a code that a worker exited with.
    #[must_use]
    pub fn from_code(code: i32) -> Self {
        match code {
            0 => Self::Ok,
            1 => Self::Startup,
            2 => Self::Usage,
            3 => Self::WorkerBoot,
            4 => Self::AppNotFound,
            other => Self::Asked(other),
        }
    }
}

/// A failure in one line: what, where it came from, how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Whose fault it is.
    pub blame: Blame,
    /// The exit code, where it is not the one that follows from the blame.
    exit: Option<Exit>,
    /// What happened, with the name and the value of the thing.
    what: String,
    /// Where the thing came from: a file, a flag, a variable.
    origin: Option<String>,
    /// What to do about it.
    mend: Option<String>,
}

impl Failure {
    /// A failure with this blame.
    #[must_use]
    pub fn new(blame: Blame, what: impl Into<String>) -> Self {
        Self {
            blame,
            exit: None,
            what: what.into(),
            origin: None,
            mend: None,
        }
    }

    /// A failure of the operator's: a setting, a flag, a file.
    #[must_use]
    pub fn operator(what: impl Into<String>) -> Self {
        Self::new(Blame::Operator, what)
    }

    /// Adds where the thing came from.
    #[must_use]
    pub fn from_origin(mut self, origin: impl Into<String>) -> Self {
        self.origin = Some(origin.into());
        self
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = Some(mend.into());
        self
    }

    /// Sets the exit code.
    #[must_use]
    pub fn exits_with(mut self, exit: Exit) -> Self {
        self.exit = Some(exit);
        self
    }

    /// The code the server exits with because of this.
    #[must_use]
    pub fn exit(&self) -> Exit {
        self.exit.unwrap_or(self.blame.consequence().exit)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // It may quote what the operator has written, with a secret in it.
        f.write_str(&one_line(&without_secrets(&self.what)))?;
        if let Some(origin) = &self.origin {
            write!(f, " (from {origin})")?;
        }
        if let Some(mend) = &self.mend {
            write!(f, "; {}", one_line(mend))?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

/// A message may quote text of several lines, but it stays one line itself.
fn one_line(text: &str) -> String {
    text.split(['\r', '\n'])
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_where_from_and_how_to_mend_it() {
        let failure = Failure::operator("setting 'workers': 'x' is not a number")
            .from_origin("./gunicorn.conf.py")
            .mend("give a whole number\nsuch as 4");
        assert_eq!(
            failure.to_string(),
            "setting 'workers': 'x' is not a number (from ./gunicorn.conf.py); \
             give a whole number such as 4"
        );
        assert_eq!(failure.exit(), Exit::Startup);
        assert_eq!(failure.exits_with(Exit::Usage).exit().code(), 2);
    }

    #[test]
    fn every_code_has_its_meaning_back() {
        for code in 0..8 {
            assert_eq!(Exit::from_code(code).code(), code);
        }
    }
}
