//! Connections that come in: how many, and when they are left to the siblings.

use std::sync::Arc;

use nix::errno::Errno;

use super::Key;
use super::conn::{Conn, ConnCell};
use super::core::Core;
use crate::error::Exit;
use crate::exchange::{Endpoints, Notes};
use crate::lifeline::closed;
use crate::sock::{Accepted, Listener};

/// How long a worker that has run out of descriptors waits before it accepts again.
const ACCEPT_PAUSE: u64 = 500_000_000;

/// How long a worker that has accepted a connection leaves further ones to its siblings while it
/// waits for the request: that is usually right behind, and may run for long.
const COURTESY: u64 = 1_000_000;

impl Core {
    /// Accepts up to `most` connections; how many it were.
    pub(in super::super) fn accept(&mut self, most: usize) -> usize {
        let mut accepted = 0;
        while accepted < most && self.has_room() {
            match self.listeners.accept() {
                Ok(Some((connection, listener))) => {
                    self.open(connection, &listener);
                    accepted += 1;
                }
                Ok(None) => break,
                Err(error) => {
                    self.complain_of_accept(&error);
                    break;
                }
            }
        }
        accepted
    }

    /// A connection was accepted, and its request is still on its way. Where connections come
    /// without requests, waiting for them would only fill the queue.
    pub(in super::super) fn leave_others_to_siblings(&mut self) {
        if !self.courtesy_failed {
            self.courtesy_until = self.now + COURTESY;
            self.listeners.disable();
        }
    }

    /// Waits for connections while there is room for them, and `wanted` says so.
    pub(in super::super) fn balance_listeners(&mut self, wanted: bool) {
        if self.pause_until <= self.now {
            self.pause_until = 0;
        }
        if self.courtesy_until <= self.now {
            self.courtesy_failed |= self.courtesy_until > 0;
            self.courtesy_until = 0;
        }
        let pauses = self.pause_until > 0 || self.courtesy_until > 0;
        if wanted && self.has_room() && !pauses {
            self.listeners.enable();
            if let Some(error) = self.listeners.closed() {
                self.lose("accept connections", error);
            }
        } else {
            self.listeners.disable();
        }
    }

    fn has_room(&self) -> bool {
        self.table.len() - self.giving_way() < self.env.config.bounds.connections
    }

    fn open(&mut self, accepted: Accepted, listener: &Listener) {
        let trust = &self.env.config.rules.trust;
        let endpoints = Endpoints {
            trusted: trust.forwarded.allows(accepted.peer.map(|peer| peer.ip())),
            peer: accepted.peer,
            proxied: None,
            notes: Notes::default(),
            local: Arc::clone(&listener.local),
        };
        let may_open = trust.proxy_protocol != tricorn_http::trust::ProxyProtocol::Off;
        if self.env.natives.connections && !self.greet(&endpoints) {
            return;
        }
        let mut conn = Conn::new(accepted.stream, endpoints, may_open);
        conn.rest(self.now, self.env.limits.header);
        if self.table.len() >= self.env.config.bounds.connections {
            self.have_one_give_way();
        }
        // Serials stay below those of listeners: 31 bits are plenty to tell neighbours apart.
        self.next_serial = (self.next_serial + 1) & (u32::MAX >> 1);
        let vacancy = self.table.vacant_entry();
        let key = Key {
            index: vacancy.key() as u32,
            serial: self.next_serial,
        };
        let cell = Arc::new(ConnCell::new(Arc::clone(&self.env), key, conn));
        vacancy.insert(Arc::clone(&cell));
        self.show_connections();
        let mut conn = cell.lock();
        self.pump(&cell, &mut conn);
    }

    pub(super) fn show_connections(&self) {
        self.env.cell.set_connections(self.table.len());
        self.env.control.show_connections(self.table.len());
    }

    /// Descriptors that this worker cannot do without have been closed: it ends.
    pub(in super::super) fn lose(&mut self, what: &str, error: Errno) {
        if self.env.control.exit().is_none() {
            closed::report(what, error);
        }
        self.env.control.drop_all(Exit::Startup.code());
    }

    fn complain_of_accept(&mut self, error: &std::io::Error) {
        let number = Errno::from_raw(error.raw_os_error().unwrap_or(0));
        if closed::is_closed(number) {
            return self.lose("accept connections", number);
        }
        log::warn!("cannot accept connections: {error}; those open are served on");
        self.pause_until = self.now + ACCEPT_PAUSE;
        self.listeners.disable();
    }
}
