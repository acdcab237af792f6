//! Addresses to listen on, as `bind` writes them.

use std::fmt;
use std::os::fd::RawFd;

use crate::unix_name::UnixName;

/// One address of `bind`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// A host, by name or number, and a port. The host is without brackets and in small letters.
    Tcp {
        /// The host; empty for all addresses of this machine.
        host: String,
        /// The port; 0 for any free one.
        port: u16,
    },
    /// A unix socket.
    Unix(UnixName),
    /// A descriptor that is listening already.
    Fd(RawFd),
}

/// Why an address cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// The part after the last colon is no port.
    #[error("'{0}' does not end in a port, a number from 0 to 65535")]
    Port(String),
    /// After `fd://` stands no number.
    #[error("'fd://{0}' is not a file descriptor: fd:// is followed by a number")]
    Descriptor(String),
    /// After `unix:` stands nothing, or a mark of abstract names alone.
    #[error("unix: is not followed by a path, or by @ and a name")]
    EmptyPath,
    /// An IPv6 address without its closing bracket.
    #[error("'{0}' has an opening bracket and no closing one")]
    Bracket(String),
    /// It has a scheme that is none of an address's.
    #[error("'{0}' is a URL: of schemes there are tcp://, unix: and fd://")]
    Url(String),
    /// A comma stands in it.
    #[error("'{0}' is more than one address: they are a list, or a flag that is repeated")]
    Several(String),
    /// An IPv6 address without brackets: nobody can tell where its port begins.
    #[error("'{0}' has more than one colon: an IPv6 address stands in brackets")]
    Bare(String),
}

const DEFAULT_PORT: u16 = 8000;

impl Address {
    /// Reads an address: `HOST`, `HOST:PORT`, `[V6]:PORT`, `tcp://…`, `unix:PATH`, `unix://PATH`,
    /// `unix:@NAME` or `fd://N`.
    ///
    /// # Errors
    /// What is wrong with the address.
    pub fn parse(text: &str) -> Result<Self, InvalidAddress> {
        let text = text.trim();
        if let Some(number) = text.strip_prefix("fd://") {
            return number
                .parse()
                .map(Self::Fd)
                .map_err(|_| InvalidAddress::Descriptor(number.into()));
        }
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return UnixName::parse(path)
                .map(Self::Unix)
                .ok_or(InvalidAddress::EmptyPath);
        }
        let lower = text.to_ascii_lowercase();
        let place = lower.strip_prefix("tcp://").unwrap_or(&lower);
        if place.contains(',') {
            return Err(InvalidAddress::Several(text.to_owned()));
        }
        if place.contains("://") {
            return Err(InvalidAddress::Url(text.to_owned()));
        }
        tcp(place)
    }
}

fn tcp(text: &str) -> Result<Address, InvalidAddress> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest
            .split_once(']')
            .ok_or_else(|| InvalidAddress::Bracket(text.to_owned()))?;
        (host, after.strip_prefix(':'))
    } else {
        match text.rsplit_once(':') {
            Some((host, _)) if host.contains(':') => {
                return Err(InvalidAddress::Bare(text.to_owned()));
            }
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        }
    };
    let port = match port {
        Some(port) => port
            .parse()
            .map_err(|_| InvalidAddress::Port(text.to_owned()))?,
        None => DEFAULT_PORT,
    };
    let host = if host.is_empty() { "0.0.0.0" } else { host };
    Ok(Address::Tcp {
        host: host.to_owned(),
        port,
    })
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(name) => write!(f, "unix:{name}"),
            Self::Fd(fd) => write!(f, "fd://{fd}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        Address::parse(text).map_or_else(|e| e.to_string(), |address| address.to_string())
    }

    #[test]
    fn every_form_is_read() {
        for (text, address) in [
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("LocalHost", "localhost:8000"),
            ("", "0.0.0.0:8000"),
            (":9000", "0.0.0.0:9000"),
            ("[::1]:80", "[::1]:80"),
            ("[::]", "[::]:8000"),
            ("tcp://a.example:1", "a.example:1"),
            ("unix:/tmp/S", "unix:/tmp/S"),
            ("unix:///tmp/s", "unix:/tmp/s"),
            ("unix:s.sock", "unix:s.sock"),
            ("unix:@Name", "unix:@Name"),
            ("unix:\0name", "unix:@name"),
            ("unix://@name", "unix:@name"),
            ("fd://3", "fd://3"),
        ] {
            assert_eq!(shown(text), address, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(shown("127.0.0.1:http").contains("'127.0.0.1:http' does not end in a port"));
        assert!(shown("127.0.0.1:65536").contains("does not end in a port"));
        assert!(shown("fd://x").contains("not a file descriptor"));
        assert!(shown("unix:").contains("not followed by a path"));
        assert!(shown("unix:@").contains("not followed by a path"));
        assert!(shown("[::1").contains("no closing one"));
        assert!(shown("::1:80").contains("'::1:80' has more than one colon"));
        assert!(shown("http://a.example:80").contains("'http://a.example:80' is a URL"));
        assert!(shown("a:80,b:80").contains("'a:80,b:80' is more than one address"));
    }
}
