//! Sockets: listening, accepting, and the bytes of one connection. Knows no HTTP and no worker.

mod bind;
mod farewell;
mod inherit;
mod listener;
mod stream;

pub use bind::{BindOptions, bind, look, twin};
pub use inherit::{Inherited, PREDECESSOR, READY, SOCKETS, VARIABLES};
pub use listener::{Accepted, Listener};
pub use stream::{Stream, Transfer};
