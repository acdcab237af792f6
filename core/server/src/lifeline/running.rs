//! What a thread of a worker is doing, for the arbiter to tell when it never ends.

use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Words of a request's first line that are kept: 192 bytes.
const WORDS: usize = 24;
const BYTES: usize = WORDS * 8;

/// The request that one thread runs. Written by that thread; whoever reads it while another request
/// begins may get some of both.
#[derive(Debug)]
#[repr(C, align(64))]
pub(super) struct Running {
    /// When it began, on the monotonic clock; 0 for none.
    began: AtomicU64,
    /// When a request began that has run for longer than `timeout`: the one that runs, if it is the same.
    overdue: AtomicU64,
    /// The client's address; one of IPv4 in the first word.
    client: [AtomicU64; 2],
    /// 4 or 6 for an address of that kind, 0 for none.
    family: AtomicU32,
    length: AtomicU32,
    line: [AtomicU64; WORDS],
}

impl Running {
    pub(super) fn began(&self) -> u64 {
        self.began.load(Ordering::Acquire)
    }

    pub(super) fn note_overdue(&self, began: u64) {
        self.overdue.store(began, Ordering::Relaxed);
    }

    pub(super) fn clear(&self) {
        self.began.store(0, Ordering::Relaxed);
    }

    pub(super) fn begin(&self, beginning: &Beginning<'_>) {
        let Beginning { now, line, client } = *beginning;
        let line = &line[..line.len().min(BYTES)];
        let (words, rest) = line.as_chunks::<8>();
        for (place, bytes) in self.line.iter().zip(words) {
            place.store(u64::from_ne_bytes(*bytes), Ordering::Relaxed);
        }
        if let Some(place) = self.line.get(words.len()) {
            let mut last = [0; 8];
            last.iter_mut().zip(rest).for_each(|(to, &from)| *to = from);
            place.store(u64::from_ne_bytes(last), Ordering::Relaxed);
        }
        self.length.store(line.len() as u32, Ordering::Relaxed);
        let (family, first, second) = match client {
            None => (0, 0, 0),
            Some(IpAddr::V4(address)) => (4, u64::from(address.to_bits()), 0),
            Some(IpAddr::V6(address)) => {
                let bits = address.to_bits();
                (6, (bits >> 64) as u64, bits as u64)
            }
        };
        self.family.store(family, Ordering::Relaxed);
        self.client[0].store(first, Ordering::Relaxed);
        self.client[1].store(second, Ordering::Relaxed);
        self.began.store(now, Ordering::Release);
    }

    /// What runs, if anything does.
    pub(super) fn read(&self) -> Option<RunningRequest> {
        let began = self.began.load(Ordering::Acquire);
        if began == 0 {
            return None;
        }
        let words = self.line.iter().map(|word| word.load(Ordering::Relaxed));
        let mut line: Vec<u8> = words.flat_map(u64::to_ne_bytes).collect();
        line.truncate(self.length.load(Ordering::Relaxed) as usize);
        let [first, second] = [0, 1].map(|word: usize| self.client[word].load(Ordering::Relaxed));
        let client = match self.family.load(Ordering::Relaxed) {
            4 => Some(IpAddr::V4((first as u32).into())),
            6 => Some(IpAddr::V6(
                (u128::from(first) << 64 | u128::from(second)).into(),
            )),
            _ => None,
        };
        Some(RunningRequest {
            began,
            is_overdue: self.overdue.load(Ordering::Relaxed) == began,
            line: String::from_utf8_lossy(&line).into_owned(),
            client,
        })
    }
}

/// A request that a thread begins to run.
#[derive(Debug, Clone, Copy)]
pub struct Beginning<'r> {
    /// The time, in nanoseconds of the monotonic clock.
    pub now: u64,
    /// Its method, a space, and its target as it was sent.
    pub line: &'r [u8],
    /// The client's address; `None` for a unix socket.
    pub client: Option<IpAddr>,
}

/// A request that a worker runs, as its arbiter sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningRequest {
    /// When it began, in nanoseconds of the monotonic clock.
    pub began: u64,
    /// The worker says that it has run for longer than `timeout`.
    pub is_overdue: bool,
    /// Its method and target, as far as there was room.
    pub line: String,
    /// The client's address; `None` for a unix socket.
    pub client: Option<IpAddr>,
}

impl fmt::Display for RunningRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from ", self.line.escape_debug())?;
        match self.client {
            Some(client) => write!(f, "{client}"),
            None => f.write_str("a unix socket"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Board;
    use super::Beginning;

    fn beginning<'r>(now: u64, line: &'r [u8], client: &str) -> Beginning<'r> {
        Beginning {
            now,
            line,
            client: client.parse().ok(),
        }
    }

    #[test]
    fn what_was_begun_is_read_as_far_as_there_was_room() {
        let cell = Board::new().unwrap().cell(1);
        assert!(cell.running().is_empty());
        cell.begin(3, &beginning(7, b"GET /a?b", "192.0.2.1"));
        let long = [&b"POST "[..], &[b'x'; 500]].concat();
        cell.begin(4, &beginning(9, &long, "2001:db8::1"));
        let running = cell.running();
        assert_eq!(running[0].to_string(), "GET /a?b from 192.0.2.1");
        assert_eq!((running[0].began, running[1].began), (7, 9));
        assert_eq!(running[1].line.len(), 192);
        assert!(running[1].to_string().ends_with("from 2001:db8::1"));
        cell.begin(3, &beginning(8, b"GET /", "none"));
        assert_eq!(cell.running()[0].to_string(), "GET / from a unix socket");
        cell.end(3);
        assert_eq!(cell.running().len(), 1);
    }
}
