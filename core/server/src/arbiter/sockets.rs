//! The arbiter's listening sockets, and how they change with the configuration.

use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::config::{Address, Config};
use crate::error::Failure;
use crate::sock::{BindOptions, Listener, bind};

/// An address in use may be about to be let go: by a server that is being replaced.
const TRIES: u32 = 5;
const BETWEEN_TRIES: Duration = Duration::from_millis(400);

/// Listens on every address of a configuration. Sockets that are listening already, for the same
/// address, are kept; nothing is changed about them, so that a failure changes nothing at all.
pub(super) fn open(
    config: &Config,
    present: &[Arc<Listener>],
) -> Result<Vec<Arc<Listener>>, Failure> {
    let options = BindOptions {
        backlog: config.backlog,
        umask: config.umask,
        owner: (config.user, config.group),
    };
    let mut opened: Vec<Arc<Listener>> = Vec::with_capacity(config.bind.len());
    for address in &config.bind {
        let kept = present
            .iter()
            .find(|listener| listener.address == *address)
            .map(Arc::clone);
        let listener = kept.map_or_else(|| bind_patiently(address, &options), Ok);
        match listener {
            Ok(listener) => opened.push(listener),
            Err(failure) => {
                close_new(&opened, present);
                return Err(failure.from_origin(config.settings.source("bind").to_string()));
            }
        }
    }
    Ok(opened)
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

fn close_new(opened: &[Arc<Listener>], present: &[Arc<Listener>]) {
    for listener in opened {
        if !present.iter().any(|kept| Arc::ptr_eq(kept, listener)) {
            listener.remove_file();
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
