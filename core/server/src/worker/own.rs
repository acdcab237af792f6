//! A worker whose class has a loop of its own, as those of uvicorn and aiohttp do: it accepts, reads,
//! answers and gives signs of life itself. The server supervises the process, and that is all.
//!
//! The first sign of life from the loop tells that it serves: what comes before, such as the start of
//! an ASGI application, is still the boot.

use std::sync::Arc;

use super::boot::{Early, Job, step};
use crate::gateway::{Control, Runtime, Step};
use crate::lifeline::{Message, Phase};
use crate::precedence;

/// Lets the worker object serve; the code to leave with.
pub(super) fn serve(job: Job, runtime: &Arc<dyn Runtime>, control: &Control) -> Result<i32, Early> {
    runtime.boots();
    precedence::claim_turn();
    control.begin_serving();
    let (cell, pipes) = (job.side.cell(), job.side.pipes);
    control.beat();
    cell.set_phase(Phase::Running);
    control.on_first_beat(move || {
        cell.set_phase(Phase::Serving);
        pipes.send(Message::Ready);
    });
    // The object has copies of its own, which it closes when it likes.
    drop(job.listeners);
    let code = step(Step::Run, runtime, |_| Ok(0))?;
    crate::log::flush();
    Ok(code)
}
