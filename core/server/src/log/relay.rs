//! The place of an operator's own logger: who takes what would be written to the error log.

use std::fmt::Debug;

use log::Record;

/// A logger of the operator's own.
pub trait Relay: Send + Sync + Debug {
    /// Takes a record, from any thread, whatever locks that holds: it must neither block nor log.
    fn log(&self, record: &Record<'_>);

    /// This process has just been forked: what its parent has taken is the parent's to hand on.
    fn after_fork(&self);

    /// Hands on what it has taken. Called between requests, where no lock is held.
    fn deliver(&self);

    /// The files are to be opened again. Called as `deliver` is.
    fn reopen(&self);
}
