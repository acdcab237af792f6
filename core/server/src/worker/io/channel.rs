//! The running request's way to its connection.

use std::os::fd::OwnedFd;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use tricorn_http::response::{Asked, ChunkSize, Reply, ResponseHead};
use tricorn_http::{PeerError, Version};

use super::conn::{Conn, ConnCell, FileTail, Phase};
use super::output::Sent;
use super::timers::NEVER;
use crate::clock;
use crate::exchange::{Attachment, End, Passage, Request, Stage, with_own_lines};
use crate::gateway::{Channel, ChannelError, Facts, Fate, Progress, Read, Wait};
use crate::sock::Transfer;

/// A piece up to this size is copied behind what is pending; a larger one is sent from where it is.
const COPIED: usize = 16 * 1024;

/// The most of an unread body that is thrown away to keep a connection.
pub(super) const DRAINED_AT_MOST: u64 = 64 * 1024;

impl ConnCell {
    /// The connection, if the request of this number is still the one that runs.
    fn running(&self, number: u64) -> Result<MutexGuard<'_, Conn>, ChannelError> {
        let conn = self.lock();
        if conn.number == number && conn.phase == Phase::Running {
            Ok(conn)
        } else {
            Err(ChannelError::Over)
        }
    }

    fn wait_to_write(&self, conn: &Conn) -> Wait {
        let limit = self.env.config.time.write;
        self.env.ages.wait(conn.thread, limit.map(clock::nanos));
        Wait {
            fd: conn.stream.raw(),
            write: true,
            deadline: clock::instant_in(limit),
        }
    }

    fn wait_to_read(&self, conn: &mut Conn) -> Wait {
        let now = clock::now();
        let until = conn.body.patience.wait(now);
        let left = (until != NEVER).then(|| until.saturating_sub(now));
        self.env.ages.wait(conn.thread, left);
        Wait {
            fd: conn.stream.raw(),
            write: false,
            deadline: clock::instant_in(left.map(Duration::from_nanos)),
        }
    }

    /// Has the request count as young again if its client has let it get on. A client that is never
    /// waited for does so too, however much it sends or reads.
    fn progressed(&self, conn: &mut Conn) {
        let waited = std::mem::take(&mut conn.waited);
        if std::mem::take(&mut conn.moved) || waited {
            self.env.ages.refresh(conn.thread);
        }
    }
}

impl Channel for ConnCell {
    fn read(&self, number: u64, most: usize, sink: &mut Vec<u8>) -> Result<Read, ChannelError> {
        let mut conn = self.running(number)?;
        if let Some(error) = conn.body.error {
            return Err(error.into());
        }
        loop {
            let given = conn
                .give_body(most, sink)
                .map_err(|error| conn.note_body_error(error))?;
            if given > 0 {
                conn.body.owes_continue = false;
                self.progressed(&mut conn);
                return Ok(Read::Bytes(given));
            }
            if conn.body_is_read() {
                self.progressed(&mut conn);
                return Ok(Read::End);
            }
            conn.send_continue();
            match conn.receive_body() {
                Transfer::Bytes(count) => {
                    if conn.waited {
                        conn.body.patience.receive(count, clock::now());
                    }
                }
                Transfer::WouldBlock => {
                    conn.waited = true;
                    return Ok(Read::Wait(self.wait_to_read(&mut conn)));
                }
                Transfer::Closed => {
                    self.progressed(&mut conn);
                    return Err(conn.note_body_error(PeerError::BodyCutShort).into());
                }
            }
        }
    }

    fn read_ahead(
        &self,
        number: u64,
        most: usize,
        with: &mut dyn FnMut(&[u8]),
    ) -> Result<bool, ChannelError> {
        let mut conn = self.running(number)?;
        if let Some(error) = conn.body.error {
            return Err(error.into());
        }
        let ahead = &conn.body.buffer[conn.body.at..];
        let given = ahead.len().min(most);
        with(&ahead[..given]);
        conn.body.at += given;
        Ok(conn.body_is_read() && conn.body.at == conn.body.buffer.len())
    }

    fn give_up_body(&self, number: u64) -> ChannelError {
        match self.running(number) {
            Ok(mut conn) => conn.note_body_error(PeerError::BodyTimeout).into(),
            Err(error) => error,
        }
    }

    fn close_after(&self, number: u64) {
        if let Ok(mut conn) = self.running(number) {
            conn.keep = false;
        }
    }

    fn start(
        &self,
        number: u64,
        head: &mut ResponseHead,
        known: Option<u64>,
    ) -> Result<(), ChannelError> {
        let mut conn = self.running(number)?;
        self.announce(&mut conn, head);
        if known.is_none() {
            self.env.ages.lasts(conn.thread);
        }
        conn.start_answer(self.env.keeps_alive(), head, known)
    }

