//! Request bodies: from framed bytes to content, however the bytes are split.

mod chunked;
mod trailers;

pub use trailers::Trailers;

use crate::error::PeerError;
use crate::framing::Framing;
use crate::limits::Limits;
use chunked::Chunked;

/// What a decoder makes of the bytes it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decoded {
    /// `len` bytes of content stand after `skip` bytes of framing; both are used up.
    Content {
        /// Bytes of framing before the content.
        skip: usize,
        /// Bytes of content, at least one.
        len: usize,
    },
    /// So many bytes of framing are used up, and nothing more can be said without further bytes.
    Partial {
        /// Bytes used up.
        used: usize,
    },
    /// The body is complete, after so many more bytes of framing.
    End {
        /// Bytes used up.
        used: usize,
    },
}

/// The decoder of one request's body.
#[derive(Debug)]
pub struct BodyDecoder(Kind);

#[derive(Debug)]
enum Kind {
    Length(u64),
    Chunked(Box<Chunked>),
}

impl BodyDecoder {
    /// A decoder for a body of this framing.
    #[must_use]
    pub fn new(framing: Framing, limits: &Limits) -> Self {
        Self(match framing {
            Framing::None => Kind::Length(0),
            Framing::Length(length) => Kind::Length(length),
            Framing::Chunked => Kind::Chunked(Box::new(Chunked::new(limits))),
        })
    }

    /// Decodes the beginning of `bytes`, which starts with the first byte not used up so far.
    ///
    /// # Errors
    /// The rule of the chunked coding that the bytes break.
    pub fn decode(&mut self, bytes: &[u8]) -> Result<Decoded, PeerError> {
        match &mut self.0 {
            Kind::Length(0) => Ok(Decoded::End { used: 0 }),
            Kind::Length(_) if bytes.is_empty() => Ok(Decoded::Partial { used: 0 }),
            Kind::Length(_) => Ok(Decoded::Content {
                skip: 0,
                len: self.skip_content(bytes.len()),
            }),
            Kind::Chunked(chunked) => chunked.decode(bytes),
        }
    }

    /// Takes note of up to `count` bytes that were received as content without being shown here,
    /// which only a body of known length allows; how many of them belong to it.
    pub fn skip_content(&mut self, count: usize) -> usize {
        match &mut self.0 {
            Kind::Length(left) => {
                let taken = usize::try_from(*left).map_or(count, |left| left.min(count));
                *left -= taken as u64;
                taken
            }
            Kind::Chunked(_) => 0,
        }
    }

    /// How many bytes are still to come; `None` where only the peer knows.
    #[must_use]
    pub fn remaining(&self) -> Option<u64> {
        match &self.0 {
            Kind::Length(left) => Some(*left),
            Kind::Chunked(chunked) => chunked.is_done().then_some(0),
        }
    }

