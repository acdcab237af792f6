//! Supervision: a pure state machine, and the driver that gathers its events and performs its
//! actions.

mod balance;
mod bury;
mod drive;
mod event;
mod explain;
mod failures;
mod gather;
mod handover;
mod host;
mod logs;
mod memory;
mod oom;
mod overtime;
mod pauses;
mod perform;
mod pidfile;
mod rehearsal;
mod reload;
mod renew;
mod signals;
mod slot;
mod slow;
mod sockets;
mod state;
mod stranded;
mod strangers;
mod systemd;
#[cfg(test)]
mod tests;
mod upgrade;

pub use drive::{Birth, Driver, Outcome};
pub use event::{Action, Event, NoUpgrade, Policy, Signal};
pub use handover::{HANDOVER, Handover};
pub use host::{Generation, Host};
pub use logs::{check, open_logs};
pub use rehearsal::rehearse;
pub use renew::PROBE;
pub use signals::{Signals, forget as forget_signals};
pub use slot::{Cause, Departed, Status};
pub use state::Arbiter;
pub use stranded::{Stranded, wait_stranded};
