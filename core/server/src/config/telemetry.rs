//! Where a syslog and a statsd are, as settings write it.

use crate::unix_name::UnixName;

/// Where a syslog listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyslogAddress {
    /// `udp://HOST:PORT`
    Udp(String, u16),
    /// `tcp://HOST:PORT`
    Tcp(String, u16),
    /// `unix://PATH#dgram`
    UnixDatagram(UnixName),
    /// `unix://PATH#stream`
    UnixStream(UnixName),
    /// `unix://PATH`: whichever of the two it is.
    Unix(UnixName),
}

impl SyslogAddress {
    /// Reads an address; what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix://") {
            let (path, kind) = path.split_once('#').unwrap_or((path, ""));
            let name = UnixName::parse(path).ok_or_else(|| format!("'{text}' names no path"))?;
            return match kind {
                "" => Ok(Self::Unix(name)),
                "dgram" => Ok(Self::UnixDatagram(name)),
                "stream" => Ok(Self::UnixStream(name)),
                _ => Err(format!("'#{kind}' is neither #dgram nor #stream")),
            };
        }
        let (is_tcp, address) = match (text.strip_prefix("tcp://"), text.strip_prefix("udp://")) {
            (Some(address), _) => (true, address),
            (_, Some(address)) => (false, address),
            _ => {
                return Err(format!(
                    "'{text}' begins with none of udp://, tcp:// and unix://"
                ));
            }
        };
        let (host, port) = host_and_port(address, 514)?;
        Ok(if is_tcp {
            Self::Tcp(host, port)
        } else {
            Self::Udp(host, port)
        })
    }
}

/// What is sent to a syslog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Syslog {
    /// Where it listens.
    pub address: SyslogAddress,
    /// The facility's number (RFC 5424 section 6.2.1).
    pub facility: u8,
    /// The site's name in its lines.
    pub name: String,
    /// Access lines are sent too.
    pub access: bool,
}

/// The number of a facility.
pub(super) fn facility(name: &str) -> Option<u8> {
    let name = name.to_ascii_lowercase();
    if let Some(number) = name.strip_prefix("local") {
        let number: u8 = number.parse().ok()?;
        return (number < 8).then_some(16 + number);
    }
    Some(match name.as_str() {
        "kern" => 0,
        "user" => 1,
        "mail" => 2,
        "daemon" => 3,
        "auth" | "security" => 4,
        "syslog" => 5,
        "lpr" => 6,
        "news" => 7,
        "uucp" => 8,
        "cron" => 9,
        "authpriv" => 10,
        "ftp" => 11,
        _ => return None,
    })
}

/// Where a statsd listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatsdAddress {
    /// `HOST` or `HOST:PORT`
    Udp(String, u16),
    /// `unix://PATH`
    Unix(UnixName),
}

impl StatsdAddress {
    /// Reads an address; what is wrong with it. As gunicorn has it, `unix:8125` is a host by that name.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text.strip_prefix("unix://") {
            Some(path) => UnixName::parse(path)
                .map(Self::Unix)
                .ok_or_else(|| format!("'{text}' names no path")),
            None => {
                let (host, port) = host_and_port(text, 8125)?;
                Ok(Self::Udp(host, port))
            }
        }
    }
}

/// What is sent to a statsd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statsd {
    /// Where it listens.
    pub address: StatsdAddress,
    /// Stands before each name; ends with a dot unless it is empty.
    pub prefix: String,
    /// Tags, separated by commas.
    pub tags: String,
}

/// A prefix with one dot at its end.
pub(super) fn prefix(text: &str) -> String {
    match text.trim_end_matches('.') {
        "" => String::new(),
        prefix => format!("{prefix}."),
    }
}

fn host_and_port(text: &str, default: u16) -> Result<(String, u16), String> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    if text.contains('@') {
        return Err("a user and a password have no place in it".to_owned());
    }
    if host.is_empty() {
        return Err(format!("'{text}' names no host"));
    }
    let port = port.map_or(Ok(default), |port| {
        port.parse()
            .map_err(|_| format!("'{port}' is not a port, a number from 1 to 65535"))
    })?;
    Ok((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syslogs_addresses_are_read() {
        for (text, address) in [
            (
                "udp://localhost:514",
                SyslogAddress::Udp("localhost".into(), 514),
            ),
            ("tcp://[::1]:601", SyslogAddress::Tcp("::1".into(), 601)),
            ("udp://logs", SyslogAddress::Udp("logs".into(), 514)),
            ("unix:///dev/log", SyslogAddress::Unix("/dev/log".into())),
            ("unix:///l#dgram", SyslogAddress::UnixDatagram("/l".into())),
            ("unix:///l#stream", SyslogAddress::UnixStream("/l".into())),
        ] {
            assert_eq!(SyslogAddress::parse(text), Ok(address), "{text}");
        }
        for text in [
            "localhost:514",
            "unix://",
            "unix:///l#x",
            "udp://h:port",
            "tcp://:1",
        ] {
            assert!(SyslogAddress::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn statsds_addresses_are_read() {
        let udp = |host: &str, port| Ok(StatsdAddress::Udp(host.into(), port));
        assert_eq!(StatsdAddress::parse("stats"), udp("stats", 8125));
        assert_eq!(StatsdAddress::parse("unix:99"), udp("unix", 99));
        assert_eq!(
            StatsdAddress::parse("unix:///run/s"),
            Ok(StatsdAddress::Unix("/run/s".into()))
        );
        assert_eq!(
            (prefix("a."), prefix("a..b"), prefix("")),
            ("a.".into(), "a..b.".into(), String::new())
        );
    }
}
