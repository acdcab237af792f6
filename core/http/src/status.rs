//! Status codes and the reason phrase of each (RFC 9110 section 15).

/// A three-digit status code, 100 to 999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Status(u16);

impl Status {
    /// 200
    pub const OK: Self = Self(200);
    /// 400
    pub const BAD_REQUEST: Self = Self(400);
    /// 403
    pub const FORBIDDEN: Self = Self(403);
    /// 408
    pub const REQUEST_TIMEOUT: Self = Self(408);
    /// 414
    pub const URI_TOO_LONG: Self = Self(414);
    /// 417
    pub const EXPECTATION_FAILED: Self = Self(417);
    /// 431
    pub const HEADER_FIELDS_TOO_LARGE: Self = Self(431);
    /// 500
    pub const INTERNAL_SERVER_ERROR: Self = Self(500);
    /// 501
    pub const NOT_IMPLEMENTED: Self = Self(501);
    /// 503
    pub const SERVICE_UNAVAILABLE: Self = Self(503);
    /// 504
    pub const GATEWAY_TIMEOUT: Self = Self(504);

    /// A status from its number; `None` outside 100 to 999.
    #[must_use]
    pub fn new(code: u16) -> Option<Self> {
        (100..=999).contains(&code).then_some(Self(code))
    }

    /// The number.
    #[must_use]
    pub fn code(self) -> u16 {
        self.0
    }

    /// 1xx: more is to come.
    #[must_use]
    pub fn is_informational(self) -> bool {
        self.0 < 200
    }

    /// RFC 9112 section 6.3: an answer with this status ends after its head.
    #[must_use]
    pub fn forbids_body(self) -> bool {
        self.is_informational() || self.0 == 204 || self.0 == 304
    }

    /// RFC 9110 section 15.3.6: an answer with this status has content of no bytes.
    #[must_use]
    pub fn is_reset(self) -> bool {
        self.0 == 205
    }

    /// RFC 9110 section 8.6: an answer with this status must not carry a Content-Length.
    #[must_use]
    pub fn forbids_length(self) -> bool {
        self.is_informational() || self.0 == 204
    }

    /// The number and the registered phrase; `None` for a number that nobody has registered.
    #[must_use]
    pub fn line(self) -> Option<&'static str> {
        Some(match self.0 {
            100 => "100 Continue",
            101 => "101 Switching Protocols",
            102 => "102 Processing",
            103 => "103 Early Hints",
            200 => "200 OK",
            201 => "201 Created",
            202 => "202 Accepted",
            203 => "203 Non-Authoritative Information",
            204 => "204 No Content",
            205 => "205 Reset Content",
            206 => "206 Partial Content",
            207 => "207 Multi-Status",
            208 => "208 Already Reported",
            226 => "226 IM Used",
            300 => "300 Multiple Choices",
            301 => "301 Moved Permanently",
            302 => "302 Found",
            303 => "303 See Other",
            304 => "304 Not Modified",
            305 => "305 Use Proxy",
            307 => "307 Temporary Redirect",
            308 => "308 Permanent Redirect",
            400 => "400 Bad Request",
            401 => "401 Unauthorized",
            402 => "402 Payment Required",
            403 => "403 Forbidden",
            404 => "404 Not Found",
            405 => "405 Method Not Allowed",
            406 => "406 Not Acceptable",
            407 => "407 Proxy Authentication Required",
            408 => "408 Request Timeout",
            409 => "409 Conflict",
            410 => "410 Gone",
            411 => "411 Length Required",
            412 => "412 Precondition Failed",
            413 => "413 Content Too Large",
            414 => "414 URI Too Long",
            415 => "415 Unsupported Media Type",
            416 => "416 Range Not Satisfiable",
            417 => "417 Expectation Failed",
            418 => "418 I'm a Teapot",
            421 => "421 Misdirected Request",
            422 => "422 Unprocessable Content",
            423 => "423 Locked",
            424 => "424 Failed Dependency",
            425 => "425 Too Early",
            426 => "426 Upgrade Required",
            428 => "428 Precondition Required",
            429 => "429 Too Many Requests",
            431 => "431 Request Header Fields Too Large",
            451 => "451 Unavailable For Legal Reasons",
            500 => "500 Internal Server Error",
            501 => "501 Not Implemented",
            502 => "502 Bad Gateway",
            503 => "503 Service Unavailable",
            504 => "504 Gateway Timeout",
            505 => "505 HTTP Version Not Supported",
            506 => "506 Variant Also Negotiates",
            507 => "507 Insufficient Storage",
            508 => "508 Loop Detected",
            510 => "510 Not Extended",
            511 => "511 Network Authentication Required",
            _ => return None,
        })
    }

    /// The registered phrase, or `Unknown` for a number nobody has registered.
    #[must_use]
    pub fn reason(self) -> &'static str {
        self.line().map_or("Unknown", |line| &line["ddd ".len()..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_named_here_has_its_registered_phrase() {
        for status in [
            Status::OK,
            Status::BAD_REQUEST,
            Status::FORBIDDEN,
            Status::REQUEST_TIMEOUT,
            Status::URI_TOO_LONG,
            Status::EXPECTATION_FAILED,
            Status::HEADER_FIELDS_TOO_LARGE,
            Status::INTERNAL_SERVER_ERROR,
            Status::NOT_IMPLEMENTED,
            Status::SERVICE_UNAVAILABLE,
            Status::GATEWAY_TIMEOUT,
        ] {
            assert_ne!(status.reason(), "Unknown", "{}", status.code());
        }
        for code in 100..=999 {
            if let Some(line) = Status(code).line() {
                assert!(line.starts_with(&format!("{code} ")), "{line}");
            }
        }
    }

    #[test]
    fn only_three_digits_make_a_status() {
        assert_eq!(Status::new(99), None);
        assert_eq!(Status::new(1000), None);
        assert_eq!(Status::new(299).map(Status::reason), Some("Unknown"));
    }

    #[test]
    fn the_answers_without_a_body_are_1xx_204_and_304() {
        let bodiless: Vec<u16> = (100..=999)
            .filter(|&code| Status(code).forbids_body() && code >= 200)
            .collect();
        assert_eq!(bodiless, [204, 304]);
        assert!(Status(101).forbids_body());
        assert!(!Status(304).forbids_length());
    }
}
