//! The head of an answer as the application gives it: checked once, kept as the lines to be sent.

use crate::edit::{self, InvalidEdit};
use crate::framing::parse_length;
use crate::span::Span;
use crate::status::Status;
use crate::token;

/// A rule of HTTP that an application's answer breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidResponse {
    /// Not `ddd` or `ddd reason`.
    #[error("the status {0:?} is not a three-digit number, a space and a reason")]
    Status(String),
    /// RFC 9110 section 5.1.
    #[error("the header name {0:?} is not a token")]
    Name(String),
    /// RFC 9110 section 5.5. Above all CR and LF, with which an answer could be split.
    #[error("the value {value:?} of header {name:?} holds a control character")]
    Value {
        /// Of which header.
        name: String,
        /// As it was given.
        value: String,
    },
    /// RFC 9110 section 8.6.
    #[error("the Content-Length {0:?} is not one number")]
    Length(String),
}

impl InvalidResponse {
    /// What is wrong with a field.
    #[cold]
    fn of(name: &[u8], value: &[u8]) -> Self {
        if token::is_token(name) {
            Self::Value {
                name: lossy(name),
                value: lossy(value),
            }
        } else {
            Self::Name(lossy(name))
        }
    }
}

/// A checked head. Reusing one reuses its memory.
#[derive(Debug, Clone)]
pub struct ResponseHead {
    status: Status,
    /// `ddd reason`
    status_line: Vec<u8>,
    /// `Name: value CRLF` for each field that is sent as it was given.
    lines: Vec<u8>,
    /// Where names and values stand in `lines`.
    fields: Vec<(Span, Span)>,
    length: Option<u64>,
    close: bool,
    upgrade: bool,
}

impl Default for ResponseHead {
    fn default() -> Self {
        Self {
            status: Status::INTERNAL_SERVER_ERROR,
            status_line: Vec::new(),
            lines: Vec::new(),
            fields: Vec::new(),
            length: None,
            close: false,
            upgrade: false,
        }
    }
}

impl ResponseHead {
    /// Begins anew with a status line like `200 OK`.
    ///
    /// # Errors
    /// A status that is not three digits, alone or followed by a space and a reason.
    pub fn begin(&mut self, status_line: &[u8]) -> Result<(), InvalidResponse> {
        self.clear();
        let invalid = || InvalidResponse::Status(lossy(status_line));
        self.status = parse_status(status_line).ok_or_else(invalid)?;
        self.status_line.extend_from_slice(status_line);
        Ok(())
    }

    /// Begins anew with a registered status and its phrase.
    pub fn begin_with(&mut self, status: Status) {
        self.clear();
        self.say_status(status);
    }

    fn say_status(&mut self, status: Status) {
        self.status = status;
        self.status_line.clear();
        match status.line() {
            Some(line) => self.status_line.extend_from_slice(line.as_bytes()),
            None => {
                let line = format!("{} {}", status.code(), status.reason());
                self.status_line.extend_from_slice(line.as_bytes());
            }
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.status_line.clear();
        self.lines.clear();
        self.fields.clear();
        self.length = None;
        self.close = false;
        self.upgrade = false;
    }

    /// Whether `begin` has been called since the last `clear`.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        !self.status_line.is_empty()
    }

    /// Adds a field. What frames the answer or belongs to the connection is this server's affair:
    /// a Content-Length is remembered, `Connection` is heard, and the hop-by-hop fields of
    /// RFC 9110 section 7.6.1, Date and Server are left out.
    ///
    /// # Errors
    /// A name that is not a token, a value with a control character, or a second and different
    /// Content-Length.
    pub fn push(&mut self, name: &[u8], value: &[u8]) -> Result<(), InvalidResponse> {
        let (role, value) = Role::checked(name, value)?;
        match role {
            Role::Plain => self.append(name, value),
            Role::Length => self.set_length(value)?,
            Role::Connection => self.hear_connection(value),
            Role::Upgrade if value.eq_ignore_ascii_case(b"websocket") => self.append(name, value),
            Role::Upgrade | Role::Dropped => {}
        }
        Ok(())
    }

    fn append(&mut self, name: &[u8], value: &[u8]) {
        let at = self.lines.len();
        self.lines.extend_from_slice(name);
        self.lines.extend_from_slice(b": ");
        self.lines.extend_from_slice(value);
        self.lines.extend_from_slice(b"\r\n");
        let value_at = at + name.len() + 2;
        self.fields.push((
            Span::new(at, at + name.len()),
            Span::new(value_at, value_at + value.len()),
        ));
    }

    fn set_length(&mut self, value: &[u8]) -> Result<(), InvalidResponse> {
        let length = parse_length(value).ok_or_else(|| InvalidResponse::Length(lossy(value)))?;
        if self.length.is_some_and(|known| known != length) {
            return Err(InvalidResponse::Length(lossy(value)));
        }
        self.length = Some(length);
        Ok(())
    }

