//! Events and their handlers: the declaration table and the bus.

mod builtin;
mod bus;
mod handler;
mod listing;
mod order;
mod table;

pub use builtin::{Builtin, builtins};
pub use bus::{Bus, Cost, Interruption, Passing, Slot, complain};
pub use handler::{
    Age, Call, Handler, HandlerError, Member, Obituary, Occasion, Source, Tongue, Verdict,
};
pub use order::Cycle;
pub use table::{Arguments, Declaration, Event, OnFailure, Process};
