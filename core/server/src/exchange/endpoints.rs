//! The two ends of a connection.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tricorn_http::proxy::ProxiedPeer;

/// The address a listener is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Local {
    /// TCP.
    Tcp(SocketAddr),
    /// A unix socket, with its path; empty if it has none.
    Unix(String),
}

impl Local {
    /// The URL of a listener at this address, as the log shows it.
    #[must_use]
    pub fn url(&self) -> String {
        match self {
            Self::Tcp(address) => format!("http://{address}"),
            Self::Unix(path) => format!("unix:{path}"),
        }
    }
}

/// The two ends of a connection, and how far the far one is believed.
#[derive(Debug, Clone)]
pub struct Endpoints {
    /// The peer of the socket; `None` for a unix socket.
    pub peer: Option<SocketAddr>,
    /// Whom a PROXY header speaks for. Holds for as long as the connection lives.
    pub proxied: Option<ProxiedPeer>,
    /// The listener's address.
    pub local: Arc<Local>,
    /// The peer is in `forwarded_allow_ips`.
    pub trusted: bool,
}

impl Endpoints {
    /// The client: whom a PROXY header speaks for, else the peer.
    #[must_use]
    pub fn client(&self) -> Option<SocketAddr> {
        self.proxied.map(|proxied| proxied.client).or(self.peer)
    }

    /// The peer's address without its port.
    #[must_use]
    pub fn peer_ip(&self) -> Option<IpAddr> {
        self.peer.map(|peer| peer.ip())
    }
}
