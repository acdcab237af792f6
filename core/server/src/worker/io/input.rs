//! Reading heads, and the bodies that are read in advance.

use std::sync::Arc;

use tricorn_http::body::BodyDecoder;
use tricorn_http::proxy::{self, Opening};
use tricorn_http::{Framing, Head, HeadScan, PeerError, Scanned};

use super::conn::{Conn, ConnCell, Phase};
use super::core::Core;
use super::patience::Patience;
use super::timers::NEVER;
use crate::access::is_heard;
use crate::clock;
use crate::exchange::Request;
use crate::sock::Transfer;

/// A connection keeps a buffer of this size from one body to the next.
const KEPT_WITH_CONNECTION: usize = 4096;

/// Larger ones are shared by all connections: so many, up to this size.
const MOST_SPARE: usize = 4;
const LARGEST_SPARE: usize = 1024 * 1024;

/// How long a body waits for the memory of others before one of those has to go that has kept
/// everybody waiting for as long.
const HELD_UP: u64 = 2_000_000_000;

/// What bytes at the beginning of the input came to.
enum Taken {
    /// More are needed.
    Nothing,
    /// A PROXY header of this length.
    Opening(usize),
    /// A whole head.
    Head(HeadFacts),
}

/// What is to be known of a head that has been read, to go on.
struct HeadFacts {
    /// Where it ends.
    end: usize,
    framing: Framing,
    expects_continue: bool,
}

impl Core {
    /// Reads until a head is whole or the kernel has nothing more. Whether the phase has changed.
    pub(super) fn read_head(&mut self, cell: &Arc<ConnCell>, conn: &mut Conn) -> bool {
        if !conn.input.is_empty() && self.take_held(cell, conn) {
            return true;
        }
        while conn.readable {
            let mut scratch = std::mem::take(&mut self.scratch);
            scratch.clear();
            let most = scratch.capacity();
            let received = conn.stream.receive_more(&mut scratch, most);
            conn.note_received(received, most);
            let moved = match received {
                Transfer::Bytes(_) => self.take_received(cell, conn, &scratch),
                Transfer::WouldBlock => false,
                Transfer::Closed => {
                    conn.phase = Phase::Closed;
                    true
                }
            };
            self.scratch = scratch;
            if moved {
                return true;
            }
        }
        false
    }

    /// The common case is a whole head in one piece, which is parsed where it lies.
    fn take_received(&mut self, cell: &Arc<ConnCell>, conn: &mut Conn, bytes: &[u8]) -> bool {
        if conn.input.is_empty() {
            let (used, moved) = self.take_input(cell, conn, bytes);
            let mut rest = &bytes[used..];
            if conn.phase == Phase::Body {
                let (content, after) = rest.split_at(conn.count_content(rest.len()));
                conn.body.buffer.extend_from_slice(content);
                rest = after;
            }
            conn.input.extend_from_slice(rest);
            moved
        } else {
            conn.input.extend_from_slice(bytes);
            self.take_held(cell, conn)
        }
    }

    fn take_held(&mut self, cell: &Arc<ConnCell>, conn: &mut Conn) -> bool {
        let input = std::mem::take(&mut conn.input);
        let (used, moved) = self.take_input(cell, conn, &input);
        conn.input = input;
        conn.input.drain(..used);
        moved
    }

    /// Takes a head off the beginning of `input`: how much was used, and whether the phase changed.
    fn take_input(&mut self, cell: &Arc<ConnCell>, conn: &mut Conn, input: &[u8]) -> (usize, bool) {
        let was_idle = !conn.scan.has_begun();
        let mut used = 0;
        loop {
            match self.take_head(conn, &input[used..]) {
                Ok(Taken::Opening(length)) => used += length,
                Ok(Taken::Head(facts)) => {
                    used += facts.end;
                    self.take_request(cell, conn, &facts);
                    return (used, true);
                }
                Ok(Taken::Nothing) => {
                    // A PROXY header in part has its time since the connection was accepted.
                    if was_idle && !conn.may_open && used < input.len() {
                        conn.limit_to(self.now, self.env.limits.header);
                    }
                    return (used, false);
                }
                Err(error) => {
                    self.refuse_head(conn, &input[used..], error);
                    return (input.len(), true);
                }
            }
        }
    }

    fn take_head(&mut self, conn: &mut Conn, bytes: &[u8]) -> Result<Taken, PeerError> {
        if conn.may_open {
            let mode = self.env.config.rules.trust.proxy_protocol;
            match proxy::read(bytes, mode)? {
                Opening::Partial => return Ok(Taken::Nothing),
                Opening::Absent => conn.may_open = false,
                Opening::Header { len, peer } => {
                    if !self
                        .env
                        .config
                        .rules
                        .trust
                        .proxy
                        .allows(conn.endpoints.peer_ip())
                    {
                        return Err(PeerError::ProxyNotAllowed);
                    }
                    conn.note_proxied(peer);
                    return Ok(Taken::Opening(len));
                }
            }
        }
        let rules = &self.env.config.rules;
        let extent = match conn.scan.advance(bytes, &rules.limits)? {
            Scanned::Partial => return Ok(Taken::Nothing),
            Scanned::Complete(extent) => extent,
        };
        conn.head_is_new = true;
        let number = conn.number + 1;
        let is_trusted = conn.is_trusted;
        let request = request_of(conn);
        request.head.read(bytes, extent, rules, is_trusted)?;
        request.number = number;
        request.started = if self.env.wants_duration || is_heard() {
            clock::now()
        } else {
            self.now
        };
        let facts = HeadFacts {
            end: extent.end,
            framing: request.head.framing(),
            expects_continue: request.head.expects_continue(),
        };
        let keeps_alive = request.head.keeps_alive();
        conn.keep = keeps_alive;
        conn.number = number;
        Ok(Taken::Head(facts))
    }

