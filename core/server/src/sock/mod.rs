//! Sockets: listening, accepting, and the bytes of one connection. Knows no HTTP and no worker.

mod bind;
mod listener;
mod stream;

pub use bind::{BindOptions, bind};
pub use listener::{Accepted, Listener};
pub use stream::{Stream, Transfer};
