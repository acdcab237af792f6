//! From an occasion to the struct that a handler gets.

use std::cell::RefCell;

use tricorn_abi as abi;

use super::current::{self, Inside};
use super::link;
use super::text::lend;
use crate::exchange::{End, Ending, Passage};
use crate::hooks::{Event, Obituary, Occasion};

/// What calls the handler, once the event's struct is made.
pub(super) type Caller<'c> = &'c mut dyn FnMut(*const abi::Event) -> i32;

/// Makes the struct of an occasion and calls `call` with it; `REENTRANT` if this thread is inside a
/// handler of the same event.
pub(super) fn with(event: Event, occasion: &Occasion<'_>, call: Caller<'_>) -> i32 {
    let Some(inside) = current::enter(event, passage(occasion)) else {
        return abi::REENTRANT;
    };
    match *occasion {
        Occasion::Itself => itself(event, call),
        Occasion::Worker(member) => {
            let worker = worker(event, member.age, member.id, member.pid);
            call(&raw const worker.header)
        }
        Occasion::Gone(obituary) => gone(event, obituary, call),
        Occasion::Count { new, old } => {
            let count = abi::CountEvent {
                header: header::<abi::CountEvent>(event),
                new_count: signed(new),
                old_count: old.map_or(-1, signed),
            };
            call(&raw const count.header)
        }
        Occasion::Signal(number) => {
            let signal = abi::SignalEvent {
                header: header::<abi::SignalEvent>(event),
                number,
                reserved: 0,
            };
            call(&raw const signal.header)
        }
        Occasion::Passage(_) => {
            let request = abi::RequestEvent {
                header: header::<abi::RequestEvent>(event),
                request: inside.handle(),
            };
            call(&raw const request.header)
        }
        Occasion::Done(_, ending) => done(event, &inside, ending, call),
        Occasion::Refusal { status, reason } => {
            let error = abi::ErrorEvent {
                header: header::<abi::ErrorEvent>(event),
                status: status.into(),
                reserved: 0,
                reason: lend(reason.as_bytes()),
            };
            call(&raw const error.header)
        }
        Occasion::Connection { .. } => connection(event, occasion, call),
    }
}

/// The request an occasion is about.
pub(super) fn passage<'o>(occasion: &Occasion<'o>) -> Option<&'o RefCell<Passage>> {
    match occasion {
        Occasion::Passage(passage) | Occasion::Done(passage, _) => Some(passage),
        _ => None,
    }
}

fn header<T>(event: Event) -> abi::Event {
    let worker = link::worker();
    let in_arbiter = if worker.is_none() { abi::IN_ARBITER } else { 0 };
    let synthetic = if link::is_probe() { abi::SYNTHETIC } else { 0 };
    abi::Event {
        struct_size: size_of::<T>() as u32,
        event: event as u32,
        flags: in_arbiter | synthetic,
        pid: worker
            .map_or_else(std::process::id, |worker| worker.pid)
            .cast_signed(),
        reserved: 0,
    }
}

/// In a worker the server as a whole is out of sight: it is told of itself.
fn itself(event: Event, call: Caller<'_>) -> i32 {
    match link::worker() {
        Some(link) => {
            let worker = worker(event, link.age, link.id, link.pid.cast_signed());
            call(&raw const worker.header)
        }
        None => {
            let header = header::<abi::Event>(event);
            call(&raw const header)
        }
    }
}

fn worker(event: Event, age: u64, id: usize, pid: i32) -> abi::WorkerEvent {
    abi::WorkerEvent {
        header: header::<abi::WorkerEvent>(event),
        age,
        id: u32::try_from(id).unwrap_or(u32::MAX),
        pid,
        exit_code: -1,
        signal: 0,
        cause: super::text::NOTHING,
    }
}

fn gone(event: Event, obituary: &Obituary, call: Caller<'_>) -> i32 {
    let worker = abi::WorkerEvent {
        exit_code: obituary.code.unwrap_or(-1),
        signal: obituary.signal.unwrap_or(0),
        cause: lend(obituary.cause.as_bytes()),
        ..worker(event, obituary.age, obituary.id, obituary.pid)
    };
    call(&raw const worker.header)
}

fn done(event: Event, inside: &Inside, ending: Ending, call: Caller<'_>) -> i32 {
    let done = abi::DoneEvent {
        header: header::<abi::DoneEvent>(event),
        request: inside.handle(),
        duration: ending.duration,
        sent: ending.sent,
        status: ending.status.into(),
        end: end_number(ending.end),
    };
    call(&raw const done.header)
}

/// The reason of an end, as the ABI has it.
pub(super) fn end_number(end: End) -> u32 {
    match end {
        End::Complete => abi::END_COMPLETE,
        End::ClientGone => abi::END_CLIENT_GONE,
        End::WriteTimeout => abi::END_WRITE_TIMEOUT,
        End::CutShort => abi::END_CUT_SHORT,
        End::TakenOver => abi::END_TAKEN_OVER,
        End::Closed => abi::END_CLOSED,
    }
}

fn connection(event: Event, occasion: &Occasion<'_>, call: Caller<'_>) -> i32 {
    let Occasion::Connection {
        number,
        peer,
        local,
        requests,
    } = occasion
    else {
        return abi::INVALID;
    };
    let (peer_text, local_text) = (
        peer.map(|peer| peer.ip().to_string()).unwrap_or_default(),
        local.url(),
    );
    let connection = abi::ConnectionEvent {
        header: header::<abi::ConnectionEvent>(event),
        number: *number,
        peer: lend(peer_text.as_bytes()),
        local: lend(local_text.as_bytes()),
        requests: *requests,
        peer_port: peer.map_or(0, |peer| peer.port().into()),
        reserved: 0,
    };
    call(&raw const connection.header)
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
