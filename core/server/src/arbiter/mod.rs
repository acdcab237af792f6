//! Supervision: a pure state machine, and the driver that gathers its events and performs its
//! actions.

mod event;
mod slot;
mod state;
#[cfg(test)]
mod tests;

pub use event::{Action, Event, Policy, Signal};
pub use slot::{Cause, Departed, Status};
pub use state::Arbiter;
