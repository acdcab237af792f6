//! What a start would be refused for beside what its settings say: looked for without making anything or
//! standing in anybody's way, for whoever only checks a configuration.

use nix::errno::Errno;
use nix::libc;

use super::host::Generation;
use super::logs;
use crate::config::Config;
use crate::error::Failure;
use crate::safe_path::Place;
use crate::sock;

/// Looks for what would keep this user from starting a server with a configuration, as far as it is no
/// matter of the moment: an address that is in use may be the running server's own.
///
/// # Errors
/// The setting, and what is wrong with it.
pub fn rehearse(generation: &Generation) -> Result<(), Failure> {
    let config = &generation.config;
    logs::rehearse(config)?;
    addresses(config)
        .map_err(|failure| failure.from_origin(config.settings.source("bind").to_string()))?;
    pidfile(config)
}

fn addresses(config: &Config) -> Result<(), Failure> {
    let mut spots = Vec::new();
    for address in &config.bind {
        let spot = sock::look(address)?;
        let other = spots.iter().find(|(_, other)| spot.excludes(other));
        if let Some((other, _)) = other.filter(|_| !config.reuse_port) {
            let what = format!("cannot listen on {address} and on {other} at once");
            return Err(Failure::operator(what).mend("leave one of them out"));
        }
        spots.push((address, spot));
    }
    Ok(())
}

/// Looks whether the pidfile's name is free for a file.
fn pidfile(config: &Config) -> Result<(), Failure> {
    let Some(path) = &config.pidfile else {
        return Ok(());
    };
    // The folder has been looked at: a service's own need not be there yet.
    let found = Place::find(path).ok().map(|place| place.look());
    match found {
        Some(Ok(Some(about))) if about.st_mode & libc::S_IFMT == libc::S_IFDIR => {
            let what = ("write the pidfile", path.as_path());
            Err(logs::no_place(config, "pidfile", what, Errno::EISDIR))
        }
        _ => Ok(()),
    }
}
