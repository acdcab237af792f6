//! Events and their handlers: the declaration table and the bus.

mod builtin;
mod bus;
mod handler;
mod order;
mod table;

pub use builtin::{Builtin, builtins};
pub use bus::{Bus, Cost, Interruption, Slot, complain};
pub use handler::{Age, Call, Handler, HandlerError, Occasion, Source, Tongue, Verdict};
pub use order::Cycle;
pub use table::{Arguments, Declaration, Event, OnFailure, Process};
