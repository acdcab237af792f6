//! What the fields of a request say of its body and of its connection (RFC 9112 sections 6 and 9).

use crate::error::PeerError;
use crate::known::Known;
use crate::request_line::Version;
use crate::token;

/// How the end of a request's body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Framing {
    /// There is no body.
    #[default]
    None,
    /// So many bytes.
    Length(u64),
    /// Chunks, ended by one of size zero.
    Chunked,
}

/// What is gathered from the fields, one after the other.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Meaning {
    host: bool,
    content_type: bool,
    length: Option<u64>,
    /// The last coding seen was chunked.
    chunked: bool,
    /// A Transfer-Encoding field has been seen.
    coded: bool,
    /// A coding under the chunks that stays on the body, which ends the connection.
    compressed: bool,
    close: bool,
    keep_alive: bool,
    upgrade: bool,
    pub(crate) expects_continue: bool,
}

impl Meaning {
    /// Takes note of one field.
    pub(crate) fn note(
        &mut self,
        known: Known,
        value: &[u8],
        version: Version,
    ) -> Result<(), PeerError> {
        match known {
            Known::Host if !token::is_host(value) => Err(PeerError::InvalidHost),
            Known::Host => once(&mut self.host, "Host"),
            Known::ContentType => once(&mut self.content_type, "Content-Type"),
            Known::ContentLength => self.note_length(value),
            Known::TransferEncoding => self.note_codings(value, version),
            Known::Connection => {
                self.note_connection(value);
                Ok(())
            }
            Known::Expect if version >= Version::HTTP_11 => self.note_expectation(value),
            _ => Ok(()),
        }
    }

    fn note_length(&mut self, value: &[u8]) -> Result<(), PeerError> {
        if self.length.is_some() {
            return Err(PeerError::DuplicateField("Content-Length"));
        }
        self.length = Some(parse_length(value).ok_or(PeerError::InvalidContentLength)?);
        Ok(())
    }

    fn note_codings(&mut self, value: &[u8], version: Version) -> Result<(), PeerError> {
        if version < Version::HTTP_11 {
            return Err(PeerError::TransferEncodingInHttp10);
        }
        self.coded = true;
        for coding in value.split(|&b| b == b',').map(token::trim) {
            // Nothing may follow chunked: neither chunked again nor anything else.
            if self.chunked {
                return Err(PeerError::InvalidTransferEncoding);
            }
            match coding.to_ascii_lowercase().as_slice() {
                b"chunked" => self.chunked = true,
                b"identity" => {}
                b"gzip" | b"deflate" | b"compress" => self.compressed = true,
                _ => return Err(PeerError::UnknownTransferCoding),
            }
        }
        Ok(())
    }

    fn note_connection(&mut self, value: &[u8]) {
        for option in token::list(value) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
            self.upgrade |= option.eq_ignore_ascii_case(b"upgrade");
        }
    }

    fn note_expectation(&mut self, value: &[u8]) -> Result<(), PeerError> {
        if !value.eq_ignore_ascii_case(b"100-continue") {
            return Err(PeerError::UnknownExpectation);
        }
        self.expects_continue = true;
        Ok(())
    }

    pub(crate) fn framing(&self) -> Result<Framing, PeerError> {
        match (self.coded, self.length) {
            (true, Some(_)) => Err(PeerError::LengthAndChunked),
            (true, None) if !self.chunked => Err(PeerError::InvalidTransferEncoding),
            (true, None) => Ok(Framing::Chunked),
            (false, Some(0) | None) => Ok(Framing::None),
            (false, Some(length)) => Ok(Framing::Length(length)),
        }
    }

    pub(crate) fn has_host(&self) -> bool {
        self.host
    }

    /// The client asks to change protocol on this connection.
    pub(crate) fn wants_upgrade(&self) -> bool {
        self.upgrade
    }

    /// Whether the client wants the connection kept after this request (RFC 9112 section 9.3).
    pub(crate) fn keeps_alive(&self, version: Version, method: &[u8]) -> bool {
        let wanted = if version >= Version::HTTP_11 {
            !self.close
        } else {
            self.keep_alive && !self.close
        };
        wanted && !self.compressed && method != b"CONNECT"
    }
}

