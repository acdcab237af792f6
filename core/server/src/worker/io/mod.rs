//! The I/O core that all worker classes share: connections, parsing, time limits, buffers, on one
//! epoll descriptor. How a request that is ready is run, and on which thread, is not known here.
//!
//! ```text
//!            ┌────────────── next request ◄─────────────────┐
//!   accept ─► Head ─► Body ─► Queued ─► Running ─► Flushing ─┴─► Draining ─► Head
//!               │       (short bodies)   (the gateway's)    └─► Lingering ─► closed
//!               │ ▲               ▲ │
//!               │ └──► Pending ◄──┴─┘ (suspended by a compiled handler)
//!               └─ refused, or answered by a compiled handler ─►┘
//! ```
//!
//! The core is locked for short times only: never across a wait, and never across a call into the
//! application or a Python hook. Compiled handlers of the events that belong to the connection
//! (`request_head`, `response_start`, `post_request`, `access`, `conn_open`, `conn_close`) run where
//! the connection is at hand, under its lock: they are asked to be quick. So do those of `pre_request`
//! in a worker with one thread. A connection has a lock of its own, which its running request takes
//! without the core's. The order is: core, then connection.

mod accept;
mod ahead;
mod body;
mod channel;
mod conn;
mod core;
mod env;
mod finish;
mod input;
mod leaving;
mod linger;
mod natives;
mod opening;
mod output;
mod patience;
mod pending;
mod timers;
mod turn;

pub(super) use accept::Listeners;
pub(super) use core::Core;
pub(super) use env::{Env, Means};

/// A connection's name: its place in the table, and a number that tells it from whoever had the
/// place before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    index: u32,
    serial: u32,
}

impl Key {
    fn to_data(self) -> u64 {
        u64::from(self.serial) << 32 | u64::from(self.index)
    }

    fn from_data(data: u64) -> Self {
        Self {
            index: data as u32,
            serial: (data >> 32) as u32,
        }
    }

    fn place(self) -> usize {
        self.index as usize
    }
}
