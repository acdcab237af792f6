//! All that crosses the fork: a cell of shared memory for each worker, and pipes whose ends tell
//! each side of the other's death.
//!
//! The arbiter and a worker know of each other only what stands here. A cell is written by one
//! process at a time with plain atomic stores, so a KILL at any instruction leaves it readable.

mod board;
mod pipes;

pub use board::{Board, Cell, Phase, WORKERS_AT_MOST};
pub use pipes::{ArbiterEnd, Message, WorkerEnd, pair};
