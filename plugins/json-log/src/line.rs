//! Writing JSON (RFC 8259), a member at a time.

use std::io::Write;

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
        string(&String::from_utf8_lossy(value), self.line);
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
        // Writing to memory cannot fail, here and below.
        let _ = write!(self.line, "{value}");
    }

    /// Members that are written already.
    pub(crate) fn raw(&mut self, members: &[u8]) {
        if !members.is_empty() {
            self.comma();
            self.line.extend_from_slice(members);
        }
    }

    fn name(&mut self, name: &str) {
        self.comma();
        string(name, self.line);
        self.line.push(b':');
    }

    fn comma(&mut self) {
        if !self.is_empty {
            self.line.push(b',');
        }
        self.is_empty = false;
    }
}

/// Appends a string. What a terminal might take for an instruction is escaped too.
fn string(text: &str, line: &mut Vec<u8>) {
    line.push(b'"');
    for character in text.chars() {
        match character {
            '"' => line.extend_from_slice(b"\\\""),
            '\\' => line.extend_from_slice(b"\\\\"),
            '\n' => line.extend_from_slice(b"\\n"),
            c if c.is_control() || c == '\u{2028}' || c == '\u{2029}' => {
                let _ = write!(line, "\\u{:04x}", u32::from(c));
            }
            c => line.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    line.push(b'"');
}

/// Appends the object for a message.
pub(crate) fn message(record: &LogRecord<'_>, constant: &[u8], line: &mut Vec<u8>) {
    let mut object = Object::begin(line);
    object.text(
        "time",
        format_rfc3339_millis(record.time).to_string().as_bytes(),
    );
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
