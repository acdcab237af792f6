//! Making listening sockets, or adopting those that somebody else has made.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, UnixAddr, bind as bind_socket,
    connect, getsockname, getsockopt, listen, setsockopt, socket, sockopt,
};
use nix::sys::stat::{FileStat, Mode, umask};

use super::listener::Listener;
use crate::config::Address;
use crate::error::{Blame, Failure};
use crate::exchange::Local;
use crate::safe_path::Place;
use crate::unix_name::UnixName;

/// How sockets are made.
#[derive(Debug, Clone)]
pub struct BindOptions {
    /// Connections that may wait.
    pub backlog: i32,
    /// Mode bits that unix sockets lack.
    pub umask: u32,
    /// Whom unix sockets belong to.
    pub owner: (Option<u32>, Option<u32>),
    /// Several TCP sockets may listen on one address.
    pub reuse_port: bool,
}

/// Listens on an address.
///
/// # Errors
/// One line that names the address and says why it cannot be listened on.
pub fn bind(address: &Address, options: &BindOptions) -> Result<Listener, Failure> {
    match address {
        Address::Tcp { host, port } => tcp(address, host, *port, options),
        Address::Unix(UnixName::Path(path)) => unix(address, path, options),
        Address::Unix(UnixName::Abstract(name)) => without_file(address, name, options),
        Address::Fd(fd) => adopt(address, *fd, options),
    }
}

fn failure(address: &Address, error: &io::Error) -> Failure {
    let failure = Failure::new(
        Blame::Environment,
        format!("cannot listen on {address}: {}", reason(error)),
    );
    match error.raw_os_error() {
        Some(libc::EADDRINUSE) => {
            failure.mend("stop the process that holds it, or give another --bind")
        }
        Some(libc::EACCES) => failure.mend("give a port above 1023, or a path this user may write"),
        Some(libc::EADDRNOTAVAIL) => failure.mend("give an address of this machine"),
        _ => failure.mend("give another --bind"),
    }
}

/// The error without its number.
fn reason(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EADDRINUSE) => "the address is in use".to_owned(),
        Some(number) => Errno::from_raw(number).desc().to_lowercase(),
        None => error.to_string(),
    }
}

/// Looks whether an address can be listened on at all, and listens nowhere. Who holds it now, what this
/// user may, and which addresses the machine has, can be different when the server starts.
///
/// # Errors
/// As `bind`.
pub fn look(address: &Address) -> Result<Spot, Failure> {
    match address {
        Address::Tcp { host, port } => look_at_tcp(address, host, *port).map(Spot::Tcp),
        Address::Unix(name) => look_at_unix(address, name).map(|()| Spot::Other(address.clone())),
        Address::Fd(fd) if *fd < 3 => Err(is_standard(address)),
        Address::Fd(_) => Ok(Spot::Other(address.clone())),
    }
}

/// Where a server is to listen.
#[derive(Debug, PartialEq, Eq)]
pub enum Spot {
    /// At an address of the internet.
    Tcp(SocketAddr),
    /// Elsewhere.
    Other(Address),
}

impl Spot {
    /// Returns true if nobody can listen there and at `other` at the same time.
    #[must_use]
    pub fn excludes(&self, other: &Self) -> bool {
        let (Self::Tcp(one), Self::Tcp(two)) = (self, other) else {
            return self == other;
        };
        let is_everywhere = |it: &SocketAddr| it.ip().is_unspecified();
        let is_same = one.is_ipv4() == two.is_ipv4()
            && (one.ip() == two.ip() || is_everywhere(one) || is_everywhere(two));
        is_same && one.port() == two.port() && one.port() != 0
    }
}

