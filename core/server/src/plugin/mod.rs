//! Compiled plugins: from a file to handlers on the bus.
//!
//! ```text
//!   settings ─► file ─► peek ─► copy ─► trial (in a child) ─► image ─► descriptor ─► module
//!              (who may  (ELF,   (of our                      (opened,              (arbiter)
//!               write    not      own)                         for ever)               │ fork
//!               it)      run)                                                          ▼
//!   bus ◄── handler ◄── payload: the event's struct, the request's handle ◄──────── instance
//!                                                                                   (worker)
//! ```
//!
//! What plugins call back is `host`. Nothing of Python is known here, and nothing of how requests
//! are read or run: plugins see them as a [`crate::exchange::Passage`].

mod addressed;
mod copy;
mod crumb;
mod current;
mod descriptor;
mod downfall;
mod file;
mod handler;
mod host;
mod image;
mod link;
mod load;
mod logs;
mod module;
mod named;
mod own_threads;
mod payload;
mod peek;
mod probe;
mod serving;
mod shared;
mod text;
pub mod tools;
mod trial;

use host::basics;

pub use descriptor::{Contents, Descriptor, HandlerDescriptor, Tolerance};
pub use file::Resolve;
pub use load::{Plugins, load};
pub use logs::{check_logs, makers, relay_logs};
pub use module::Module;
pub use named::unknown_names;
pub use peek::{Note, Peek};
pub use probe::rehearse;
pub use serving::{Surroundings, abandon, enter, leave};

/// This process has been forked to be a worker.
pub fn after_fork() {
    downfall::forget();
}

/// A worker of this id is gone: what it had added to gauges is taken back.
pub fn forget_worker(id: usize) {
    host::forget_metrics(id);
}
