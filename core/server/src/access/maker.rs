//! The places of an operator's own compiled code: what makes a line, and who is told of a request.

use std::fmt::Debug;

use crate::exchange::Record;

/// Makes the line of a request.
pub trait LineMaker: Send + Sync + Debug {
    /// Appends the line, without an end. Whether it could; if not, nothing has been appended.
    fn make(&self, record: &Record<'_>, line: &mut String) -> bool;
}

/// Is told of each request.
pub trait Listener: Send + Sync + Debug {
    /// Takes a record, and its line; that is empty where there is no access log.
    fn access(&self, line: &str, record: &Record<'_>);

    /// The end of a turn.
    fn flush(&self);
}

/// What an operator's compiled code does for the access log.
#[derive(Debug, Default)]
pub struct Makers {
    /// Makes the lines, in place of the compiled format.
    pub formatter: Option<Box<dyn LineMaker>>,
    /// Has the log.
    pub listener: Option<Box<dyn Listener>>,
}