    /// A head is whole and accepted: decides what becomes of its body.
    fn take_request(&mut self, cell: &Arc<ConnCell>, conn: &mut Conn, facts: &HeadFacts) {
        conn.scan = HeadScan::default();
        let framing = facts.framing;
        conn.limit.at = NEVER;
        conn.body.error = None;
        conn.body.patience = Patience::new(self.env.limits.body);
        conn.body.is_measured = false;
        conn.body.owes_continue = facts.expects_continue && framing != Framing::None;
        conn.body.decoder = (framing != Framing::None)
            .then(|| BodyDecoder::new(framing, &self.env.config.rules.limits));
        if !self.env.natives.head || self.pass_head(cell, conn, 0) {
            self.await_body(cell, conn);
        }
    }

    /// Lets go of a body's memory.
    pub(super) fn release_body(&mut self, conn: &mut Conn) {
        let reserved = std::mem::take(&mut conn.body.reserved);
        self.bodies -= reserved;
        self.memory_freed |= reserved > 0;
        if std::mem::take(&mut conn.body.is_privileged) {
            self.has_privileged = false;
            self.memory_freed = true;
        }
        conn.body.at = 0;
        conn.body.buffer.clear();
        let capacity = conn.body.buffer.capacity();
        if capacity > KEPT_WITH_CONNECTION {
            let buffer = std::mem::take(&mut conn.body.buffer);
            if self.spare.len() < MOST_SPARE && capacity <= LARGEST_SPARE {
                self.spare.push(buffer);
            }
        }
    }

    /// Lets bodies that waited for memory go on. Called while no connection is locked.
    pub(super) fn resume_bodies(&mut self) {
        if !std::mem::take(&mut self.memory_freed) {
            return;
        }
        for _ in 0..self.paused.len() {
            if !self.has_memory() && self.has_privileged {
                return;
            }
            let Some(cell) = self.paused.pop_front() else {
                return;
            };
            let mut conn = cell.lock();
            if conn.phase == Phase::BodyPaused {
                conn.phase = Phase::Body;
                conn.readable = true;
                self.pump(&cell, &mut conn);
            }
        }
    }

    /// Stops reading a body until memory is free.
    pub(super) fn pause_body(&mut self, cell: &Arc<ConnCell>, conn: &mut Conn) {
        conn.limit_to(self.now, Some(HELD_UP));
        conn.phase = Phase::BodyPaused;
        self.paused.push_back(Arc::clone(cell));
    }

    /// No memory has become free in time for a body.
    pub(super) fn end_pause(&mut self, cell: &Arc<ConnCell>, conn: &mut Conn) {
        if conn.is_broken {
            self.paused.retain(|paused| paused.key != cell.key);
            conn.phase = Phase::Closed;
            return;
        }
        conn.limit_to(self.now, Some(HELD_UP));
        if let Some(idler) = self.worst_idler(cell) {
            let mut conn = idler.lock();
            // The worker may have been busy: its bytes may have come long ago.
            conn.readable = true;
            self.pump(&idler, &mut conn);
            if conn.idles_with_memory(self.now) >= Some(HELD_UP) {
                self.refuse(&mut conn, PeerError::BodyTimeout);
                self.pump(&idler, &mut conn);
            }
        }
    }

    /// The connection that has memory for its body and has used up most of its patience, but not
    /// `but`, whose lock is held.
    fn worst_idler(&self, but: &ConnCell) -> Option<Arc<ConnCell>> {
        self.cells()
            .into_iter()
            .filter(|cell| cell.key != but.key)
            .filter_map(|cell| {
                let spent = cell.lock().idles_with_memory(self.now);
                Some((spent?, cell))
            })
            .filter(|(spent, _)| *spent >= HELD_UP)
            .max_by_key(|(spent, _)| *spent)
            .map(|(_, cell)| cell)
    }

    pub(super) fn has_memory(&self) -> bool {
        self.bodies < self.env.config.bounds.request_bodies
    }
}

impl Conn {
    /// How much patience has gone into a body that is read into memory and has taken some.
    fn idles_with_memory(&self, now: u64) -> Option<u64> {
        let holds = self.phase == Phase::Body && self.body.reserved > 0;
        holds.then(|| self.body.patience.spent(now))
    }
}

/// The connection's request, to be filled in: the last one's memory, unless somebody keeps it.
fn request_of(conn: &mut Conn) -> &mut Request {
    let request = conn.request.get_or_insert_with(|| {
        let endpoints = Arc::clone(&conn.endpoints);
        Arc::new(Request {
            head: Head::default(),
            endpoints,
            number: 0,
            started: 0,
            measured: None,
            environ: Vec::new(),
        })
    });
    let request = Arc::make_mut(request);
    request.environ.clear();
    request.measured = None;
    if !Arc::ptr_eq(&request.endpoints, &conn.endpoints) {
        request.endpoints = Arc::clone(&conn.endpoints);
    }
    request
}
