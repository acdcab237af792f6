//! The end of a connection whose client may still be sending: it is to read its answer, and not a
//! reset (RFC 9112 section 9.6).
//!
//! A socket that is closed answers whatever still comes with a reset, and that destroys what the
//! client has not read yet. So only the server's side is closed, and what comes is thrown away until
//! the client ends too. No thread waits for it and no memory is kept; bytes and time are limited, and
//! a connection that lingers gives its place to a new one where there is no other.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Key;
use super::conn::{Conn, ConnCell, Phase};
use super::core::Core;
use crate::sock::Transfer;

const SECOND: u64 = 1_000_000_000;

/// How long a client may send nothing.
const SILENCE: u64 = 5 * SECOND;

/// How long it may go on sending.
const LONGEST: u64 = 30 * SECOND;

/// How much of what it sends is thrown away.
const MOST: u64 = 256 * 1024 * 1024;

/// How often one connection is read in a turn: the others are not to wait.
const READS: usize = 4;

/// What a client may still do with a connection that ends.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Linger {
    until: u64,
    silence: u64,
    received: u64,
    /// It stands in the line of those that give way.
    gives_way: bool,
}

impl Linger {
    /// For a client that may be sending.
    fn for_sender(now: u64) -> Self {
        Self {
            until: now.saturating_add(LONGEST),
            silence: SILENCE,
            ..Self::default()
        }
    }

    /// For a client that is given `time`, and not more.
    fn for_idler(now: u64, time: u64) -> Self {
        Self {
            until: now.saturating_add(time),
            silence: time,
            ..Self::default()
        }
    }

    /// Notes what has come. Returns false once it is too much.
    fn receive(&mut self, bytes: usize) -> bool {
        self.received += bytes as u64;
        self.received <= MOST
    }

    /// Returns the time at which the connection ends if nothing comes from `now` on.
    fn limit(&self, now: u64) -> u64 {
        self.until.min(now.saturating_add(self.silence))
    }
}

/// The connections that linger and give way, the oldest first. Some of them are gone.
#[derive(Debug, Default)]
pub(super) struct Lingering {
    line: VecDeque<Key>,
    count: usize,
}

impl Core {
    /// Ends a connection in a way that the client can read all of its answer.
    pub(super) fn part(&mut self, conn: &mut Conn) {
        self.scratch.clear();
        let received = conn.stream.receive_more(&mut self.scratch, 1);
        let expects_end = conn
            .request
            .as_ref()
            .is_some_and(|request| !request.head.keeps_alive());
        let is_clean =
            expects_end && !conn.answer.refuses && conn.body_is_read() && conn.input.is_empty();
        if received == Transfer::Closed || (received == Transfer::WouldBlock && is_clean) {
            conn.phase = Phase::Closed;
            return;
        }
        self.half_close(conn, Linger::for_sender(self.now));
    }

    /// Ends a connection on which no request has come, and gives the client `time` to notice.
    pub(super) fn part_from_idler(&mut self, conn: &mut Conn, time: u64) {
        self.half_close(conn, Linger::for_idler(self.now, time));
    }

    fn half_close(&mut self, conn: &mut Conn, linger: Linger) {
        conn.readable = true;
        conn.stream.finish();
        conn.phase = Phase::Lingering;
        conn.input = Vec::new();
        conn.linger = linger;
        conn.limit.at = linger.limit(self.now);
    }

    /// Throws away what comes. Returns true if the phase has changed.
    pub(super) fn linger(&mut self, conn: &mut Conn) -> bool {
        let goes_on = self.throw_away(conn);
        if goes_on {
            conn.goes_on = conn.readable;
        } else {
            conn.phase = Phase::Closed;
        }
        !goes_on
    }

    /// Reads for a while and keeps nothing. Returns false once the client has ended, or has sent more
    /// than anybody waits for.
    pub(super) fn throw_away(&mut self, conn: &mut Conn) -> bool {
        for _ in 0..READS {
            if !conn.readable {
                break;
            }
            self.scratch.clear();
            let most = self.scratch.capacity();
            let received = conn.stream.receive_more(&mut self.scratch, most);
            conn.note_received(received, most);
            match received {
                Transfer::Bytes(count) if conn.linger.receive(count) => {
                    if conn.phase == Phase::Lingering {
                        conn.limit.at = conn.linger.limit(self.now);
                    }
                }
                Transfer::WouldBlock => {}
                Transfer::Bytes(_) | Transfer::Closed => return false,
            }
        }
        true
    }

    /// Puts a connection that lingers in the line of those that give way.
    pub(super) fn line_up_lingering(&mut self, cell: &ConnCell, conn: &mut Conn) {
        if conn.linger.silence < SILENCE || std::mem::replace(&mut conn.linger.gives_way, true) {
            return;
        }
        self.lingering.count += 1;
        if self.lingering.line.len() >= 2 * self.lingering.count {
            let mut line = std::mem::take(&mut self.lingering.line);
            line.retain(|key| self.find(*key).is_some());
            self.lingering.line = line;
        }
        self.lingering.line.push_back(cell.key);
    }

    /// A connection is taken out of the table.
    pub(super) fn forget_lingering(&mut self, conn: &Conn) {
        if conn.linger.gives_way {
            self.lingering.count -= 1;
        }
    }

    /// Returns how many connections would give way to new ones.
    pub(super) fn giving_way(&self) -> usize {
        self.lingering.count
    }

    /// Closes the connection that has lingered for longest, for one that is new.
    pub(super) fn have_one_give_way(&mut self) {
        let gone = std::iter::from_fn(|| self.lingering.line.pop_front())
            .find_map(|key| self.table.get(key.place()).filter(|cell| cell.key == key))
            .map(Arc::clone);
        if let Some(cell) = gone {
            let mut conn = cell.lock();
            conn.phase = Phase::Closed;
            self.settle(&cell, &mut conn);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_sends_on_is_waited_for_and_not_for_ever() {
        let linger = Linger::for_sender(SECOND);
        assert_eq!(linger.limit(SECOND), 6 * SECOND, "it is silent");
        assert_eq!(linger.limit(20 * SECOND), 25 * SECOND, "it has just sent");
        assert_eq!(linger.limit(29 * SECOND), 31 * SECOND, "it drips");
    }

    #[test]
    fn so_much_and_no_more_is_thrown_away() {
        let mut linger = Linger::for_sender(0);
        assert!(linger.receive(MOST as usize));
        assert!(!linger.receive(1));
    }

    #[test]
    fn an_idler_has_its_time_and_no_more() {
        let linger = Linger::for_idler(SECOND, 2 * SECOND);
        assert_eq!(linger.limit(2 * SECOND), 3 * SECOND);
    }
}
