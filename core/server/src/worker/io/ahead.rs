//! Bodies that are read before the application is called.

use std::sync::Arc;

use tricorn_http::PeerError;
use tricorn_http::body::{BodyDecoder, Decoded};

use super::conn::{Conn, ConnCell, Phase};
use super::core::Core;
use super::timers::NEVER;
use crate::sock::Transfer;

/// So much of a body is read in any case.
const LITTLE: usize = 16 * 1024;

/// How much of a body whose length is not known is received at once, framing and all.
const PIECE: usize = 64 * 1024;

impl Core {
    /// The head is let through: reads a body of moderate length before the request runs.
    pub(super) fn await_body(&mut self, cell: &Arc<ConnCell>, conn: &mut Conn) {
        let bounds = &self.env.config.bounds;
        let (most, reads_chunks) = (bounds.request_body, bounds.reads_chunks);
        let Some(decoder) = &conn.body.decoder else {
            return self.queue(cell, conn);
        };
        let waits = conn.body.owes_continue;
        match decoder.remaining() {
            // Of one that waits to be asked for it the application knows the length, and may refuse it.
            Some(length) if length <= most as u64 && !waits => {
                self.begin_body(conn, length as usize);
            }
            None if reads_chunks && most > 0 => {
                conn.body.is_measured = true;
                self.begin_body(conn, 0);
            }
            _ => self.queue(cell, conn),
        }
    }

    fn begin_body(&mut self, conn: &mut Conn, length: usize) {
        if conn.body.buffer.capacity() < length
            && let Some(spare) = self.spare.pop()
        {
            conn.body.buffer = spare;
        }
        // Room is not memory: that is taken as content arrives.
        conn.body.buffer.reserve_exact(length);
        conn.phase = Phase::Body;
    }

    /// Reads a body into memory. Returns true if the phase has changed.
    pub(super) fn read_body(&mut self, cell: &Arc<ConnCell>, conn: &mut Conn) -> bool {
        loop {
            if let Err(error) = conn.keep_input() {
                self.refuse(conn, error);
                return true;
            }
            self.count_body(conn);
            if conn.body_is_read() || !self.reads_on(conn) {
                break;
            }
            if !conn.readable {
                conn.send_continue();
                conn.limit.at = conn.body.patience.wait(self.now);
                return false;
            }
            if !self.may_read_on(conn) {
                self.pause_body(cell, conn);
                return false;
            }
            match conn.receive_content(self.env.config.bounds.request_body) {
                Transfer::Bytes(count) => conn.body.patience.receive(count, self.now),
                Transfer::WouldBlock => {}
                Transfer::Closed => {
                    self.refuse(conn, PeerError::BodyCutShort);
                    return true;
                }
            }
        }
        conn.limit.at = NEVER;
        conn.note_length();
        self.queue(cell, conn);
        true
    }

    /// Returns false for a body whose length is not known and that has outgrown the buffer: the
    /// application gets the rest as it comes.
    fn reads_on(&self, conn: &Conn) -> bool {
        !conn.body.is_measured || conn.body.buffer.len() <= self.env.config.bounds.request_body
    }

    /// Returns true if more of a body may be read. What little is missing always may: a request that
    /// is almost there frees what it takes. And one body is read on whatever the others hold.
    fn may_read_on(&mut self, conn: &mut Conn) -> bool {
        let missing = conn.missing(self.env.config.bounds.request_body);
        if self.has_memory() || missing <= LITTLE || conn.body.is_privileged {
            return true;
        }
        let is_first = !std::mem::replace(&mut self.has_privileged, true);
        conn.body.is_privileged |= is_first;
        is_first
    }

    /// Counts what a body has come to take.
    fn count_body(&mut self, conn: &mut Conn) {
        let taken = conn.body.buffer.len();
        self.bodies += taken - conn.body.reserved;
        conn.body.reserved = taken;
    }
}

impl Conn {
    /// Content that is still to come; of a body whose length is not known what there is room for.
    fn missing(&self, most: usize) -> usize {
        let known = self.body.decoder.as_ref().and_then(BodyDecoder::remaining);
        let room = most.saturating_sub(self.body.buffer.len());
        known.map_or(room, |left| usize::try_from(left).unwrap_or(usize::MAX))
    }

    /// Takes content that stands in the input.
    fn keep_input(&mut self) -> Result<(), PeerError> {
        if self.input.is_empty() {
            return Ok(());
        }
        let input = std::mem::take(&mut self.input);
        let kept = self.keep_content(&input);
        self.input = input;
        self.input.drain(..kept?);
        Ok(())
    }

    /// Takes the content at the beginning of `input`: how much of that was used.
    fn keep_content(&mut self, input: &[u8]) -> Result<usize, PeerError> {
        let Some(decoder) = &mut self.body.decoder else {
            return Ok(0);
        };
        let mut used = 0;
        loop {
            match decoder.decode(&input[used..])? {
                Decoded::Content { skip, len } => {
                    let at = used + skip;
                    self.body.buffer.extend_from_slice(&input[at..at + len]);
                    used = at + len;
                }
                Decoded::Partial { used: more } | Decoded::End { used: more } => {
                    return Ok(used + more);
                }
            }
        }
    }

    /// Receives content: of a known length to where it will be read from, else with its framing.
    fn receive_content(&mut self, most: usize) -> Transfer {
        if self.body.is_measured {
            let received = self.stream.receive_more(&mut self.input, PIECE);
            self.note_received(received, PIECE);
            return received;
        }
        let missing = self.missing(most);
        let received = self.stream.receive_more(&mut self.body.buffer, missing);
        self.note_received(received, missing);
        if let Transfer::Bytes(count) = received {
            self.count_content(count);
        }
        received
    }

    /// Tells the decoder of `count` bytes of a body whose length is known; how many belong to it.
    pub(super) fn count_content(&mut self, count: usize) -> usize {
        self.body
            .decoder
            .as_mut()
            .map_or(0, |decoder| decoder.skip_content(count))
    }

    /// A body that came without a length and has ended has one now.
    fn note_length(&mut self) {
        if std::mem::take(&mut self.body.is_measured)
            && self.body_is_read()
            && let Some(request) = &mut self.request
        {
            Arc::make_mut(request).measured = Some(self.body.buffer.len() as u64);
        }
    }
}
