//! Field names that are met often, or mean something here: a number each, found by length.
//!
//! The number lets the layers above keep a table (an `environ` key for each) and skip the hashing.

macro_rules! known_fields {
    ($($name:ident = $text:literal),+ $(,)?) => {
        /// A field name this crate knows, or `Other`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        #[allow(missing_docs, reason = "each is the field of that name")]
        pub enum Known {
            $($name),+,
            Other,
        }

        impl Known {
            /// Every known name, in the order of their numbers; `Other` is not among them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];
            /// How many there are: the number of `Other`.
            pub const COUNT: usize = Self::ALL.len();

            /// The name in small letters; empty for `Other`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                    Self::Other => "",
                }
            }
        }
    };
}

known_fields! {
    Accept = "accept",
    AcceptCharset = "accept-charset",
    AcceptEncoding = "accept-encoding",
    AcceptLanguage = "accept-language",
    AccessControlRequestHeaders = "access-control-request-headers",
    AccessControlRequestMethod = "access-control-request-method",
    Authorization = "authorization",
    Baggage = "baggage",
    CacheControl = "cache-control",
    CfConnectingIp = "cf-connecting-ip",
    CfIpcountry = "cf-ipcountry",
    CfRay = "cf-ray",
    Connection = "connection",
    ContentEncoding = "content-encoding",
    ContentLanguage = "content-language",
    ContentLength = "content-length",
    ContentType = "content-type",
    Cookie = "cookie",
    Date = "date",
    Dnt = "dnt",
    Expect = "expect",
    Forwarded = "forwarded",
    From = "from",
    Host = "host",
    IfMatch = "if-match",
    IfModifiedSince = "if-modified-since",
    IfNoneMatch = "if-none-match",
    IfRange = "if-range",
    IfUnmodifiedSince = "if-unmodified-since",
    KeepAlive = "keep-alive",
    MaxForwards = "max-forwards",
    Origin = "origin",
    Pragma = "pragma",
    Priority = "priority",
    ProxyAuthorization = "proxy-authorization",
    Range = "range",
    Referer = "referer",
    SecChUa = "sec-ch-ua",
    SecChUaMobile = "sec-ch-ua-mobile",
    SecChUaPlatform = "sec-ch-ua-platform",
    SecFetchDest = "sec-fetch-dest",
    SecFetchMode = "sec-fetch-mode",
    SecFetchSite = "sec-fetch-site",
    SecFetchUser = "sec-fetch-user",
    SecWebsocketExtensions = "sec-websocket-extensions",
    SecWebsocketKey = "sec-websocket-key",
    SecWebsocketProtocol = "sec-websocket-protocol",
    SecWebsocketVersion = "sec-websocket-version",
    Te = "te",
    Traceparent = "traceparent",
    Tracestate = "tracestate",
    Trailer = "trailer",
    TransferEncoding = "transfer-encoding",
    Upgrade = "upgrade",
    UpgradeInsecureRequests = "upgrade-insecure-requests",
    UserAgent = "user-agent",
    Via = "via",
    XAmznTraceId = "x-amzn-trace-id",
    XCsrftoken = "x-csrftoken",
    XForwardedFor = "x-forwarded-for",
    XForwardedHost = "x-forwarded-host",
    XForwardedPort = "x-forwarded-port",
    XForwardedProto = "x-forwarded-proto",
    XForwardedProtocol = "x-forwarded-protocol",
    XForwardedSsl = "x-forwarded-ssl",
    XRealIp = "x-real-ip",
    XRequestId = "x-request-id",
    XRequestStart = "x-request-start",
    XRequestedWith = "x-requested-with",
}

const LONGEST: usize = 32;

/// So many bytes are compared at once.
const IN_A_WORD: usize = size_of::<u64>();

/// For each length, where its names begin in `BY_LENGTH`; the next entry is where they end.
const STARTS: [u8; LONGEST + 2] = {
    let mut starts = [0u8; LONGEST + 2];
    let mut length = 0;
    while length <= LONGEST {
        let mut count = 0u8;
        let mut i = 0;
        while i < Known::COUNT {
            if Known::ALL[i].name().len() == length {
                count += 1;
            }
            i += 1;
        }
        starts[length + 1] = starts[length] + count;
        length += 1;
    }
    starts
};

