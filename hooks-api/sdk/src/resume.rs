//! Deciding of a suspended request.

use std::cell::RefCell;
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

    /// Leaves it to [`fail_what_was_lost`], if this thread will call that; gives it back otherwise.
    fn keep_for_later(&self) -> Option<Lost> {
        let lost = Lost {
            token: self.token,
            table: self.table,
        };
        LOST.with_borrow_mut(|kept| match kept {
            Some(kept) => {
                kept.push(lost);
                None
            }
            None => Some(lost),
        })
    }

    /// Closes the connection.
    pub fn close(self) {
        drop(self);
    }
}

impl Drop for Resume {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: the token has not been used.
            let _ = check("close", unsafe { (self.table.resume_close)(self.token) });
        } else if let Some(lost) = self.keep_for_later() {
            lost.fail();
        }
    }
}

/// What a panic has dropped: nobody else decides of it any more.
struct Lost {
    token: *mut abi::Resume,
    table: &'static abi::Response,
}

impl Lost {
    /// Answers as the server does where a handler has panicked; a request that has ended is no fault.
    fn fail(self) {
        let given = Answer::text(500, "Internal Server Error\n").give(|answer| {
            // SAFETY: the token has not been used.
            unsafe { (self.table.resume_respond)(self.token, answer) }
        });
        if given.is_err() {
            // SAFETY: a refused answer leaves the token as it was.
            unsafe { (self.table.resume_close)(self.token) };
        }
    }
}

thread_local! {
    /// What a panic drops on a thread of the plugin's own, which has something else to do first.
    static LOST: RefCell<Option<Vec<Lost>>> = const { RefCell::new(None) };
}

/// From now on, what a panic drops on this thread waits for [`fail_what_was_lost`].
pub(crate) fn keep_what_is_lost() {
    LOST.set(Some(Vec::new()));
}

/// Answers the requests that a panic on this thread has dropped.
pub(crate) fn fail_what_was_lost() {
    for lost in LOST.take().into_iter().flatten() {
        lost.fail();
    }
}
