//! Giving a request's body out, as the application asks for it.

use tricorn_http::PeerError;
use tricorn_http::body::Decoded;

use super::conn::Conn;
use crate::sock::Transfer;

/// How much of a body is read from the socket at once.
const BODY_PIECE: usize = 64 * 1024;

impl Conn {
    /// Moves content that is at hand to `sink`: what was read in advance, then what the input holds.
    pub(super) fn give_body(
        &mut self,
        most: usize,
        sink: &mut Vec<u8>,
    ) -> Result<usize, PeerError> {
        let ahead = &self.body.buffer[self.body.at..];
        if !ahead.is_empty() {
            let given = ahead.len().min(most);
            sink.extend_from_slice(&ahead[..given]);
            self.body.at += given;
            return Ok(given);
        }
        let input = std::mem::take(&mut self.input);
        let decoded = self.decode(&input, most, sink);
        self.input = input;
        let (used, given) = decoded?;
        self.input.drain(..used);
        Ok(given)
    }

    /// Decodes from `input` until `most` bytes of content are found; how much was used and given.
    fn decode(
        &mut self,
        input: &[u8],
        most: usize,
        sink: &mut Vec<u8>,
    ) -> Result<(usize, usize), PeerError> {
        let Some(decoder) = &mut self.body.decoder else {
            return Ok((0, 0));
        };
        let (mut used, mut given) = (0, 0);
        loop {
            match decoder.decode(&input[used..])? {
                Decoded::Content { skip, len } => {
                    let content = &input[used + skip..used + skip + len];
                    used += skip + len;
                    let wanted = len.min(most - given);
                    sink.extend_from_slice(&content[..wanted]);
                    given += wanted;
                    if wanted < len || given == most {
                        // More than was asked for: it is content already, and waits as such.
                        self.body.buffer.clear();
                        self.body.buffer.extend_from_slice(&content[wanted..]);
                        self.body.at = 0;
                        return Ok((used, given));
                    }
                }
                Decoded::Partial { used: more } => return Ok((used + more, given)),
                Decoded::End { used: more } => return Ok((used + more, given)),
            }
        }
    }

    pub(super) fn receive_body(&mut self) -> Transfer {
        let received = self.stream.receive_more(&mut self.input, BODY_PIECE);
        self.moved |= matches!(received, Transfer::Bytes(_));
        received
    }

    /// RFC 9110 section 10.1.1: the client is told to go on when somebody first wants the body, and
    /// not if it has gone on already.
    pub(super) fn send_continue(&mut self) {
        if std::mem::take(&mut self.body.owes_continue) && self.answer.reply.is_none() {
            self.answer
                .out
                .extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
            // Should the kernel not take it, it precedes the answer; a client that is gone is
            // noticed at the read that follows.
            self.note_sent();
        }
    }
}
