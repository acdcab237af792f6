//! The port between the server and whoever runs the application.
//!
//! The server hands over transactions that are ready to run; the other side reads the body and
//! gives the answer through them. Nothing here blocks: where the network has to be waited for, the
//! caller gets a [`Wait`] and decides how to wait, so that it can let go of its interpreter, look
//! at its signals or switch to another greenlet meanwhile.

mod channel;
mod control;
mod resume;
mod wait;

use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Instant;

use crate::error::Failure;
use crate::exchange::Finished;

pub use channel::{Channel, ChannelError, Facts, Fate, Handle, Progress, Read, Transaction};
pub use control::Control;
pub use resume::{Decided, Decision, Resumptions};
pub use wait::{Wait, Woken};

/// What is left of a worker's life at one of its steps. A code that the process is to end with at
/// once, if it did not come well.
pub type Rest = Box<dyn FnOnce() -> Option<i32> + Send>;

/// A step of a worker's life that the object `worker` has a method for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// All of it, from the end of `post_fork` on.
    InitProcess,
    /// Serving.
    Run,
}

impl Step {
    /// The method's name, as gunicorn has it.
    #[must_use]
    pub fn method(self) -> &'static str {
        match self {
            Self::InitProcess => "init_process",
            Self::Run => "run",
        }
    }
}

/// A worker's interpreter, before there is an application.
pub trait Runtime: Send + Sync {
    /// The process of a worker has begun: it has this id, among the living, and this age.
    fn enter(&self, id: usize, age: u64, control: &Arc<Control>);

    /// Installs a handler for this signal that writes the stacks of all threads to this descriptor,
    /// whatever the interpreter is doing. Whether there is one.
    fn explain_to(&self, signal: i32, descriptor: BorrowedFd<'_>) -> bool;

    /// Ends requests that have run for longer than `request_timeout` when this signal comes. Whether
    /// it does.
    fn ends_overdue_on(&self, signal: i32) -> bool;

    /// Takes a step: has the worker object's method do `rest`, and what it does besides. A code that
    /// the process is to end with, if the method asks for one.
    ///
    /// # Errors
    /// What the method raised.
    fn step(&self, step: Step, rest: Rest) -> Result<Option<i32>, Failure>;

    /// Sets the process up for serving: variables for the application, signal handlers.
    ///
    /// # Errors
    /// What kept it from that.
    fn set_up(&self) -> Result<(), Failure>;

    /// Loads the application, unless that was done before the fork.
    ///
    /// # Errors
    /// Why there is no application. What the application itself raised has been logged by then.
    fn load(&self) -> Result<(), Failure>;

    /// The way to the application, for a loop of the server's own.
    ///
    /// # Errors
    /// There is no application.
    fn gateway(&self) -> Result<Arc<dyn Gateway>, Failure>;

    /// The worker is about to serve.
    fn boots(&self);

    /// Sets the title that the process is listed with.
    fn set_title(&self, title: &str);
}

/// The application side.
pub trait Gateway: Send + Sync {
    /// Runs requests until `source` has no more. Called on a worker's thread, detached from any
    /// interpreter; does not unwind.
    fn run(&self, source: &dyn Source);

    /// Tells the operator's own code of requests that have ended, those that never reached the
    /// application among them. Called between requests, on any of the worker's threads.
    fn log_requests(&self, finished: Vec<Finished>);

    /// Runs what signals have asked for. Called on the worker's main thread.
    fn check_signals(&self);

    /// Starts a thread that can run requests.
    ///
    /// # Errors
    /// No more threads.
    fn spawn(&self, name: &str, body: Box<dyn FnOnce() + Send>) -> Result<Box<dyn Joins>, Failure>;
}

/// A thread that was started.
pub trait Joins {
    /// Waits for the thread's end, at most until `deadline`; whether it has ended.
    fn join(&self, deadline: Instant) -> bool;
}

/// Where requests that are ready come from, and go back to.
pub trait Source {
    /// The next request to run on this thread.
    fn next(&self) -> Option<Transaction>;

    /// Nothing more is waited for before the first request runs: the interpreter has been had, if
    /// there is one. Called once in each `run` that has a request.
    fn begun(&self);

    /// Takes a request back: its answer is given, or it was abandoned.
    fn done(&self, transaction: Transaction);
}
