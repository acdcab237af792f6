//! What a handler is to the bus: a name, a place in the order, and something to call.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::exchange::Request;

/// The number of a worker in the order of forks, unique in an arbiter's life: gunicorn's `age`.
pub type Age = u64;

/// What an event is about. The arguments of a handler are made of it.
#[derive(Debug, Clone, Copy)]
pub enum Occasion<'a> {
    /// The server as a whole; in a worker, the worker itself.
    Itself,
    /// A worker, seen from the arbiter.
    Worker(Age),
    /// The number of workers was set.
    Count {
        /// To this.
        new: usize,
        /// From this; `None` at the first time.
        old: Option<usize>,
    },
    /// A signal arrived.
    Signal(i32),
    /// A request is about to run.
    Request(&'a Request),
    /// A request was refused.
    Refusal {
        /// With this status.
        status: u16,
        /// Because of this.
        reason: &'a str,
    },
}

/// What a handler says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Go on with the next handler.
    Continue,
    /// The handler failed.
    Failed(HandlerError),
    /// The handler asks the process to end with this code, after its ordinary stop.
    Exit(i32),
}

/// How a handler failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandlerError {
    /// One line.
    pub summary: String,
    /// Several lines, where there are more: a traceback.
    pub trace: Option<String>,
}

/// Something a bus can call.
pub trait Call: Any + Send + Sync {
    /// Handles the event. Must not unwind.
    fn call(&self, occasion: &Occasion<'_>) -> Verdict;

    /// Itself, for the side that made it and knows more of it.
    fn as_any(&self) -> &dyn Any;
}

/// In which language a handler is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tongue {
    /// Compiled: it needs no interpreter.
    Native,
    /// Python.
    Script,
}

impl Tongue {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Script => "python",
        }
    }
}

/// The sources of handlers, in the order in which they run by default.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The server itself.
    Builtin,
    /// A Python package that offers handlers, by its name.
    Package(String),
    /// `@tricorn.hook` in a module.
    Decorated(String),
    /// The config file or module.
    Config(String),
    /// `--hook`
    CommandLine,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Builtin => f.write_str("built in"),
            Self::Package(name) => write!(f, "package {name}"),
            Self::Decorated(module) => write!(f, "@tricorn.hook in {module}"),
            Self::Config(file) => f.write_str(file),
            Self::CommandLine => f.write_str("--hook"),
        }
    }
}

/// A handler before the bus has put it in its place.
#[derive(Clone)]
pub struct Handler {
    /// What others call it in `before` and `after`.
    pub name: String,
    /// Where it comes from.
    pub source: Source,
    /// Its language.
    pub tongue: Tongue,
    /// Lower runs first; on a teardown event, last. 0 unless somebody says otherwise.
    pub priority: i32,
    /// Handlers it must run before, by name.
    pub before: Vec<String>,
    /// Handlers it must run after, by name.
    pub after: Vec<String>,
    /// What is called.
    pub call: Arc<dyn Call>,
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.source)
    }
}

impl Handler {
    /// Whether `name` means this handler: its whole name, or what follows the colon in it.
    pub(super) fn answers_to(&self, name: &str) -> bool {
        self.name == name
            || self
                .name
                .rsplit_once(':')
                .is_some_and(|(_, short)| short == name)
    }
}
