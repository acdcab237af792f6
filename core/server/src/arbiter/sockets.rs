//! The arbiter's listening sockets, and how they change with the configuration.
//!
//! With `reuse_port` an address has as many sockets as there are workers at the start. Every worker
//! takes connections from all of them, and the arbiter keeps them: what waits in one is never reset
//! because some worker is busy, or gone.

use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::config::{Address, Config};
use crate::error::Failure;
use crate::sock::{BindOptions, Inherited, Listener, bind, twin};

/// An address in use may be about to be let go: by a server that is being replaced.
const TRIES: u32 = 5;
const BETWEEN_TRIES: Duration = Duration::from_millis(400);

/// The most sockets of one address.
const TWINS_AT_MOST: usize = 64;

fn options(config: &Config) -> BindOptions {
    BindOptions {
        backlog: config.backlog,
        umask: config.umask,
        owner: (config.user, config.group),
        reuse_port: config.reuse_port,
    }
}

/// Takes over what the process was given at its start.
pub(super) fn inherit(
    config: &Config,
    inherited: &mut Inherited,
) -> Result<Vec<Arc<Listener>>, Failure> {
    let listeners = inherited.listeners(&config.bind, &options(config))?;
    Ok(listeners.into_iter().map(Arc::new).collect())
}

/// Listens on every address of a configuration. Sockets that are listening already, for the same
/// address, are kept; nothing is changed about them, so that a failure changes nothing at all.
pub(super) fn open(
    config: &Config,
    present: &[Arc<Listener>],
) -> Result<Vec<Arc<Listener>>, Failure> {
    let mut opened: Vec<Arc<Listener>> = Vec::with_capacity(config.bind.len());
    for address in &config.bind {
        match listen_on(address, config, present) {
            Ok(listeners) => opened.extend(listeners),
            Err(failure) => {
                let_go(&opened, present);
                return Err(failure.from_origin(config.settings.source("bind").to_string()));
            }
        }
    }
    Ok(opened)
}

/// The sockets of one address: those there are, or new ones.
fn listen_on(
    address: &Address,
    config: &Config,
    present: &[Arc<Listener>],
) -> Result<Vec<Arc<Listener>>, Failure> {
    let its = present
        .iter()
        .filter(|listener| listener.address == *address);
    let kept: Vec<_> = its.map(Arc::clone).collect();
    if !kept.is_empty() {
        return Ok(kept);
    }
    let options = options(config);
    let mut listeners = vec![bind_patiently(address, &options)?];
    let has_twins = config.reuse_port && matches!(address, Address::Tcp { .. });
    let count = if has_twins { config.workers } else { 1 };
    while listeners.len() < count.min(TWINS_AT_MOST) {
        listeners.push(Arc::new(twin(&listeners[0], &options)?));
    }
    Ok(listeners)
}

fn bind_patiently(address: &Address, options: &BindOptions) -> Result<Arc<Listener>, Failure> {
    let mut tries = 1;
    loop {
        match bind(address, options) {
            Ok(listener) => return Ok(Arc::new(listener)),
            Err(failure) if tries == TRIES || !failure.to_string().contains("in use") => {
                return Err(failure);
            }
            Err(failure) => {
                log::debug!("{failure}; trying again");
                thread::sleep(BETWEEN_TRIES);
                tries += 1;
            }
        }
    }
}

/// Lets go of the sockets that are in `old` and not in `new`.
pub(super) fn let_go(old: &[Arc<Listener>], new: &[Arc<Listener>]) {
    for listener in old {
        if !new.iter().any(|kept| Arc::ptr_eq(kept, listener)) {
            listener.remove_file();
        }
    }
}

/// Keeps new connections out of the queues of sockets that nobody will listen on any more. One that
/// was given to this process may be another's too.
pub(super) fn turn_newcomers_away(listeners: &[Arc<Listener>]) {
    for listener in listeners {
        if !matches!(listener.address, Address::Fd(_)) {
            // Without it, a client that comes at the very end may be reset.
            let _ = listener.turn_newcomers_away();
        }
    }
}

/// Whether these are not the same sockets.
pub(super) fn differ(one: &[Arc<Listener>], other: &[Arc<Listener>]) -> bool {
    one.len() != other.len() || one.iter().zip(other).any(|(a, b)| !Arc::ptr_eq(a, b))
}

/// The sockets' URLs and descriptors.
pub(super) fn show(listeners: &[Arc<Listener>]) -> Vec<(String, i32)> {
    listeners
        .iter()
        .map(|listener| (listener.local.url(), listener.as_fd().as_raw_fd()))
        .collect()
}
