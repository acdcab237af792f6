//! The head of a request: parsed once, kept in one reusable block of memory.

use std::borrow::Cow;

use crate::edit::{self, InvalidEdit};
use crate::error::PeerError;
use crate::fields::{self, Field};
use crate::framing::{Framing, Meaning};
use crate::known::Known;
use crate::limits::{Leniency, Limits};
use crate::request_line::{self, RequestLine, Version};
use crate::scan::Extent;
use crate::trust::{Trust, Verdict};

/// Everything that decides which heads are accepted and how they are read.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// How much a peer may send.
    pub limits: Limits,
    /// What is let through although the grammar forbids it.
    pub leniency: Leniency,
    /// Which peers are believed.
    pub trust: Trust,
}

/// So much of a line that cannot be read is kept.
const MOST_KEPT: usize = 1024;

/// A request's head. Owns its bytes; reading another one into it reuses them.
#[derive(Debug, Clone, Default)]
pub struct Head {
    bytes: Vec<u8>,
    line: RequestLine,
    fields: Vec<Field>,
    framing: Framing,
    keeps_alive: bool,
    expects_continue: bool,
    wants_upgrade: bool,
    https: Option<bool>,
}

impl Head {
    /// Reads the head that a scan found at `extent` in `buffer`.
    ///
    /// `trusted` says whether the peer is in `forwarded_allow_ips`.
    ///
    /// # Errors
    /// The first rule that the head breaks. The head then holds what was read up to there, which
    /// is enough for a log line and nothing else.
    pub fn read(
        &mut self,
        buffer: &[u8],
        extent: Extent,
        rules: &Rules,
        trusted: bool,
    ) -> Result<(), PeerError> {
        self.clear();
        self.bytes
            .extend_from_slice(&buffer[extent.start..extent.end]);
        if rules.leniency.casefold_method {
            // First of all: which target is allowed depends on the method.
            let end = memchr::memchr(b' ', &self.bytes).unwrap_or(0);
            self.bytes[..end].make_ascii_uppercase();
        }
        self.line = request_line::parse(&self.bytes, extent.first, rules.leniency)?;
        let fields_at = extent.first + b"\r\n".len();
        if extent.folded && !rules.leniency.obsolete_folding {
            return Err(PeerError::ObsoleteFolding);
        }
        if extent.folded || rules.leniency.strip_header_spaces {
            let strip = rules.leniency.strip_header_spaces;
            fields::straighten(&mut self.bytes, fields_at, extent.folded, strip);
        }
        fields::parse(&self.bytes, fields_at, extent.fields, &mut self.fields)?;
        self.sift(&rules.trust, trusted)?;
        self.interpret(rules.leniency)
    }

    /// Keeps the beginning of a request that cannot be read, for the log.
    pub fn keep_line(&mut self, bytes: &[u8]) {
        self.clear();
        let bytes = &bytes[..bytes.len().min(MOST_KEPT)];
        let end = bytes.iter().position(|&b| b == b'\r' || b == b'\n');
        self.bytes
            .extend_from_slice(&bytes[..end.unwrap_or(bytes.len())]);
    }

    /// The first line as it was sent, if it could not be read; `None` if it was.
    #[must_use]
    pub fn unread_line(&self) -> Option<&[u8]> {
        (self.line.method.len() == 0).then(|| self.first_line())
    }

    /// The first line as it was sent, as far as it came.
    #[must_use]
    pub fn first_line(&self) -> &[u8] {
        let end = memchr::memchr2(b'\r', b'\n', &self.bytes);
        &self.bytes[..end.unwrap_or(self.bytes.len())]
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.fields.clear();
        self.line = RequestLine::default();
        self.framing = Framing::None;
        self.keeps_alive = false;
        self.expects_continue = false;
        self.wants_upgrade = false;
        self.https = None;
    }

    /// Drops or refuses names with underscores, and hears what trusted fields say of the scheme.
    fn sift(&mut self, trust: &Trust, trusted: bool) -> Result<(), PeerError> {
        let bytes = &self.bytes;
        let mut dropped = false;
        for field in &mut self.fields {
            let name = field.name.of_bytes(bytes);
            let underscored = field.known == Known::Other && memchr::memchr(b'_', name).is_some();
            if underscored && trust.judge(name, trusted)? == Verdict::Drop {
                dropped = true;
                field.name = crate::span::Span::default();
            } else if trusted
                && let Some(https) = trust.tells_https(name, field.value.of_bytes(bytes))
            {
                if self.https.is_some_and(|told| told != https) {
                    return Err(PeerError::ConflictingSchemes);
                }
                self.https = Some(https);
            }
        }
        if dropped {
            self.fields.retain(|field| field.name.len() > 0);
        }
        Ok(())
    }

