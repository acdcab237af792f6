//! The two ends of a connection.

use std::any::Any;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};

use tricorn_http::proxy::ProxiedPeer;

/// The address a listener is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Local {
    /// TCP.
    Tcp(SocketAddr),
    /// A unix socket, with its path; empty if it has none.
    Unix(String),
    /// A unix socket with an abstract name, which no file stands for.
    Abstract(String),
}

impl Local {
    /// The URL of a listener at this address, as the log shows it.
    #[must_use]
    pub fn url(&self) -> String {
        match self {
            Self::Tcp(address) => format!("http://{address}"),
            Self::Unix(path) => format!("unix:{path}"),
            Self::Abstract(name) => format!("unix:@{name}"),
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
    /// Whatever the gateway wants to know again at the connection's next request.
    pub notes: Notes,
}

/// A place for one thing that the gateway keeps with a connection. A copy begins empty.
#[derive(Default)]
pub struct Notes(OnceLock<Box<dyn Any + Send + Sync>>);

impl Notes {
    /// What is kept, made by `make` the first time; `None` if something else is kept there.
    pub fn get_or_make<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> Option<&T> {
        self.0.get_or_init(|| Box::new(make())).downcast_ref()
    }
}

impl Clone for Notes {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl fmt::Debug for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.get().is_some() {
            "Notes(..)"
        } else {
            "Notes"
        })
    }
}

impl Endpoints {
    /// The client: whom a PROXY header speaks for, else the peer.
    #[must_use]
    pub fn client(&self) -> Option<SocketAddr> {
        self.proxied.map(|proxied| proxied.client).or(self.peer)
    }

    /// The client's address without its port.
    #[must_use]
    pub fn client_ip(&self) -> Option<IpAddr> {
        self.client().map(|client| client.ip())
    }

    /// The peer's address without its port.
    #[must_use]
    pub fn peer_ip(&self) -> Option<IpAddr> {
        self.peer.map(|peer| peer.ip())
    }
}
