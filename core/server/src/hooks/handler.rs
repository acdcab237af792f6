//! What a handler is to the bus: a name, a place in the order, and something to call.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use super::table::Event;
use crate::exchange::{Ending, Local, Passage};
use crate::log::Thrown;

/// The number of a worker in the order of forks, unique in an arbiter's life: gunicorn's `age`.
pub type Age = u64;

/// What an event is about. The arguments of a handler are made of it.
#[derive(Debug, Clone, Copy)]
pub enum Occasion<'a> {
    /// The server as a whole; in a worker, the worker itself.
    Itself,
    /// A worker, seen from the arbiter.
    Worker(Member),
    /// A worker is gone.
    Gone(&'a Obituary),
    /// The number of workers was set.
    Count {
        /// To this.
        new: usize,
        /// From this; `None` at the first time.
        old: Option<usize>,
    },
    /// A signal arrived.
    Signal(i32),
    /// A request, which compiled handlers may look at and change.
    Passage(&'a RefCell<Passage>),
    /// A request has ended.
    Done(&'a RefCell<Passage>, Ending),
    /// A connection.
    Connection {
        /// Its number in this worker.
        number: u64,
        /// The peer; `None` for a unix socket.
        peer: Option<SocketAddr>,
        /// The listener's address.
        local: &'a Local,
        /// Requests that came by it so far.
        requests: u64,
    },
    /// A request was refused.
    Refusal {
        /// With this status.
        status: u16,
        /// Because of this.
        reason: &'a str,
    },
}

/// A worker, as the arbiter counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Its number in the order of forks.
    pub age: Age,
    /// Its id among the living.
    pub id: usize,
    /// Its process id; 0 before the fork.
    pub pid: i32,
}

/// What is known of a worker that is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Obituary {
    /// Its number in the order of forks.
    pub age: Age,
    /// Its id among the living.
    pub id: usize,
    /// Its process id.
    pub pid: i32,
    /// The code it exited with; `None` if a signal killed it.
    pub code: Option<i32>,
    /// The signal that killed it.
    pub signal: Option<i32>,
    /// The word for why it is gone.
    pub cause: &'static str,
}

/// What a handler says. What an event does not allow counts as a failure: whoever makes a handler
/// sees to that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Go on with the next handler.
    Continue,
    /// Skip the later handlers, and proceed.
    Stop,
    /// The passage holds an answer.
    Respond,
    /// The handler that would decide is out of order: refuse the request for now.
    Unavailable,
    /// Close the connection.
    Close,
    /// The passage is suspended.
    Pending,
    /// The handler failed.
    Failed(Box<HandlerError>),
    /// The handler asks the process to end with this code, after its ordinary stop.
    Exit(i32),
}

/// How a handler failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandlerError {
    /// One line.
    pub summary: String,
    /// The exception that it has raised, and its traceback.
    pub raised: Option<(Thrown, String)>,
    /// It has been logged already, and would be logged at every call.
    pub is_known: bool,
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
    /// A compiled plugin: its place in the configuration, and its id.
    Plugin(usize, String),
    /// A Python package that offers handlers, by its name.
    Package(String),
    /// `@tricorn.hook` in a module.
    Decorated(String),
    /// The config file or module.
    Config(String),
    /// The program that embeds the server.
    Program,
    /// `--hook`
    CommandLine,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Builtin => f.write_str("built in"),
            Self::Plugin(_, file) => write!(f, "plugin {file}"),
            Self::Package(name) => write!(f, "package {name}"),
            Self::Decorated(module) => write!(f, "@tricorn.hook in {module}"),
            Self::Config(file) => f.write_str(file),
            Self::Program => f.write_str("the embedding program"),
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
    /// Whether the later handlers run although this one has failed; `None` leaves it to the event.
    pub goes_on: Option<bool>,
    /// What is called.
    pub call: Arc<dyn Call>,
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.source)
    }
}

impl Handler {
    /// Whether `name` means this handler.
    #[must_use]
    pub fn answers_to(&self, name: &str) -> bool {
        self.names().any(|own| own == name)
    }

    /// What it is called: its whole name, what follows the colon or the slash in it, the plugin it is of.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let after = |mark| self.name.rsplit_once(mark).map(|(_, short)| short);
        let is_compiled = matches!(self.source, Source::Plugin(..));
        let plugin = self
            .name
            .split_once('/')
            .map(|(id, _)| id)
            .filter(|_| is_compiled);
        let names = [Some(self.name.as_str()), after(':'), after('/'), plugin];
        names.into_iter().flatten()
    }

    /// Whether the later handlers run although this one has failed.
    #[must_use]
    pub fn goes_on(&self, event: Event) -> bool {
        self.goes_on
            .unwrap_or_else(|| event.declaration().on_failure.goes_on())
    }
}
