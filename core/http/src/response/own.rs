//! The fields that the server itself puts into every answer.

use super::head::{InvalidResponse, Role};

/// Fields of the server's own, checked once: they are written into each head as they are.
#[derive(Debug, Clone, Default)]
pub struct OwnFields {
    /// `Name: value CRLF` for each.
    lines: Vec<u8>,
}

impl OwnFields {
    /// Those of a server that has nothing to say but its name.
    ///
    /// # Errors
    /// A name with a control character.
    pub fn named(server: &[u8]) -> Result<Self, InvalidResponse> {
        let mut own = Self::default();
        own.push(b"Server", server)?;
        Ok(own)
    }

    /// Adds a field. What frames an answer, belongs to a connection or tells the time is left out,
    /// and so is a Server without a value, which RFC 9110 section 10.2.4 does not know.
    ///
    /// # Errors
    /// A name that is not a token, or a value with a control character.
    pub fn push(&mut self, name: &[u8], value: &[u8]) -> Result<(), InvalidResponse> {
        let (role, value) = Role::checked(name, value)?;
        let is_server = name.eq_ignore_ascii_case(b"server") && !value.is_empty();
        if role == Role::Plain || is_server {
            for part in [name, b": ", value, b"\r\n"] {
                self.lines.extend_from_slice(part);
            }
        }
        Ok(())
    }

    /// The lines, each with its end.
    #[must_use]
    pub fn lines(&self) -> &[u8] {
        &self.lines
    }

    /// What the server calls itself; nothing where it does not.
    #[must_use]
    pub fn server(&self) -> &[u8] {
        let mut lines = self.lines.split(|&byte| byte == b'\n');
        lines
            .find_map(|line| {
                let (name, value) = line.split_at_checked(b"Server: ".len())?;
                let is_it = name.eq_ignore_ascii_case(b"Server: ");
                is_it.then(|| value.trim_ascii_end())
            })
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_may_be_any_text_and_none_at_all() {
        let named = |server: &[u8]| OwnFields::named(server).unwrap();
        assert_eq!(named(b"a/1 (b)").lines(), b"Server: a/1 (b)\r\n");
        assert_eq!(named(b"a/1 (b)").server(), b"a/1 (b)");
        assert_eq!(named(b"").lines(), b"");
        assert_eq!(named(b"").server(), b"");
    }

    #[test]
    fn other_fields_stand_beside_it_and_those_that_are_made_for_each_answer_do_not() {
        let mut own = OwnFields::default();
        for (name, value) in [
            ("X-Frame-Options", "DENY"),
            ("Date", "yesterday"),
            ("Connection", "close"),
            ("Content-Length", "5"),
            ("Transfer-Encoding", "chunked"),
            ("server", "x"),
        ] {
            own.push(name.as_bytes(), value.as_bytes()).unwrap();
        }
        assert_eq!(own.lines(), b"X-Frame-Options: DENY\r\nserver: x\r\n");
        assert_eq!(own.server(), b"x");
    }

    #[test]
    fn nothing_that_could_split_an_answer_is_taken() {
        for server in [&b"a\r\nB: c"[..], b"a\nb", b"a\0b"] {
            assert!(OwnFields::named(server).is_err());
        }
        assert!(OwnFields::default().push(b"a b", b"c").is_err());
    }
}
