//! The place of an operator's own logger: who takes what would be written to the error log.

use std::any::Any;
use std::fmt::{self, Debug};
use std::sync::Arc;

use log::Record;

/// An exception, as only the gateway's side knows it: for a logger on that side.
#[derive(Clone)]
pub struct Thrown(pub Arc<dyn Any + Send + Sync>);

impl Debug for Thrown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Thrown")
    }
}

impl PartialEq for Thrown {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Thrown {}

/// What is logged of an exception.
#[derive(Debug)]
pub struct Raised<'a> {
    /// What it has disturbed.
    pub message: &'a str,
    /// Several lines that tell of it.
    pub trace: &'a str,
    /// Itself.
    pub thrown: &'a Thrown,
}

/// A logger of the operator's own.
pub trait Relay: Send + Sync + Debug {
    /// Takes a record, from any thread, whatever locks that holds: it must neither block nor log.
    /// Whether it did: what it does not take is written natively.
    fn log(&self, record: &Record<'_>) -> bool;

    /// Whether it stands between the server and the native log: what it has taken comes back as a
    /// record that it does not take, or not at all.
    fn gives_back(&self) -> bool {
        false
    }

    /// Takes an exception, as `log` does; whether it did. Otherwise it comes as a record.
    fn take(&self, raised: &Raised<'_>) -> bool {
        let _ = raised;
        false
    }

    /// This process has just been forked: what its parent has taken is the parent's to hand on.
    fn after_fork(&self);

    /// Hands on what it has taken. Called between requests, where no lock is held.
    fn deliver(&self);

    /// The files are to be opened again. Called as `deliver` is.
    fn reopen(&self);
}
