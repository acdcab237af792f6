//! Requests that a handler has taken off their thread, and what was decided of them since.
//!
//! A handler gets a token for its request, as a number; whoever has the token decides, once, on any
//! thread. The worker's loop is woken and takes the decisions in.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::exchange::{PreparedAnswer, Ticket};

/// What is decided of a suspended request.
#[derive(Debug)]
pub enum Decision {
    /// It goes on with the next handler.
    GoOn,
    /// It gets this answer.
    Answer(Box<PreparedAnswer>),
    /// Its connection is closed.
    Close,
}

/// A worker's suspended requests.
#[derive(Debug)]
pub struct Resumptions {
    open: Mutex<Open>,
    decided: Mutex<Vec<Decided>>,
    any: AtomicBool,
    bell: EventFd,
}

/// A decision, the token it was made with, and the request that is for.
#[derive(Debug)]
pub struct Decided {
    /// The token: it names one suspension of the request.
    pub token: u64,
    /// The request.
    pub ticket: Ticket,
    /// The decision.
    pub decision: Decision,
}

#[derive(Debug, Default)]
struct Open {
    last: u64,
    tickets: HashMap<u64, Ticket>,
}

impl Resumptions {
    /// Nothing is suspended yet.
    ///
    /// # Errors
    /// No descriptors left.
    pub fn new() -> nix::Result<Self> {
        Ok(Self {
            open: Mutex::default(),
            decided: Mutex::default(),
            any: AtomicBool::new(false),
            bell: EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?,
        })
    }

    /// A token for a request: never 0.
    pub fn suspend(&self, ticket: Ticket) -> u64 {
        let mut open = lock(&self.open);
        open.last += 1;
        let token = open.last;
        open.tickets.insert(token, ticket);
        token
    }

    /// Decides; whether the token was one that had not been used.
    pub fn decide(&self, token: u64, decision: Decision) -> bool {
        let Some(ticket) = lock(&self.open).tickets.remove(&token) else {
            return false;
        };
        self.decide_again(Decided {
            token,
            ticket,
            decision,
        });
        true
    }

    /// Takes a decision back in that came before its request was parked.
    pub fn decide_again(&self, decided: Decided) {
        lock(&self.decided).push(decided);
        self.any.store(true, Ordering::Release);
        self.ring();
    }

    /// Whether the token has not been used.
    #[must_use]
    pub fn is_open(&self, token: u64) -> bool {
        lock(&self.open).tickets.contains_key(&token)
    }

    /// What was decided since the last call.
    #[must_use]
    pub fn take(&self) -> Vec<Decided> {
        if self.any.load(Ordering::Acquire) {
            self.any.store(false, Ordering::Release);
            std::mem::take(&mut *lock(&self.decided))
        } else {
            Vec::new()
        }
    }

    /// Makes a token void: nobody waits for a decision any more.
    pub fn revoke(&self, token: u64) {
        lock(&self.open).tickets.remove(&token);
    }

    /// Ends the wait of the thread that minds the I/O.
    pub fn ring(&self) {
        // A full counter rings as well.
        let _ = self.bell.write(1);
    }

    /// What rings.
    #[must_use]
    pub fn bell(&self) -> &EventFd {
        &self.bell
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_decides_once() {
        let resumptions = Resumptions::new().unwrap();
        let ticket = Ticket {
            connection: 7,
            number: 1,
        };
        let token = resumptions.suspend(ticket);
        assert!(resumptions.is_open(token) && resumptions.take().is_empty());
        assert!(resumptions.decide(token, Decision::Close));
        assert!(!resumptions.decide(token, Decision::GoOn), "used already");
        let taken = resumptions.take();
        assert!(matches!(taken[0].decision, Decision::Close));
        assert_eq!((taken[0].token, taken[0].ticket), (token, ticket));
        let token = resumptions.suspend(ticket);
        resumptions.revoke(token);
        assert!(!resumptions.decide(token, Decision::GoOn));
    }
}
