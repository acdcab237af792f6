//! The end of a request, and what becomes of its connection.

use std::sync::Arc;

use tricorn_http::PeerError;
use tricorn_http::body::Decoded;
use tricorn_http::response::{Asked, Reply, error_page};

use super::channel::DRAINED_AT_MOST;
use super::conn::{Conn, ConnCell, Phase};
use super::core::{Core, Refusal};
use super::output::Sent;
use crate::clock;
use crate::exchange::{End, Record, Request, with_own_lines};
use crate::hooks::Event;
use crate::sock::Transfer;

/// How long the rest of a body that nobody read may take to come.
const DRAIN: u64 = 5_000_000_000;

impl Core {
    /// Answers a request that breaks the rules, and ends the connection.
    #[cold]
    pub(super) fn refuse(&mut self, conn: &mut Conn, error: PeerError) {
        let client = conn.endpoints.client().map_or_else(
            || "a unix socket".to_owned(),
            |client| client.ip().to_string(),
        );
        log::warn!("Invalid request from {client}: {error}");
        let status = error.status();
        if self.env.bus.is_heard(Event::RequestError) {
            self.refusals.push(Refusal {
                status: status.code(),
                reason: error.to_string(),
            });
        }
        self.release_body(conn);
        self.ensure_request(conn);
        let answer = &mut conn.answer;
        let page = error_page(status, &error.to_string(), &mut answer.head);
        let reply = Reply::plan(Asked::unreadable(), &answer.head, Some(page.len() as u64));
        with_own_lines(|own| reply.write_head(&answer.head, own, &mut answer.out));
        answer.out.extend_from_slice(&page);
        answer.taken = page.len() as u64;
        answer.reply = Some(reply);
        answer.finished = true;
        answer.refuses = true;
        conn.keep = false;
        conn.phase = Phase::Flushing;
    }

    /// Refuses a request whose head is not whole, or could not be read.
    #[cold]
    pub(super) fn refuse_head(&mut self, conn: &mut Conn, bytes: &[u8], error: PeerError) {
        if !conn.head_is_new {
            self.ensure_request(conn);
            if let Some(request) = &mut conn.request {
                let request = Arc::make_mut(request);
                request.head.keep_line(bytes);
                request.started = self.now;
                request.environ.clear();
            }
            conn.head_is_new = true;
        }
        self.refuse(conn, error);
    }

    /// A refused request has a record too, with what there is of its head.
    fn ensure_request(&self, conn: &mut Conn) {
        let now = self.now;
        let endpoints = Arc::clone(&conn.endpoints);
        let request = conn.request.get_or_insert_with(|| {
            Arc::new(Request {
                head: tricorn_http::Head::default(),
                endpoints,
                number: 0,
                started: now,
                measured: None,
                environ: Vec::new(),
            })
        });
        if request.started == 0 {
            Arc::make_mut(request).started = now;
        }
    }

    /// Sends what is owed. Whether the phase has changed.
    pub(super) fn flush(&mut self, conn: &mut Conn) -> bool {
        if !matches!(conn.answer.end, None | Some(End::CutShort)) {
            return self.complete(conn);
        }
        let before = conn.owed();
        let sent = conn.send_pending();
        match sent {
            Sent::All => self.complete(conn),
            Sent::Failed(end) => {
                conn.answer.end = Some(end);
                self.complete(conn)
            }
            Sent::Blocked | Sent::Partly => {
                conn.goes_on = sent == Sent::Partly;
                self.make_way_for_answer(conn);
                let is_new = conn.limit.at == super::timers::NEVER;
                if is_new || conn.owed() < before {
                    conn.limit_to(self.now, self.env.limits.write);
                }
                false
            }
        }
    }

    /// A client that sends all of its request first reads nothing until that has been taken off it.
    fn make_way_for_answer(&mut self, conn: &mut Conn) {
        let closes = conn.answer.reply.as_ref().is_some_and(|reply| reply.close);
        if closes && !conn.taken_over && !conn.body_is_read() {
            conn.input = Vec::new();
            let goes_on = self.throw_away(conn);
            conn.goes_on |= goes_on && conn.readable;
        }
    }

