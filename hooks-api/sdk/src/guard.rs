//! The way from the server into a handler: its argument is made, and a panic stays on this side.

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tricorn_abi as abi;

use crate::done::{Done, End};
use crate::error::{Error, Result, Verdict};
use crate::events::{self, Connection, Count, Refusal, Server, Signal, WorkerEvent};
use crate::host::Host;
use crate::logging;
use crate::plugin::StagedPlugin;
use crate::request::{Request, Subject};
use crate::response::Response;

/// Runs something whose panic must not go any further; `None` if it has panicked.
pub(crate) fn quietly<R>(body: impl FnOnce() -> R) -> Option<R> {
    // What has panicked is not looked at again: its instance is left where it is.
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(value) => Some(value),
        Err(payload) => {
            // The payload's own destructor may panic.
            std::mem::forget(payload);
            None
        }
    }
}

fn code(verdict: Option<Verdict>) -> i32 {
    match verdict {
        Some(Verdict(Ok(flow))) => flow.code(),
        Some(Verdict(Err(error))) => {
            logging::send(abi::LEVEL_ERROR, "", &error.to_string(), ("", 0));
            abi::ERROR
        }
        None => abi::PANIC,
    }
}

/// Makes the argument and calls the handler.
///
/// # Safety
/// The pointers are what the server passed to a handler whose state is a `S`.
unsafe fn run<S, A>(
    state: *mut c_void,
    host: *const abi::Host,
    argument: impl FnOnce(Host) -> Result<A>,
    with: impl FnOnce(&S, &mut A) -> Verdict,
) -> i32 {
    // SAFETY: promised by the caller.
    let (host, state) = unsafe { (Host::new(host), state.cast::<S>().as_ref()) };
    let verdict = quietly(|| {
        let state = state.ok_or_else(|| Error::new("there is no instance"));
        match state.and_then(|state| Ok((state, argument(host)?))) {
            Ok((state, mut argument)) => with(state, &mut argument),
            Err(error) => Verdict(Err(error)),
        }
    });
    code(verdict)
}

/// The event as the struct of its kind, if it is as long as that.
///
/// # Safety
/// `event` is what the server passed to a handler.
unsafe fn event<'e, T>(event: *const abi::Event) -> Result<&'e T> {
    // SAFETY: promised by the caller; the header says how long the whole is.
    unsafe {
        match event.as_ref() {
            Some(header) if header.struct_size as usize >= size_of::<T>() => Ok(&*event.cast()),
            _ => Err(Error::new("the event is shorter than this plugin needs")),
        }
    }
}

macro_rules! shapes {
    ($($(#[$about:meta])* $name:ident($state:ident, $argument:ty) = |$host:ident, $event:ident: $raw:ty| $make:expr;)+) => {
        $(
            $(#[$about])*
            ///
            /// # Safety
            /// The pointers are what the server passed to a handler of such an event of this plugin.
            pub unsafe fn $name<P: StagedPlugin>(
                state: *mut c_void,
                raw: *const abi::Event,
                host: *const abi::Host,
                with: impl FnOnce(&shapes!(@ $state P), &mut $argument) -> Verdict,
            ) -> i32 {
                // SAFETY: promised by the caller.
                unsafe {
                    run(
                        state,
                        host,
                        |$host: Host| {
                            let _ = &$host;
                            let $event = event::<$raw>(raw)?;
                            $make
                        },
                        with,
                    )
                }
            }
        )+
    };
    (@ module $plugin:ident) => { $plugin::Module };
    (@ instance $plugin:ident) => { $plugin };
}

shapes! {
    /// The server as a whole.
    server(module, Server) = |host, event: abi::Event| Ok(events::server(event));
    /// A worker, seen from the arbiter.
    worker(module, WorkerEvent) = |host, event: abi::WorkerEvent| Ok(events::worker(event));
    /// A number of workers.
    count(module, Count) = |host, event: abi::CountEvent| Ok(events::count(event));
    /// A signal.
    signal(module, Signal) = |host, event: abi::SignalEvent| Ok(Signal { number: event.number });
    /// The worker itself.
    here(instance, WorkerEvent) = |host, event: abi::WorkerEvent| Ok(events::worker(event));
    /// A request that may be answered.
    head(instance, Request<'_>) = |host, event: abi::RequestEvent| {
        Ok(Request { subject: Subject::new(host, event.request)? })
    };
    /// An answer that is about to be written.
    start(instance, Response<'_>) = |host, event: abi::RequestEvent| Ok(Response {
        subject: Subject::new(host, event.request)?,
        table: host.table(abi::INTERFACE_RESPONSE)?,
    });
    /// A request that has ended.
    done(instance, Done<'_>) = |host, event: abi::DoneEvent| Ok(Done {
        subject: Subject::new(host, event.request)?,
        table: host.table(abi::INTERFACE_RESPONSE)?,
        duration: std::time::Duration::from_nanos(event.duration),
        sent: event.sent,
        status: u16::try_from(event.status).unwrap_or(0),
        end: End::of(event.end),
    });
    /// A request that was refused.
    refusal(instance, Refusal<'_>) = |host, event: abi::ErrorEvent| Ok(events::refusal(event));
    /// A connection.
    connection(instance, Connection<'_>) = |host, event: abi::ConnectionEvent| {
        Ok(events::connection(event))
    };
}

/// USR1: fired in the arbiter too, where there is no instance to call.
///
/// # Safety
/// As the others.
pub unsafe fn reopen<P: StagedPlugin>(
    state: *mut c_void,
    raw: *const abi::Event,
    host: *const abi::Host,
    with: impl FnOnce(&P, &mut WorkerEvent) -> Verdict,
) -> i32 {
    // SAFETY: promised by the caller.
    unsafe {
        match raw.as_ref() {
            Some(event) if event.flags & abi::IN_ARBITER != 0 => abi::CONTINUE,
            _ => here::<P>(state, raw, host, with),
        }
    }
}
