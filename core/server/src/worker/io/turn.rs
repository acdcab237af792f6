//! Whose turn it is. A client may send many requests together, or without end; those of others are
//! not to wait for the last of them.

use super::conn::Conn;
use crate::clock;

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

    /// Whether a connection that could go on at once is to be put down for the next turn: it may have
    /// been in this one. Put down at each look, it would have ever more of every turn.
    pub(super) fn puts_down(&self, conn: &mut Conn) -> bool {
        std::mem::replace(&mut conn.put_down_in, self.number) != self.number
    }

    /// Whether a connection that has more at hand has had its share: that is left to the next turn.
    /// While this one is young, less than a tick of the coarse clock, nobody waits for long. The clock
    /// is asked anew: of requests that are answered at their heads, many are served without a look at
    /// it.
    pub(super) fn is_over_for(&self, conn: &Conn) -> bool {
        conn.served_in == self.number && clock::roughly_now() > self.began
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::sync::Arc;

    use super::*;
    use crate::exchange::{Endpoints, Local, Notes};
    use crate::sock::Stream;

    fn connection() -> Conn {
        let (ours, _) = UnixStream::pair().unwrap();
        let endpoints = Endpoints {
            peer: None,
            proxied: None,
            trusted: false,
            notes: Notes::default(),
            local: Arc::new(Local::Unix("/run/x".into())),
        };
        Conn::new(Stream::new(ours.into()), endpoints, false)
    }

    #[test]
    fn a_connection_that_goes_on_is_put_down_once_a_turn_however_often_it_is_looked_at() {
        let (mut turn, mut conn) = (Turn::new(0), connection());
        for _ in 0..3 {
            assert!(turn.puts_down(&mut conn));
            assert!(!turn.puts_down(&mut conn));
            turn.begin(0);
        }
    }

    #[test]
    fn a_connection_that_was_served_waits_once_the_turn_has_lasted() {
        let (mut turn, mut conn) = (Turn::new(0), connection());
        assert!(!turn.is_over_for(&conn), "it has had nothing of the turn");
        turn.note_served(&mut conn);
        assert!(turn.is_over_for(&conn));
        turn.begin(u64::MAX);
        turn.note_served(&mut conn);
        assert!(!turn.is_over_for(&conn), "the turn is young");
    }
}