fn look_at_tcp(address: &Address, host: &str, port: u16) -> Result<SocketAddr, Failure> {
    let target = resolve(address, host, port)?;
    let bound = || -> nix::Result<()> {
        let socket = new_socket(family_of(target))?;
        setsockopt(&socket, sockopt::ReuseAddr, &true)?;
        bind_socket(socket.as_raw_fd(), &SockaddrStorage::from(target))
    };
    match bound() {
        // Somebody else's, this user's, or another machine's affair, until the server starts.
        Ok(()) | Err(Errno::EADDRINUSE | Errno::EACCES | Errno::EADDRNOTAVAIL) => Ok(target),
        Err(error) => Err(failure(address, &error.into())),
    }
}

fn look_at_unix(address: &Address, name: &UnixName) -> Result<(), Failure> {
    name.to_address()
        .map_err(|error| failure(address, &error))?;
    let Some(path) = name.path() else {
        return Ok(());
    };
    // A folder that is not there yet may be made when the service starts.
    let found = Place::find(path).ok().map(|place| place.look());
    match found {
        Some(Ok(Some(about))) if !is_socket(&about) => Err(in_the_way(address)),
        _ => Ok(()),
    }
}

fn resolve(address: &Address, host: &str, port: u16) -> Result<SocketAddr, Failure> {
    let resolved = (host, port).to_socket_addrs();
    let target = resolved.ok().and_then(|mut found| found.next());
    target.ok_or_else(|| {
        let what = format!("cannot listen on {address}: the host '{host}' is not known");
        Failure::operator(what).mend("give an address of this machine")
    })
}

fn family_of(target: SocketAddr) -> AddressFamily {
    if target.is_ipv4() {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    }
}

fn tcp(
    address: &Address,
    host: &str,
    port: u16,
    options: &BindOptions,
) -> Result<Listener, Failure> {
    let target = resolve(address, host, port)?;
    let listening = || -> io::Result<OwnedFd> {
        let socket = new_socket(family_of(target))?;
        setsockopt(&socket, sockopt::ReuseAddr, &true)?;
        if options.reuse_port {
            setsockopt(&socket, sockopt::ReusePort, &true)?;
        }
        // Accepted sockets inherit it: small answers leave at once.
        setsockopt(&socket, sockopt::TcpNoDelay, &true)?;
        bind_socket(socket.as_raw_fd(), &SockaddrStorage::from(target))?;
        listen(&socket, backlog(options))?;
        Ok(socket)
    };
    let socket = listening().map_err(|error| failure(address, &error))?;
    let local = local_of(socket.as_fd()).map_err(|error| failure(address, &error))?;
    Ok(Listener::new(socket, address.clone(), local))
}

/// Listens once more on the address of a TCP socket, where that one allows it.
///
/// # Errors
/// One line that names the address and says why it cannot be listened on.
pub fn twin(listener: &Listener, options: &BindOptions) -> Result<Listener, Failure> {
    match *listener.local {
        Local::Tcp(local) => tcp(
            &listener.address,
            &local.ip().to_string(),
            local.port(),
            options,
        ),
        Local::Unix(_) | Local::Abstract(_) => Err(Failure::operator("a unix socket has no twin")),
    }
}

fn unix(address: &Address, path: &Path, options: &BindOptions) -> Result<Listener, Failure> {
    let place = Place::find(path).map_err(|error| failure(address, &error))?;
    clear_the_way(address, path, &place)?;
    let listening = || -> io::Result<OwnedFd> {
        let socket = new_socket(AddressFamily::Unix)?;
        let before = umask(Mode::from_bits_truncate(options.umask));
        let bound = bind_socket(socket.as_raw_fd(), &UnixAddr::new(path)?);
        umask(before);
        bound?;
        let (user, group) = options.owner;
        if user.is_some() || group.is_some() {
            place.give_socket(user, group)?;
        }
        listen(&socket, backlog(options))?;
        Ok(socket)
    };
    let socket = listening().map_err(|error| failure(address, &error))?;
    let local = Local::Unix(path.display().to_string());
    Ok(Listener::new(socket, address.clone(), local).owns_file(path.to_owned()))
}

