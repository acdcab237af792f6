//! Requests and events that nobody has sent: what a plugin is tried out with.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use tricorn_http::{Head, HeadScan, Rules, Scanned};

use crate::exchange::{Endpoints, Local, Notes, Request};
use crate::hooks::{Member, Obituary, Occasion};

/// A request, by what is told of it and the bytes of its head.
pub(super) struct MadeUp {
    pub(super) what: &'static str,
    head: &'static [u8],
    peer: Peer,
}

/// Where a request comes from.
#[derive(Clone, Copy)]
enum Peer {
    /// A proxy that is trusted, on this machine.
    Trusted,
    /// A client that is not.
    Client,
    /// The other end of a unix socket.
    Unix,
}

const fn made_up(what: &'static str, head: &'static [u8], peer: Peer) -> MadeUp {
    MadeUp { what, head, peer }
}

/// The plainest request that there is.
pub(super) const PLAIN: MadeUp = made_up(
    "GET",
    b"GET /check?a=b HTTP/1.1\r\nHost: check.example\r\nX-Check: 1\r\n\r\n",
    Peer::Trusted,
);

/// Requests of every kind that sites get.
pub(super) const REQUESTS: [MadeUp; 11] = [
    PLAIN,
    made_up(
        "GET of a client",
        b"GET / HTTP/1.1\r\nHost: check.example\r\n\r\n",
        Peer::Client,
    ),
    made_up(
        "GET by a unix socket",
        b"GET / HTTP/1.1\r\nHost: check.example\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n",
        Peer::Unix,
    ),
    made_up(
        "HEAD",
        b"HEAD /check HTTP/1.1\r\nHost: check.example\r\n\r\n",
        Peer::Client,
    ),
    made_up(
        "POST",
        b"POST /check HTTP/1.1\r\nHost: check.example\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n",
        Peer::Client,
    ),
    made_up(
        "POST in chunks",
        b"POST /check HTTP/1.1\r\nHost: check.example\r\nTransfer-Encoding: chunked\r\n\r\n",
        Peer::Client,
    ),
    made_up(
        "OPTIONS *",
        b"OPTIONS * HTTP/1.1\r\nHost: check.example\r\n\r\n",
        Peer::Client,
    ),
    made_up(
        "HTTP/1.0 without a Host",
        b"GET /check HTTP/1.0\r\n\r\n",
        Peer::Client,
    ),
    made_up(
        "a path in strange letters",
        b"GET /a/%2e%2e/%00%ff//b;c?%zz&&== HTTP/1.1\r\nHost: check.example\r\n\r\n",
        Peer::Client,
    ),
    made_up(
        "headers that are no text, and twice there",
        b"GET / HTTP/1.1\r\nHost: check.example\r\nX-Twice: a\r\nX-Twice: b\r\nX-Empty:\r\nCookie: \xff\xfe\r\nX-Request-ID: \xff\r\n\r\n",
        Peer::Trusted,
    ),
    made_up(
        "a name and a password",
        b"GET / HTTP/1.1\r\nHost: check.example\r\nAuthorization: Basic Y2hlY2s6Y2hlY2s=\r\n\r\n",
        Peer::Client,
    ),
];

impl MadeUp {
    /// Makes the request that has come by the connection of this number.
    pub(super) fn request(&self) -> Request {
        let rules = Rules::default();
        let mut head = Head::default();
        if let Ok(Scanned::Complete(extent)) = HeadScan::default().advance(self.head, &rules.limits)
        {
            // Fixed heads, which are valid.
            let _ = head.read(self.head, extent, &rules, true);
        }
        Request {
            head,
            endpoints: Arc::new(self.peer.endpoints()),
            number: 1,
            started: crate::clock::now(),
            measured: None,
            environ: Vec::new(),
        }
    }
}

impl Peer {
    fn endpoints(self) -> Endpoints {
        let peer = match self {
            Self::Trusted => Some(loopback(50_000)),
            Self::Client => Some(SocketAddr::new(Ipv6Addr::LOCALHOST.into(), 50_001)),
            Self::Unix => None,
        };
        Endpoints {
            peer,
            proxied: None,
            local: Arc::new(match self {
                Self::Unix => Local::Unix("/run/check.sock".to_owned()),
                _ => Local::Tcp(loopback(8000)),
            }),
            trusted: !matches!(self, Self::Client),
            notes: Notes::default(),
        }
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

/// A worker of the arbiter's.
pub(super) const MEMBER: Member = Member {
    age: 1,
    id: 1,
    pid: 4242,
};

/// A worker that is gone for one of the reasons that there are.
pub(super) fn gone(cause: &'static str) -> Obituary {
    Obituary {
        age: MEMBER.age,
        id: MEMBER.id,
        pid: MEMBER.pid,
        code: Some(0),
        signal: None,
        cause,
    }
}

/// Calls `with` with a connection that has brought so many requests.
pub(super) fn connection<R>(requests: u64, with: impl FnOnce(&Occasion<'_>) -> R) -> R {
    let local = Local::Tcp(loopback(8000));
    with(&Occasion::Connection {
        number: 1,
        peer: Some(loopback(50_000)),
        local: &local,
        requests,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_is_one_that_the_server_would_take() {
        for made_up in REQUESTS {
            let request = made_up.request();
            assert!(!request.head.method().is_empty(), "{}", made_up.what);
            assert!(made_up.head.starts_with(request.head.method()));
        }
    }
}
