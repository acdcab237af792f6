//! All that crosses the fork: a cell of shared memory for each worker, and pipes whose ends tell
//! each side of the other's death.
//!
//! The arbiter and a worker know of each other only what stands here. A cell is written by one
//! process at a time with plain atomic stores, so a KILL at any instruction leaves it readable.

mod board;
pub mod closed;
pub mod forked;
mod held_back;
mod nudge;
mod pipes;
mod running;
mod stacks;

use std::sync::Arc;

pub use board::{Board, Cell, PLACES, Phase, WORKERS_AT_MOST};
pub use held_back::HeldBack;
pub use nudge::Nudge;
pub use pipes::{ArbiterEnd, End, Message, Reports, WorkerEnd, forsake, pair};
pub use running::{Beginning, RunningRequest};
pub use stacks::{Stacks, overtime_signal, stack_signal};

/// A worker's side of all this.
#[derive(Debug)]
pub struct WorkerSide {
    /// Its id among the living, from 1: its place on the board.
    pub id: usize,
    /// Where it shows signs of life.
    pub board: Board,
    /// Its ends of the pipes.
    pub pipes: WorkerEnd,
    /// How it wakes its siblings.
    pub nudge: Arc<Nudge>,
    /// What was sent since the fork, until it has handlers of its own.
    pub held_back: HeldBack,
}

impl WorkerSide {
    /// Its cell.
    #[must_use]
    pub fn cell(&self) -> &'static Cell {
        self.board.cell(self.id)
    }
}
