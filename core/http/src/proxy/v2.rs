//! Version 2: a binary header.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Opening, ProxiedPeer};
use crate::error::PeerError;

pub(super) const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Signature, version and command, family and transport, length.
const FIXED: usize = 16;

pub(super) fn read(bytes: &[u8]) -> Result<Opening, PeerError> {
    let Some(fixed) = bytes.get(..FIXED) else {
        return Ok(Opening::Partial);
    };
    let length = usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    let peer_given = match fixed[12] {
        0x20 => false,
        0x21 => true,
        _ => return Err(PeerError::InvalidProxyHeader),
    };
    let Some(payload) = bytes.get(FIXED..FIXED + length) else {
        return Ok(Opening::Partial);
    };
    let peer = if peer_given {
        addresses(fixed[13], payload)?
    } else {
        None
    };
    Ok(Opening::Header {
        len: FIXED + length,
        peer,
    })
}

fn addresses(family: u8, payload: &[u8]) -> Result<Option<ProxiedPeer>, PeerError> {
    match family {
        0x00 => Ok(None),
        0x11 => inet(payload).map(Some).ok_or(PeerError::InvalidProxyHeader),
        0x21 => inet6(payload)
            .map(Some)
            .ok_or(PeerError::InvalidProxyHeader),
        _ => Err(PeerError::InvalidProxyHeader),
    }
}

fn inet(payload: &[u8]) -> Option<ProxiedPeer> {
    let address = |at: usize| -> Option<Ipv4Addr> {
        Some(Ipv4Addr::from(
            <[u8; 4]>::try_from(payload.get(at..at + 4)?).ok()?,
        ))
    };
    Some(ProxiedPeer {
        client: SocketAddr::new(address(0)?.into(), port(payload, 8)?),
        server: SocketAddr::new(address(4)?.into(), port(payload, 10)?),
    })
}

fn inet6(payload: &[u8]) -> Option<ProxiedPeer> {
    let address = |at: usize| -> Option<Ipv6Addr> {
        Some(Ipv6Addr::from(
            <[u8; 16]>::try_from(payload.get(at..at + 16)?).ok()?,
        ))
    };
    Some(ProxiedPeer {
        client: SocketAddr::new(address(0)?.into(), port(payload, 32)?),
        server: SocketAddr::new(address(16)?.into(), port(payload, 34)?),
    })
}

fn port(payload: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(
        <[u8; 2]>::try_from(payload.get(at..at + 2)?).ok()?,
    ))
}
