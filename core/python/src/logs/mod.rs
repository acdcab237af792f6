//! The logs, between the server and Python: what Python logs, and who in Python is told.

pub(crate) mod bridge;
mod relay;
mod told;

pub(crate) use relay::LoggerRelay;
pub(crate) use told::{Facts, Told, told};