const BY_LENGTH: [Known; Known::COUNT] = {
    let mut sorted = [Known::Other; Known::COUNT];
    let mut next = STARTS;
    let mut i = 0;
    while i < Known::COUNT {
        let length = Known::ALL[i].name().len();
        sorted[next[length] as usize] = Known::ALL[i];
        next[length] += 1;
        i += 1;
    }
    sorted
};

/// The beginning of each name of `BY_LENGTH`, as `beginning` has it.
const BEGINNINGS: [u64; Known::COUNT] = {
    let mut beginnings = [0u64; Known::COUNT];
    let mut i = 0;
    while i < Known::COUNT {
        beginnings[i] = beginning(BY_LENGTH[i].name().as_bytes());
        i += 1;
    }
    beginnings
};

/// The first bytes of a name, as many as a word has room for, with its letters made small.
const fn beginning(name: &[u8]) -> u64 {
    let mut word = 0u64;
    let mut i = 0;
    while i < name.len() && i < IN_A_WORD {
        word = word << 8 | name[i].to_ascii_lowercase() as u64;
        i += 1;
    }
    word
}

/// As `beginning`, a word at a time.
fn beginning_of(name: &[u8]) -> u64 {
    let halves = name.first_chunk::<4>().zip(name.last_chunk::<4>());
    let word = match (name.first_chunk::<IN_A_WORD>(), halves) {
        (Some(first), _) => u64::from_be_bytes(*first),
        (None, Some((first, last))) => {
            let behind = 8 * (name.len() - first.len());
            u64::from(u32::from_be_bytes(*first)) << behind | u64::from(u32::from_be_bytes(*last))
        }
        (None, None) => return beginning(name),
    };
    small(word)
}

/// Eight bytes with the capital letters among them made small.
const fn small(word: u64) -> u64 {
    const EACH: u64 = u64::MAX / 0xff;
    let low = word & (EACH * 0x7f);
    // The high bit of a byte is set where it is at least `A`, and where it is more than `Z`.
    let from_a = low + EACH * (0x80 - b'A' as u64);
    let beyond_z = low + EACH * (0x80 - b'Z' as u64 - 1);
    let capitals = from_a & !beyond_z & !word & (EACH * 0x80);
    word | capitals >> 2
}

impl Known {
    /// The number of `name`, in letters of either case.
    #[must_use]
    pub fn find(name: &[u8]) -> Self {
        if name.len() > LONGEST {
            return Self::Other;
        }
        let (start, end) = (STARTS[name.len()] as usize, STARTS[name.len() + 1] as usize);
        let sought = beginning_of(name);
        (start..end)
            .filter(|&place| BEGINNINGS[place] == sought)
            .map(|place| BY_LENGTH[place])
            .find(|known| {
                name.len() <= IN_A_WORD
                    || known.name().as_bytes()[IN_A_WORD..].eq_ignore_ascii_case(&name[IN_A_WORD..])
            })
            .unwrap_or(Self::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_name_is_found_in_either_case_and_stands_at_its_number() {
        for (number, &known) in Known::ALL.iter().enumerate() {
            assert_eq!(known as usize, number);
            assert_eq!(Known::find(known.name().as_bytes()), known);
            assert_eq!(
                Known::find(known.name().to_ascii_uppercase().as_bytes()),
                known
            );
        }
        assert_eq!(Known::Other as usize, Known::COUNT);
    }

    #[test]
    fn only_letters_are_made_small() {
        for byte in 0..=255u8 {
            let name = [byte; 8];
            for length in 1..=name.len() {
                assert_eq!(beginning_of(&name[..length]), beginning(&name[..length]));
            }
        }
        let mixed = b"aZ-@[`{\xc1";
        assert_eq!(beginning_of(mixed), beginning(mixed));
    }

    #[test]
    fn other_names_are_other() {
        for name in [
            "",
            "x",
            "hos",
            "hosts",
            "content_length",
            "x-forwarded-for-x",
            &"h".repeat(90),
        ] {
            assert_eq!(Known::find(name.as_bytes()), Known::Other, "{name}");
        }
    }
}
