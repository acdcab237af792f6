//! Framing the content of an answer.

/// The framing of one answer's content, and how much of it is still owed.
#[derive(Debug)]
pub struct BodyEncoder(Kind);

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Nothing,
    Length(u64),
    Chunked,
    UntilClose,
}

/// The line before a chunk: its size in hexadecimal.
#[derive(Debug, Clone, Copy)]
pub struct ChunkSize {
    line: [u8; 18],
    at: usize,
}

impl ChunkSize {
    /// What stands after a chunk.
    pub const AFTER: &'static [u8] = b"\r\n";

    fn of(mut size: usize) -> Self {
        let mut line = *b"0000000000000000\r\n";
        let mut at = 16;
        while size > 0 {
            at -= 1;
            line[at] = b"0123456789abcdef"[size & 15];
            size >>= 4;
        }
        Self { line, at }
    }

    /// The bytes of the line.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.line[self.at..]
    }
}

impl BodyEncoder {
    pub(super) fn nothing() -> Self {
        Self(Kind::Nothing)
    }

    pub(super) fn length(length: u64) -> Self {
        Self(Kind::Length(length))
    }

    pub(super) fn chunked() -> Self {
        Self(Kind::Chunked)
    }

    pub(super) fn until_close() -> Self {
        Self(Kind::UntilClose)
    }

    /// How much of the next `len` bytes of content is to be sent: less than all where it is more
    /// than the Content-Length promises, and nothing where an answer has no body.
    pub fn admit(&mut self, len: usize) -> usize {
        match &mut self.0 {
            Kind::Nothing => 0,
            Kind::Length(left) => {
                let admitted = usize::try_from(*left).map_or(len, |left| left.min(len));
                *left -= admitted as u64;
                admitted
            }
            Kind::Chunked | Kind::UntilClose => len,
        }
    }

    /// The line that must precede the next `len` admitted bytes; `ChunkSize::AFTER` follows them.
    /// An empty chunk would end the body: `len` must not be 0.
    #[must_use]
    pub fn chunk(&self, len: usize) -> Option<ChunkSize> {
        debug_assert!(len > 0, "an empty chunk ends the body");
        (self.0 == Kind::Chunked).then(|| ChunkSize::of(len))
    }

    /// What ends the content.
    #[must_use]
    pub fn ending(&self) -> &'static [u8] {
        if self.0 == Kind::Chunked {
            b"0\r\n\r\n"
        } else {
            b""
        }
    }

    /// The bytes a Content-Length still promises. If any are missing at the end, the peer can only
    /// be told by closing the connection.
    #[must_use]
    pub fn owed(&self) -> u64 {
        if let Kind::Length(left) = self.0 {
            left
        } else {
            0
        }
    }

    /// Returns true if the peer can tell the content's end, or that it is missing, without the
    /// connection's end.
    #[must_use]
    pub fn is_delimited(&self) -> bool {
        matches!(self.0, Kind::Chunked | Kind::Length(_))
    }

    /// Whether the content is framed in chunks.
    #[must_use]
    pub fn is_chunked(&self) -> bool {
        self.0 == Kind::Chunked
    }

    /// Whether the answer ends after its head.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.0 == Kind::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_beyond_the_length_is_cut_off() {
        let mut body = BodyEncoder::length(5);
        assert_eq!((body.admit(3), body.owed()), (3, 2));
        assert_eq!((body.admit(9), body.owed()), (2, 0));
        assert_eq!(body.admit(1), 0);
        assert_eq!(body.ending(), b"");
    }

    #[test]
    fn chunks_carry_their_size() {
        let body = BodyEncoder::chunked();
        for (size, line) in [(1, "1\r\n"), (255, "ff\r\n"), (65_536, "10000\r\n")] {
            let chunk = body.chunk(size).unwrap();
            assert_eq!(chunk.as_bytes(), line.as_bytes());
        }
        assert_eq!(body.ending(), b"0\r\n\r\n");
        assert!(BodyEncoder::until_close().chunk(1).is_none());
    }

    #[test]
    fn an_answer_without_a_body_admits_nothing() {
        assert_eq!(BodyEncoder::nothing().admit(100), 0);
    }
}
