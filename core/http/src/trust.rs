//! What a proxy in front may tell, and who is believed.
//!
//! Trust is decided on the peer of the connection, never on an address that a header or a PROXY
//! line names.

use crate::error::PeerError;
use crate::network::AllowList;

/// What becomes of a field whose name holds an underscore and is not a trusted forwarder's
/// (`header_map`). In an `environ` it could not be told from the same name with a hyphen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HeaderMap {
    /// The field is left out.
    #[default]
    Drop,
    /// The request is refused with 400.
    Refuse,
    /// The field is passed on as it is.
    Dangerous,
}

/// Whether connections begin with a PROXY header (`proxy_protocol`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProxyProtocol {
    /// Never: a PROXY line is a malformed request.
    #[default]
    Off,
    /// The text form, if there is one.
    V1,
    /// The binary form, if there is one.
    V2,
    /// Either, if there is one.
    Auto,
}

/// Which peers are believed, and in what.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// Peers whose scheme and forwarder fields count (`forwarded_allow_ips`).
    pub forwarded: AllowList,
    /// Field names and the exact value of each that means https (`secure_scheme_headers`).
    pub secure_scheme_fields: Vec<(String, Vec<u8>)>,
    /// Names with underscores that a trusted peer may send (`forwarder_headers`).
    pub forwarder_fields: Vec<String>,
    /// What becomes of the other names with underscores.
    pub header_map: HeaderMap,
    /// Whether connections begin with a PROXY header.
    pub proxy_protocol: ProxyProtocol,
    /// Peers that may send a PROXY header (`proxy_allow_ips`).
    pub proxy: AllowList,
}

/// What becomes of a field.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Keep,
    Drop,
}

impl Trust {
    /// Judges a field whose name holds an underscore.
    pub(crate) fn judge(&self, name: &[u8], trusted: bool) -> Result<Verdict, PeerError> {
        let named =
            |allowed: &String| allowed == "*" || allowed.as_bytes().eq_ignore_ascii_case(name);
        if trusted && self.forwarder_fields.iter().any(named) {
            return Ok(Verdict::Keep);
        }
        match self.header_map {
            HeaderMap::Drop => Ok(Verdict::Drop),
            HeaderMap::Refuse => Err(PeerError::UnderscoreInFieldName),
            HeaderMap::Dangerous => Ok(Verdict::Keep),
        }
    }

    /// What a field from a trusted peer says of the scheme: `Some(true)` for https, `None` if it is
    /// not one of the fields that tell it.
    pub(crate) fn tells_https(&self, name: &[u8], value: &[u8]) -> Option<bool> {
        self.secure_scheme_fields
            .iter()
            .find(|(field, _)| field.as_bytes().eq_ignore_ascii_case(name))
            .map(|(_, secure)| secure == value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trust(header_map: HeaderMap) -> Trust {
        Trust {
            forwarder_fields: vec!["SCRIPT_NAME".into()],
            header_map,
            ..Trust::default()
        }
    }

    #[test]
    fn a_forwarder_field_is_kept_from_a_trusted_peer_only() {
        let trust = trust(HeaderMap::Drop);
        assert_eq!(trust.judge(b"Script_Name", true), Ok(Verdict::Keep));
        assert_eq!(trust.judge(b"Script_Name", false), Ok(Verdict::Drop));
        assert_eq!(trust.judge(b"Remote_User", true), Ok(Verdict::Drop));
    }

    #[test]
    fn header_map_decides_on_the_rest() {
        let refused = trust(HeaderMap::Refuse).judge(b"a_b", true);
        assert_eq!(refused, Err(PeerError::UnderscoreInFieldName));
        assert_eq!(
            trust(HeaderMap::Dangerous).judge(b"a_b", false),
            Ok(Verdict::Keep)
        );
        let mut any = trust(HeaderMap::Refuse);
        any.forwarder_fields = vec!["*".into()];
        assert_eq!(any.judge(b"a_b", true), Ok(Verdict::Keep));
    }
}
