//! Metrics sent to a statsd, with gunicorn's names.
//!
//! The metrics of a turn leave together, in datagrams of several lines. Nobody is waited for, and what
//! cannot be sent is lost. Each process has its own socket.

use std::fmt::{self, Display, Write};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::unix_name::UnixName;

/// What a datagram may hold without being taken apart on its way.
const DATAGRAM: usize = 1400;

/// Where a statsd listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// By UDP.
    Udp(SocketAddr),
    /// At a unix socket.
    Unix(UnixName),
}

/// Where metrics go, and what their names begin and end with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The statsd.
    pub address: Address,
    /// Stands before each name, with its dot; may be empty.
    pub prefix: String,
    /// Tags for `DogStatsD`, separated by commas; may be empty.
    pub tags: String,
}

/// How a value is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What something stands at.
    Gauge,
    /// What is to be added.
    Counter,
    /// One of many values.
    Histogram,
    /// A time in milliseconds.
    Timer,
}

impl Kind {
    /// The kind of this name, as gunicorn's loggers have them in `mtype`.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Some(match name {
            "gauge" => Self::Gauge,
            "counter" => Self::Counter,
            "histogram" => Self::Histogram,
            "timer" => Self::Timer,
            _ => return None,
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
            Self::Timer => "timer",
        }
    }

    fn suffix(self) -> &'static str {
        match self {
            Self::Gauge => "g",
            Self::Counter => "c|@1.0",
            Self::Histogram => "h",
            Self::Timer => "ms",
        }
    }
}

enum Socket {
    Udp(UdpSocket),
    Unix(UnixDatagram),
}

impl Socket {
    fn connect(address: &Address) -> io::Result<Self> {
        Ok(match address {
            Address::Udp(address) => {
                let socket = super::udp(address)?;
                Self::Udp(socket)
            }
            Address::Unix(name) => {
                let socket = UnixDatagram::unbound()?;
                socket.connect_addr(&name.to_address()?)?;
                socket.set_nonblocking(true)?;
                Self::Unix(socket)
            }
        })
    }

    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Udp(socket) => socket.send(bytes),
            Self::Unix(socket) => socket.send(bytes),
        }
    }
}

/// A way to a statsd.
pub struct Statsd {
    options: Options,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    socket: Option<Socket>,
    waiting: String,
}

impl fmt::Debug for Statsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Statsd")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Statsd {
    pub(super) fn new(options: Options) -> Self {
        Self {
            options,
            state: Mutex::default(),
        }
    }

    /// The same with a socket of its own, for a child.
    pub(super) fn inherit(&self) -> Self {
        Self::new(self.options.clone())
    }

    /// Adds what is told of a request: its status, if it has one, and its duration in nanoseconds.
    pub fn request(&self, status: Option<u16>, duration: u64) {
        let millis =
            format_args!("{}.{:03}", duration / 1_000_000, duration / 1_000 % 1_000).to_string();
        self.add(Kind::Timer, "gunicorn.request.duration", &millis);
        self.add(Kind::Counter, "gunicorn.requests", &1);
        if let Some(status) = status {
            let name = format!("gunicorn.request.status.{status}");
            self.add(Kind::Counter, &name, &1);
        }
    }

    /// Adds a metric, to be sent with the others of this turn.
    pub fn add(&self, kind: Kind, name: &str, value: &dyn Display) {
        let Options { prefix, tags, .. } = &self.options;
        let mut state = self.lock();
        let before = state.waiting.len();
        // Writing to memory cannot fail.
        let _ = write!(state.waiting, "\n{prefix}{name}:{value}|{}", kind.suffix());
        if !tags.is_empty() {
            let _ = write!(state.waiting, "|#{tags}");
        }
        if state.waiting.len() > DATAGRAM {
            let last = state.waiting.split_off(before);
            self.send(&mut state);
            state.waiting = last;
        }
    }

    /// Sends what waits.
    pub fn flush(&self) {
        self.send(&mut self.lock());
    }

    fn send(&self, state: &mut State) {
        let State { socket, waiting } = state;
        let metrics = waiting.trim_start_matches('\n');
        if metrics.is_empty() {
            return;
        }
        if socket.is_none() {
            *socket = Socket::connect(&self.options.address).ok();
        }
        let gone = socket.as_ref().is_some_and(|socket| {
            let sent = socket.send(metrics.as_bytes());
            sent.is_err_and(|error| error.kind() != io::ErrorKind::WouldBlock)
        });
        if gone {
            *socket = None;
        }
        waiting.clear();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Statsd {
    fn drop(&mut self) {
        self.flush();
    }
}