    fn hear_connection(&mut self, value: &[u8]) {
        for option in token::list(value) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.upgrade |= option.eq_ignore_ascii_case(b"upgrade");
        }
    }

    /// Changes the status to one with the same rules for content. Whether it could be.
    pub fn change_status(&mut self, status: Status) -> bool {
        let is_alike = status.forbids_body() == self.status.forbids_body()
            && status.is_informational() == self.status.is_informational()
            // What content there will be is not known here.
            && (!status.is_reset() || self.status.is_reset());
        if is_alike && self.has_begun() {
            self.say_status(status);
        }
        is_alike && self.has_begun()
    }

    /// Sets a field in place of all of this name.
    ///
    /// # Errors
    /// A field that cannot be set.
    pub fn set_field(&mut self, name: &[u8], value: &[u8]) -> Result<(), InvalidEdit> {
        let value = check(name, value)?;
        self.drop_fields(name);
        self.append(name, value);
        Ok(())
    }

    /// Adds a field behind the others.
    ///
    /// # Errors
    /// A field that cannot be set.
    pub fn add_field(&mut self, name: &[u8], value: &[u8]) -> Result<(), InvalidEdit> {
        let value = check(name, value)?;
        self.append(name, value);
        Ok(())
    }

    /// Removes all fields of this name; whether there were any.
    ///
    /// # Errors
    /// A name that cannot be removed.
    pub fn remove_field(&mut self, name: &[u8]) -> Result<bool, InvalidEdit> {
        edit::check_name(name)?;
        Ok(self.drop_fields(name))
    }

    fn drop_fields(&mut self, name: &[u8]) -> bool {
        let is_there = self
            .fields()
            .any(|(other, _)| other.eq_ignore_ascii_case(name));
        if is_there {
            let (lines, fields) = (
                std::mem::take(&mut self.lines),
                std::mem::take(&mut self.fields),
            );
            for (other, value) in fields {
                let other = other.of_bytes(&lines);
                if !other.eq_ignore_ascii_case(name) {
                    self.append(other, value.of_bytes(&lines));
                }
            }
        }
        is_there
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// `ddd reason`, as it was given.
    #[must_use]
    pub fn status_line(&self) -> &[u8] {
        &self.status_line
    }

    /// The fields as lines, each with its CRLF.
    #[must_use]
    pub fn lines(&self) -> &[u8] {
        &self.lines
    }

    /// Name and value of each field that is sent as it was given.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> {
        self.fields
            .iter()
            .map(|(name, value)| (name.of_bytes(&self.lines), value.of_bytes(&self.lines)))
    }

    /// Returns the name and the value of the field at this place, counted from 0.
    #[must_use]
    pub fn field_at(&self, index: usize) -> Option<(&[u8], &[u8])> {
        let (name, value) = self.fields.get(index)?;
        Some((name.of_bytes(&self.lines), value.of_bytes(&self.lines)))
    }

    /// Returns the value of the last field of this name, in letters of either case.
    #[must_use]
    pub fn last_field(&self, name: &[u8]) -> Option<&[u8]> {
        self.fields
            .iter()
            .rfind(|(field, _)| field.of_bytes(&self.lines).eq_ignore_ascii_case(name))
            .map(|(_, value)| value.of_bytes(&self.lines))
    }

    /// The Content-Length the application gave.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// Gives the length of content that is at hand, unless one was given, or there is none by rule.
    pub fn know_length(&mut self, length: u64) {
        if !self.status.forbids_body() {
            self.length.get_or_insert(length);
        }
    }

    /// The application asked for the connection to be closed.
    #[must_use]
    pub fn wants_close(&self) -> bool {
        self.close
    }

    /// The application changes the protocol of the connection.
    #[must_use]
    pub fn upgrades(&self) -> bool {
        self.upgrade
    }
}

/// As for a request; and the server's own fields are not given twice.
fn check<'v>(name: &[u8], value: &'v [u8]) -> Result<&'v [u8], InvalidEdit> {
    match Role::of(name) {
        Role::Plain => edit::check(name, value),
        _ => Err(InvalidEdit::Framing),
    }
}

/// What a field of an answer is to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Plain,
    Length,
    Connection,
    Upgrade,
    Dropped,
}

impl Role {
    /// What a field is to the server, and its value without the space around it.
    pub(super) fn checked<'a>(
        name: &[u8],
        value: &'a [u8],
    ) -> Result<(Self, &'a [u8]), InvalidResponse> {
        let value = token::trim(value);
        if token::is_token(name) && token::is_field_value(value) {
            Ok((Self::of(name), value))
        } else {
            Err(InvalidResponse::of(name, value))
        }
    }

    fn of(name: &[u8]) -> Self {
        let is = |text: &str| name.eq_ignore_ascii_case(text.as_bytes());
        match name.len() {
            2 if is("te") => Self::Dropped,
            4 if is("date") => Self::Dropped,
            6 if is("server") => Self::Dropped,
            7 if is("upgrade") => Self::Upgrade,
            8 if is("trailers") => Self::Dropped,
            10 if is("connection") => Self::Connection,
            10 if is("keep-alive") => Self::Dropped,
            14 if is("content-length") => Self::Length,
            17 if is("transfer-encoding") => Self::Dropped,
            18 if is("proxy-authenticate") => Self::Dropped,
            19 if is("proxy-authorization") => Self::Dropped,
            _ => Self::Plain,
        }
    }
}