fn once(seen: &mut bool, name: &'static str) -> Result<(), PeerError> {
    if std::mem::replace(seen, true) {
        Err(PeerError::DuplicateField(name))
    } else {
        Ok(())
    }
}

/// Digits and nothing else: no sign, no list, no white space inside.
pub(crate) fn parse_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gather(version: Version, fields: &[(Known, &str)]) -> Result<(Framing, bool), PeerError> {
        let mut meaning = Meaning::default();
        for (known, value) in fields {
            meaning.note(*known, value.as_bytes(), version)?;
        }
        Ok((meaning.framing()?, meaning.keeps_alive(version, b"GET")))
    }

    fn framing(fields: &[(Known, &str)]) -> Result<Framing, PeerError> {
        gather(Version::HTTP_11, fields).map(|(framing, _)| framing)
    }

    #[test]
    fn a_length_is_digits_only_and_stands_once() {
        use Known::ContentLength as Length;
        assert_eq!(framing(&[(Length, "0")]), Ok(Framing::None));
        assert_eq!(framing(&[(Length, "0012")]), Ok(Framing::Length(12)));
        for bad in ["", "+1", "-1", "1,1", "1 1", "0x1", "18446744073709551616"] {
            assert_eq!(
                framing(&[(Length, bad)]),
                Err(PeerError::InvalidContentLength),
                "{bad}"
            );
        }
        let twice = [(Length, "1"), (Length, "1")];
        assert_eq!(
            framing(&twice),
            Err(PeerError::DuplicateField("Content-Length"))
        );
    }

    #[test]
    fn chunked_is_last_and_stands_once() {
        use Known::TransferEncoding as Coding;
        assert_eq!(framing(&[(Coding, "Chunked")]), Ok(Framing::Chunked));
        assert_eq!(
            framing(&[(Coding, "identity, chunked")]),
            Ok(Framing::Chunked)
        );
        assert_eq!(
            framing(&[(Coding, "gzip"), (Coding, "chunked")]),
            Ok(Framing::Chunked)
        );
        for bad in ["chunked, chunked", "chunked, gzip", "gzip", "identity"] {
            assert_eq!(
                framing(&[(Coding, bad)]),
                Err(PeerError::InvalidTransferEncoding),
                "{bad}"
            );
        }
        for bad in ["br", "", "chunked;q=1", "xchunked", "\"chunked\""] {
            assert_eq!(
                framing(&[(Coding, bad)]),
                Err(PeerError::UnknownTransferCoding),
                "{bad}"
            );
        }
        let both = [(Coding, "chunked"), (Known::ContentLength, "1")];
        assert_eq!(framing(&both), Err(PeerError::LengthAndChunked));
        let old = gather(Version::HTTP_10, &[(Coding, "chunked")]);
        assert_eq!(old, Err(PeerError::TransferEncodingInHttp10));
    }

    #[test]
    fn the_connection_is_kept_as_the_version_and_the_options_say() {
        use Known::Connection;
        let kept =
            |version, fields: &[(Known, &str)]| gather(version, fields).map(|(_, kept)| kept);
        assert_eq!(kept(Version::HTTP_11, &[]), Ok(true));
        assert_eq!(kept(Version::HTTP_11, &[(Connection, "close")]), Ok(false));
        assert_eq!(
            kept(Version::HTTP_11, &[(Connection, "TE, Close")]),
            Ok(false)
        );
        assert_eq!(kept(Version::HTTP_10, &[]), Ok(false));
        assert_eq!(
            kept(Version::HTTP_10, &[(Connection, "keep-alive")]),
            Ok(true)
        );
        let gzip = [(Known::TransferEncoding, "gzip, chunked")];
        assert_eq!(kept(Version::HTTP_11, &gzip), Ok(false));
    }

    #[test]
    fn only_100_continue_can_be_expected_and_only_of_http_11() {
        let expect = [(Known::Expect, "magic")];
        assert_eq!(framing(&expect), Err(PeerError::UnknownExpectation));
        assert!(gather(Version::HTTP_10, &expect).is_ok());
    }
}
