//! A worker whose class has a loop of its own, as those of uvicorn and aiohttp do: it accepts, reads,
//! answers and gives signs of life itself. The server supervises the process, and that is all.
//!
//! The first sign of life from the loop tells that it serves: what comes before, such as the start of
//! an ASGI application, is still the boot.

use std::sync::Arc;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, raise};
use nix::unistd::getppid;

use super::boot::{Early, Job, cannot, step};
use crate::gateway::{Control, Runtime, Step};
use crate::lifeline::{Message, Phase};
use crate::precedence;

/// Lets the worker object serve; the code to leave with.
pub(super) fn serve(job: Job, runtime: &Arc<dyn Runtime>, control: &Control) -> Result<i32, Early> {
    end_with_the_arbiter(&job).map_err(|error| cannot("ask for a signal", &error))?;
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

/// Its loop knows of no arbiter: the kernel tells it when that is gone, by TERM.
fn end_with_the_arbiter(job: &Job) -> nix::Result<()> {
    let arbiter = getppid();
    set_pdeathsig(Signal::SIGTERM)?;
    if job.side.pipes.is_orphaned() || getppid() != arbiter {
        raise(Signal::SIGTERM)?;
    }
    Ok(())
}
