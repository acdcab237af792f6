//! The atoms of the access format: what each letter stands for.

/// One atom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Atom {
    /// `h`: the client's address.
    Client,
    /// `l`: always `-`.
    Ident,
    /// `u`: the user name of Basic authentication.
    User,
    /// `t`: the time of the line.
    Time,
    /// `r`: the request line.
    RequestLine,
    /// `m`: the method.
    Method,
    /// `U`: the path, decoded.
    Path,
    /// `q`: the query.
    Query,
    /// `H`: the protocol.
    Protocol,
    /// `s`: the status code.
    Status,
    /// `B`: bytes of content, a number.
    Bytes,
    /// `b`: bytes of content, as text.
    BytesText,
    /// `f`: the referer.
    Referer,
    /// `a`: the user agent.
    UserAgent,
    /// `T`: whole seconds.
    Seconds,
    /// `M`: milliseconds.
    Milliseconds,
    /// `D`: microseconds.
    Microseconds,
    /// `L`: seconds with six decimals.
    DecimalSeconds,
    /// `p`: the process id in angle brackets.
    Pid,
    /// `{name}i`: a request header.
    RequestHeader(String),
    /// `{name}o`: a header of the answer.
    ResponseHeader(String),
    /// `{name}e`: an environ key, in small letters.
    Environ(String),
}

impl Atom {
    /// The atom of this name, which stands between the parentheses.
    pub(super) fn find(name: &str) -> Option<Self> {
        if let Some(rest) = name.strip_prefix('{') {
            let (inner, kind) = rest.rsplit_once('}')?;
            let inner = inner.to_lowercase();
            return match kind {
                "i" => Some(Self::RequestHeader(inner)),
                "o" => Some(Self::ResponseHeader(inner)),
                "e" => Some(Self::Environ(inner)),
                _ => None,
            };
        }
        Some(match name {
            "h" => Self::Client,
            "l" => Self::Ident,
            "u" => Self::User,
            "t" => Self::Time,
            "r" => Self::RequestLine,
            "m" => Self::Method,
            "U" => Self::Path,
            "q" => Self::Query,
            "H" => Self::Protocol,
            "s" => Self::Status,
            "B" => Self::Bytes,
            "b" => Self::BytesText,
            "f" => Self::Referer,
            "a" => Self::UserAgent,
            "T" => Self::Seconds,
            "M" => Self::Milliseconds,
            "D" => Self::Microseconds,
            "L" => Self::DecimalSeconds,
            "p" => Self::Pid,
            _ => return None,
        })
    }

    /// Whether its value is a number, which `%d` asks for.
    pub(super) fn is_number(&self) -> bool {
        matches!(
            self,
            Self::Bytes | Self::Seconds | Self::Milliseconds | Self::Microseconds
        )
    }

    /// The entries of `environ` that it shows.
    pub(super) fn entries(&self) -> &'static [&'static str] {
        match self {
            Self::Client => &["REMOTE_ADDR"],
            Self::User => &["HTTP_AUTHORIZATION"],
            Self::RequestLine => &["REQUEST_METHOD", "RAW_URI", "SERVER_PROTOCOL"],
            Self::Method => &["REQUEST_METHOD"],
            Self::Path => &["PATH_INFO"],
            Self::Query => &["QUERY_STRING"],
            Self::Protocol => &["SERVER_PROTOCOL"],
            Self::Referer => &["HTTP_REFERER"],
            Self::UserAgent => &["HTTP_USER_AGENT"],
            _ => &[],
        }
    }

    /// Whether it says how long the request took.
    pub(super) fn is_duration(&self) -> bool {
        matches!(
            self,
            Self::Seconds | Self::Milliseconds | Self::Microseconds | Self::DecimalSeconds
        )
    }
}