    fn unfold(&self, number: u64) {
        if let Ok(conn) = self.running(number) {
            self.env.ages.lasts(conn.thread);
        }
    }

    fn answer(
        &self,
        number: u64,
        head: &mut ResponseHead,
        pieces: &[&[u8]],
    ) -> Result<u64, ChannelError> {
        let mut conn = self.running(number)?;
        let length: usize = pieces.iter().map(|piece| piece.len()).sum();
        self.announce(&mut conn, head);
        conn.start_answer(self.env.keeps_alive(), head, Some(length as u64))?;
        for piece in pieces {
            conn.add_content(piece, false)?;
        }
        Ok(conn.end_answer())
    }

    fn inform(&self, number: u64, head: &ResponseHead) -> Result<(), ChannelError> {
        let mut conn = self.running(number)?;
        let understands = conn
            .request
            .as_ref()
            .is_some_and(|request| request.head.version() >= Version::HTTP_11);
        if understands && conn.answer.reply.is_none() {
            for part in [
                b"HTTP/1.1 ",
                head.status_line(),
                b"\r\n",
                head.lines(),
                b"\r\n",
            ] {
                conn.answer.out.extend_from_slice(part);
            }
            conn.note_sent();
        }
        Ok(())
    }

    fn write(&self, number: u64, piece: &[u8], flush: bool) -> Result<Progress, ChannelError> {
        let mut conn = self.running(number)?;
        let added = conn.add_content(piece, flush);
        if added.is_ok() && conn.answer.pending().len() > self.env.config.bounds.response {
            conn.waited = true;
            return Ok(Progress::Wait(self.wait_to_write(&conn)));
        }
        self.progressed(&mut conn);
        added.map(|()| Progress::Taken)
    }

    fn push(&self, number: u64) -> Result<Progress, ChannelError> {
        self.write(number, &[], true)
    }

    fn send_file(
        &self,
        number: u64,
        file: OwnedFd,
        offset: u64,
        length: u64,
    ) -> Result<(), ChannelError> {
        self.running(number)?.add_file(file, offset, length)
    }

    fn end(&self, number: u64) -> Result<u64, ChannelError> {
        Ok(self.running(number)?.end_answer())
    }

    fn abort(&self, number: u64, end: End) {
        if let Ok(mut conn) = self.running(number) {
            conn.answer.end.get_or_insert(end);
            conn.answer.finished = true;
        }
    }

    fn facts(&self, number: u64) -> Facts {
        let conn = self.lock();
        if conn.number != number {
            return Facts::default();
        }
        let reply = conn.answer.reply.as_ref();
        Facts {
            started: reply.is_some(),
            sent: conn.answer.taken,
            chunked: reply.is_some_and(|reply| reply.body.is_chunked()),
            close: reply.is_none_or(|reply| reply.close),
            end: conn.answer.end,
            body_error: conn.body.error,
            taken_over: conn.taken_over,
        }
    }

    fn head(&self, number: u64, with: &mut dyn FnMut(&ResponseHead)) {
        let conn = self.lock();
        if conn.number == number && conn.answer.reply.is_some() {
            with(&conn.answer.head);
        }
    }

    fn take_socket(&self, number: u64) -> Result<(OwnedFd, Vec<u8>), ChannelError> {
        let mut conn = self.running(number)?;
        let socket = conn.stream.duplicate()?;
        conn.taken_over = true;
        self.env.ages.lasts(conn.thread);
        // What has come after the request belongs to whoever has the socket.
        conn.keep &= conn.input.is_empty();
        Ok((socket, std::mem::take(&mut conn.input)))
    }

    fn trailers(&self, number: u64, each: &mut dyn FnMut(&[u8], &[u8])) {
        let Ok(conn) = self.running(number) else {
            return;
        };
        if let Some(decoder) = &conn.body.decoder {
            decoder
                .trailers()
                .fields()
                .for_each(|(name, value)| each(name, value));
        }
    }

    fn lend(&self, number: u64, stage: Stage, request: Arc<Request>) -> Passage {
        let mut conn = self.lock();
        if conn.number == number {
            // What is lent has one owner, and can be changed where it is.
            conn.request = None;
            self.lend_to_run(&mut conn, stage, request)
        } else {
            Passage::new(stage, self.ticket(number), request)
        }
    }

    fn give_back(&self, number: u64, passage: Passage, fate: Option<Fate>) {
        let mut conn = self.lock();
        if conn.number == number {
            self.take_passage(&mut conn, passage, fate);
        }
    }

    fn note_environ(&self, number: u64, values: Vec<(String, String)>) {
        if let Ok(mut conn) = self.running(number) {
            conn.answer.environ = values;
        }
    }

    fn attach(&self, number: u64, attachment: Attachment) {
        if let Ok(mut conn) = self.running(number) {
            conn.answer.attachment = Some(attachment);
        }
    }
}

