//! Sending: what is pending, then the file that follows it.

use std::os::fd::AsFd;

use super::conn::Conn;
use crate::exchange::End;
use crate::sock::Transfer;

/// The most of a file that is sent in one go: a fast client must not keep the others waiting.
const FILE_PIECE: u64 = 256 * 1024;

/// How sending went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// Everything is in the kernel's hands.
    All,
    /// The client must read first.
    Blocked,
    /// More could be sent at once, and the others come first.
    Partly,
    /// The rest will never be sent.
    Failed(End),
}

impl Conn {
    /// Sends as much as the kernel takes.
    #[inline]
    pub(super) fn send_pending(&mut self) -> Sent {
        while self.answer.at < self.answer.out.len() {
            match self.stream.send(&self.answer.out[self.answer.at..]) {
                Transfer::Bytes(count) => {
                    self.answer.at += count;
                    self.moved = true;
                }
                Transfer::WouldBlock => {
                    self.answer.forget_sent();
                    return Sent::Blocked;
                }
                Transfer::Closed => return Sent::Failed(End::ClientGone),
            }
        }
        self.answer.out.clear();
        self.answer.at = 0;
        match &self.answer.file {
            None => Sent::All,
            Some(_) => self.send_file(),
        }
    }

    #[inline(never)]
    fn send_file(&mut self) -> Sent {
        if let Some(tail) = &mut self.answer.file {
            let count = usize::try_from(tail.left.min(FILE_PIECE)).unwrap_or(usize::MAX);
            match self.stream.send_file(tail.file.as_fd(), tail.offset, count) {
                // The file has become shorter since its length was promised.
                Ok(Transfer::Bytes(0)) | Err(_) => return Sent::Failed(End::CutShort),
                Ok(Transfer::Bytes(count)) => {
                    tail.offset += count as u64;
                    tail.left -= count as u64;
                    if tail.left > 0 {
                        return Sent::Partly;
                    }
                }
                Ok(Transfer::WouldBlock) => return Sent::Blocked,
                Ok(Transfer::Closed) => return Sent::Failed(End::ClientGone),
            }
            self.answer.file = None;
        }
        Sent::All
    }

    /// Sends a large piece together with what is pending and its framing, without copying what the
    /// kernel takes at once. What it does not take becomes pending.
    pub(super) fn send_large(&mut self, before: &[u8], piece: &[u8], after: &[u8]) -> Sent {
        let pending = self.answer.pending().len();
        let total = pending + before.len() + piece.len() + after.len();
        let sent = match self
            .stream
            .send_pieces(&[self.answer.pending(), before, piece, after])
        {
            Transfer::Bytes(count) => count,
            Transfer::WouldBlock => 0,
            Transfer::Closed => return Sent::Failed(End::ClientGone),
        };
        self.moved |= sent > 0;
        self.answer.at += sent.min(pending);
        let mut skip = sent - sent.min(pending);
        if self.answer.at == self.answer.out.len() {
            self.answer.out.clear();
            self.answer.at = 0;
        }
        self.answer.forget_sent();
        for part in [before, piece, after] {
            let skipped = skip.min(part.len());
            self.answer.out.extend_from_slice(&part[skipped..]);
            skip -= skipped;
        }
        if sent == total {
            Sent::All
        } else {
            Sent::Blocked
        }
    }
}
