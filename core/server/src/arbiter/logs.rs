//! The logs as a configuration wants them.

use std::fs;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::libc;
use nix::unistd::{AccessFlags, Uid, access as access_to};

use super::host::Generation;
use crate::access::{Exclude, Format};
use crate::config::{AccessSink, Address, Config, Maker, StatsdAddress, SyslogAddress};
use crate::error::{Blame, Failure};
use crate::log::{self, Options, Owner, Target, statsd, syslog};
use crate::plugin;
use crate::safe_path::append;

/// What can be checked of a configuration without binding a socket, and is not checked by its
/// settings' kinds.
///
/// # Errors
/// The setting, and what is wrong with it.
pub fn check(generation: &Generation) -> Result<(), Failure> {
    let config = &generation.config;
    let logging = &config.logging;
    plugin::check_logs(config, &generation.plugins)?;
    if logging.formats_natively() {
        Format::compile(&logging.access_format).map_err(|invalid| {
            config
                .settings
                .complain("access_log_format", invalid)
                .mend("docs/logs.md lists the atoms and the presets")
        })?;
    }
    foreign(config)?;
    check_files(config)?;
    let patterns = logging.access_exclude.iter().map(String::as_str);
    Exclude::compile(patterns).map_err(|invalid| {
        config
            .settings
            .complain("access_log_exclude", invalid)
            .mend("give paths such as '/health', or patterns such as '/static/*'")
    })?;
    Ok(())
}

/// Opens the logs that a configuration names.
///
/// # Errors
/// A file that cannot be written, a host that is not known, a plugin's logger that cannot be opened.
/// What was open before stays in use.
pub fn open_logs(generation: &Generation) -> Result<(), Failure> {
    let config = &generation.config;
    let logging = &config.logging;
    // A logger in Python has its own files and sockets.
    let own = logging.logger != Maker::Gateway;
    let statsd = if own { statsd(config) } else { Ok(None) };
    let options = Options {
        errors: logging
            .errorlog
            .as_deref()
            .map_or(Target::Stderr, file_or_stream),
        access: own
            .then_some(logging.accesslog.as_ref())
            .flatten()
            .map(|sink| match sink {
                AccessSink::Stdout => Target::Stdout,
                AccessSink::File(path) => file_or_stream(path),
            }),
        level: logging.level,
        foreign: foreign(config)?,
        owner: owner(config),
        syslog: own.then(|| syslog(config)).transpose()?.flatten(),
        statsd: statsd.as_ref().ok().cloned().flatten(),
    };
    let refused = |what: String| {
        let is_access = matches!(&options.access, Some(Target::File(path)) if what.contains(&path.display().to_string()));
        let setting = match (&options.foreign, is_access) {
            (Some(_), _) => "logconfig",
            (None, true) => "accesslog",
            (None, false) => "errorlog",
        };
        Failure::operator(format!("setting '{setting}': {what}"))
            .from_origin(config.settings.source(setting).to_string())
            .mend("give a path this user may write")
    };
    log::install(&options).map_err(|error| refused(error.to_string()))?;
    if let Err(failure) = statsd {
        ::log::warn!("{failure}; no metrics are sent");
    }
    if logging.capture_output {
        log::capture_output().map_err(|error| {
            Failure::new(
                Blame::Environment,
                format!("cannot capture the output: {error}"),
            )
        })?;
    }
    plugin::relay_logs(config, &generation.plugins)
}

/// The files of the logs, with the settings that name them.
fn files(config: &Config) -> impl Iterator<Item = (&'static str, PathBuf)> {
    let logging = &config.logging;
    let access = match &logging.accesslog {
        Some(AccessSink::File(path)) => Some(path),
        _ => None,
    };
    let named = [
        ("errorlog", logging.errorlog.as_ref()),
        ("accesslog", access),
    ];
    named
        .into_iter()
        .filter_map(|(setting, path)| match file_or_stream(path?) {
            Target::File(path) => Some((setting, path)),
            _ => None,
        })
}

/// Finds out what opening the logs would find, as far as that makes nothing.
pub(super) fn rehearse(config: &Config) -> Result<(), Failure> {
    if config.logging.logger != Maker::Gateway {
        syslog(config)?;
    }
    for (setting, path) in files(config) {
        // A pipe's reader would take the end of this for the log's.
        let is_pipe = |about: fs::Metadata| about.file_type().is_fifo();
        if let (Ok(target), Some(folder), false) =
            (fs::read_link(&path), path.parent(), path.exists())
        {
            check_folder(&folder.join(target), AccessFlags::W_OK)
                .map_err(|error| no_place(config, setting, ("write the log", &path), error))?;
        } else if path.metadata().is_ok_and(|about| !is_pipe(about)) {
            append(&path).map_err(|error| {
                let errno = Errno::from_raw(error.raw_os_error().unwrap_or(libc::EACCES));
                no_place(config, setting, ("write the log", &path), errno)
            })?;
        }
    }
    Ok(())
}

