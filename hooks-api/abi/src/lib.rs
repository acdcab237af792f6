//! The C ABI between tricorn and its plugins.
//!
//! A plugin is a shared object that exports one function, [`ENTRY_SYMBOL`]. It returns an
//! [`Entry`], which names the plugins in the file and their handlers. Everything a plugin needs of
//! the server it gets as function tables through [`Host::get_interface`]; it links against nothing.
//!
//! This crate holds types and constants, and no code. The C header is generated from it.
//!
//! # Growth
//! * Structs that cross by pointer begin with `struct_size`, set by the side that allocated them.
//!   They grow at the end only. A reader touches a field only if `struct_size` reaches past it.
//! * Arrays of structs come with their stride.
//! * Function tables are found by name and revision, and within a revision grow at the end too.
//! * A minor version only adds: a field at the end, an event, a table, a flag, a code.
//!
//! # Ownership
//! * A pointer passed into a call is borrowed until it returns; whoever wants to keep it copies.
//! * What one side has allocated the other never frees. Results of any length go into a [`Buffer`].
//! * Descriptors (entry, plugins, handlers, their texts) live for ever: nothing is ever unloaded.
//!
//! # Processes and threads
//! Every function says where it may be called: `[arbiter]` the supervising process before and
//! after forks, on its one thread; `[worker]` a worker's main thread; `[request]` the thread that
//! called the handler, during that call; `[any]` any thread of the process.
//!
//! # Unwinding
//! Nothing unwinds across the boundary. A plugin's functions are typed `C-unwind` so that one that
//! does ends the process in a defined way; the Rust SDK catches every panic on the plugin's side.
#![no_std]

mod basics;
mod causes;
mod codes;
mod entry;
mod events;
mod host;
mod http;
mod logs;
mod metrics;
mod response;
mod shm;
mod text;
mod worker;

pub use basics::*;
pub use causes::*;
pub use codes::*;
pub use entry::*;
pub use events::*;
pub use host::*;
pub use http::*;
pub use logs::*;
pub use metrics::*;
pub use response::*;
pub use shm::*;
pub use text::*;
pub use worker::*;