    /// Whether all of the body has been decoded.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.remaining() == Some(0)
    }

    /// The fields that followed a chunked body; empty before its end.
    #[must_use]
    pub fn trailers(&self) -> &Trailers {
        match &self.0 {
            Kind::Length(_) => Trailers::none(),
            Kind::Chunked(chunked) => chunked.trailers(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes `bytes`, shown in pieces of `step`, and gives the content and what was left over.
    fn decode(
        framing: Framing,
        bytes: &[u8],
        step: usize,
    ) -> Result<(Vec<u8>, usize, bool), PeerError> {
        let mut decoder = BodyDecoder::new(framing, &Limits::default());
        let (mut content, mut used, mut shown) = (Vec::new(), 0, 0);
        loop {
            match decoder.decode(&bytes[used..shown])? {
                Decoded::Content { skip, len } => {
                    assert!(len > 0, "content is never empty");
                    content.extend_from_slice(&bytes[used + skip..used + skip + len]);
                    used += skip + len;
                }
                Decoded::Partial { used: more } => {
                    used += more;
                    if shown == bytes.len() {
                        return Ok((content, bytes.len() - used, false));
                    }
                    shown = (shown + step).min(bytes.len());
                }
                Decoded::End { used: more } => {
                    return Ok((content, bytes.len() - used - more, true));
                }
            }
        }
    }

    fn whole(framing: Framing, bytes: &[u8]) -> Result<(String, bool), PeerError> {
        let mut results = (1..=bytes.len().max(1)).map(|step| decode(framing, bytes, step));
        let first = results.next().expect("at least one step");
        let text = |content: Vec<u8>| String::from_utf8_lossy(&content).into_owned();
        let first = first.map(|(content, _, done)| (text(content), done));
        for result in results {
            assert_eq!(
                result.map(|(content, _, done)| (text(content), done)),
                first,
                "{bytes:?}"
            );
        }
        first
    }

    #[test]
    fn a_length_ends_the_body_and_leaves_the_rest() {
        assert_eq!(
            decode(Framing::Length(5), b"hello, you", 3),
            Ok((b"hello".to_vec(), 5, true))
        );
        assert_eq!(whole(Framing::Length(5), b"hel"), Ok(("hel".into(), false)));
        assert_eq!(whole(Framing::None, b""), Ok((String::new(), true)));
    }

    #[test]
    fn chunks_are_joined_however_they_are_split() {
        let joined = whole(
            Framing::Chunked,
            b"5\r\nhello\r\n6;a=b\r\n world\r\n0\r\n\r\n",
        );
        assert_eq!(joined, Ok(("hello world".into(), true)));
        assert_eq!(
            whole(Framing::Chunked, b"0005\r\nhello\r\n000\r\n\r\n"),
            Ok(("hello".into(), true))
        );
        assert_eq!(
            whole(Framing::Chunked, b"0\r\n\r\n"),
            Ok((String::new(), true))
        );
        assert_eq!(
            whole(Framing::Chunked, b"A\r\n0123456789\r\n0\r\n\r\n"),
            Ok(("0123456789".into(), true))
        );
    }

    #[test]
    fn what_follows_the_last_chunk_is_left() {
        let bytes = b"1\r\nx\r\n0\r\n\r\nGET / HTTP/1.1\r\n";
        assert_eq!(
            decode(Framing::Chunked, bytes, 100),
            Ok((b"x".to_vec(), 16, true))
        );
    }

    #[test]
    fn extensions_follow_their_grammar() {
        for good in [
            "1;a\r\n",
            "1;a=b\r\n",
            "1;a=\"b c;\\\" d\"\r\n",
            "1 ; a = b ; c\r\n",
            "1\t;a\r\n",
            "1;a;b=c\r\n",
        ] {
            let bytes = format!("{good}x\r\n0\r\n\r\n");
            assert_eq!(
                whole(Framing::Chunked, bytes.as_bytes()),
                Ok(("x".into(), true)),
                "{good}"
            );
        }
        for bad in [
            "1;\r\n",
            "1;=b\r\n",
            "1;a=\r\n",
            "1;a=\"b\r\n",
            "1;a b\r\n",
            "1;a=\"b\"c\r\n",
            "1;a\x01\r\n",
            "1;a\r;b\r\n",
        ] {
            let refused = whole(Framing::Chunked, format!("{bad}x\r\n0\r\n\r\n").as_bytes());
            assert_eq!(refused, Err(PeerError::InvalidChunkExtension), "{bad:?}");
        }
    }

    #[test]
    fn sizes_are_hexadecimal_and_nothing_else() {
        for bad in [
            "",
            " 1",
            "1 ",
            "0x1",
            "+1",
            "-1",
            "g",
            "1_0",
            "10000000000000000",
            "1\t",
        ] {
            let refused = whole(
                Framing::Chunked,
                format!("{bad}\r\nx\r\n0\r\n\r\n").as_bytes(),
            );
            assert_eq!(refused, Err(PeerError::InvalidChunkSize), "{bad:?}");
        }
    }

    #[test]
    fn chunks_end_with_crlf() {
        for bad in [
            "1\r\nxy\r\n",
            "1\r\nx\n0\r\n\r\n",
            "1\r\nx\r0\r\n",
            "1\r\nx0\r\n\r\n",
        ] {
            let refused = whole(Framing::Chunked, bad.as_bytes());
            assert_eq!(refused, Err(PeerError::InvalidChunkEnd), "{bad:?}");
        }
        assert_eq!(
            whole(Framing::Chunked, b"1\nx\r\n0\r\n\r\n"),
            Err(PeerError::BareLineFeed)
        );
    }

    #[test]
    fn a_body_without_its_last_crlf_is_not_complete() {
        assert_eq!(
            whole(Framing::Chunked, b"1\r\nx\r\n0\r\n"),
            Ok(("x".into(), false))
        );
        assert_eq!(
            whole(Framing::Chunked, b"1\r\nx\r\n0\r\n\r"),
            Ok(("x".into(), false))
        );
    }

    #[test]
    fn trailers_are_kept_but_not_those_that_frame_or_route() {
        let limits = Limits::default();
        let mut decoder = BodyDecoder::new(Framing::Chunked, &limits);
        let end = decoder.decode(b"0\r\nX-Sum: 1\r\nY: z\r\n\r\nrest");
        assert_eq!(end, Ok(Decoded::End { used: 21 }));
        let found: Vec<_> = decoder.trailers().fields().collect();
        assert_eq!(found, [(&b"X-Sum"[..], &b"1"[..]), (b"Y", b"z")]);
        for name in [
            "Host",
            "content-length",
            "Transfer-Encoding",
            "Trailer",
            "Authorization",
            "TE",
        ] {
            let refused = whole(
                Framing::Chunked,
                format!("0\r\n{name}: x\r\n\r\n").as_bytes(),
            );
            assert_eq!(refused, Err(PeerError::ForbiddenTrailer), "{name}");
        }
        let refused = whole(Framing::Chunked, b"0\r\nA : b\r\n\r\n");
        assert_eq!(refused, Err(PeerError::InvalidFieldName));
    }

    #[test]
    fn size_lines_and_trailers_have_limits() {
        let limits = Limits::new(100, 1, 10);
        let refusal = |bytes: &[u8]| {
            let mut decoder = BodyDecoder::new(Framing::Chunked, &limits);
            decoder.decode(bytes).err()
        };
        assert_eq!(
            refusal(b"1;abcdefghijk"),
            Some(PeerError::ChunkLineTooLong(10))
        );
        assert_eq!(
            refusal(b"0\r\nA: bcdefghijklmnopq"),
            Some(PeerError::FieldTooLong(10))
        );
        assert_eq!(
            refusal(b"0\r\nA: b\r\nC: d\r\n"),
            Some(PeerError::TooManyFields(1))
        );
    }
}