impl Conn {
    /// Starts the answer with a head; the memory of the last one is given for it.
    fn start_answer(
        &mut self,
        keeps_alive: bool,
        head: &mut ResponseHead,
        known: Option<u64>,
    ) -> Result<(), ChannelError> {
        std::mem::swap(&mut self.answer.head, head);
        self.begin_answer(keeps_alive, known)
    }

    /// Starts the answer whose head stands in `answer.head`.
    pub(super) fn begin_answer(
        &mut self,
        keeps_alive: bool,
        known: Option<u64>,
    ) -> Result<(), ChannelError> {
        let keep = self.keep && keeps_alive && self.can_be_kept();
        let Some(request) = &self.request else {
            return Err(ChannelError::Over);
        };
        let asked = Asked {
            keeps_alive: keep,
            ..Asked::by(&request.head)
        };
        let answer = &mut self.answer;
        let reply = Reply::plan(asked, &answer.head, known);
        with_own_lines(|own| reply.write_head(&answer.head, own, &mut answer.out));
        answer.reply = Some(reply);
        Ok(())
    }

    /// A part of a file as the next content. It is sent once the request is taken back.
    pub(super) fn add_file(
        &mut self,
        file: OwnedFd,
        offset: u64,
        length: u64,
    ) -> Result<(), ChannelError> {
        let Some(reply) = &mut self.answer.reply else {
            return Err(ChannelError::Over);
        };
        if reply.body.is_chunked() {
            // The kernel sends a file as it is, and not in chunks.
            return Err(ChannelError::Over);
        }
        let asked = usize::try_from(length).unwrap_or(usize::MAX);
        let left = reply.body.admit(asked) as u64;
        self.answer.taken += left;
        if left > 0 {
            self.answer.file = Some(FileTail { file, offset, left });
        }
        Ok(())
    }

    /// Frames a piece of content. It is sent at once if it is large, or if it is to be flushed;
    /// otherwise it waits for what follows.
    pub(super) fn add_content(&mut self, piece: &[u8], flush: bool) -> Result<(), ChannelError> {
        let answer = &mut self.answer;
        if answer.end.is_some_and(|end| end != End::CutShort) {
            return Err(ChannelError::Gone);
        }
        let Some(reply) = &mut answer.reply else {
            return Err(ChannelError::Over);
        };
        let piece = &piece[..reply.body.admit(piece.len())];
        if !flush && piece.len() <= COPIED && !reply.body.is_chunked() {
            answer.taken += piece.len() as u64;
            answer.out.extend_from_slice(piece);
            return Ok(());
        }
        let chunk = if piece.is_empty() {
            None
        } else {
            reply.body.chunk(piece.len())
        };
        answer.taken += piece.len() as u64;
        let before = chunk.as_ref().map_or(&[][..], ChunkSize::as_bytes);
        let after = if chunk.is_some() {
            ChunkSize::AFTER
        } else {
            &[]
        };
        if piece.len() > COPIED {
            let sent = self.send_large(before, piece, after);
            return self.take_note(sent);
        }
        for part in [before, piece, after] {
            answer.out.extend_from_slice(part);
        }
        if flush {
            let sent = self.send_pending();
            return self.take_note(sent);
        }
        Ok(())
    }

    fn take_note(&mut self, sent: Sent) -> Result<(), ChannelError> {
        match sent {
            Sent::All | Sent::Blocked | Sent::Partly => Ok(()),
            Sent::Failed(end) => {
                self.answer.end = Some(end);
                Err(ChannelError::Gone)
            }
        }
    }

    /// Sends what is pending; a client that is gone is noticed at what follows.
    pub(super) fn note_sent(&mut self) {
        let sent = self.send_pending();
        let _ = self.take_note(sent);
    }

    /// The bytes that the Content-Length still promises.
    pub(super) fn end_answer(&mut self) -> u64 {
        let answer = &mut self.answer;
        answer.finished = true;
        let Some(reply) = &answer.reply else { return 0 };
        answer.out.extend_from_slice(reply.body.ending());
        let owed = reply.body.owed();
        if owed > 0 && answer.end.is_none() {
            answer.end = Some(End::CutShort);
        }
        owed
    }

    fn note_body_error(&mut self, error: PeerError) -> PeerError {
        self.body.error = Some(error);
        self.keep = false;
        error
    }

    /// What is left of the body can be thrown away cheaply enough to keep the connection. A client
    /// that still waits for `100 Continue` may send it or not: only closing is safe.
    fn can_be_kept(&self) -> bool {
        let remaining = self
            .body
            .decoder
            .as_ref()
            .and_then(|decoder| decoder.remaining());
        !self.body.owes_continue
            && self.body.error.is_none()
            && remaining.is_none_or(|left| left <= DRAINED_AT_MOST)
    }
}
