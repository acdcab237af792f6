//! Finding the end of a head as its bytes arrive.
//!
//! httparse starts over at each call, so a head that drips in byte by byte would cost quadratic
//! time. This scan remembers where it was: every byte is looked at once, the limits are enforced
//! before the bytes are kept, and the line endings that httparse takes leniently are refused here.

#[cfg(not(target_arch = "x86_64"))]
use memchr::arch::all::memchr::One;
#[cfg(target_arch = "x86_64")]
use memchr::arch::x86_64::sse2::memchr::One;

use crate::error::PeerError;
use crate::limits::Limits;

/// How far the head at the beginning of a buffer has been looked at.
#[derive(Debug, Clone, Default)]
pub struct HeadScan {
    /// Where the line under way begins.
    line: usize,
    /// Everything before this has been looked at. `line <= seen`
    seen: usize,
    /// Where the request line begins: 2 after the one CRLF that may precede it, else 0.
    start: usize,
    /// Its length.
    first: usize,
    /// The field under way began here; it differs from `line` inside a folded field.
    field: usize,
    fields: usize,
    folded: bool,
    in_fields: bool,
}

/// What a scan found.
#[derive(Debug, PartialEq, Eq)]
pub enum Scanned {
    /// The head goes on beyond the bytes at hand.
    Partial,
    /// The head is whole.
    Complete(Extent),
}

/// Where a whole head stands in its buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// The first byte of the request line.
    pub start: usize,
    /// The length of the request line.
    pub first: usize,
    /// One past the head's last CRLF.
    pub end: usize,
    /// The number of fields: a field folded over several lines counts once.
    pub fields: usize,
    /// A line begins with white space, which only `permit_obsolete_folding` lets through.
    pub folded: bool,
}

impl HeadScan {
    /// A scan of fields alone, as trailers are.
    #[must_use]
    pub(crate) fn of_fields() -> Self {
        Self {
            in_fields: true,
            ..Self::default()
        }
    }

    /// Whether a byte of a request has been seen: a connection in this state is not idle.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.seen > 0
    }

    /// Looks at what `buffer` has gained since the last call. The buffer must begin with the same
    /// bytes as it did then.
    ///
    /// # Errors
    /// A line that ends in LF alone, or a limit that is exceeded.
    pub fn advance(&mut self, buffer: &[u8], limits: &Limits) -> Result<Scanned, PeerError> {
        while let Some(found) = find_line_feed(&buffer[self.seen..]) {
            let newline = self.seen + found;
            if newline == self.line || buffer[newline - 1] != b'\r' {
                return Err(PeerError::BareLineFeed);
            }
            self.seen = newline + 1;
            if let Some(extent) = self.take_line(buffer, newline - 1, limits)? {
                return Ok(Scanned::Complete(extent));
            }
            self.line = self.seen;
        }
        self.seen = buffer.len();
        // The line under way begins a field of its own, unless it is folded.
        let is_folded = matches!(buffer.get(self.line), Some(b' ' | b'\t'));
        let field = if is_folded { self.field } else { self.line };
        self.check_length(self.seen - self.line, self.seen - field, limits)?;
        Ok(Scanned::Partial)
    }

    /// Takes the line that ends at `end` (without its CRLF); the extent if it ends the head.
    fn take_line(
        &mut self,
        buffer: &[u8],
        end: usize,
        limits: &Limits,
    ) -> Result<Option<Extent>, PeerError> {
        let line = &buffer[self.line..end];
        if !self.in_fields {
            return self.take_request_line(line, limits).map(|()| None);
        }
        let Some(&first) = line.first() else {
            return Ok(Some(Extent {
                start: self.start,
                first: self.first,
                end: self.seen,
                fields: self.fields,
                folded: self.folded,
            }));
        };
        if first == b' ' || first == b'\t' {
            self.folded = true;
        } else {
            self.field = self.line;
            self.fields += 1;
            if self.fields > limits.fields {
                return Err(PeerError::TooManyFields(limits.fields));
            }
        }
        self.check_length(line.len(), self.seen - self.field, limits)?;
        Ok(None)
    }

    fn take_request_line(&mut self, line: &[u8], limits: &Limits) -> Result<(), PeerError> {
        if line.is_empty() {
            // RFC 9112 section 2.2: one empty line before the request line may be ignored.
            if self.start > 0 {
                return Err(PeerError::InvalidRequestLine);
            }
            self.start = self.seen;
            self.field = self.seen;
            return Ok(());
        }
        if line.len() > limits.request_line {
            return Err(PeerError::RequestLineTooLong(limits.request_line));
        }
        self.first = line.len();
        self.in_fields = true;
        self.field = self.seen;
        Ok(())
    }

    fn check_length(&self, line: usize, field: usize, limits: &Limits) -> Result<(), PeerError> {
        if self.in_fields {
            if field > limits.field_size {
                return Err(PeerError::FieldTooLong(limits.field_size));
            }
        } else if line > limits.request_line + 1 {
            // One byte more than the line may have: it can be the CR of its end.
            return Err(PeerError::RequestLineTooLong(limits.request_line));
        }
        Ok(())
    }
}

