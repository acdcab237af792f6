//! The chunked coding (RFC 9112 section 7.1).

use memchr::memchr;

use super::Decoded;
use super::trailers::Trailers;
use crate::error::PeerError;
use crate::limits::Limits;
use crate::token;

/// Where in the coding the next byte stands.
#[derive(Debug)]
enum State {
    Size,
    Data(u64),
    DataEnd,
    Trailers,
    Done,
}

#[derive(Debug)]
pub(super) struct Chunked {
    state: State,
    line_limit: usize,
    trailers: Trailers,
    /// How much of the line under way has been looked at already.
    seen: usize,
}

impl Chunked {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            state: State::Size,
            line_limit: limits.field_size,
            trailers: Trailers::new(limits),
            seen: 0,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    pub(super) fn trailers(&self) -> &Trailers {
        &self.trailers
    }

    pub(super) fn decode(&mut self, bytes: &[u8]) -> Result<Decoded, PeerError> {
        let mut used = 0;
        loop {
            let rest = &bytes[used..];
            match self.state {
                State::Size => match self.size_line(rest)? {
                    Some(line) => used += line,
                    None => return Ok(Decoded::Partial { used }),
                },
                State::Data(_) if rest.is_empty() => return Ok(Decoded::Partial { used }),
                State::Data(left) => return Ok(self.data(left, rest, used)),
                State::DataEnd if rest.len() < 2 => {
                    let broken = rest.first().is_some_and(|&b| b != b'\r');
                    return if broken {
                        Err(PeerError::InvalidChunkEnd)
                    } else {
                        Ok(Decoded::Partial { used })
                    };
                }
                State::DataEnd if rest.starts_with(b"\r\n") => {
                    used += 2;
                    self.state = State::Size;
                }
                State::DataEnd => return Err(PeerError::InvalidChunkEnd),
                State::Trailers => match self.trailers.read(rest)? {
                    Some(block) => {
                        used += block;
                        self.state = State::Done;
                    }
                    None => return Ok(Decoded::Partial { used }),
                },
                State::Done => return Ok(Decoded::End { used }),
            }
        }
    }

    fn data(&mut self, left: u64, rest: &[u8], skip: usize) -> Decoded {
        let len = usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()));
        let left = left - len as u64;
        self.state = if left == 0 {
            State::DataEnd
        } else {
            State::Data(left)
        };
        Decoded::Content { skip, len }
    }

    /// Reads the line that tells a chunk's size; its length, or `None` if it is not whole.
    fn size_line(&mut self, rest: &[u8]) -> Result<Option<usize>, PeerError> {
        let Some(found) = memchr(b'\n', &rest[self.seen..]) else {
            self.seen = rest.len();
            self.check_length(rest.len())?;
            return Ok(None);
        };
        let newline = self.seen + found;
        self.check_length(newline)?;
        if newline == 0 || rest[newline - 1] != b'\r' {
            return Err(PeerError::BareLineFeed);
        }
        self.seen = 0;
        let size = parse_size_line(&rest[..newline - 1])?;
        self.state = if size == 0 {
            State::Trailers
        } else {
            State::Data(size)
        };
        Ok(Some(newline + 1))
    }

    fn check_length(&self, length: usize) -> Result<(), PeerError> {
        let too_long = length > self.line_limit;
        if too_long {
            Err(PeerError::ChunkLineTooLong(self.line_limit))
        } else {
            Ok(())
        }
    }
}

fn parse_size_line(line: &[u8]) -> Result<u64, PeerError> {
    let digits = line.iter().take_while(|b| b.is_ascii_hexdigit()).count();
    let (size, extensions) = line.split_at(digits);
    let size = std::str::from_utf8(size)
        .ok()
        .and_then(|text| u64::from_str_radix(text, 16).ok())
        .ok_or(PeerError::InvalidChunkSize)?;
    if extensions.is_empty() {
        return Ok(size);
    }
    // White space may only lead up to a semicolon.
    if trim_start(extensions).first() != Some(&b';') {
        return Err(PeerError::InvalidChunkSize);
    }
    check_extensions(extensions).ok_or(PeerError::InvalidChunkExtension)?;
    Ok(size)
}

/// RFC 9112 section 7.1.1: `*( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )`.
fn check_extensions(mut rest: &[u8]) -> Option<()> {
    while !rest.is_empty() {
        rest = trim_start(trim_start(rest).strip_prefix(b";")?);
        rest = skip_token(rest)?;
        if let Some(value) = trim_start(rest).strip_prefix(b"=") {
            let value = trim_start(value);
            rest = match value.strip_prefix(b"\"") {
                Some(quoted) => skip_quoted(quoted)?,
                None => skip_token(value)?,
            };
        }
    }
    Some(())
}

fn trim_start(bytes: &[u8]) -> &[u8] {
    let blank = bytes
        .iter()
        .take_while(|b| matches!(b, b' ' | b'\t'))
        .count();
    &bytes[blank..]
}

fn skip_token(bytes: &[u8]) -> Option<&[u8]> {
    let length = bytes.iter().take_while(|&&b| token::is_token(&[b])).count();
    (length > 0).then(|| &bytes[length..])
}

/// What follows the quotation mark that ends a quoted string (RFC 9110 section 5.6.4).
fn skip_quoted(mut bytes: &[u8]) -> Option<&[u8]> {
    loop {
        match bytes {
            [b'"', rest @ ..] => return Some(rest),
            [b'\\', escaped, rest @ ..] if token::is_field_value(&[*escaped]) => bytes = rest,
            [b'\\', ..] => return None,
            [byte, rest @ ..] if token::is_field_value(&[*byte]) => bytes = rest,
            _ => return None,
        }
    }
}
