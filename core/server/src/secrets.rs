//! What may be a secret, by its name and by its looks: wherever settings are shown, it is not.

use std::ops::Range;
use std::sync::LazyLock;

use regex_automata::meta::Regex;

/// What stands in the place of a secret.
pub const HIDDEN: &str = "***";

/// Parts of names, wherever they stand.
const TELLING: &str = "passw(?:or)?d|passphrase|secret|token|credential|api[-_.]?key|access[-_.]?key|\
    private[-_.]?key|auth[-_.]?key|signing[-_.]?key";

/// Names that tell as a whole word of a name.
const WORDS: [&str; 16] = [
    "auth",
    "authorization",
    "bearer",
    "cookie",
    "cookies",
    "dsn",
    "jwt",
    "key",
    "keys",
    "pass",
    "pw",
    "pwd",
    "salt",
    "sid",
    "sig",
    "signature",
];

/// What looks like a secret in a text: the groups are what is hidden.
static SHAPES: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let quoted = r#""((?:[^"\\]|\\.)+)"|'((?:[^'\\]|\\.)+)'"#;
    let bare = r#"([^\s,;&)\]}'"%${\[(][^\s,;&)\]}'"]*)"#;
    let name =
        format!(r"[\w.-]*(?:{TELLING})[\w.-]*|pwd|[a-z0-9]+[-_](?:key|pass|pwd|auth|salt|sig)");
    let shapes = [
        // A user and a password in front of a host; the password may hold what it should not.
        r#"://[^\s'"/?#:@]*:([^\s'"/?#]*)@"#.to_owned(),
        r#"://[^\s'"/?#:@\[]*:([^\s'"/?#@,]*[^\s'"/?#@,0-9][^\s'"/?#@,]*[/?#][^\s'",]*)@"#
            .to_owned(),
        r#"(?i:https?|wss?)://([^\s'"/?#:@]+)@"#.to_owned(),
        r"://([A-Za-z0-9_-]{20,})@".to_owned(),
        r#"(?:^|[\s'"=,(])[^\s'":/@=,(]+:([^\s'"/@]+)@[^\s@]"#.to_owned(),
        // A name that tells, and its value.
        format!(r#"(?i)\b(?:{name})["']?\]?\s*(?:=>?|:)\s*(?:{quoted})"#),
        format!(r#"(?i)\b(?:{name})(?:\s*=>?\s*|:){bare}"#),
        format!(r#"(?i)[?&](?:auth|code|key|pass|pw|sid|sig|signature)={bare}"#),
        format!(r#"(?i)--[\w-]*(?:{TELLING})[\w-]*\s+(?:{quoted}|{bare})"#),
        r#"(?i)\b(?:proxy-)?authorization["']?\s*[:=,]\s*["']?([^'"\r\n]+)"#.to_owned(),
        r#"(?i)\b(?:set-)?cookie["']?\s*[:=]\s*["']?([^'"\r\n]+)"#.to_owned(),
        r#"(?i)\bx-[\w-]*(?:key|auth)\s*:\s*([^\s'",]+)"#.to_owned(),
        r#"(?i)\bbearer\s+([\w.~+/=-]{6,})"#.to_owned(),
        // What is a secret whatever it is called.
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----([\s\S]+)".to_owned(),
        r"\b(eyJ[\w-]+\.[\w-]+\.[\w-]*)".to_owned(),
        r"\b((?:gh[opsu]_|github_pat_|glpat-|xox[abprs]-|[prs]k[-_])[-_A-Za-z0-9]{16,})".to_owned(),
        r"\b((?:AKIA|ASIA)[A-Z0-9]{12,}|AIza[-_A-Za-z0-9]{30,})".to_owned(),
    ];
    // That each can be compiled is tried out by the tests.
    let compiled = shapes.iter().filter_map(|shape| Regex::new(shape).ok());
    compiled.collect()
});

/// Returns the text without what looks like a secret.
#[must_use]
pub fn without_secrets(text: &str) -> String {
    let mut hidden: Vec<Range<usize>> = Vec::new();
    for shape in &*SHAPES {
        for captures in shape.captures_iter(text) {
            let groups = captures.iter().skip(1).flatten();
            hidden.extend(groups.map(|group| group.range()));
        }
    }
    hidden.sort_by_key(|range| (range.start, std::cmp::Reverse(range.end)));
    let (mut shown, mut at) = (String::with_capacity(text.len()), 0);
    for range in hidden {
        if range.start >= at && !range.is_empty() {
            shown.push_str(&text[at..range.start]);
            shown.push_str(HIDDEN);
        }
        at = at.max(range.end);
    }
    shown.push_str(&text[at..]);
    shown
}

/// Returns true if a name says that its value is a secret, whatever that is made of.
#[must_use]
pub fn is_surely_secret(name: &str) -> bool {
    static TELLS: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(&format!("(?i){TELLING}")).ok());
    TELLS.as_ref().is_none_or(|tells| tells.is_match(name))
}

/// Returns true if a name says that a text or a number under it is a secret.
#[must_use]
pub fn may_be_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let mut words = name.split(|c: char| !c.is_alphanumeric());
    words.any(|word| WORDS.contains(&word)) || is_surely_secret(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_hidden_and_what_is_around_it_is_not() {
        for (text, shown) in [
            (
                "postgres://u:hunter2@h:5432/db",
                "postgres://u:***@h:5432/db",
            ),
            (
                "redis://:hunter2@h/0,redis://:hunter2@i",
                "redis://:***@h/0,redis://:***@i",
            ),
            ("amqp://u:hun@ter2@h", "amqp://u:***@h"),
            ("amqp://u:hun/ter2@h", "amqp://u:***@h"),
            (
                "https://hunter2@sentry.example/1",
                "https://***@sentry.example/1",
            ),
            ("u:hunter2@h:8125", "u:***@h:8125"),
            (
                "host=h password=hunter2 user=u",
                "host=h password=*** user=u",
            ),
            ("Server=h;Pwd=hunter2;Uid=u", "Server=h;Pwd=***;Uid=u"),
            ("password = 'hunter 2' x", "password = '***' x"),
            (r#"{"db_password": "hunter2"}"#, r#"{"db_password": "***"}"#),
            (
                "{'secret-key': 'hunter2', 'a': 1}",
                "{'secret-key': '***', 'a': 1}",
            ),
            ("token:hunter2,env:x", "token:***,env:x"),
            (
                "app:make(api_key='hunter2', n=3)",
                "app:make(api_key='***', n=3)",
            ),
            ("http://h/?a=1&key=hunter2&b=2", "http://h/?a=1&key=***&b=2"),
            ("x --db-password hunter2 y", "x --db-password *** y"),
            ("x --token=hunter2 y", "x --token=*** y"),
            ("Authorization: Basic aHVudGVyMg==", "Authorization: ***"),
            ("Cookie: a=hunter2; b=hunter2", "Cookie: ***"),
            ("X-Proxy-Key: hunter2", "X-Proxy-Key: ***"),
            ("Bearer hunter2hunter2", "Bearer ***"),
            ("proxy_key=hunter2", "proxy_key=***"),
            ("ghp_0123456789abcdefghij", "***"),
            ("AKIA0123456789ABCDEF", "***"),
            ("eyJhbGciOi.eyJzdWIiOi.hunter2", "***"),
        ] {
            assert_eq!(without_secrets(text), shown, "{text}");
        }
        let pem = "-----BEGIN RSA PRIVATE KEY-----\nhunter2\n";
        assert!(!without_secrets(pem).contains("hunter2"));
        assert_eq!(SHAPES.len(), 17, "all of them can be compiled");
    }

    #[test]
    fn what_is_no_secret_is_shown() {
        for text in [
            "127.0.0.1:8000",
            "unix:/run/user@1000/site.sock",
            "http://[::1]:8000/a@b",
            "udp://localhost:514",
            "ssh://git@example.org/x",
            r#"%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%({authorization}i)s""#,
            "%({cookie}i)s token=%({x-token}i)s",
            "give NAME.KEY=VALUE",
            "'x' is not ID.KEY=VALUE",
            "setting 'keyfile': there is no file '/etc/site.key'",
            "the token: is missing",
            "password_file is not there",
            "app.main:application",
            "X-FORWARDED-PROTO=https",
            "monkey=banana",
        ] {
            assert_eq!(without_secrets(text), text);
        }
    }

    #[test]
    fn names_tell_by_their_words() {
        for name in [
            "Password",
            "DB_PASSWD",
            "client-secret",
            "apiKey",
            "access_token",
        ] {
            assert!(is_surely_secret(name), "{name}");
        }
        for name in ["key", "X-Proxy-Key", "auth", "Cookie", "dsn", "db.pwd"] {
            assert!(may_be_secret(name) && !is_surely_secret(name), "{name}");
        }
        for name in [
            "keyfile",
            "keepalive",
            "author",
            "monkey",
            "formatters",
            "X-FORWARDED-SSL",
        ] {
            assert!(!may_be_secret(name), "{name}");
        }
    }
}
