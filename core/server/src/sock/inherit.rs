//! Listening sockets that another process has made and handed over: systemd, or the arbiter that
//! this one is to succeed.
//!
//! The arbiter before speaks gunicorn's protocol: `GUNICORN_PID` is its process id, `GUNICORN_FD`
//! the numbers of the descriptors, separated by commas. systemd's is sd_listen_fds(3).

use std::net::ToSocketAddrs;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::socket::{SockType, getsockopt, sockopt};
use nix::unistd::{Pid, getppid};

use super::bind::{BindOptions, adopt};
use super::listener::Listener;
use crate::config::Address;
use crate::error::Failure;
use crate::exchange::Local;
use crate::unix_name::UnixName;

/// The variable with the process id of the arbiter before.
pub const PREDECESSOR: &str = "GUNICORN_PID";

/// The variable with the descriptors of its sockets.
pub const SOCKETS: &str = "GUNICORN_FD";

/// The variable with the descriptor by which the arbiter before is told that this one serves.
pub const READY: &str = "TRICORN_READY_FD";

/// Variables that are of no use to anybody once they have been read.
pub const VARIABLES: [&str; 5] = [SOCKETS, READY, "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"];

/// The first descriptor that systemd passes.
const SYSTEMD_FIRST: RawFd = 3;

/// What a process was given at its start.
#[derive(Debug, Default)]
pub struct Inherited {
    /// Numbers of sockets; each is open, and taken once.
    sockets: Vec<RawFd>,
    /// They are systemd's: they stay what they are, whatever `bind` says.
    pub by_systemd: bool,
    /// The arbiter before, if this one is to succeed it.
    pub predecessor: Option<i32>,
    /// Where it is told that this one serves.
    pub ready: Option<OwnedFd>,
}

impl Inherited {
    /// Reads what the variables say. To be called once, before anything else opens descriptors of
    /// these numbers.
    ///
    /// # Errors
    /// A variable that cannot be read, a descriptor that is no listening socket.
    pub fn from_variables(env: impl Fn(&str) -> Option<String>) -> Result<Self, Failure> {
        let number = |name: &str| env(name).and_then(|text| text.trim().parse::<i32>().ok());
        // Elsewhere, process 1 is whoever has started this server.
        let is_before = |&pid: &i32| pid > 1 || pid == 1 && getppid() == Pid::from_raw(1);
        let predecessor = number(PREDECESSOR).filter(is_before);
        let own = i32::try_from(std::process::id()).ok();
        let by_systemd = own.is_some() && number("LISTEN_PID") == own;
        let sockets = if by_systemd {
            let count = number("LISTEN_FDS").unwrap_or(0).max(0);
            (SYSTEMD_FIRST..SYSTEMD_FIRST.saturating_add(count)).collect()
        } else if predecessor.is_some() {
            listed(&env(SOCKETS).unwrap_or_default())?
        } else {
            Vec::new()
        };
        let variable = if by_systemd { "LISTEN_FDS" } else { SOCKETS };
        sockets.iter().try_for_each(|&fd| secure(variable, fd))?;
        let ready = predecessor.and_then(|_| number(READY)).and_then(take_ready);
        Ok(Self {
            by_systemd: by_systemd && !sockets.is_empty(),
            sockets,
            predecessor,
            ready,
        })
    }

    /// The sockets that an earlier program of this process has left.
    #[must_use]
    pub fn of(sockets: Vec<RawFd>, by_systemd: bool) -> Self {
        Self {
            sockets,
            by_systemd,
            ..Self::default()
        }
    }

    /// The sockets as listeners. Each gets the address of `bind` that it listens on, where there is
    /// one, so that it is recognised by it.
    ///
    /// # Errors
    /// The operating system's.
    pub fn listeners(
        &mut self,
        bind: &[Address],
        options: &BindOptions,
    ) -> Result<Vec<Listener>, Failure> {
        let owns_files = !self.by_systemd;
        let fds = std::mem::take(&mut self.sockets);
        fds.into_iter()
            .map(|fd| {
                let mut listener = adopt(&Address::Fd(fd), fd, options)?;
                if let Some(address) = recognise(&listener, bind) {
                    listener.address = address;
                }
                match &*listener.local {
                    Local::Unix(path) if owns_files && !path.is_empty() => {
                        let path = path.into();
                        Ok(listener.owns_file(path))
                    }
                    _ => Ok(listener),
                }
            })
            .collect()
    }
}

