//! A pre-fork server that knows no Python.
//!
//! Modules by rank; each uses lower ranks only. The application side is whatever implements
//! [`gateway::Gateway`].
//!
//! | rank | module | owns |
//! |---|---|---|
//! | 0 | [`error`] | whose fault a failure is, and what follows |
//! | 1 | [`config`], [`log`], [`exchange`] | settings; lines and files; one request and its answer |
//! | 2 | [`access`], [`hooks`], [`sock`], [`lifeline`], [`gateway`] | access lines; the bus; sockets; all that crosses the fork; the port |

pub mod access;
pub mod arbiter;
pub mod config;
pub mod error;
pub mod exchange;
pub mod gateway;
pub mod hooks;
pub mod lifeline;
pub mod log;
pub mod sock;
