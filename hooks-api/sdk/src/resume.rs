//! Deciding of a suspended request.

use std::mem::ManuallyDrop;

use tricorn_abi as abi;

use crate::answer::Answer;
use crate::error::{Result, check};

/// The right to decide what becomes of a suspended request, on any thread. Dropped without a
/// decision, it closes the connection: nobody else would. Where a panic drops it, the client gets 500.
#[derive(Debug)]
#[must_use]
pub struct Resume {
    token: *mut abi::Resume,
    table: &'static abi::Response,
}

// SAFETY: a token may be used on any thread.
unsafe impl Send for Resume {}

impl Resume {
    pub(crate) fn new(token: *mut abi::Resume, table: &'static abi::Response) -> Self {
        Self { token, table }
    }

    /// Lets the request go on with the next handler.
    pub fn go_on(self) {
        let this = ManuallyDrop::new(self);
        // SAFETY: the token has not been used. A request that has ended meanwhile is no fault.
        unsafe { (this.table.resume)(this.token) };
    }

    /// Answers the request.
    ///
    /// # Errors
    /// An answer that cannot be sent: the connection is closed then.
    pub fn respond(self, answer: Answer) -> Result<()> {
        let this = ManuallyDrop::new(self);
        let given = answer.give(|answer| {
            // SAFETY: the token has not been used.
            match unsafe { (this.table.resume_respond)(this.token, answer) } {
                // The request has ended meanwhile, which is no fault.
                abi::STALE => abi::OK,
                code => code,
            }
        });
        if given.is_err() {
            // SAFETY: a refused answer leaves the token as it was.
            unsafe { (this.table.resume_close)(this.token) };
        }
        given
    }

    /// Answers as the server does where a handler has panicked.
    fn fail(&self) -> Result<()> {
        Answer::text(500, "Internal Server Error\n").give(|answer| {
            // SAFETY: the token has not been used.
            unsafe { (self.table.resume_respond)(self.token, answer) }
        })
    }

    /// Closes the connection.
    pub fn close(self) {
        drop(self);
    }
}

impl Drop for Resume {
    fn drop(&mut self) {
        if std::thread::panicking() && self.fail().is_ok() {
            return;
        }
        // SAFETY: the token has not been used.
        let _ = check("close", unsafe { (self.table.resume_close)(self.token) });
    }
}
