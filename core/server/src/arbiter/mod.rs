//! Supervision: a pure state machine, and the driver that gathers its events and performs its
//! actions.

mod balance;
mod bury;
mod drive;
mod event;
mod explain;
mod gather;
mod host;
mod logs;
mod memory;
mod oom;
mod overtime;
mod perform;
mod pidfile;
mod signals;
mod slot;
mod sockets;
mod state;
mod systemd;
#[cfg(test)]
mod tests;
mod upgrade;

pub use drive::{Birth, Driver, Outcome};
pub use event::{Action, Event, NoUpgrade, Policy, Signal};
pub use host::{Generation, Host};
pub use logs::{check, open_logs};
pub use slot::{Cause, Departed, Status};
pub use state::Arbiter;
