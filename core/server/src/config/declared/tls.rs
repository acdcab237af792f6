//! TLS. Declared so that a site that asks for it is told, and never served in the clear.

use super::super::setting::{Default, Kind, Reach, Section, Setting};

const S: Section = Section::Tls;

const MISSING: Reach =
    Reach::Refused("TLS is not part of this version: let a proxy in front do it");

const WITHOUT: Reach = Reach::Later("there is no TLS");

/// `ssl.PROTOCOL_TLS`
const ANY_VERSION: i64 = 2;

/// `ssl.CERT_NONE` and `ssl.CERT_REQUIRED`
const VERIFY_MODES: Kind = Kind::Range(0, 2);

pub(super) const SETTINGS: &[Setting] = &[
    Setting::new(S, "keyfile", Kind::Text, Default::None)
        .flags(&["--keyfile"])
        .metavar("FILE")
        .help("Key for TLS")
        .reach(MISSING),
    Setting::new(S, "certfile", Kind::Text, Default::None)
        .flags(&["--certfile"])
        .metavar("FILE")
        .help("Certificate for TLS")
        .reach(MISSING),
    Setting::new(S, "ssl_version", Kind::Anything, Default::Int(ANY_VERSION))
        .flags(&["--ssl-version"])
        .metavar("VERSION")
        .help("Version of TLS; a context from the hook ssl_context says it better")
        .reach(Reach::Inert("gunicorn has given it up too")),
    Setting::new(S, "cert_reqs", VERIFY_MODES, Default::Int(0))
        .flags(&["--cert-reqs"])
        .metavar("MODE")
        .help("Whether clients show a certificate: 0 for no, 1 if they have one, 2 for yes")
        .reach(WITHOUT),
    Setting::new(S, "ca_certs", Kind::Text, Default::None)
        .flags(&["--ca-certs"])
        .metavar("FILE")
        .help("Authorities whose word for clients' certificates is taken")
        .reach(WITHOUT),
    Setting::new(S, "suppress_ragged_eofs", Kind::Bool, Default::Bool(true))
        .flags(&["--suppress-ragged-eofs"])
        .help("Take the end of a connection for the end of TLS, announced or not")
        .reach(WITHOUT),
    Setting::new(
        S,
        "do_handshake_on_connect",
        Kind::Bool,
        Default::Bool(false),
    )
    .flags(&["--do-handshake-on-connect"])
    .help("Shake hands as soon as a client is connected, and not when it first sends")
    .reach(WITHOUT),
    Setting::new(S, "ciphers", Kind::Text, Default::None)
        .flags(&["--ciphers"])
        .metavar("CIPHERS")
        .help("Ciphers for TLS, in OpenSSL's notation")
        .reach(WITHOUT),
];
