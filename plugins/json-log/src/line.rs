//! Writing JSON (RFC 8259), a member at a time.

use std::cell::RefCell;
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use humantime::format_rfc3339_millis;
use tricorn_hooks::{End, LogRecord};

/// The fields of a message.
pub(crate) const MESSAGE: [&str; 6] = ["time", "level", "pid", "target", "message", "place"];

/// An object under way.
pub(crate) struct Object<'l> {
    line: &'l mut Vec<u8>,
    is_empty: bool,
}

impl<'l> Object<'l> {
    pub(crate) fn begin(line: &'l mut Vec<u8>) -> Self {
        line.push(b'{');
        Self {
            line,
            is_empty: true,
        }
    }

    pub(crate) fn end(self) {
        self.line.push(b'}');
    }

    /// A member whose value is text; bytes that are no UTF-8 become U+FFFD.
    pub(crate) fn text(&mut self, name: &str, value: &[u8]) {
        self.name(name);
        string(value, self.line);
    }

    /// A member whose value is a time (RFC 3339, in UTC).
    pub(crate) fn time(&mut self, name: &str, time: SystemTime) {
        thread_local! {
            /// Requests of the same millisecond share its text.
            static LAST: RefCell<(u128, String)> = const { RefCell::new((0, String::new())) };
        }
        self.name(name);
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        LAST.with_borrow_mut(|(last, text)| {
            if *last != since.as_millis() {
                *last = since.as_millis();
                *text = format_rfc3339_millis(time).to_string();
            }
            self.line.push(b'"');
            self.line.extend_from_slice(text.as_bytes());
            self.line.push(b'"');
        });
    }

    /// The same, null where there is none.
    pub(crate) fn optional(&mut self, name: &str, value: &[u8]) {
        if value.is_empty() {
            self.name(name);
            self.line.extend_from_slice(b"null");
        } else {
            self.text(name, value);
        }
    }

    pub(crate) fn number(&mut self, name: &str, value: u64) {
        self.name(name);
        let mut digits = itoa::Buffer::new();
        self.line.extend_from_slice(digits.format(value).as_bytes());
    }

    /// Members that are written already.
    pub(crate) fn raw(&mut self, members: &[u8]) {
        if !members.is_empty() {
            self.comma();
            self.line.extend_from_slice(members);
        }
    }

    /// Names are written as they are: what might have to be escaped in one is refused beforehand.
    fn name(&mut self, name: &str) {
        self.comma();
        self.line.push(b'"');
        self.line.extend_from_slice(name.as_bytes());
        self.line.extend_from_slice(b"\":");
    }

    fn comma(&mut self) {
        if !self.is_empty {
            self.line.push(b',');
        }
        self.is_empty = false;
    }
}

/// Appends a string. What a terminal might take for an instruction is escaped too.
fn string(text: &[u8], line: &mut Vec<u8>) {
    let is_plain = |&byte: &u8| (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\';
    line.push(b'"');
    if text.iter().all(is_plain) {
        line.extend_from_slice(text);
    } else {
        let text = String::from_utf8_lossy(text);
        text.chars().for_each(|character| escaped(character, line));
    }
    line.push(b'"');
}

fn escaped(character: char, line: &mut Vec<u8>) {
    match character {
        '"' => line.extend_from_slice(b"\\\""),
        '\\' => line.extend_from_slice(b"\\\\"),
        '\n' => line.extend_from_slice(b"\\n"),
        c if c.is_control() || c == '\u{2028}' || c == '\u{2029}' => {
            // Writing to memory cannot fail.
            let _ = write!(line, "\\u{:04x}", u32::from(c));
        }
        c => line.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

/// Appends the object for a message.
pub(crate) fn message(record: &LogRecord<'_>, constant: &[u8], line: &mut Vec<u8>) {
    let mut object = Object::begin(line);
    object.time("time", record.time);
    object.text("level", record.level.name().as_bytes());
    object.number("pid", u64::try_from(record.pid).unwrap_or(0));
    object.text("target", record.target.as_bytes());
    object.text("message", record.message.as_bytes());
    if let Some((file, number)) = record.place {
        object.text("place", format!("{file}:{number}").as_bytes());
    }
    object.raw(constant);
    object.end();
}

/// How an answer ended.
pub(crate) fn end(end: End) -> &'static str {
    match end {
        End::Complete => "complete",
        End::ClientGone => "client gone",
        End::WriteTimeout => "write timeout",
        End::CutShort => "cut short",
        End::TakenOver => "taken over",
        End::Closed => "closed by a handler",
        End::Other => "other",
    }
}
