//! What a client sends, in a line that people read in terminals and scripts take apart: it can neither
//! end the line, nor a field of it, nor steer a terminal.

use std::fmt::Write;

fn is_plain(byte: u8) -> bool {
    (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\'
}

/// Appends bytes as the Latin-1 text that WSGI takes them for.
pub(super) fn escape(bytes: &[u8], line: &mut String) {
    if bytes.iter().all(|&byte| is_plain(byte)) {
        // Plain ASCII is the common case, and one copy.
        line.push_str(std::str::from_utf8(bytes).unwrap_or_default());
    } else {
        let characters = bytes.iter().map(|&byte| char::from(byte));
        characters.for_each(|character| escape_char(character, line));
    }
}

/// Appends text.
pub(super) fn escape_text(text: &str, line: &mut String) {
    text.chars()
        .for_each(|character| escape_char(character, line));
}

/// Appends a line of somebody else's making, in which quotation marks are its own affair. Bytes that
/// are no UTF-8 become U+FFFD.
pub fn escape_controls(bytes: &[u8], line: &mut String) {
    if bytes.iter().all(|&byte| (0x20..0x7f).contains(&byte)) {
        return line.push_str(std::str::from_utf8(bytes).unwrap_or_default());
    }
    for character in String::from_utf8_lossy(bytes).chars() {
        match character {
            '"' | '\\' => line.push(character),
            other => escape_char(other, line),
        }
    }
}

/// Whether a character ends lines, or says something to a terminal.
fn is_unsafe(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

fn escape_char(character: char, line: &mut String) {
    match character {
        '"' => line.push_str("\\\""),
        '\\' => line.push_str("\\\\"),
        c if is_unsafe(c) => {
            let code = u32::from(c);
            // Writing to memory cannot fail.
            let _ = match code {
                ..=0xff => write!(line, "\\x{code:02x}"),
                _ => write!(line, "\\u{code:04x}"),
            };
        }
        c => line.push(c),
    }
}

/// The beginning of an escaped text, of so many characters at most: never half of an escape, whose
/// rest would be taken for something else.
pub(super) fn cut(text: &str, most: usize) -> &str {
    let (mut end, mut shown) = (0, 0);
    while let Some(first) = text[end..].chars().next() {
        let unit = match (first, text.as_bytes().get(end + 1)) {
            ('\\', Some(b'x')) => 4,
            ('\\', Some(b'u')) => 6,
            ('\\', _) => 2,
            _ => 1,
        };
        if shown + unit > most {
            break;
        }
        shown += unit;
        end += if unit == 1 { first.len_utf8() } else { unit };
    }
    &text[..end.min(text.len())]
}

/// Appends a JSON string (RFC 8259 section 7). Bytes that are no UTF-8 become U+FFFD.
pub(super) fn json_string(bytes: &[u8], line: &mut String) {
    line.push('"');
    json_part(bytes, line);
    line.push('"');
}

/// Appends what may stand in a JSON string.
pub(super) fn json_part(bytes: &[u8], line: &mut String) {
    if bytes.iter().all(|&byte| is_plain(byte)) {
        line.push_str(std::str::from_utf8(bytes).unwrap_or_default());
    } else {
        for character in String::from_utf8_lossy(bytes).chars() {
            match character {
                '"' => line.push_str("\\\""),
                '\\' => line.push_str("\\\\"),
                '\n' => line.push_str("\\n"),
                '\r' => line.push_str("\\r"),
                '\t' => line.push_str("\\t"),
                c if is_unsafe(c) => {
                    let _ = write!(line, "\\u{:04x}", u32::from(c));
                }
                c => line.push(c),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NASTY: &[&[u8]] = &[
        b"",
        b"plain",
        b"a\r\nb",
        b"\x00\x1b[31m\x7f",
        b"\"quoted\" and \\escaped\\\"",
        b"caf\xc3\xa9 \xff",
        "\u{85}\u{2028}\u{2029}\u{1f600}".as_bytes(),
    ];

    #[test]
    fn nothing_leaves_its_field_or_its_line() {
        for bytes in NASTY {
            let mut line = String::new();
            escape(bytes, &mut line);
            assert!(!line.chars().any(is_unsafe), "{line:?}");
            let unescaped = line.replace("\\\\", "").replace("\\\"", "");
            assert!(!unescaped.contains('"'), "{line}");
        }
    }

    #[test]
    fn no_escape_is_cut_in_half() {
        let text = r#"ab\"\\\x0a\u2028é"#;
        for (most, shown) in [
            (2, "ab"),
            (3, "ab"),
            (4, r#"ab\""#),
            (5, r#"ab\""#),
            (6, r#"ab\"\\"#),
            (9, r#"ab\"\\"#),
            (10, r#"ab\"\\\x0a"#),
            (16, r#"ab\"\\\x0a\u2028"#),
            (17, text),
            (99, text),
        ] {
            assert_eq!(cut(text, most), shown, "{most}");
        }
    }

    #[test]
    fn json_is_what_was_said() {
        for bytes in NASTY {
            let mut line = String::new();
            json_string(bytes, &mut line);
            let read: String = serde_json::from_str(&line).unwrap();
            assert_eq!(read, String::from_utf8_lossy(bytes));
            assert!(!line.chars().any(is_unsafe), "{line:?}");
        }
    }
}
