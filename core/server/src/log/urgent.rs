//! A line of the error log that is written by a signal's handler: no lock is taken for it and no
//! memory asked for, so what it needs is found out before.

use std::fmt::{self, Write};
use std::os::fd::RawFd;

use chrono::{DateTime, Datelike, FixedOffset, Local, Timelike};
use nix::time::{ClockId, clock_gettime};

/// Longer lines are cut.
const LONGEST: usize = 1024;

/// Where such a line would go now, and what the clocks on the wall are ahead of the machine's.
#[derive(Debug, Clone, Copy)]
pub struct Urgent {
    file: RawFd,
    ahead: FixedOffset,
}

impl Urgent {
    pub(super) fn new(file: RawFd) -> Self {
        Self {
            file,
            ahead: *Local::now().offset(),
        }
    }

    /// Returns true if the number is that of an open file.
    #[must_use]
    pub fn is_open(&self) -> bool {
        // SAFETY: asks for the flags of a number that may be closed, which is the answer then.
        unsafe { libc::fcntl(self.file, libc::F_GETFD) != -1 }
    }

    /// Writes a line in the error log's form. Safe in a signal's handler, as far as `text` only has
    /// numbers and texts.
    pub fn write(&self, text: fmt::Arguments<'_>) {
        let mut line = Line {
            bytes: [0; LONGEST],
            length: 0,
        };
        // What does not fit is cut.
        let _ = self.render(&mut line, text);
        line.bytes[line.length] = b'\n';
        let line = &line.bytes[..=line.length];
        if !put(self.file, line) && self.file != libc::STDERR_FILENO {
            put(libc::STDERR_FILENO, line);
        }
    }

    fn render(&self, line: &mut Line, text: fmt::Arguments<'_>) -> fmt::Result {
        let second = clock_gettime(ClockId::CLOCK_REALTIME).map_or(0, |time| time.tv_sec());
        let now = DateTime::from_timestamp(second, 0).unwrap_or_default();
        let now = now.with_timezone(&self.ahead);
        let minutes = self.ahead.local_minus_utc() / 60;
        let (hours, minutes) = (minutes / 60, minutes.abs() % 60);
        let (year, month, day) = (now.year(), now.month(), now.day());
        let (hour, minute, second) = (now.hour(), now.minute(), now.second());
        write!(
            line,
            "[{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} {hours:+03}{minutes:02}]"
        )?;
        write!(line, " [{}] [CRITICAL] {text}", std::process::id())
    }
}

/// Whether all of it was taken.
fn put(file: RawFd, line: &[u8]) -> bool {
    // SAFETY: async-signal-safe; the bytes live through the call. A number that is closed is an error.
    let written = unsafe { libc::write(file, line.as_ptr().cast(), line.len()) };
    usize::try_from(written) == Ok(line.len())
}

/// Text on the stack.
struct Line {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // One byte is for the line's end.
        let room = LONGEST - 1 - self.length;
        let taken = text.len().min(room);
        self.bytes[self.length..self.length + taken].copy_from_slice(&text.as_bytes()[..taken]);
        self.length += taken;
        if taken == text.len() {
            Ok(())
        } else {
            Err(fmt::Error)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::AsRawFd;

    use super::*;
    use crate::log::error_time;

    #[test]
    fn the_line_has_the_error_logs_form() {
        let (mut from, to) = std::io::pipe().unwrap();
        let before = error_time();
        Urgent::new(to.as_raw_fd()).write(format_args!("it has {}", "happened"));
        let after = error_time();
        drop(to);
        let mut line = String::new();
        from.read_to_string(&mut line).unwrap();
        let pid = std::process::id();
        let expected = |time| format!("[{time}] [{pid}] [CRITICAL] it has happened\n");
        assert!(
            [expected(before), expected(after)].contains(&line),
            "{line}"
        );
    }

    #[test]
    fn a_line_that_is_too_long_is_cut() {
        let (mut from, to) = std::io::pipe().unwrap();
        Urgent::new(to.as_raw_fd()).write(format_args!("{}", "x".repeat(5000)));
        drop(to);
        let mut line = String::new();
        from.read_to_string(&mut line).unwrap();
        assert_eq!(line.len(), LONGEST);
        assert!(line.ends_with("x\n"));
    }
}
