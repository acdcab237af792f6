//! A pre-fork server that knows no Python.
//!
//! Modules by rank; each uses lower ranks only. The application side is whatever implements
//! [`gateway::Gateway`].
//!
//! | rank | module | owns |
//! |---|---|---|
//! | 0 | [`clock`], [`precedence`], [`safe_path`], [`secrets`], [`unix_name`] | the time; who comes first; files in folders that others may write; what is not shown; names of unix sockets |
//! | 1 | [`error`] | whose fault a failure is, and what follows |
//! | 2 | [`config`], [`log`], [`exchange`] | settings; lines and files; one request and its answer |
//! | 3 | [`access`], [`hooks`], [`sock`], [`lifeline`], [`gateway`] | access lines; the bus; sockets; all that crosses the fork; the port |
//! | 4 | [`plugin`] | compiled plugins: loading them, calling them, containing them |
//! | 5 | [`arbiter`], [`worker`] | supervision; serving |
//! | 6 | [`run`] | the composition |

pub mod access;
pub mod arbiter;
pub mod clock;
pub mod config;
pub mod error;
pub mod exchange;
pub mod gateway;
pub mod hooks;
pub mod lifeline;
pub mod log;
pub mod plugin;
pub mod precedence;
pub mod run;
pub mod safe_path;
pub mod secrets;
pub mod sock;
pub mod unix_name;
pub mod worker;