fn is_socket(about: &FileStat) -> bool {
    about.st_mode & libc::S_IFMT == libc::S_IFSOCK
}

fn in_the_way(address: &Address) -> Failure {
    let what = format!("cannot listen on {address}: the file is there and is not a socket");
    Failure::operator(what).mend("remove it, or give another --bind")
}

/// Listens under an abstract name: there is no file whose mode or owner could keep anybody out, and
/// none that is left behind.
fn without_file(address: &Address, name: &str, options: &BindOptions) -> Result<Listener, Failure> {
    let listening = || -> io::Result<OwnedFd> {
        let socket = new_socket(AddressFamily::Unix)?;
        bind_socket(
            socket.as_raw_fd(),
            &UnixAddr::new_abstract(name.as_bytes())?,
        )?;
        listen(&socket, backlog(options))?;
        Ok(socket)
    };
    let socket = listening().map_err(|error| failure(address, &error))?;
    let local = Local::Abstract(name.to_owned());
    Ok(Listener::new(socket, address.clone(), local))
}

/// Removes a socket file that nobody listens on any more.
fn clear_the_way(address: &Address, path: &Path, place: &Place) -> Result<(), Failure> {
    let failed = |error: Errno| failure(address, &error.into());
    let Some(about) = place.look().map_err(failed)? else {
        return Ok(());
    };
    if !is_socket(&about) {
        return Err(in_the_way(address));
    }
    match is_listened_on(path) {
        true => Err(failed(Errno::EADDRINUSE)),
        false => place.remove().map_err(failed),
    }
}

/// Returns true if somebody listens there. A listener whose queue is full is not waited for.
fn is_listened_on(path: &Path) -> bool {
    let tried = UnixAddr::new(path).and_then(|address| {
        let client = new_socket(AddressFamily::Unix)?;
        connect(client.as_raw_fd(), &address)
    });
    matches!(tried, Ok(()) | Err(Errno::EAGAIN))
}

fn no_descriptor(address: &Address, what: &str) -> Failure {
    Failure::operator(format!("cannot listen on {address}: {what}"))
        .mend("pass the descriptor of a stream socket to this process")
}

fn is_standard(address: &Address) -> Failure {
    no_descriptor(address, "0, 1 and 2 are standard input, output and error")
}

/// Takes a socket over that somebody else has made.
pub(super) fn adopt(
    address: &Address,
    fd: RawFd,
    options: &BindOptions,
) -> Result<Listener, Failure> {
    let refused = |what: &str| no_descriptor(address, what);
    if fd < 3 {
        return Err(is_standard(address));
    }
    // SAFETY: only asks about the descriptor; a closed one gives an error.
    let probe = unsafe { BorrowedFd::borrow_raw(fd) };
    match getsockopt(&probe, sockopt::SockType) {
        Ok(SockType::Stream) => {}
        Ok(_) => return Err(refused("it is not a stream socket")),
        Err(_) => return Err(refused("it is not an open socket")),
    }
    // SAFETY: whoever passed the number passed the descriptor with it, for this server to use.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    let prepare = || -> io::Result<Local> {
        if !getsockopt(&socket, sockopt::AcceptConn)? {
            listen(&socket, backlog(options))?;
        }
        set_nonblocking(&socket)?;
        local_of(socket.as_fd())
    };
    let local = prepare().map_err(|error| failure(address, &error))?;
    Ok(Listener::new(socket, address.clone(), local))
}

fn new_socket(family: AddressFamily) -> nix::Result<OwnedFd> {
    socket(
        family,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
        None,
    )
}

