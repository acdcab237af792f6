//! What the handlers of the other events are told.

use std::marker::PhantomData;

use tricorn_abi as abi;

use crate::text::string;

/// The server as a whole.
#[derive(Debug, Clone, Copy)]
pub struct Server {
    /// The process the event is fired in.
    pub pid: i32,
}

/// A worker: in the arbiter one of them, in a worker itself.
#[derive(Debug, Clone)]
pub struct WorkerEvent {
    /// Its id among the living, from 1; 0 before it has one.
    pub id: u32,
    /// Its number in the order of forks.
    pub age: u64,
    /// Its process id; 0 before the fork.
    pub pid: i32,
    /// On `child_exit`: the code it exited with, unless a signal killed it.
    pub exit_code: Option<i32>,
    /// On `child_exit`: the signal that killed it.
    pub signal: Option<i32>,
    /// On `child_exit`: why it is gone: one of [`abi::CAUSES`], or one of a later server's.
    pub cause: String,
}

/// A worker that is gone.
pub type Departure = WorkerEvent;

/// The number of workers was set.
#[derive(Debug, Clone, Copy)]
pub struct Count {
    /// To this.
    pub new: u64,
    /// From this; `None` at the first time.
    pub old: Option<u64>,
}

/// A signal is about to be acted on.
#[derive(Debug, Clone, Copy)]
pub struct Signal {
    /// Its number.
    pub number: i32,
}

/// A request was refused as malformed.
#[derive(Debug, Clone)]
pub struct Refusal<'r> {
    /// The status it was refused with.
    pub status: u16,
    /// Why.
    pub reason: String,
    pub(crate) _during: PhantomData<&'r ()>,
}

/// A connection.
#[derive(Debug, Clone)]
pub struct Connection<'r> {
    /// Its number in this worker.
    pub number: u64,
    /// The peer's address; empty for a unix socket.
    pub peer: String,
    /// The peer's port, or 0.
    pub peer_port: u16,
    /// The listener's address, as the log shows it.
    pub local: String,
    /// Requests that came by it so far.
    pub requests: u64,
    pub(crate) _during: PhantomData<&'r ()>,
}

/// # Safety
/// In all of these: the event is one of its kind, for the call under way.
pub(crate) unsafe fn server(event: &abi::Event) -> Server {
    Server { pid: event.pid }
}

pub(crate) unsafe fn worker(event: &abi::WorkerEvent) -> WorkerEvent {
    WorkerEvent {
        id: event.id,
        age: event.age,
        pid: event.pid,
        exit_code: (event.exit_code >= 0).then_some(event.exit_code),
        signal: (event.signal > 0).then_some(event.signal),
        // SAFETY: a text of the call under way.
        cause: unsafe { string(event.cause) },
    }
}

pub(crate) unsafe fn count(event: &abi::CountEvent) -> Count {
    Count {
        new: u64::try_from(event.new_count).unwrap_or(0),
        old: u64::try_from(event.old_count).ok(),
    }
}

pub(crate) unsafe fn refusal<'r>(event: &abi::ErrorEvent) -> Refusal<'r> {
    Refusal {
        status: u16::try_from(event.status).unwrap_or(0),
        // SAFETY: a text of the call under way.
        reason: unsafe { string(event.reason) },
        _during: PhantomData,
    }
}

pub(crate) unsafe fn connection<'r>(event: &abi::ConnectionEvent) -> Connection<'r> {
    // SAFETY: texts of the call under way.
    let (peer, local) = unsafe { (string(event.peer), string(event.local)) };
    Connection {
        number: event.number,
        peer,
        peer_port: u16::try_from(event.peer_port).unwrap_or(0),
        local,
        requests: event.requests,
        _during: PhantomData,
    }
}
