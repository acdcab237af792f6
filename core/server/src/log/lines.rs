//! Whole lines, in pieces that a pipe takes in one go.
//!
//! What is written to a pipe in pieces of up to `PIPE_BUF` bytes is not mixed with what others write
//! to it meanwhile (POSIX, `write`). So lines are packed up to that size, and a single line that is
//! longer is shortened, with a mark that says so.

use std::borrow::Cow;

/// What a pipe takes whole.
pub(super) const PIPE_BUF: usize = libc::PIPE_BUF;

/// Room for the mark at the end of a shortened line.
const MARK: usize = 40;

/// Cuts whole lines into pieces of at most [`PIPE_BUF`] bytes that each end with a line.
pub(super) fn packed(mut lines: &[u8]) -> impl Iterator<Item = Cow<'_, [u8]>> {
    std::iter::from_fn(move || {
        if lines.is_empty() {
            return None;
        }
        if lines.len() <= PIPE_BUF {
            return Some(Cow::Borrowed(std::mem::take(&mut lines)));
        }
        if let Some(end) = memchr::memrchr(b'\n', &lines[..PIPE_BUF]) {
            let (piece, rest) = lines.split_at(end + 1);
            lines = rest;
            return Some(Cow::Borrowed(piece));
        }
        let end = memchr::memchr(b'\n', lines).map_or(lines.len(), |end| end + 1);
        let (line, rest) = lines.split_at(end);
        lines = rest;
        Some(Cow::Owned(shortened(line)))
    })
}

/// The beginning of a line, and how much of it is missing. Never in the middle of a character.
fn shortened(line: &[u8]) -> Vec<u8> {
    let mut end = PIPE_BUF - MARK;
    while end > 0 && line[end] & 0xc0 == 0x80 {
        end -= 1;
    }
    let mut short = line[..end].to_vec();
    let missing = line.len() - usize::from(line.ends_with(b"\n")) - end;
    short.extend_from_slice(format!("... [{missing} bytes cut]\n").as_bytes());
    short
}

/// How many lines there are.
pub(super) fn count(lines: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', lines).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<String> {
        packed(text.as_bytes())
            .map(|piece| String::from_utf8(piece.into_owned()).unwrap())
            .collect()
    }

    #[test]
    fn short_lines_go_together() {
        assert_eq!(pieces("a\nb\n"), ["a\nb\n"]);
        assert!(pieces("").is_empty());
    }

    #[test]
    fn pieces_end_with_a_line_and_fit_into_a_pipe() {
        let text: String = (0..1000)
            .map(|n| format!("{n} {}\n", "x".repeat(n % 90)))
            .collect();
        let pieces = pieces(&text);
        assert!(pieces.len() > 5);
        assert_eq!(pieces.concat(), text);
        for piece in pieces {
            assert!(piece.len() <= PIPE_BUF && piece.ends_with('\n'));
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_shortened_between_characters_and_says_so() {
        let long = "\u{e9}".repeat(4000);
        let pieces = pieces(&format!("before\n{long}\nafter\n"));
        assert_eq!(pieces.first().unwrap(), "before\n");
        assert_eq!(pieces.last().unwrap(), "after\n");
        assert!(pieces[1].len() <= PIPE_BUF);
        let kept = pieces[1].matches('\u{e9}').count();
        let mark = format!("... [{} bytes cut]\n", 8000 - 2 * kept);
        assert!(pieces[1].ends_with(&mark), "{}", pieces[1]);
    }
}
