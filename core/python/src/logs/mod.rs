//! The logs, between the server and Python: what Python logs, and who in Python is told.

pub(crate) mod bridge;
mod raised;
mod relay;
mod told;

pub(crate) use raised::log_exception;
pub(crate) use relay::{LoggerRelay, deliver, pass};
pub(crate) use told::{Facts, Told, told};
