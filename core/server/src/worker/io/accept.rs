//! Listening sockets in a worker's epoll: which have somebody waiting, and whose turn it is.
//!
//! EPOLLEXCLUSIVE wakes one worker for a connection, and always prefers the one that registered
//! first. So a worker that has accepted takes its entry out and puts it back: it goes to the end of
//! the queue.

use std::os::fd::AsFd;
use std::sync::Arc;

use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};

use crate::sock::{Accepted, Listener};

/// Data of the first listener's events; connections' serials never get there.
const LISTENER: u64 = u64::MAX - 1024;

/// A worker's listeners.
#[derive(Debug)]
pub(in super::super) struct Listeners {
    epoll: Arc<Epoll>,
    entries: Vec<Entry>,
    /// In the epoll.
    enabled: bool,
    /// Other workers wait on the same sockets.
    shared: bool,
}

#[derive(Debug)]
struct Entry {
    listener: Arc<Listener>,
    /// Somebody may be waiting.
    ready: bool,
}

impl Listeners {
    pub(in super::super) fn new(epoll: Arc<Epoll>, listeners: Vec<Arc<Listener>>) -> Self {
        let entries = listeners
            .into_iter()
            .map(|listener| Entry {
                listener,
                ready: false,
            })
            .collect();
        Self {
            epoll,
            entries,
            enabled: false,
            shared: true,
        }
    }

    /// Whether an event is a listener's; it is noted if so.
    pub(super) fn note(&mut self, data: u64) -> bool {
        let Some(index) = data.checked_sub(LISTENER) else {
            return false;
        };
        match self.entries.get_mut(index as usize) {
            Some(entry) => {
                entry.ready = true;
                true
            }
            None => false,
        }
    }

    /// Notes that somebody may be waiting anywhere.
    pub(in super::super) fn note_all(&mut self) {
        self.entries.iter_mut().for_each(|entry| entry.ready = true);
    }

    /// Whether somebody may be waiting.
    pub(in super::super) fn any_ready(&self) -> bool {
        self.enabled && self.entries.iter().any(|entry| entry.ready)
    }

    /// Sets whether other workers wait on the same sockets.
    pub(in super::super) fn set_shared(&mut self, shared: bool) {
        self.shared = shared;
    }

    /// Waits for connections.
    pub(super) fn enable(&mut self) {
        if !self.enabled {
            self.enabled = true;
            for index in 0..self.entries.len() {
                self.register(index);
            }
        }
    }

    /// Leaves connections to others, or in the queue.
    pub(super) fn disable(&mut self) {
        if self.enabled {
            self.enabled = false;
            for entry in &mut self.entries {
                entry.ready = false;
                // A socket that is not there cannot wake us either.
                let _ = self.epoll.delete(entry.listener.as_fd());
            }
        }
    }

    fn register(&self, index: usize) {
        let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLEXCLUSIVE;
        let event = EpollEvent::new(flags, LISTENER + index as u64);
        if let Err(error) = self.epoll.add(self.entries[index].listener.as_fd(), event) {
            log::error!(
                "cannot wait for connections on {}: {error}",
                self.entries[index].listener.address
            );
        }
    }

    /// Accepts one connection; `None` if nobody is waiting.
    ///
    /// # Errors
    /// Descriptors or memory are used up.
    pub(super) fn accept(&mut self) -> std::io::Result<Option<(Accepted, Arc<Listener>)>> {
        for index in 0..self.entries.len() {
            if !self.entries[index].ready {
                continue;
            }
            let listener = Arc::clone(&self.entries[index].listener);
            if let Some(accepted) = listener.accept()? {
                if self.shared && self.enabled {
                    let _ = self.epoll.delete(listener.as_fd());
                    self.register(index);
                    // The entry has gone to the end of the queue, and tells anew whether anybody waits.
                    self.entries[index].ready = false;
                }
                return Ok(Some((accepted, listener)));
            }
            self.entries[index].ready = false;
        }
        Ok(None)
    }
}
