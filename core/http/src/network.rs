//! Lists of addresses that are trusted with something.

use std::net::IpAddr;

use ipnet::IpNet;

/// Addresses and networks; `*` stands for all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AllowList {
    everyone: bool,
    networks: Vec<IpNet>,
}

/// An element that is neither `*` nor an address nor a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidNetwork {
    /// Not an address at all.
    #[error("'{0}' is neither an IP address, nor a network like 10.0.0.0/8, nor '*'")]
    NotAnAddress(String),
    /// Bits are set that the prefix leaves to the hosts: most often a typing error.
    #[error("'{given}' has host bits set; the network is '{network}'")]
    HostBits {
        /// What was given.
        given: String,
        /// The network it lies in.
        network: String,
    },
}

impl AllowList {
    /// A list from its elements. White space around an element is ignored, and so are empty ones.
    ///
    /// # Errors
    /// The first element that is not an address, a network or `*`.
    pub fn parse<'a>(elements: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidNetwork> {
        let mut list = Self::default();
        for element in elements
            .into_iter()
            .map(str::trim)
            .filter(|e| !e.is_empty())
        {
            if element == "*" {
                list.everyone = true;
            } else {
                list.networks.push(parse_network(element)?);
            }
        }
        Ok(list)
    }

    /// Whether the list names this peer. A peer without an address (a unix socket) is always
    /// trusted: who may connect is decided by the socket's permissions.
    #[must_use]
    pub fn allows(&self, peer: Option<IpAddr>) -> bool {
        let Some(address) = peer else { return true };
        let address = address.to_canonical();
        self.everyone
            || self
                .networks
                .iter()
                .any(|network| network.contains(&address))
    }
}

fn parse_network(element: &str) -> Result<IpNet, InvalidNetwork> {
    if let Ok(address) = element.parse::<IpAddr>() {
        return Ok(IpNet::from(address));
    }
    let network: IpNet = element
        .parse()
        .map_err(|_| InvalidNetwork::NotAnAddress(element.to_owned()))?;
    if network.addr() != network.network() {
        return Err(InvalidNetwork::HostBits {
            given: element.to_owned(),
            network: network.trunc().to_string(),
        });
    }
    Ok(network)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> AllowList {
        AllowList::parse(text.split(',')).unwrap()
    }

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn addresses_and_networks_are_matched() {
        let list = list("127.0.0.1, 10.0.0.0/8,::1,");
        for yes in ["127.0.0.1", "10.255.0.1", "::1", "::ffff:127.0.0.1"] {
            assert!(list.allows(ip(yes)), "{yes}");
        }
        for no in ["127.0.0.2", "11.0.0.1", "::2"] {
            assert!(!list.allows(ip(no)), "{no}");
        }
        assert!(list.allows(None), "a unix socket has no address");
    }

    #[test]
    fn a_star_is_everyone() {
        assert!(list("*").allows(ip("203.0.113.9")));
        assert!(!list("").allows(ip("127.0.0.1")));
    }

    #[test]
    fn typing_errors_are_named() {
        let refused = |text: &str| AllowList::parse([text]).unwrap_err().to_string();
        assert!(refused("localhost").contains("'localhost' is neither"));
        assert!(refused("10.0.0.1/8").contains("the network is '10.0.0.0/8'"));
    }
}