/// Looks whether the files can be written, and makes none.
fn check_files(config: &Config) -> Result<(), Failure> {
    for (setting, path) in files(config) {
        let place = if path.exists() {
            Some(path.as_path())
        } else {
            path.parent()
        };
        let allowed = place.map_or(Ok(()), |place| access_to(place, AccessFlags::W_OK));
        allowed.map_err(|error| no_place(config, setting, ("write the log", &path), error))?;
    }
    for address in &config.bind {
        if let Address::Unix(name) = address
            && let Some(path) = name.path()
        {
            // Whoever has bound it for this server may write there: it need not be this user.
            check_folder(path, AccessFlags::F_OK)
                .map_err(|error| no_place(config, "bind", ("listen on", path), error))?;
        }
    }
    config.pidfile.as_deref().map_or(Ok(()), |path| {
        check_folder(path, AccessFlags::W_OK)
            .map_err(|error| no_place(config, "pidfile", ("write the pidfile", path), error))
    })
}

/// Looks at the folder that a file is to be made in. Those of services, under `/run`, are made when
/// the service starts (`RuntimeDirectory` of systemd), and need not be there before.
fn check_folder(path: &Path, needs: AccessFlags) -> nix::Result<()> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let Some(folder) = path.parent() else {
        return Ok(());
    };
    match access_to(folder, needs) {
        Err(Errno::ENOENT) if path.starts_with("/run") || path.starts_with("/var/run") => Ok(()),
        looked => looked,
    }
}

pub(super) fn no_place(
    config: &Config,
    setting: &str,
    what: (&str, &Path),
    error: Errno,
) -> Failure {
    let (wish, path) = (what.0, what.1.display());
    let what = format!("cannot {wish} {path}: {}", error.desc());
    Failure::operator(format!("setting '{setting}': {what}"))
        .from_origin(config.settings.source(setting).to_string())
        .mend("give a path this user may write")
}

fn foreign(config: &Config) -> Result<Option<log::Foreign>, Failure> {
    let read = config.logging.log4rs.as_deref().map(log::Foreign::read);
    read.transpose().map_err(|what| {
        config
            .settings
            .complain("logconfig", what)
            .mend("see docs/logs.md for what a log4rs file may hold")
    })
}

/// Paths of standard streams stand for these: where they are sockets they cannot be opened by path.
fn file_or_stream(path: &Path) -> Target {
    match path.to_str() {
        Some("/dev/stdout" | "/dev/fd/1" | "/proc/self/fd/1") => Target::Stdout,
        Some("/dev/stderr" | "/dev/fd/2" | "/proc/self/fd/2") => Target::Stderr,
        // A worker whose application changes the directory opens the same file again.
        _ => Target::File(std::path::absolute(path).unwrap_or_else(|_| path.to_owned())),
    }
}

/// The user that workers become, where this process may give files away.
fn owner(config: &Config) -> Option<Owner> {
    let owner = Owner {
        user: config.user,
        group: config.group,
    };
    let is_other =
        owner.user.is_some_and(|user| user != 0) || owner.group.is_some_and(|group| group != 0);
    (Uid::effective().is_root() && is_other).then_some(owner)
}

fn syslog(config: &Config) -> Result<Option<syslog::Options>, Failure> {
    let Some(given) = &config.logging.syslog else {
        return Ok(None);
    };
    let hosts = |host: &str, port| resolve(config, "syslog_addr", host, port);
    use syslog::Address::{Tcp, Udp, UnixDatagram, UnixStream};
    let addresses = match &given.address {
        SyslogAddress::Udp(host, port) => hosts(host, *port)?.into_iter().map(Udp).collect(),
        SyslogAddress::Tcp(host, port) => hosts(host, *port)?.into_iter().map(Tcp).collect(),
        SyslogAddress::UnixDatagram(path) => vec![UnixDatagram(path.clone())],
        SyslogAddress::UnixStream(path) => vec![UnixStream(path.clone())],
        SyslogAddress::Unix(path) => vec![UnixDatagram(path.clone()), UnixStream(path.clone())],
    };
    Ok(Some(syslog::Options {
        addresses,
        facility: given.facility,
        name: given.name.clone(),
        access: given.access,
    }))
}

/// Without a statsd whose host is not known the server starts all the same: a site is worth more than
/// its metrics.
fn statsd(config: &Config) -> Result<Option<statsd::Options>, Failure> {
    let Some(given) = &config.logging.statsd else {
        return Ok(None);
    };
    let address = match &given.address {
        StatsdAddress::Unix(path) => statsd::Address::Unix(path.clone()),
        StatsdAddress::Udp(host, port) => {
            statsd::Address::Udp(resolve(config, "statsd_host", host, *port)?[0])
        }
    };
    Ok(Some(statsd::Options {
        address,
        prefix: given.prefix.clone(),
        tags: given.tags.clone(),
    }))
}

/// The addresses of a host, at least one. Those of IPv4 come first: that is where a syslog or a
/// statsd on this machine listens.
fn resolve(
    config: &Config,
    setting: &str,
    host: &str,
    port: u16,
) -> Result<Vec<SocketAddr>, Failure> {
    let found = (host, port).to_socket_addrs().map(Iterator::collect);
    let mut found: Vec<SocketAddr> =
        found.map_err(|error| unknown(config, setting, host, &error.to_string()))?;
    found.sort_by_key(SocketAddr::is_ipv6);
    if found.is_empty() {
        return Err(unknown(config, setting, host, "it has no address"));
    }
    Ok(found)
}

fn unknown(config: &Config, setting: &str, host: &str, why: &str) -> Failure {
    config
        .settings
        .complain(
            setting,
            format_args!("the host '{host}' is not known: {why}"),
        )
        .mend("give a host that can be resolved, or its address")
}