    fn interpret(&mut self, leniency: Leniency) -> Result<(), PeerError> {
        let mut meaning = Meaning::default();
        let version = self.line.version;
        let mut cookies = 0;
        for field in &self.fields {
            if field.known != Known::Other {
                meaning.note(field.known, field.value.of_bytes(&self.bytes), version)?;
                cookies += usize::from(field.known == Known::Cookie);
            }
        }
        if cookies > 1 {
            fields::join_cookies(&mut self.bytes, &mut self.fields);
        }
        if version >= Version::HTTP_11 && !meaning.has_host() && !leniency.missing_host {
            return Err(PeerError::MissingHost);
        }
        self.framing = meaning.framing()?;
        self.keeps_alive = meaning.keeps_alive(version, self.method());
        self.expects_continue = meaning.expects_continue;
        self.wants_upgrade = meaning.wants_upgrade();
        Ok(())
    }

    /// The method: a token.
    #[must_use]
    pub fn method(&self) -> &[u8] {
        self.line.method.of_bytes(&self.bytes)
    }

    /// The method, a space, and the target as it was sent.
    #[must_use]
    pub fn method_and_target(&self) -> &[u8] {
        &self.bytes[self.line.method.range().start..self.line.target.whole.range().end]
    }

    /// The target as it was sent.
    #[must_use]
    pub fn target(&self) -> &[u8] {
        self.line.target.whole.of_bytes(&self.bytes)
    }

    /// The path, still percent-encoded. Empty in authority form, and where absolute form has none.
    #[must_use]
    pub fn path(&self) -> &[u8] {
        self.line.target.path.of_bytes(&self.bytes)
    }

    /// The query without its `?`, still percent-encoded.
    #[must_use]
    pub fn query(&self) -> &[u8] {
        self.line.target.query.of_bytes(&self.bytes)
    }

    /// The fragment without its `#`.
    #[must_use]
    pub fn fragment(&self) -> &[u8] {
        self.line.target.fragment.of_bytes(&self.bytes)
    }

    /// The version the client speaks.
    #[must_use]
    pub fn version(&self) -> Version {
        self.line.version
    }

    /// How the end of the body is found.
    #[must_use]
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// Whether the client wants the connection kept after this request.
    #[must_use]
    pub fn keeps_alive(&self) -> bool {
        self.keeps_alive
    }

    /// The client waits for `100 Continue` before it sends the body.
    #[must_use]
    pub fn expects_continue(&self) -> bool {
        self.expects_continue
    }

    /// The client asks to change protocol on this connection.
    #[must_use]
    pub fn wants_upgrade(&self) -> bool {
        self.wants_upgrade
    }

    /// What trusted fields say of the scheme: `Some(true)` for https, `None` if nothing.
    #[must_use]
    pub fn forwarded_https(&self) -> Option<bool> {
        self.https
    }

    /// Every field in the order it was sent: its number, name and value.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = (Known, &[u8], &[u8])> {
        self.fields.iter().map(|field| {
            (
                field.known,
                field.name.of_bytes(&self.bytes),
                field.value.of_bytes(&self.bytes),
            )
        })
    }

    /// Returns the name and the value of the field at this place, counted from 0 in the order they
    /// were sent.
    #[must_use]
    pub fn field_at(&self, index: usize) -> Option<(&[u8], &[u8])> {
        let field = self.fields.get(index)?;
        Some((
            field.name.of_bytes(&self.bytes),
            field.value.of_bytes(&self.bytes),
        ))
    }

    /// Returns the value of the last field of this name, in letters of either case.
    #[must_use]
    pub fn last_field(&self, name: &[u8]) -> Option<&[u8]> {
        self.fields
            .iter()
            .rfind(|field| field.name.of_bytes(&self.bytes).eq_ignore_ascii_case(name))
            .map(|field| field.value.of_bytes(&self.bytes))
    }

    /// Returns the values of all fields of this known name, joined with commas as `environ` has
    /// them (RFC 9110 section 5.3).
    #[must_use]
    pub fn joined(&self, known: Known) -> Option<Cow<'_, [u8]>> {
        let mut values = self
            .fields
            .iter()
            .filter(|field| field.known == known)
            .map(|field| field.value.of_bytes(&self.bytes));
        let first = values.next()?;
        let Some(second) = values.next() else {
            return Some(Cow::Borrowed(first));
        };
        let mut joined = first.to_vec();
        for value in std::iter::once(second).chain(values) {
            joined.push(b',');
            joined.extend_from_slice(value);
        }
        Some(Cow::Owned(joined))
    }

    /// The value of the first field of this known name.
    #[must_use]
    pub fn known(&self, known: Known) -> Option<&[u8]> {
        self.fields
            .iter()
            .find(|field| field.known == known)
            .map(|field| field.value.of_bytes(&self.bytes))
    }

    /// The value of the first field of this name, in letters of either case.
    #[must_use]
    pub fn field(&self, name: &[u8]) -> Option<&[u8]> {
        self.fields()
            .find(|(_, n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, _, value)| value)
    }
}