fn set_nonblocking(socket: &OwnedFd) -> nix::Result<()> {
    use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
    let flags = OFlag::from_bits_retain(fcntl(socket, FcntlArg::F_GETFL)?);
    fcntl(socket, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    fcntl(socket, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).map(drop)
}

fn backlog(options: &BindOptions) -> Backlog {
    Backlog::new(options.backlog).unwrap_or(Backlog::MAXCONN)
}

fn local_of(socket: BorrowedFd<'_>) -> io::Result<Local> {
    let name: SockaddrStorage = getsockname(socket.as_raw_fd())?;
    if let Some(v4) = name.as_sockaddr_in() {
        return Ok(Local::Tcp(SocketAddr::V4((*v4).into())));
    }
    if let Some(v6) = name.as_sockaddr_in6() {
        return Ok(Local::Tcp(SocketAddr::V6((*v6).into())));
    }
    let name = name.as_unix_addr();
    if let Some(name) = name.and_then(UnixAddr::as_abstract) {
        return Ok(Local::Abstract(String::from_utf8_lossy(name).into_owned()));
    }
    let path = name.and_then(UnixAddr::path);
    Ok(Local::Unix(path.map_or_else(String::new, |path| {
        path.display().to_string()
    })))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpStream;
    use std::os::fd::IntoRawFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn options() -> BindOptions {
        BindOptions {
            backlog: 16,
            umask: 0o077,
            owner: (None, None),
            reuse_port: false,
        }
    }

    fn bound(text: &str) -> Result<Listener, Failure> {
        bind(&Address::parse(text).unwrap(), &options())
    }

    #[test]
    fn tcp_listens_on_a_free_port_and_accepts() {
        let listener = bound("127.0.0.1:0").unwrap();
        let Local::Tcp(address) = *listener.local else {
            panic!("not TCP")
        };
        assert!(listener.accept().unwrap().is_none());
        let mut client = TcpStream::connect(address).unwrap();
        let accepted = listener.accept().unwrap().unwrap();
        assert_eq!(accepted.peer, Some(client.local_addr().unwrap()));
        client.write_all(b"x").unwrap();
    }

    #[test]
    fn a_port_in_use_is_one_clear_line() {
        let first = bound("127.0.0.1:0").unwrap();
        let Local::Tcp(address) = *first.local else {
            panic!("not TCP")
        };
        let line = bound(&address.to_string()).unwrap_err().to_string();
        assert_eq!(
            line,
            format!(
                "cannot listen on {address}: the address is in use; \
                 stop the process that holds it, or give another --bind"
            )
        );
    }

    #[test]
    fn a_unix_socket_replaces_a_stale_file_but_no_live_one_and_no_other_file() {
        let directory = std::env::temp_dir().join(format!("tricorn-bind-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let path = directory.join("s");
        let text = format!("unix:{}", path.display());
        let listener = bound(&text).unwrap();
        assert!(bound(&text).unwrap_err().to_string().contains("in use"));
        drop(listener);
        let listener = bound(&text).expect("a stale file is replaced");
        let _client = UnixStream::connect(&path).unwrap();
        assert_eq!(listener.accept().unwrap().unwrap().peer, None);
        listener.remove_file();
        assert!(!path.exists());
        std::fs::write(&path, "text").unwrap();
        assert!(
            bound(&text)
                .unwrap_err()
                .to_string()
                .contains("not a socket")
        );
        std::fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn a_descriptor_is_adopted_if_it_is_a_stream_socket() {
        let made = bound("127.0.0.1:0").unwrap();
        let local = made.local.clone();
        let fd = made.as_fd().try_clone_to_owned().unwrap().into_raw_fd();
        assert_eq!(bound(&format!("fd://{fd}")).unwrap().local, local);
        assert!(
            bound("fd://1")
                .unwrap_err()
                .to_string()
                .contains("standard input")
        );
        let file = std::fs::File::open("/dev/null").unwrap();
        let line = bound(&format!("fd://{}", file.as_raw_fd()))
            .unwrap_err()
            .to_string();
        assert!(line.contains("not an open socket"), "{line}");
    }

    #[test]
    fn unknown_hosts_are_named() {
        let line = bound("no-such-host.invalid:80").unwrap_err().to_string();
        assert!(
            line.contains("'no-such-host.invalid' is not known"),
            "{line}"
        );
    }
}
