//! Turning newcomers away from a listening socket that is about to be closed.
//!
//! Closing resets whatever stands in the queue. A client that connects between a worker's last look
//! at the queue and the last copy's end would be lost so. Therefore the kernel is told first to drop
//! what opens a connection; the client repeats it a second later, and is refused by then.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use nix::libc;
use nix::sys::socket::{Shutdown, shutdown};

use super::Listener;
use crate::exchange::Local;

/// Where a segment's flags stand in its header (RFC 9293, section 3.1).
const FLAGS: u32 = 13;
const SYN: u32 = 0x02;
const ACK: u32 = 0x10;

/// A classic BPF program (Linux, `Documentation/networking/filter.rst`). It drops segments with SYN
/// and without ACK: those open a connection. What belongs to one that is being opened goes through.
const PROGRAM: [libc::sock_filter; 5] = [
    instruction(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS, FLAGS, 0),
    instruction(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, SYN | ACK, 0),
    instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, SYN, 1),
    instruction(libc::BPF_RET | libc::BPF_K, u32::MAX, 0),
    instruction(libc::BPF_RET | libc::BPF_K, 0, 0),
];

const fn instruction(code: u32, k: u32, jt: u8) -> libc::sock_filter {
    libc::sock_filter {
        code: code as u16,
        jt,
        jf: 0,
        k,
    }
}

impl Listener {
    /// Lets nobody join the queue any more, through any copy of the socket and for good. What stands
    /// in it can still be accepted. A unix socket's queue is closed by the removal of its file, if it
    /// has one.
    ///
    /// # Errors
    /// The kernel knows no socket filters.
    pub fn turn_newcomers_away(&self) -> io::Result<()> {
        match *self.local {
            Local::Tcp(_) => {}
            Local::Unix(_) => return Ok(()),
            // unix(7) sockets have no segments; who connects to one that receives no more is refused.
            Local::Abstract(_) => return Ok(shutdown(self.as_fd().as_raw_fd(), Shutdown::Read)?),
        }
        let mut program = PROGRAM;
        let filter = libc::sock_fprog {
            len: program.len() as u16,
            filter: program.as_mut_ptr(),
        };
        // SAFETY: the program lives through the call, which copies it, and is as long as it says.
        let set = unsafe {
            libc::setsockopt(
                self.as_fd().as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_ATTACH_FILTER,
                (&raw const filter).cast(),
                size_of::<libc::sock_fprog>() as libc::socklen_t,
            )
        };
        if set < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    use super::*;
    use crate::config::Address;
    use crate::sock::{BindOptions, bind};
    use crate::unix_name::UnixName;

    #[test]
    fn who_stands_in_the_queue_is_accepted_and_who_comes_later_is_not() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let at = socket.local_addr().unwrap();
        let address = Address::Tcp {
            host: at.ip().to_string(),
            port: at.port(),
        };
        let listener = Listener::new(socket.into(), address, Local::Tcp(at));
        let early = TcpStream::connect(at).unwrap();
        listener.turn_newcomers_away().unwrap();
        let late = TcpStream::connect_timeout(&at, Duration::from_millis(50));
        assert_eq!(late.unwrap_err().kind(), io::ErrorKind::TimedOut);
        let accepted = listener.accept().unwrap().unwrap();
        assert_eq!(accepted.peer, Some(early.local_addr().unwrap()));
        assert!(listener.accept().unwrap().is_none());
    }

    #[test]
    fn the_same_holds_for_an_abstract_name() {
        let name = UnixName::Abstract(format!("tricorn-farewell-{}", std::process::id()));
        let options = BindOptions {
            backlog: 16,
            umask: 0,
            owner: (None, None),
            reuse_port: false,
        };
        let listener = bind(&Address::Unix(name.clone()), &options).unwrap();
        let connect = || UnixStream::connect_addr(&name.to_address().unwrap());
        let _early = connect().unwrap();
        listener.turn_newcomers_away().unwrap();
        let late = connect().unwrap_err();
        assert_eq!(late.kind(), io::ErrorKind::ConnectionRefused);
        assert!(listener.accept().unwrap().is_some());
        assert!(listener.accept().unwrap().is_none());
    }
}
