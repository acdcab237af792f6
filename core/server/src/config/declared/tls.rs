//! TLS. Declared so that a site that asks for it is told, and never served in the clear.

use super::super::setting::{Default, Kind, Reach, Section, Setting};

const MISSING: Reach =
    Reach::Refused("TLS is not part of this version: let a proxy in front do it");

pub(super) const SETTINGS: &[Setting] = &[
    Setting::new(Section::Tls, "keyfile", Kind::Text, Default::None)
        .flags(&["--keyfile"])
        .metavar("FILE")
        .help("Key for TLS")
        .reach(MISSING),
    Setting::new(Section::Tls, "certfile", Kind::Text, Default::None)
        .flags(&["--certfile"])
        .metavar("FILE")
        .help("Certificate for TLS")
        .reach(MISSING),
];