fn parse_status(line: &[u8]) -> Option<Status> {
    let digits = line.get(..3)?;
    if !digits.iter().all(u8::is_ascii_digit) || !token::is_field_value(line) {
        return None;
    }
    if !matches!(line.get(3), None | Some(b' ')) {
        return None;
    }
    Status::new(
        digits
            .iter()
            .fold(0, |code, digit| code * 10 + u16::from(digit - b'0')),
    )
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun(status: &str) -> ResponseHead {
        let mut head = ResponseHead::default();
        head.begin(status.as_bytes()).unwrap();
        head
    }

    #[test]
    fn a_status_is_three_digits_and_a_reason() {
        for (line, code) in [
            ("200 OK", 200),
            ("404", 404),
            ("299 ", 299),
            ("500 caf\u{e9}", 500),
        ] {
            assert_eq!(begun(line).status().code(), code, "{line}");
        }
        for bad in [
            "",
            "20",
            "2000 OK",
            "20x OK",
            "099 X",
            "200\tOK",
            "200 a\r\nb: c",
            "200OK",
        ] {
            assert!(
                ResponseHead::default().begin(bad.as_bytes()).is_err(),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn a_value_cannot_split_the_answer() {
        let mut head = begun("200 OK");
        for bad in [&b"a\r\nSet-Cookie: b"[..], b"a\nb", b"a\0", b"\x7f"] {
            assert!(
                matches!(head.push(b"X", bad), Err(InvalidResponse::Value { .. })),
                "{bad:?}"
            );
        }
        for bad in [&b""[..], b"a b", b"a:", b"\xe9"] {
            assert!(
                matches!(head.push(bad, b"x"), Err(InvalidResponse::Name(_))),
                "{bad:?}"
            );
        }
        assert_eq!(head.lines(), b"");
    }

    #[test]
    fn a_head_is_edited_but_not_in_what_frames_it() {
        let mut head = begun("200 OK");
        for (name, value) in [("A", "1"), ("B", "2"), ("a", "3")] {
            head.push(name.as_bytes(), value.as_bytes()).unwrap();
        }
        head.set_field(b"A", b"4").unwrap();
        head.add_field(b"C", b"5").unwrap();
        assert_eq!(head.remove_field(b"b"), Ok(true));
        assert_eq!(head.lines(), b"A: 4\r\nC: 5\r\n");
        assert_eq!(head.fields().len(), 2);
        for name in ["Content-Length", "Date", "Server", "Connection"] {
            assert!(head.set_field(name.as_bytes(), b"1").is_err(), "{name}");
        }
        assert!(head.add_field(b"D", b"x\r\nE: y").is_err());
        assert!(head.change_status(Status::new(404).unwrap()));
        assert_eq!(head.status_line(), b"404 Not Found");
        assert!(
            !head.change_status(Status::new(205).unwrap())
                && !head.change_status(Status::new(204).unwrap()),
            "it has no content"
        );
    }

    #[test]
    fn what_belongs_to_the_connection_is_left_out() {
        let mut head = begun("200 OK");
        for name in [
            "Keep-Alive",
            "TE",
            "Trailers",
            "Transfer-Encoding",
            "Upgrade",
            "Date",
            "server",
            "Proxy-Authenticate",
            "Proxy-Authorization",
        ] {
            head.push(name.as_bytes(), b"x").unwrap();
        }
        head.push(b"X-Kept", b"  y ").unwrap();
        assert_eq!(head.lines(), b"X-Kept: y\r\n");
        head.push(b"Connection", b"Close").unwrap();
        assert!(head.wants_close() && !head.upgrades());
        head.push(b"Connection", b"Upgrade").unwrap();
        head.push(b"Upgrade", b"WebSocket").unwrap();
        assert!(head.upgrades());
        assert_eq!(
            head.fields().last(),
            Some((&b"Upgrade"[..], &b"WebSocket"[..]))
        );
    }

    #[test]
    fn one_length_is_remembered_and_two_must_agree() {
        let mut head = begun("200 OK");
        head.push(b"content-length", b"12").unwrap();
        head.push(b"Content-Length", b"12").unwrap();
        assert_eq!(head.length(), Some(12));
        assert!(head.push(b"Content-Length", b"13").is_err());
        assert!(head.push(b"Content-Length", b"-1").is_err());
    }

    #[test]
    fn beginning_again_forgets_the_first() {
        let mut head = begun("200 OK");
        head.push(b"X", b"y").unwrap();
        head.push(b"Content-Length", b"1").unwrap();
        head.begin(b"500 Oops").unwrap();
        assert_eq!((head.lines(), head.length()), (&b""[..], None));
    }
}
