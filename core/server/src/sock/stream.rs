//! The socket of one connection. No call here ever blocks.
//!
//! `MSG_DONTWAIT` says so at each call, because an application that takes the socket over may turn
//! `O_NONBLOCK` off, and that flag is shared by all copies of a descriptor.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::sendfile::sendfile;
use nix::sys::socket::{MsgFlags, Shutdown, recv, send, sendmsg, shutdown};

/// How far a transfer got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transfer {
    /// So many bytes.
    Bytes(usize),
    /// The kernel has nothing, or takes nothing, right now.
    WouldBlock,
    /// The peer has closed its side, or the connection is broken.
    Closed,
}

/// A connected socket.
#[derive(Debug)]
pub struct Stream(OwnedFd);

fn transferred(result: nix::Result<usize>) -> Transfer {
    match result {
        Ok(count) => Transfer::Bytes(count),
        Err(Errno::EAGAIN) => Transfer::WouldBlock,
        Err(_) => Transfer::Closed,
    }
}

fn retried(mut call: impl FnMut() -> nix::Result<usize>) -> nix::Result<usize> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}

impl Stream {
    /// A stream over a connected socket.
    #[must_use]
    pub fn new(socket: OwnedFd) -> Self {
        Self(socket)
    }

    /// Receives into `buffer`, which must not be empty.
    pub fn receive(&self, buffer: &mut [u8]) -> Transfer {
        debug_assert!(
            !buffer.is_empty(),
            "an empty buffer looks like the end of the stream"
        );
        let fd = self.0.as_raw_fd();
        match transferred(retried(|| recv(fd, buffer, MsgFlags::MSG_DONTWAIT))) {
            Transfer::Bytes(0) => Transfer::Closed,
            other => other,
        }
    }

    /// Receives up to `most` bytes behind what `buffer` holds.
    #[inline(always)]
    pub fn receive_more(&self, buffer: &mut Vec<u8>, most: usize) -> Transfer {
        debug_assert!(most > 0, "nothing looks like the end of the stream");
        buffer.reserve(most);
        let fd = self.0.as_raw_fd();
        let spare = &mut buffer.spare_capacity_mut()[..most];
        let (target, room) = (spare.as_mut_ptr().cast(), spare.len());
        let received = retried(|| {
            // SAFETY: the target has room for so many bytes, and nobody else sees them.
            let count = unsafe { libc::recv(fd, target, room, libc::MSG_DONTWAIT) };
            Errno::result(count).map(|count| count as usize)
        });
        match transferred(received) {
            Transfer::Bytes(0) => Transfer::Closed,
            Transfer::Bytes(count) => {
                // SAFETY: the kernel has written so many bytes behind the ones there were.
                unsafe { buffer.set_len(buffer.len() + count) };
                Transfer::Bytes(count)
            }
            other => other,
        }
    }

    /// Sends the beginning of `bytes`.
    #[inline]
    pub fn send(&self, bytes: &[u8]) -> Transfer {
        let fd = self.0.as_raw_fd();
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        transferred(retried(|| send(fd, bytes, flags)))
    }

    /// Sends the beginning of several pieces in one call.
    pub fn send_pieces(&self, pieces: &[&[u8]]) -> Transfer {
        let fd = self.0.as_raw_fd();
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        let mut slices = [IoSlice::new(&[]); 4];
        debug_assert!(pieces.len() <= slices.len());
        for (slice, piece) in slices.iter_mut().zip(pieces) {
            *slice = IoSlice::new(piece);
        }
        let slices = &slices[..pieces.len()];
        transferred(retried(|| sendmsg::<()>(fd, slices, &[], flags, None)))
    }

    /// Sends up to `count` bytes of a file from `offset` on.
    ///
    /// # Errors
    /// The file cannot be read. A broken connection is not an error, but `Transfer::Closed`.
    pub fn send_file(
        &self,
        file: BorrowedFd<'_>,
        offset: u64,
        count: usize,
    ) -> io::Result<Transfer> {
        self.set_nonblocking()?;
        let mut at =
            i64::try_from(offset).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        match retried(|| sendfile(&self.0, file, Some(&mut at), count)) {
            Err(errno @ (Errno::EINVAL | Errno::EIO | Errno::EOVERFLOW | Errno::ESPIPE)) => {
                Err(errno.into())
            }
            result => Ok(transferred(result)),
        }
    }

    /// sendfile has no flag of its own for it. Costs nothing where the flag is set already.
    fn set_nonblocking(&self) -> io::Result<()> {
        let flags = OFlag::from_bits_retain(fcntl(&self.0, FcntlArg::F_GETFL)?);
        if !flags.contains(OFlag::O_NONBLOCK) {
            fcntl(&self.0, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        }
        Ok(())
    }

    /// Tells the peer that nothing more will come.
    pub fn finish(&self) {
        // A connection that is broken already needs no farewell.
        let _ = shutdown(self.0.as_raw_fd(), Shutdown::Write);
    }

    /// A second descriptor of the socket.
    ///
    /// # Errors
    /// No descriptors left.
    pub fn duplicate(&self) -> io::Result<OwnedFd> {
        self.0.try_clone()
    }

    /// The number of the descriptor, to wait on.
    #[must_use]
    pub fn raw(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn pair() -> (Stream, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Stream::new(ours.into()), theirs)
    }

    #[test]
    fn nothing_blocks_although_the_socket_could() {
        let (ours, mut theirs) = pair();
        assert_eq!(ours.receive(&mut [0; 8]), Transfer::WouldBlock);
        theirs.write_all(b"abc").unwrap();
        let mut buffer = b">".to_vec();
        assert_eq!(ours.receive_more(&mut buffer, 2), Transfer::Bytes(2));
        assert_eq!(ours.receive_more(&mut buffer, 8), Transfer::Bytes(1));
        assert_eq!(buffer, b">abc");
        assert_eq!(ours.receive_more(&mut buffer, 8), Transfer::WouldBlock);
        while ours.send(&[0; 65536]) != Transfer::WouldBlock {}
        drop(theirs);
        assert_eq!(ours.send(b"x"), Transfer::Closed);
    }

    #[test]
    fn a_file_is_sent_without_blocking() {
        let (ours, theirs) = pair();
        let file = std::fs::File::open("/proc/self/exe").unwrap();
        let mut sent = 0;
        while let Transfer::Bytes(count) = ours.send_file(file.as_fd(), sent, 1 << 20).unwrap() {
            sent += count as u64;
        }
        assert!(sent > 0);
        drop(theirs);
        assert_eq!(
            ours.send_file(file.as_fd(), 0, 10).unwrap(),
            Transfer::Closed
        );
    }
}