/// Edits by handlers, before the application sees the head.
impl Head {
    /// Sets a field in place of all of this name.
    ///
    /// # Errors
    /// A field that cannot be set.
    pub fn set_field(&mut self, name: &[u8], value: &[u8]) -> Result<(), InvalidEdit> {
        let value = edit::check(name, value)?;
        self.drop_fields(name);
        edit::append(&mut self.bytes, &mut self.fields, name, value);
        Ok(())
    }

    /// Adds a field behind the others.
    ///
    /// # Errors
    /// A field that cannot be set.
    pub fn add_field(&mut self, name: &[u8], value: &[u8]) -> Result<(), InvalidEdit> {
        let value = edit::check(name, value)?;
        edit::append(&mut self.bytes, &mut self.fields, name, value);
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
        let before = self.fields.len();
        let bytes = &self.bytes;
        self.fields
            .retain(|field| !field.name.of_bytes(bytes).eq_ignore_ascii_case(name));
        self.fields.len() < before
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::AllowList;
    use crate::scan::{HeadScan, Scanned};
    use crate::target::percent_decode;

    fn read(text: &str, rules: &Rules) -> Result<Head, PeerError> {
        let mut head = Head::default();
        match HeadScan::default().advance(text.as_bytes(), &rules.limits)? {
            Scanned::Complete(extent) => head.read(text.as_bytes(), extent, rules, true)?,
            Scanned::Partial => panic!("the head is not whole: {text:?}"),
        }
        Ok(head)
    }

    #[test]
    fn the_parts_of_a_head_are_found() {
        let text = "POST /a%20b?c=d HTTP/1.1\r\nHost: x\r\nX-Thing:  v  \r\nContent-Length: 3\r\nEmpty:\r\n\r\n";
        let head = read(text, &Rules::default()).unwrap();
        assert_eq!(head.method(), b"POST");
        assert_eq!((head.path(), head.query()), (&b"/a%20b"[..], &b"c=d"[..]));
        assert_eq!(head.framing(), Framing::Length(3));
        assert_eq!(head.field(b"x-thing"), Some(&b"v"[..]));
        assert_eq!(head.field(b"empty"), Some(&b""[..]));
        assert_eq!(head.known(Known::Host), Some(&b"x"[..]));
        assert_eq!(head.fields().len(), 4);
        let mut path = Vec::new();
        percent_decode(head.path(), &mut path);
        assert_eq!(path, b"/a b");
    }

    #[test]
    fn fields_are_set_added_and_removed_in_any_case() {
        let mut head = read(
            "GET / HTTP/1.0\r\nA: 1\r\nB: 2\r\na: 3\r\n\r\n",
            &Rules::default(),
        )
        .unwrap();
        head.set_field(b"A", b"4").unwrap();
        head.add_field(b"Content-Type", b"text/plain").unwrap();
        let shown: Vec<_> = head
            .fields()
            .map(|(_, name, value)| (name, value))
            .collect();
        assert_eq!(
            shown,
            [
                (&b"B"[..], &b"2"[..]),
                (b"A", b"4"),
                (b"Content-Type", b"text/plain")
            ]
        );
        assert_eq!(head.known(Known::ContentType), Some(&b"text/plain"[..]));
        assert_eq!(head.remove_field(b"b"), Ok(true));
        assert_eq!(head.remove_field(b"b"), Ok(false));
        assert!(head.set_field(b"Content-Length", b"1").is_err());
        assert!(head.add_field(b"X", b"a\r\nY: b").is_err());
        assert_eq!(head.fields().len(), 2);
    }

    #[test]
    fn cookies_are_one_field_where_the_first_was() {
        let text =
            "GET / HTTP/1.0\r\nCookie: a=1\r\nX: y\r\ncookie:\r\nCOOKIE: b=\u{e4}; c=3\r\n\r\n";
        let head = read(text, &Rules::default()).unwrap();
        let values: Vec<_> = head.fields().map(|(_, _, value)| value).collect();
        let whole = "a=1; b=\u{e4}; c=3".as_bytes();
        assert_eq!(values, [whole, b"y"]);
        assert_eq!(head.known(Known::Cookie), Some(whole));
        assert_eq!(head.field_at(1), Some((&b"X"[..], &b"y"[..])));
        assert_eq!(head.field_at(2), None);
    }

    #[test]
    fn repeated_fields_are_joined_for_environ_and_the_last_counts_for_a_log() {
        let text = "GET / HTTP/1.0\r\nReferer: a\r\nX: 1\r\nReferer: b\r\nx: 2\r\n\r\n";
        let head = read(text, &Rules::default()).unwrap();
        assert_eq!(head.joined(Known::Referer).as_deref(), Some(&b"a,b"[..]));
        assert_eq!(head.joined(Known::UserAgent), None);
        assert_eq!(head.last_field(b"X"), Some(&b"2"[..]));
        assert_eq!(head.fields().len(), 4);
    }

    #[test]
    fn reading_again_leaves_nothing_of_the_first() {
        let rules = Rules::default();
        let mut head = read(
            "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
            &rules,
        )
        .unwrap();
        let text = b"GET / HTTP/1.0\r\n\r\n";
        let Ok(Scanned::Complete(extent)) = HeadScan::default().advance(text, &rules.limits) else {
            panic!("the head is whole")
        };
        head.read(text, extent, &rules, false).unwrap();
        assert_eq!(head.framing(), Framing::None);
        assert!(!head.expects_continue() && !head.keeps_alive());
        assert_eq!(head.fields().len(), 0);
    }

    #[test]
    fn host_is_asked_of_http_11_unless_the_operator_says_otherwise() {
        let text = "GET / HTTP/1.1\r\n\r\n";
        assert_eq!(
            read(text, &Rules::default()).err(),
            Some(PeerError::MissingHost)
        );
        let mut rules = Rules::default();
        rules.leniency.missing_host = true;
        assert!(read(text, &rules).is_ok());
        assert!(read("GET / HTTP/1.0\r\n\r\n", &Rules::default()).is_ok());
    }

    #[test]
    fn folding_and_spaces_need_a_setting() {
        let text = "GET / HTTP/1.0\r\nA : b\r\n  c\r\n\r\n";
        let mut rules = Rules::default();
        assert_eq!(read(text, &rules).err(), Some(PeerError::ObsoleteFolding));
        rules.leniency.obsolete_folding = true;
        assert_eq!(read(text, &rules).err(), Some(PeerError::InvalidFieldName));
        rules.leniency.strip_header_spaces = true;
        let head = read(text, &rules).unwrap();
        assert_eq!(head.field(b"a"), Some(&b"b c"[..]));
    }

    #[test]
    fn two_fields_that_contradict_each_other_on_the_scheme_are_refused() {
        let mut rules = Rules::default();
        rules.trust.forwarded = AllowList::parse(["*"]).unwrap();
        rules.trust.secure_scheme_fields = vec![
            ("X-FORWARDED-PROTO".into(), b"https".to_vec()),
            ("X-FORWARDED-SSL".into(), b"on".to_vec()),
        ];
        let head = |fields: &str| read(&format!("GET / HTTP/1.0\r\n{fields}\r\n"), &rules);
        let https = |fields: &str| head(fields).unwrap().forwarded_https();
        assert_eq!(
            https("X-Forwarded-Proto: https\r\nX-Forwarded-Ssl: on\r\n"),
            Some(true)
        );
        assert_eq!(https("X-Forwarded-Proto: http\r\n"), Some(false));
        assert_eq!(https(""), None);
        let conflict = head("X-Forwarded-Proto: https\r\nX-Forwarded-Ssl: off\r\n");
        assert_eq!(conflict.err(), Some(PeerError::ConflictingSchemes));
    }

    #[test]
    fn names_with_underscores_are_dropped() {
        let head = read(
            "GET / HTTP/1.0\r\nA_B: 1\r\nA-B: 2\r\n\r\n",
            &Rules::default(),
        )
        .unwrap();
        assert_eq!(head.fields().len(), 1);
        assert_eq!(head.field(b"a_b"), None);
    }
}
