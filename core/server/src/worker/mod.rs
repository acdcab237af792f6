//! A worker: what happens after the fork, and the loop that serves.
//!
//! `boot` is the order of a worker's life. `io` minds the connections, whatever the class; `sync`
//! and `gthread` decide on which thread a ready request runs. The arbiter is not known here: what
//! it and a worker share is the lifeline.

mod ages;
mod boot;

mod gthread;
mod io;
mod shared;
mod sync;

pub use boot::{Job, run};
