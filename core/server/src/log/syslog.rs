//! Lines sent to a syslog (RFC 3164), as gunicorn's are: `<PRI>gunicorn.NAME.LOG: [PID] MESSAGE`.
//!
//! Nobody is waited for: what the other side does not take is lost and counted, and a connection that
//! is gone is tried again, once a second at most. Each process has its own socket.

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};

use super::lost::Lost;
use crate::unix_name::UnixName;

/// Between two attempts to connect.
const PAUSE: Duration = Duration::from_secs(1);

/// How long the other side may take to accept a connection.
const PATIENCE: Duration = Duration::from_millis(20);

/// The longest datagram, where the first attempt was too long for the socket.
const SHORT: usize = 8 * 1024;

/// The severity of a line in the access log.
pub(super) const INFO: u8 = 6;

/// Where a syslog listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// Datagrams over UDP.
    Udp(SocketAddr),
    /// Lines over TCP.
    Tcp(SocketAddr),
    /// Datagrams to a unix socket.
    UnixDatagram(UnixName),
    /// Lines to a unix socket.
    UnixStream(UnixName),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Udp(address) => write!(f, "udp://{address}"),
            Self::Tcp(address) => write!(f, "tcp://{address}"),
            Self::UnixDatagram(name) => write!(f, "unix://{name}#dgram"),
            Self::UnixStream(name) => write!(f, "unix://{name}#stream"),
        }
    }
}

/// What is sent, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Addresses to try, in this order.
    pub addresses: Vec<Address>,
    /// The facility's number: 1 for `user`.
    pub facility: u8,
    /// What stands for the site in each line.
    pub name: String,
    /// Access lines are sent too.
    pub access: bool,
}

enum Socket {
    Udp(UdpSocket),
    UnixDatagram(UnixDatagram),
    Tcp(TcpStream),
    UnixStream(UnixStream),
}

impl Socket {
    fn connect(address: &Address) -> io::Result<Self> {
        Ok(match address {
            Address::Udp(address) => Self::Udp(super::udp(address)?),
            Address::Tcp(address) => {
                let stream = TcpStream::connect_timeout(address, PATIENCE)?;
                stream.set_nonblocking(true)?;
                Self::Tcp(stream)
            }
            Address::UnixDatagram(name) => {
                let socket = UnixDatagram::unbound()?;
                socket.connect_addr(&name.to_address()?)?;
                socket.set_nonblocking(true)?;
                Self::UnixDatagram(socket)
            }
            Address::UnixStream(name) => {
                // `connect` itself would wait for room in the queue of whoever listens.
                let kind = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
                let socket = socket(AddressFamily::Unix, SockType::Stream, kind, None)?;
                let address = match name {
                    UnixName::Path(path) => UnixAddr::new(path)?,
                    UnixName::Abstract(name) => UnixAddr::new_abstract(name.as_bytes())?,
                };
                connect(socket.as_raw_fd(), &address)?;
                Self::UnixStream(UnixStream::from(socket))
            }
        })
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        match self {
            Self::Udp(socket) => datagram(message, |bytes| socket.send(bytes)),
            Self::UnixDatagram(socket) => datagram(message, |bytes| socket.send(bytes)),
            Self::Tcp(stream) => line(message, stream),
            Self::UnixStream(stream) => line(message, stream),
        }
    }
}

fn datagram(message: &[u8], send: impl Fn(&[u8]) -> io::Result<usize>) -> io::Result<()> {
    match send(message) {
        Err(error) if error.raw_os_error() == Some(libc::EMSGSIZE) => {
            send(&message[..message.len().min(SHORT)]).map(drop)
        }
        sent => sent.map(drop),
    }
}

/// On a stream a line feed ends a message (RFC 6587 section 3.4.2). One that was sent in part ends
/// the connection: what followed would be taken for its rest.
fn line(message: &[u8], stream: &mut impl Write) -> io::Result<()> {
    let mut framed: Vec<u8> = message
        .iter()
        .map(|&b| if b == b'\n' { b' ' } else { b })
        .collect();
    framed.push(b'\n');
    match stream.write(&framed)? {
        sent if sent == framed.len() => Ok(()),
        _ => Err(ErrorKind::BrokenPipe.into()),
    }
}

#[derive(Default)]
struct Connection {
    socket: Option<Socket>,
    tried: Option<Instant>,
}

/// A way to a syslog.
pub(super) struct Syslog {
    options: Options,
    connection: Mutex<Connection>,
    pub(super) lost: Lost,
}

impl fmt::Debug for Syslog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Syslog")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Syslog {
    pub(super) fn new(options: Options) -> Self {
        Self {
            options,
            connection: Mutex::default(),
            lost: Lost::default(),
        }
    }

    /// The same with a connection of its own, for a child.
    pub(super) fn inherit(&self) -> Self {
        Self::new(self.options.clone())
    }

    /// Whether access lines are sent.
    pub(super) fn takes_access(&self) -> bool {
        self.options.access
    }

    /// Why there is nobody to send to, if so.
    pub(super) fn problem(&self) -> Option<String> {
        let mut connection = self.lock();
        let error = self.connect(&mut connection).err()?;
        let address = self.options.addresses.first();
        let address = address.map_or_else(String::new, ToString::to_string);
        Some(format!(
            "cannot reach the syslog at {address}: {error}; trying again, and losing lines until then"
        ))
    }

    /// Sends a line of the log of this name.
    pub(super) fn send(&self, severity: u8, log: &str, text: &str) {
        let Options { facility, name, .. } = &self.options;
        let message = format!(
            "<{}>gunicorn.{name}.{log}: [{}] {text}",
            facility * 8 + severity,
            std::process::id()
        );
        let mut connection = self.lock();
        if self.connect(&mut connection).is_err() {
            self.lost.add(1);
            return;
        }
        let sent = connection
            .socket
            .as_mut()
            .map(|socket| socket.send(message.as_bytes()));
        if let Some(Err(error)) = sent {
            self.lost.add(1);
            if error.kind() != ErrorKind::WouldBlock {
                connection.socket = None;
            }
        }
    }

    /// Connects, unless that is done, or was tried a moment ago.
    fn connect(&self, connection: &mut Connection) -> io::Result<()> {
        if connection.socket.is_some() {
            return Ok(());
        }
        if connection
            .tried
            .is_some_and(|tried| tried.elapsed() < PAUSE)
        {
            return Err(ErrorKind::NotConnected.into());
        }
        connection.tried = Some(Instant::now());
        let mut refused = io::Error::from(ErrorKind::NotFound);
        for address in &self.options.addresses {
            match Socket::connect(address) {
                Ok(socket) => {
                    connection.socket = Some(socket);
                    return Ok(());
                }
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
