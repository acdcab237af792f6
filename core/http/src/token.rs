//! The alphabets of RFC 9110 section 5.6, as one table look-up each.

const TOKEN: u8 = 1;
const TARGET: u8 = 2;
const HOST: u8 = 4;

const CLASSES: [u8; 256] = {
    let mut classes = [0u8; 256];
    let mut byte = 0usize;
    while byte < 256 {
        let b = byte as u8;
        if b.is_ascii_alphanumeric() {
            classes[byte] |= TOKEN | HOST;
        }
        if b > 0x20 && b < 0x7f {
            classes[byte] |= TARGET;
        }
        byte += 1;
    }
    let punctuation = b"!#$%&'*+-.^_`|~";
    let mut i = 0;
    while i < punctuation.len() {
        classes[punctuation[i] as usize] |= TOKEN;
        i += 1;
    }
    let punctuation = b"-._~!$&'()*+,;=%";
    let mut i = 0;
    while i < punctuation.len() {
        classes[punctuation[i] as usize] |= HOST;
        i += 1;
    }
    classes
};

/// Whether all bytes are of the class. They hardly ever are not: looking at every one costs less than
/// asking after each whether to go on.
fn all(bytes: &[u8], class: u8) -> bool {
    bytes
        .iter()
        .fold(class, |common, &b| common & CLASSES[b as usize])
        != 0
}

/// A non-empty token: a method, a field name, a transfer coding.
#[must_use]
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && all(bytes, TOKEN)
}

/// Bytes that may stand in a field value: VCHAR, SP, HTAB and obs-text (section 5.5).
#[must_use]
pub fn is_field_value(bytes: &[u8]) -> bool {
    let Some(last) = bytes.last_chunk::<8>() else {
        return bytes.iter().all(|&b| is_value_byte(b));
    };
    // Values are hardly ever wrong: eight bytes are looked at together, the last of them twice.
    let (words, _) = bytes.as_chunks::<8>();
    let found = words
        .iter()
        .fold(controls(last), |found, word| found | controls(word));
    found == 0 || bytes.iter().all(|&b| is_value_byte(b))
}

fn is_value_byte(b: u8) -> bool {
    (b >= b' ' || b == b'\t') && b != 0x7f
}

/// Not zero if one of the bytes is a control character. The tab is one.
fn controls(bytes: &[u8; 8]) -> u64 {
    let word = u64::from_le_bytes(*bytes);
    const EACH: u64 = u64::MAX / 0xff;
    const HIGH: u64 = EACH * 0x80;
    let deletes = word ^ (EACH * 0x7f);
    // The high bit of a byte is set where it is less than 0x20, or is 0x7f.
    let low = word.wrapping_sub(EACH * 0x20) & !word;
    let deleted = deletes.wrapping_sub(EACH) & !deletes;
    (low | deleted) & HIGH
}

/// Bytes that may stand in a request target: visible ASCII.
#[must_use]
pub fn is_target(bytes: &[u8]) -> bool {
    !bytes.is_empty() && all(bytes, TARGET)
}

/// Returns true for the value of a Host field: a name or an address, and a port behind a colon
/// (RFC 9110 section 7.2, RFC 3986 section 3.2.2). It may be empty.
#[must_use]
pub fn is_host(bytes: &[u8]) -> bool {
    let end = memchr::memchr(b':', bytes).unwrap_or(bytes.len());
    if all(&bytes[..end], HOST) {
        return is_port(&bytes[end..]);
    }
    let literal = bytes.strip_prefix(b"[");
    literal.is_some_and(|literal| match memchr::memchr(b']', literal) {
        Some(end) if end > 0 => {
            let parts = literal[..end].split(|&b| b == b':');
            parts.into_iter().all(|part| all(part, HOST)) && is_port(&literal[end + 1..])
        }
        _ => false,
    })
}

/// Returns true for nothing, or a colon and digits.
fn is_port(bytes: &[u8]) -> bool {
    match bytes.split_first() {
        None => true,
        Some((colon, port)) => *colon == b':' && port.iter().all(u8::is_ascii_digit),
    }
}

/// `bytes` without spaces and tabs at either end (OWS, RFC 9110 section 5.6.3).
#[must_use]
pub fn trim(bytes: &[u8]) -> &[u8] {
    let blank = |b: &u8| *b == b' ' || *b == b'\t';
    if !bytes.first().is_some_and(blank) && !bytes.last().is_some_and(blank) {
        return bytes;
    }
    let Some(start) = bytes.iter().position(|b| !blank(b)) else {
        return &[];
    };
    let end = bytes
        .iter()
        .rposition(|b| !blank(b))
        .map_or(start, |last| last + 1);
    &bytes[start..end]
}

/// The non-empty elements of a comma-separated list (RFC 9110 section 5.6.1).
pub fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|&b| b == b',')
        .map(trim)
        .filter(|element| !element.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_no_separators() {
        assert!(is_token(b"X-Forwarded-For"));
        assert!(is_token(b"!#$%&'*+-.^_`|~09azAZ"));
        for bad in [&b""[..], b"a b", b"a:", b"a\x00", b"a\"", b"\xe9", b"a(b)"] {
            assert!(!is_token(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_host_is_a_name_or_an_address_and_a_port() {
        for good in [
            "",
            "h",
            "h:",
            "h:80",
            "my_host.local:8000",
            "192.0.2.1",
            "[::1]",
            "[::1]:80",
            "[fe80::1%25eth0]",
            "*.h",
            "xn--bcher-kva.example",
            "a,b;c=d",
            "%41",
        ] {
            assert!(is_host(good.as_bytes()), "{good}");
        }
        for bad in [
            "h h",
            "h/x",
            "u@h",
            "h:x",
            "h:80:80",
            "h:+1",
            "::1",
            "[::1",
            "[]",
            "[::1]x",
            "[::1]:x",
            "h?q",
            "h#q",
            "h\\",
            "\"h\"",
            "<h>",
            "b\u{fc}cher.example",
            "h\th",
            "[a b]",
        ] {
            assert!(!is_host(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn a_value_has_no_control_characters_but_the_tab() {
        assert!(is_field_value(b"caf\xe9\t~ \xff"));
        for bad in [&b"a\r"[..], b"a\n", b"\0", b"\x7f", b"\x1b["] {
            assert!(!is_field_value(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_bad_byte_is_found_wherever_it_stands() {
        for length in 0..=20 {
            for place in 0..length {
                let mut value = vec![b'x'; length];
                for byte in 0..=255 {
                    value[place] = byte;
                    let is_bad = (byte < 0x20 && byte != b'\t') || byte == 0x7f;
                    assert_eq!(
                        is_field_value(&value),
                        !is_bad,
                        "{byte} at {place} of {length}"
                    );
                }
                value[place] = b'\t';
                value[0] = b'\r';
                assert!(!is_field_value(&value), "with a tab at {place} of {length}");
            }
        }
    }

    #[test]
    fn a_list_skips_its_empty_elements() {
        let elements: Vec<_> = list(b" , gzip ,,\tchunked , ").collect();
        assert_eq!(elements, [&b"gzip"[..], b"chunked"]);
    }
}
