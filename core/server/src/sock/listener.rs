//! A listening socket.

use std::io;
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use super::stream::Stream;
use crate::config::Address;
use crate::exchange::Local;
use crate::safe_path::Place;

/// A socket that connections are accepted from.
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
    /// The address as `bind` gives it: how a reload recognises it.
    pub address: Address,
    /// The address it is really bound to.
    pub local: Arc<Local>,
    file: Option<SocketFile>,
}

/// The file of a unix socket, and who may remove it.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    identity: Option<(u64, u64)>,
    owner: u32,
}

/// A connection, just accepted.
#[derive(Debug)]
pub struct Accepted {
    /// Its socket.
    pub stream: Stream,
    /// Its far end; `None` for a unix socket.
    pub peer: Option<SocketAddr>,
}

impl Listener {
    /// How many connections wait to be accepted; `None` where the kernel does not say, as of a unix
    /// socket.
    #[must_use]
    pub fn waiting(&self) -> Option<u32> {
        if !matches!(*self.local, Local::Tcp(_)) {
            return None;
        }
        // SAFETY: plain numbers, for which zeros are values.
        let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
        let mut length = size_of::<libc::tcp_info>() as libc::socklen_t;
        // SAFETY: the buffer is as long as `length` says, and the descriptor is open.
        let asked = unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_INFO,
                (&raw mut info).cast(),
                &raw mut length,
            )
        };
        // Of a listening socket this is the length of its queue.
        (asked == 0).then_some(info.tcpi_unacked)
    }

    /// A listener over a socket that listens already.
    pub(super) fn new(socket: OwnedFd, address: Address, local: Local) -> Self {
        Self {
            socket,
            address,
            local: Arc::new(local),
            file: None,
        }
    }

    /// Takes charge of the socket's file: this process removes it in the end.
    pub(super) fn owns_file(mut self, path: PathBuf) -> Self {
        let identity = Place::find(&path).ok().and_then(|place| identity(&place));
        self.file = Some(SocketFile {
            path,
            identity,
            owner: std::process::id(),
        });
        self
    }

    /// Accepts one connection; `None` if none is waiting.
    ///
    /// # Errors
    /// Descriptors or memory are used up.
    pub fn accept(&self) -> io::Result<Option<Accepted>> {
        let mut storage = MaybeUninit::<libc::sockaddr_storage>::zeroed();
        let mut length = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
        // SAFETY: storage is as long as `length` says, and both live through the call.
        let fd = unsafe {
            libc::accept4(
                self.socket.as_raw_fd(),
                storage.as_mut_ptr().cast(),
                &raw mut length,
                libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK,
            )
        };
        if fd < 0 {
            return match io::Error::last_os_error() {
                error if is_passing(&error) => Ok(None),
                error => Err(error),
            };
        }
        // SAFETY: the descriptor is new, and nobody else knows it.
        let stream = Stream::new(unsafe { OwnedFd::from_raw_fd(fd) });
        // SAFETY: the storage was zeroed, and the kernel has written a valid address into it.
        let peer = unsafe { peer(&storage.assume_init()) };
        Ok(Some(Accepted { stream, peer }))
    }

    /// Removes the file of a unix socket, if this process made it and it is still the same.
    pub fn remove_file(&self) {
        if let Some(file) = &self.file
            && file.owner == std::process::id()
            && let Ok(place) = Place::find(&file.path)
            && file.identity.is_some()
            && identity(&place) == file.identity
        {
            // Somebody else may have removed it in between, which is just as well.
            let _ = place.remove();
        }
    }
}

/// Returns the device and the inode of a file.
fn identity(place: &Place) -> Option<(u64, u64)> {
    let about = place.look().ok()??;
    Some((about.st_dev, about.st_ino))
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// accept(2) also reports errors of the connection it would have given: those are over.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::EAGAIN
                | libc::EINTR
                | libc::ECONNABORTED
                | libc::ENETDOWN
                | libc::EPROTO
                | libc::ENOPROTOOPT
                | libc::EHOSTDOWN
                | libc::ENONET
                | libc::EHOSTUNREACH
                | libc::ENETUNREACH
                | libc::EPERM
        )
    )
}

/// # Safety
/// `storage` must hold an address whose family it names.
unsafe fn peer(storage: &libc::sockaddr_storage) -> Option<SocketAddr> {
    let address: *const libc::sockaddr_storage = storage;
    match i32::from(storage.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says so.
            let v4 = unsafe { &*address.cast::<libc::sockaddr_in>() };
            let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            Some(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: the family says so.
            let v6 = unsafe { &*address.cast::<libc::sockaddr_in6>() };
            let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
            let port = u16::from_be(v6.sin6_port);
            Some(SocketAddrV6::new(ip, port, v6.sin6_flowinfo, v6.sin6_scope_id).into())
        }
        _ => None,
    }
}
