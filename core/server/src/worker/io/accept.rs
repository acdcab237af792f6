//! Listening sockets in a worker's epoll: which have somebody waiting, and whose turn it is.
//!
//! EPOLLEXCLUSIVE wakes one worker for a connection, and always prefers the one that registered
//! first. So a worker that has accepted takes its entry out and puts it back: it goes to the end of
//! the queue.
//!
//! A nudge, by which a busy sibling passes a wake-up on, is heard only while this worker would
//! accept: taken by one that cannot, it would be lost.

use std::os::fd::AsFd;
use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};

use crate::lifeline::Nudge;
use crate::sock::{Accepted, Listener};

/// Data of the first listener's events; connections' serials never get there.
const LISTENER: u64 = u64::MAX - 1024;

/// Data of a nudge's events.
const NUDGE: u64 = LISTENER - 1;

/// A worker's listeners.
#[derive(Debug)]
pub(in super::super) struct Listeners {
    epoll: Arc<Epoll>,
    entries: Vec<Entry>,
    nudge: Arc<Nudge>,
    /// In the epoll.
    enabled: bool,
    /// Other workers wait on the same sockets.
    shared: bool,
    /// Why a socket cannot be waited on any more.
    closed: Option<Errno>,
}

#[derive(Debug)]
struct Entry {
    listener: Arc<Listener>,
    /// Somebody may be waiting.
    ready: bool,
}

impl Listeners {
    pub(in super::super) fn new(
        epoll: Arc<Epoll>,
        listeners: Vec<Arc<Listener>>,
        nudge: Arc<Nudge>,
    ) -> Self {
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
            nudge,
            enabled: false,
            shared: true,
            closed: None,
        }
    }

    /// Why a socket cannot be waited on any more, if somebody has closed it.
    pub(super) fn closed(&self) -> Option<Errno> {
        self.closed
    }

    /// Whether an event is a listener's, or a nudge; it is noted if so.
    pub(super) fn note(&mut self, data: u64) -> bool {
        if data == NUDGE {
            if self.nudge.take() {
                self.note_all();
            }
            return true;
        }
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
    pub(super) fn note_all(&mut self) {
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
            let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLEXCLUSIVE;
            if let Err(error) = self.epoll.add(&*self.nudge, EpollEvent::new(flags, NUDGE)) {
                log::error!("cannot wait for siblings: {error}");
            }
        }
    }

    /// Leaves connections to others, or in the queue.
    pub(super) fn disable(&mut self) {
        if self.enabled {
            self.enabled = false;
            // A descriptor that is not there cannot wake us either.
            let _ = self.epoll.delete(self.nudge.as_fd());
            let mut owes_wake_up = self.nudge.take();
            for entry in &mut self.entries {
                owes_wake_up |= std::mem::take(&mut entry.ready);
                let _ = self.epoll.delete(entry.listener.as_fd());
            }
            if owes_wake_up && self.shared {
                // The kernel told this worker alone that somebody may be waiting.
                self.nudge.give();
            }
        }
    }

    /// Lets go of the sockets: once everybody has, clients are refused, and do not wait in vain.
    pub(super) fn close(&mut self) {
        self.entries.clear();
    }

    fn register(&mut self, index: usize) {
        let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLEXCLUSIVE;
        let event = EpollEvent::new(flags, LISTENER + index as u64);
        let added = self.epoll.add(self.entries[index].listener.as_fd(), event);
        if added == Err(Errno::EBADF) {
            self.closed = Some(Errno::EBADF);
        } else if let Err(error) = added {
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