fn listed(text: &str) -> Result<Vec<RawFd>, Failure> {
    text.split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(|item| {
            item.parse().map_err(|_| {
                let what = format!("{SOCKETS}: '{item}' is not a descriptor's number");
                Failure::operator(what).mend("leave the variable to the server")
            })
        })
        .collect()
}

/// Looks whether there is a stream socket of this number, and keeps it from what is executed.
fn secure(variable: &str, fd: RawFd) -> Result<(), Failure> {
    // SAFETY: only asks about the descriptor; a closed one gives an error.
    let probe = unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) };
    let is_stream = matches!(getsockopt(&probe, sockopt::SockType), Ok(SockType::Stream));
    if is_stream && fcntl(probe, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).is_ok() {
        return Ok(());
    }
    let what = format!("{variable}: descriptor {fd} is not an open stream socket");
    Err(Failure::operator(what).mend("leave the variable to whoever starts the server"))
}

/// The descriptor, if it is an open pipe: the variable may be left over from somebody else's start.
fn take_ready(fd: RawFd) -> Option<OwnedFd> {
    // SAFETY: only asks about the descriptor; a closed one gives an error.
    let probe = unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) };
    let status = nix::sys::stat::fstat(probe).ok()?;
    let is_pipe = status.st_mode & libc::S_IFMT == libc::S_IFIFO;
    if fd < 3 || !is_pipe {
        return None;
    }
    fcntl(probe, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).ok()?;
    // SAFETY: whoever passed the number passed the pipe with it, for this process alone.
    Some(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The address of `bind` that a socket listens on.
fn recognise(listener: &Listener, bind: &[Address]) -> Option<Address> {
    let same_number = |address: &Address| *address == Address::Fd(listener.as_fd().as_raw_fd());
    let is_its = |address: &&Address| match (&*listener.local, *address) {
        _ if same_number(address) => true,
        (Local::Tcp(local), Address::Tcp { host, port }) => {
            let host = if host.is_empty() { "0.0.0.0" } else { host };
            let found = (host, *port).to_socket_addrs();
            // Port 0 was any port: this is the one it became.
            let mut found = found.into_iter().flatten();
            found.any(|at| at.ip() == local.ip() && (*port == 0 || at.port() == local.port()))
        }
        (Local::Unix(path), Address::Unix(UnixName::Path(named))) => named.to_str() == Some(path),
        (Local::Abstract(name), Address::Unix(UnixName::Abstract(named))) => name == named,
        _ => false,
    };
    bind.iter().find(is_its).cloned()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::fd::IntoRawFd;

    use super::*;

    fn read(variables: &[(&str, String)]) -> Result<Inherited, String> {
        let find = |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| value.clone())
        };
        Inherited::from_variables(find).map_err(|failure| failure.to_string())
    }

    fn options() -> BindOptions {
        BindOptions {
            backlog: 16,
            umask: 0,
            owner: (None, None),
            reuse_port: false,
        }
    }

    #[test]
    fn the_sockets_of_the_arbiter_before_are_recognised_by_their_address() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let local = socket.local_addr().unwrap();
        let fd = socket.into_raw_fd();
        let mut inherited =
            read(&[(PREDECESSOR, "4711".into()), (SOCKETS, format!("{fd},"))]).unwrap();
        assert_eq!(inherited.predecessor, Some(4711));
        let bind = [
            Address::parse("127.0.0.2:0").unwrap(),
            Address::parse(&local.to_string()).unwrap(),
        ];
        let listeners = inherited.listeners(&bind, &options()).unwrap();
        assert_eq!(listeners[0].address, bind[1]);
        assert_eq!(*listeners[0].local, Local::Tcp(local));
    }

    #[test]
    fn variables_that_are_meant_for_somebody_else_are_passed_over() {
        let others = read(&[("LISTEN_PID", "1".into()), ("LISTEN_FDS", "1".into())]).unwrap();
        assert!(others.sockets.is_empty() && !others.by_systemd);
        let leftover = read(&[(SOCKETS, "900".into())]).unwrap();
        assert!(leftover.sockets.is_empty() && leftover.predecessor.is_none());
    }

    #[test]
    fn what_is_no_socket_is_named() {
        let refused =
            |text: &str| read(&[(PREDECESSOR, "4711".into()), (SOCKETS, text.into())]).unwrap_err();
        assert!(refused("900").contains("descriptor 900 is not an open stream socket"));
        assert!(refused("x").contains("'x' is not a descriptor's number"));
        let own = std::process::id().to_string();
        let by_systemd = read(&[("LISTEN_PID", own), ("LISTEN_FDS", "4000".into())]).unwrap_err();
        assert!(by_systemd.contains("LISTEN_FDS"), "{by_systemd}");
    }
}
