//! A pre-fork server that knows no Python.
//!
//! Modules by rank; each uses lower ranks only. The application side is whatever implements
//! [`gateway::Gateway`].
//!
//! | rank | module | owns |
//! |---|---|---|
//! | 0 | [`error`] | whose fault a failure is, and what follows |
//! | 1 | [`config`], [`exchange`] | settings; one request and its answer |
//! | 2 | [`hooks`], [`sock`], [`lifeline`], [`gateway`] | the bus; sockets; all that crosses the fork; the port |

pub mod config;
pub mod error;
pub mod exchange;
pub mod gateway;
pub mod hooks;
pub mod lifeline;
pub mod sock;