/// Lines are short: what the processor can do in any case is quicker than asking what it can do.
#[inline]
fn find_line_feed(bytes: &[u8]) -> Option<usize> {
    #[cfg(target_arch = "x86_64")]
    return One::new(b'\n')?.find(bytes);
    #[cfg(not(target_arch = "x86_64"))]
    return One::new(b'\n').find(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n";

    fn scan(bytes: &[u8]) -> Result<Scanned, PeerError> {
        HeadScan::default().advance(bytes, &Limits::default())
    }

    #[test]
    fn the_end_is_found_wherever_the_bytes_are_split() {
        for split in 0..HEAD.len() {
            let mut scan = HeadScan::default();
            let limits = Limits::default();
            assert_eq!(
                scan.advance(&HEAD[..split], &limits),
                Ok(Scanned::Partial),
                "at {split}"
            );
            let extent = Extent {
                start: 0,
                first: 14,
                end: HEAD.len(),
                fields: 2,
                folded: false,
            };
            assert_eq!(
                scan.advance(HEAD, &limits),
                Ok(Scanned::Complete(extent)),
                "at {split}"
            );
        }
    }

    #[test]
    fn one_empty_line_may_precede_the_request_but_not_two() {
        let mut bytes = b"\r\n".to_vec();
        bytes.extend_from_slice(HEAD);
        assert!(matches!(
            scan(&bytes),
            Ok(Scanned::Complete(Extent { start: 2, .. }))
        ));
        bytes.splice(0..0, *b"\r\n");
        assert_eq!(scan(&bytes), Err(PeerError::InvalidRequestLine));
    }

    #[test]
    fn a_bare_line_feed_is_refused_as_soon_as_it_is_seen() {
        for bad in [
            &b"\n"[..],
            b"GET / HTTP/1.1\n",
            b"GET / HTTP/1.1\r\nA: b\n",
            b"\r\n\n",
        ] {
            assert_eq!(scan(bad), Err(PeerError::BareLineFeed), "{bad:?}");
        }
    }

    #[test]
    fn limits_hold_before_the_line_has_ended() {
        let limits = Limits::new(20, 2, 16);
        let advance = |bytes: &[u8]| HeadScan::default().advance(bytes, &limits);
        assert_eq!(
            advance(&[b'a'; 21]),
            Ok(Scanned::Partial),
            "the last may be a CR"
        );
        assert_eq!(advance(&[b'a'; 22]), Err(PeerError::RequestLineTooLong(20)));
        let line = b"GET /aaaaaa HTTP/1.1\r\n";
        assert_eq!(advance(line), Ok(Scanned::Partial), "20 bytes");
        let line = b"GET /aaaaaaa HTTP/1.1\r\n";
        assert_eq!(advance(line), Err(PeerError::RequestLineTooLong(20)));
        assert_eq!(
            advance(b"GET / HTTP/1.1\r\nABCD: 6789012345"),
            Ok(Scanned::Partial)
        );
        assert_eq!(
            advance(b"GET / HTTP/1.1\r\nABCD: 67890123456"),
            Err(PeerError::FieldTooLong(16))
        );
        assert_eq!(
            advance(b"GET / HTTP/1.1\r\nA: b\r\nC: d\r\nE: f\r\n"),
            Err(PeerError::TooManyFields(2))
        );
    }

    #[test]
    fn a_folded_field_counts_once_and_whole() {
        let limits = Limits::new(20, 1, 16);
        let bytes = b"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n";
        let found = HeadScan::default().advance(bytes, &limits);
        assert!(matches!(
            found,
            Ok(Scanned::Complete(Extent {
                fields: 1,
                folded: true,
                ..
            }))
        ));
        let bytes = b"GET / HTTP/1.1\r\nA: b\r\n c\r\n 0123456\r\n";
        assert_eq!(
            HeadScan::default().advance(bytes, &limits),
            Err(PeerError::FieldTooLong(16))
        );
    }
}
