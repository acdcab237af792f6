//! The PROXY protocol, versions 1 and 2 (haproxy.org, `proxy-protocol.txt`).
//!
//! A connection has one header at most, before its first request. Its address then stands for the
//! client's for as long as the connection lives.

mod v1;
mod v2;

use std::net::SocketAddr;

use crate::error::PeerError;
use crate::trust::ProxyProtocol;

/// What a PROXY header tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProxiedPeer {
    /// The client that the proxy speaks for.
    pub client: SocketAddr,
    /// The address at which the proxy was reached.
    pub server: SocketAddr,
}

impl ProxiedPeer {
    /// `TCP4` or `TCP6`, as version 1 names the families.
    #[must_use]
    pub fn protocol(&self) -> &'static str {
        if self.client.is_ipv4() {
            "TCP4"
        } else {
            "TCP6"
        }
    }
}

/// What the beginning of a connection turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub enum Opening {
    /// More bytes are needed to tell.
    Partial,
    /// There is no PROXY header; the bytes are a request.
    Absent,
    /// A header of `len` bytes.
    Header {
        /// Its length in bytes.
        len: usize,
        /// Whom it speaks for; `None` where the proxy speaks for itself or does not know.
        peer: Option<ProxiedPeer>,
    },
}

/// Looks for a PROXY header at the beginning of a connection.
///
/// # Errors
/// A header that begins as one and then breaks the protocol.
pub fn read(bytes: &[u8], mode: ProxyProtocol) -> Result<Opening, PeerError> {
    let v1 = matches!(mode, ProxyProtocol::V1 | ProxyProtocol::Auto);
    let v2 = matches!(mode, ProxyProtocol::V2 | ProxyProtocol::Auto);
    if v1 && could_be(bytes, v1::PREFIX) {
        v1::read(bytes)
    } else if v2 && could_be(bytes, v2::SIGNATURE) {
        v2::read(bytes)
    } else {
        Ok(Opening::Absent)
    }
}

fn could_be(bytes: &[u8], prefix: &[u8]) -> bool {
    let common = bytes.len().min(prefix.len());
    bytes[..common] == prefix[..common]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(opening: Result<Opening, PeerError>) -> Option<(String, String)> {
        match opening {
            Ok(Opening::Header {
                peer: Some(peer), ..
            }) => Some((peer.client.to_string(), peer.server.to_string())),
            _ => None,
        }
    }

    const V1: &[u8] = b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n";

    fn v2(command: u8, family: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
        bytes.extend_from_slice(&[command, family]);
        bytes.extend_from_slice(&(payload.len() as u16).to_be_bytes());
        bytes.extend_from_slice(payload);
        bytes
    }

    const V4_PAYLOAD: [u8; 12] = [192, 0, 2, 7, 198, 51, 100, 1, 0xdc, 0x04, 0x01, 0xbb];

    #[test]
    fn both_versions_tell_the_same() {
        let expected = Some(("192.0.2.7:56324".to_owned(), "198.51.100.1:443".to_owned()));
        assert_eq!(addresses(read(V1, ProxyProtocol::V1)), expected);
        assert_eq!(
            addresses(read(&v2(0x21, 0x11, &V4_PAYLOAD), ProxyProtocol::V2)),
            expected
        );
        let six = read(
            b"PROXY TCP6 ::1 2001:db8::2 1 65535\r\n",
            ProxyProtocol::Auto,
        );
        assert_eq!(
            addresses(six),
            Some(("[::1]:1".into(), "[2001:db8::2]:65535".into()))
        );
    }

    #[test]
    fn a_header_may_arrive_in_pieces() {
        for whole in [V1.to_vec(), v2(0x21, 0x11, &V4_PAYLOAD)] {
            for split in 0..whole.len() {
                let opening = read(&whole[..split], ProxyProtocol::Auto);
                assert_eq!(opening, Ok(Opening::Partial), "{whole:?} at {split}");
            }
            let opening = read(&whole, ProxyProtocol::Auto);
            assert!(matches!(opening, Ok(Opening::Header { len, .. }) if len == whole.len()));
        }
    }

    #[test]
    fn a_proxy_may_speak_for_itself_or_not_know() {
        for header in [
            b"PROXY UNKNOWN\r\n".to_vec(),
            b"PROXY UNKNOWN ffff:f::1 what ever 1 2\r\n".to_vec(),
            v2(0x20, 0x00, b""),
            v2(0x20, 0x11, &V4_PAYLOAD),
            v2(0x21, 0x00, b"tlv"),
        ] {
            let opening = read(&header, ProxyProtocol::Auto);
            assert_eq!(
                opening,
                Ok(Opening::Header {
                    len: header.len(),
                    peer: None
                }),
                "{header:?}"
            );
        }
    }

    #[test]
    fn a_request_is_not_a_header() {
        for mode in [
            ProxyProtocol::Off,
            ProxyProtocol::V1,
            ProxyProtocol::V2,
            ProxyProtocol::Auto,
        ] {
            assert_eq!(read(b"GET / HTTP/1.1\r\n", mode), Ok(Opening::Absent));
        }
        assert_eq!(read(V1, ProxyProtocol::V2), Ok(Opening::Absent));
        assert_eq!(read(V1, ProxyProtocol::Off), Ok(Opening::Absent));
    }

    #[test]
    fn broken_headers_are_refused() {
        for bad in [
            &b"PROXY TCP4 192.0.2.7 198.51.100.1 56324\r\n"[..],
            b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443 1\r\n",
            b"PROXY TCP4 ::1 ::1 1 2\r\n",
            b"PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n",
            b"PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
            b"PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
            b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n",
            b"PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n",
            b"PROXY \r\n",
        ] {
            assert_eq!(
                read(bad, ProxyProtocol::V1),
                Err(PeerError::InvalidProxyHeader),
                "{bad:?}"
            );
        }
        let endless = [&b"PROXY TCP4 "[..], &[b'1'; 200]].concat();
        assert_eq!(
            read(&endless, ProxyProtocol::V1),
            Err(PeerError::InvalidProxyHeader)
        );
        for bad in [
            v2(0x11, 0x11, &V4_PAYLOAD),
            v2(0x22, 0x11, &V4_PAYLOAD),
            v2(0x21, 0x11, b"short"),
            v2(0x21, 0x12, &V4_PAYLOAD),
            v2(0x21, 0x31, &V4_PAYLOAD),
        ] {
            assert_eq!(
                read(&bad, ProxyProtocol::V2),
                Err(PeerError::InvalidProxyHeader),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn what_follows_the_addresses_of_version_2_is_skipped() {
        let header = v2(0x21, 0x11, &[&V4_PAYLOAD[..], b"\x03\x00\x04abcd"].concat());
        let opening = read(&[&header[..], b"GET"].concat(), ProxyProtocol::V2);
        assert!(
            matches!(opening, Ok(Opening::Header { len, peer: Some(_) }) if len == header.len())
        );
    }
}
