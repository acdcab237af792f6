//! What a peer can do wrong, and the status each mistake suggests.
//!
//! Every variant is the peer's fault: nothing here is caused by the application, the operator or
//! this crate. The status is a hint; whether it is sent depends on how far the answer has gone.

use crate::status::Status;

/// A rule of the protocol, or a limit, that the peer's bytes break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// RFC 9112 section 2.2: a line ended in LF alone.
    #[error("a line ends in LF without CR")]
    BareLineFeed,
    /// RFC 9112 section 3: not exactly three parts.
    #[error("the request line is not 'METHOD target HTTP/x.y'")]
    InvalidRequestLine,
    /// Longer than `limit_request_line`.
    #[error("the request line is longer than {0} bytes (limit_request_line)")]
    RequestLineTooLong(usize),
    /// RFC 9110 section 9.1, narrowed to the conventional alphabet and length.
    #[error("the method is not valid")]
    InvalidMethod,
    /// RFC 9112 section 3.2.
    #[error("the request target is not valid")]
    InvalidTarget,
    /// RFC 9112 section 2.3.
    #[error("the HTTP version is not one this server speaks")]
    InvalidVersion,
    /// More fields than `limit_request_fields`.
    #[error("more than {0} header fields (limit_request_fields)")]
    TooManyFields(usize),
    /// A field longer than `limit_request_field_size`.
    #[error("a header field is longer than {0} bytes (limit_request_field_size)")]
    FieldTooLong(usize),
    /// RFC 9110 section 5.1: the name is not a token.
    #[error("a header field name is not valid")]
    InvalidFieldName,
    /// RFC 9110 section 5.5: the value holds a control character.
    #[error("a header field value is not valid")]
    InvalidFieldValue,
    /// RFC 9112 section 5.2, unless `permit_obsolete_folding`.
    #[error("a header field is folded over several lines")]
    ObsoleteFolding,
    /// RFC 9112 section 3.2, unless `permit_missing_host`.
    #[error("an HTTP/1.1 request without a Host field")]
    MissingHost,
    /// RFC 9112 section 3.2: neither a name nor an address, with or without a port.
    #[error("the Host field does not name a host")]
    InvalidHost,
    /// A field that may stand once stands twice.
    #[error("more than one {0} field")]
    DuplicateField(&'static str),
    /// RFC 9112 section 6.3.
    #[error("the Content-Length is not a number")]
    InvalidContentLength,
    /// RFC 9112 section 6.1: chunked is not last, or stands twice.
    #[error("the Transfer-Encoding does not end in a single 'chunked'")]
    InvalidTransferEncoding,
    /// RFC 9112 section 6.1: a coding this server does not know.
    #[error("the Transfer-Encoding names a coding this server does not know")]
    UnknownTransferCoding,
    /// RFC 9112 section 6.1: both framings at once, the shape of a smuggling attempt.
    #[error("both Content-Length and Transfer-Encoding")]
    LengthAndChunked,
    /// RFC 9112 section 6.1.
    #[error("Transfer-Encoding in an HTTP/1.0 request")]
    TransferEncodingInHttp10,
    /// RFC 9110 section 10.1.1.
    #[error("an Expect other than 100-continue")]
    UnknownExpectation,
    /// RFC 9112 section 7.1: the size is not hexadecimal, or too large.
    #[error("a chunk size is not valid")]
    InvalidChunkSize,
    /// RFC 9112 section 7.1.1.
    #[error("a chunk extension is not valid")]
    InvalidChunkExtension,
    /// RFC 9112 section 7.1: the data is not followed by CRLF.
    #[error("a chunk is not followed by CRLF")]
    InvalidChunkEnd,
    /// A chunk size line longer than `limit_request_field_size`.
    #[error("a chunk size line is longer than {0} bytes (limit_request_field_size)")]
    ChunkLineTooLong(usize),
    /// RFC 9110 section 6.5.1: a field that must not be sent as a trailer.
    #[error("a field that must not stand in the trailers")]
    ForbiddenTrailer,
    /// The trailer block is longer than the limits on fields allow.
    #[error(
        "the trailers are longer than {0} bytes (limit_request_fields, limit_request_field_size)"
    )]
    TrailersTooLong(usize),
    /// The connection ended inside a body.
    #[error("the connection ended before the body was complete")]
    BodyCutShort,
    /// Two trusted scheme fields that contradict each other (`secure_scheme_headers`).
    #[error("the fields that tell the scheme contradict each other")]
    ConflictingSchemes,
    /// `header_map = refuse` and a name with an underscore.
    #[error("a header field name holds an underscore (header_map = refuse)")]
    UnderscoreInFieldName,
    /// A trusted `SCRIPT_NAME` that is not the beginning of the path.
    #[error("the path does not begin with SCRIPT_NAME")]
    ScriptNameMismatch,
    /// A PROXY header from an address outside `proxy_allow_ips`.
    #[error("a PROXY header from an address outside proxy_allow_ips")]
    ProxyNotAllowed,
    /// A PROXY header that breaks the PROXY protocol.
    #[error("the PROXY header is not valid")]
    InvalidProxyHeader,
    /// The head did not arrive in time.
    #[error("the request head did not arrive in time")]
    HeadTimeout,
    /// The body did not arrive in time.
    #[error("the request body did not arrive in time")]
    BodyTimeout,
}

impl PeerError {
    /// The status that tells the peer what it did wrong.
    #[must_use]
    pub fn status(self) -> Status {
        match self {
            Self::RequestLineTooLong(_) => Status::URI_TOO_LONG,
            Self::TooManyFields(_) | Self::FieldTooLong(_) | Self::TrailersTooLong(_) => {
                Status::HEADER_FIELDS_TOO_LARGE
            }
            Self::UnknownTransferCoding => Status::NOT_IMPLEMENTED,
            Self::UnknownExpectation => Status::EXPECTATION_FAILED,
            Self::ProxyNotAllowed => Status::FORBIDDEN,
            Self::HeadTimeout | Self::BodyTimeout => Status::REQUEST_TIMEOUT,
            _ => Status::BAD_REQUEST,
        }
    }
}
