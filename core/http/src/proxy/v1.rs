//! Version 1: one line of text.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Opening, ProxiedPeer};
use crate::error::PeerError;

pub(super) const PREFIX: &[u8] = b"PROXY ";

/// The longest line the protocol allows, CRLF included.
const LONGEST: usize = 107;

pub(super) fn read(bytes: &[u8]) -> Result<Opening, PeerError> {
    let window = &bytes[..bytes.len().min(LONGEST)];
    let Some(newline) = memchr::memchr(b'\n', window) else {
        let too_long = bytes.len() >= LONGEST;
        return if too_long {
            Err(PeerError::InvalidProxyHeader)
        } else {
            Ok(Opening::Partial)
        };
    };
    let peer = std::str::from_utf8(&bytes[PREFIX.len()..newline])
        .ok()
        .and_then(|line| line.strip_suffix('\r'))
        .and_then(parse)
        .ok_or(PeerError::InvalidProxyHeader)?;
    Ok(Opening::Header {
        len: newline + 1,
        peer,
    })
}

/// The line after its prefix: `Some(None)` for `UNKNOWN`, whose rest must be ignored.
fn parse(line: &str) -> Option<Option<ProxiedPeer>> {
    let mut words = line.split(' ');
    let family = words.next()?;
    if family == "UNKNOWN" {
        return Some(None);
    }
    let (source, destination) = (words.next()?, words.next()?);
    let (client, server) = match family {
        "TCP4" => (
            IpAddr::V4(source.parse::<Ipv4Addr>().ok()?),
            IpAddr::V4(destination.parse::<Ipv4Addr>().ok()?),
        ),
        "TCP6" => (
            IpAddr::V6(source.parse::<Ipv6Addr>().ok()?),
            IpAddr::V6(destination.parse::<Ipv6Addr>().ok()?),
        ),
        _ => return None,
    };
    let client = SocketAddr::new(client, port(words.next()?)?);
    let server = SocketAddr::new(server, port(words.next()?)?);
    words
        .next()
        .is_none()
        .then_some(Some(ProxiedPeer { client, server }))
}

/// Digits without a leading zero: the protocol has one spelling for each port.
fn port(text: &str) -> Option<u16> {
    let canonical =
        text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if canonical { text.parse().ok() } else { None }
}