    /// The answer has ended, one way or another.
    fn complete(&mut self, conn: &mut Conn) -> bool {
        let end = match conn.answer.end {
            Some(end) => end,
            None if conn.taken_over && conn.answer.reply.is_none() => End::TakenOver,
            None if !conn.answer.finished => End::CutShort,
            None => End::Complete,
        };
        if self.env.natives.done {
            self.tell_of_end(conn, end);
        }
        conn.kept.clear();
        if self.env.requests.is_some() {
            self.record(conn, end);
        }
        let closes = conn.answer.reply.as_ref().is_none_or(|reply| reply.close);
        if end == End::Complete && !closes {
            // Also of a worker that stops meanwhile: the client was told that it may send more.
            self.next_request(conn);
        } else if end == End::Complete || (end == End::CutShort && conn.answer.tells_its_end()) {
            self.part(conn);
        } else {
            conn.phase = Phase::Closed;
        }
        true
    }

    #[inline(never)]
    fn record(&mut self, conn: &Conn, end: End) {
        let (Some(log), Some(request)) = (&self.env.requests, &conn.request) else {
            return;
        };
        let duration = if log.wants_duration() {
            clock::now().saturating_sub(request.started)
        } else {
            0
        };
        let record = Record {
            request,
            response: &conn.answer.head,
            sent: conn.delivered(),
            duration,
            end,
            environ: &conn.answer.environ,
            attachment: conn.answer.attachment.as_ref(),
        };
        self.finished.extend(log.tell(&record));
    }

    fn next_request(&mut self, conn: &mut Conn) {
        self.turn.note_served(conn);
        conn.answer.reset();
        conn.taken_over = false;
        conn.announced = false;
        conn.head_is_new = false;
        conn.resumes = None;
        conn.decided = None;
        conn.token = None;
        if conn.body_is_read() {
            conn.phase = Phase::Head;
            conn.body.decoder = None;
            conn.rest(self.now, Some(self.env.limits.keepalive));
        } else {
            conn.phase = Phase::Draining;
            conn.drained = 0;
            conn.limit_to(self.now, Some(DRAIN));
        }
    }

    /// Throws away the rest of a body. Whether the phase has changed.
    pub(super) fn drain(&mut self, conn: &mut Conn) -> bool {
        loop {
            match conn.discard_body() {
                Ok(true) => {
                    self.next_request(conn);
                    return true;
                }
                Ok(false) if conn.drained <= DRAINED_AT_MOST => {}
                Ok(false) | Err(_) => {
                    self.part(conn);
                    return true;
                }
            }
            if !conn.readable {
                return false;
            }
            let most = self.scratch.capacity();
            let received = conn.stream.receive_more(&mut conn.input, most);
            conn.note_received(received, most);
            if received == Transfer::Closed {
                conn.phase = Phase::Closed;
                return true;
            }
        }
    }

    /// A time limit is reached, and nothing has come meanwhile.
    pub(super) fn give_up(&mut self, cell: &Arc<ConnCell>, conn: &mut Conn) {
        conn.limit.at = super::timers::NEVER;
        match conn.phase {
            Phase::Head if conn.is_idle() => conn.phase = Phase::Closed,
            Phase::Head => {
                let input = std::mem::take(&mut conn.input);
                self.refuse_head(conn, &input, PeerError::HeadTimeout);
            }
            Phase::Body => self.refuse(conn, PeerError::BodyTimeout),
            Phase::BodyPaused => self.end_pause(cell, conn),
            Phase::Flushing => conn.answer.end = Some(End::WriteTimeout),
            Phase::Draining => self.part(conn),
            Phase::Lingering => conn.phase = Phase::Closed,
            Phase::Pending => self.give_up_decision(conn, "after 'timeout'"),
            Phase::Queued | Phase::Running | Phase::Closed => {}
        }
    }
}

impl Conn {
    /// Throws away what the input holds of the body. Whether the body is complete.
    fn discard_body(&mut self) -> Result<bool, PeerError> {
        let mut used = 0;
        let done = loop {
            let Some(decoder) = &mut self.body.decoder else {
                break true;
            };
            match decoder.decode(&self.input[used..])? {
                Decoded::Content { skip, len } => used += skip + len,
                Decoded::Partial { used: more } => {
                    used += more;
                    break false;
                }
                Decoded::End { used: more } => {
                    used += more;
                    break true;
                }
            }
        };
        self.drained += used as u64;
        self.input.drain(..used);
        Ok(done)
    }
}
