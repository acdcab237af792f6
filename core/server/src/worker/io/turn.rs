//! Whose turn it is. A client may send many requests together, or without end; those of others are
//! not to wait for the last of them.

use super::conn::Conn;

/// One round of the worker's loop: what a wait has told of, and what came of it.
#[derive(Debug)]
pub(super) struct Turn {
    number: u32,
    /// When it began.
    began: u64,
}

impl Turn {
    pub(super) fn new(now: u64) -> Self {
        Self {
            number: 1,
            began: now,
        }
    }

    /// The next one begins.
    pub(super) fn begin(&mut self, now: u64) {
        self.number = self.number.wrapping_add(1).max(1);
        self.began = now;
    }

    /// A connection has had a request served in this one.
    pub(super) fn note_served(&self, conn: &mut Conn) {
        conn.served_in = self.number;
    }

    /// Whether a connection has had its share: its next request is left to the next turn. While the
    /// turn is young, less than a tick of the coarse clock, nobody waits for long.
    pub(super) fn is_over_for(&self, conn: &Conn, now: u64) -> bool {
        conn.served_in == self.number && now > self.began
    }
}
