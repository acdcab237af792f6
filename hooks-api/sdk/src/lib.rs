//! Write plugins for tricorn, the pre-fork server for Python web applications.
//!
//! A plugin is a `cdylib` crate with handlers for the server's events:
//!
//! ```
//! use tricorn_hooks::prelude::*;
//!
//! #[derive(Deserialize)]
//! struct Options { header: String }
//!
//! struct Tag { header: String }
//!
//! impl Plugin for Tag {
//!     type Options = Options;
//!     fn new(options: &Options, _: &Worker) -> Result<Self> {
//!         Ok(Self { header: options.header.clone() })
//!     }
//! }
//!
//! impl Tag {
//!     fn tag(&self, request: &mut Request<'_>) -> Result<()> {
//!         request.set_header(&self.header, "1")
//!     }
//! }
//!
//! on!(Tag, pre_request => tag);
//! export_plugin!(Tag, id = "org.example.tag", description = "Tags every request");
//! # fn main() {}
//! ```
//!
//! The operator names the file in the configuration:
//! `plugins = [{"path": "./libtag.so", "options": {"header": "x-tagged"}}]`.
//!
//! # Two lifetimes
//! The *module* is made once in the arbiter, before workers are forked, and must start no threads:
//! for [`Plugin`] it is the options, [`StagedPlugin`] makes its own (metrics, shared memory). The
//! *instance* is made in each worker after the fork, and is what handlers of a worker's events are
//! called with. Several threads may call them at once, so they take `&self`.
//!
//! # Failing
//! A handler that returns an error has failed, and what follows is the event's rule: 500 for
//! `pre_request`, a line in the log for most others. One that panics has failed too; the instance is
//! left where it is and another one made. Three panics within a minute set the plugin aside.
//!
//! # Waiting
//! Handlers of requests run on the threads that serve: they must not wait. One that has to takes
//! the request off its thread with [`Request::suspend`], and another thread decides.
//!
//! # Logging
//! What is said through the `log` crate (and through `tracing`, with the feature of that name)
//! goes to the server's error log. Standard output is nobody's.
//!
//! # Testing
//! [`testing::FakeHost`] drives a plugin through its entry function, without a server.

mod answer;
mod done;
mod error;
mod events;
mod export;
mod guard;
mod host;
mod logging;
mod logs;
mod metrics;
mod options;
mod path;
mod plugin;
mod request;
mod response;
mod resume;
mod shm;
pub mod testing;
mod text;
#[cfg(feature = "tracing")]
mod tracing;
mod worker;

pub use answer::Answer;
pub use done::{Done, End};
pub use error::{Error, Flow, Result};
pub use events::{Connection, Count, Departure, Refusal, Server, Signal, WorkerEvent};
pub use host::Arbiter;
pub use logs::{AccessFormat, AccessRecord, Level, LogRecord, Logger};
pub use metrics::{Counter, Gauge, Histogram, Metrics};
pub use plugin::{NoOptions, Plugin, StagedPlugin};
pub use request::Request;
pub use response::Response;
pub use resume::Resume;
pub use shm::Zone;
pub use worker::Worker;

pub use tricorn_abi as abi;

/// What a plugin needs, to be imported with a star.
pub mod prelude {
    pub use crate::{
        AccessFormat, AccessRecord, Answer, Arbiter, Connection, Count, Counter, Departure, Done,
        End, Error, Flow, Gauge, Histogram, LogRecord, Logger, Metrics, NoOptions, Plugin, Refusal,
        Request, Response, Result, Resume, Server, Signal, StagedPlugin, Worker, WorkerEvent, Zone,
        export_plugin, offer, on,
    };
    pub use log::{debug, error, info, trace, warn};
    pub use serde::Deserialize;
}

/// What the macros expand to: no part of the interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::export::{Described, Registration, entry, note};
    pub use crate::guard::{
        connection, count, done, head, here, refusal, reopen, server, signal, start, worker,
    };
    pub use crate::logs::{Offer, format_table, logger_table};
    pub use inventory;
}

/// Offers the server a log, or a format of access lines, of the plugin that it names as its own.
///
/// ```text
/// offer!(logger => Type);            // Type: Logger; the operator says logger_class = "plugin:ID"
/// offer!(access_format => Type);     // Type: AccessFormat; access_log_formatter = "plugin:ID"
/// ```
#[macro_export]
macro_rules! offer {
    (logger => $type:ty) => {
        $crate::__private::inventory::submit! {
            $crate::__private::Offer {
                plugin: || ::core::any::TypeId::of::<<$type as $crate::Logger>::Plugin>(),
                name: $crate::abi::INTERFACE_LOGGER,
                table: $crate::__private::logger_table::<$type>,
            }
        }
    };
    (access_format => $type:ty) => {
        $crate::__private::inventory::submit! {
            $crate::__private::Offer {
                plugin: || ::core::any::TypeId::of::<<$type as $crate::AccessFormat>::Plugin>(),
                name: $crate::abi::INTERFACE_ACCESS_FORMAT,
                table: $crate::__private::format_table::<$type>,
            }
        }
    };
}

/// Registers a method as a handler of an event.
///
/// ```text
/// on!(Type, event => method);
/// on!(Type, event => method, priority: -10, before: ["org.example.other"], after: ["auth"]);
/// ```
///
/// May stand in any module of the crate. What the method is called with depends on the event:
///
/// | events | method | process, thread |
/// |---|---|---|
/// | `on_starting` `on_reload` `when_ready` `pre_exec` `on_exit` | `fn(module: &Module, &Server)` | arbiter |
/// | `pre_fork` `worker_ready` `worker_timeout` | `fn(module: &Module, &WorkerEvent)` | arbiter |
/// | `child_exit` | `fn(module: &Module, &Departure)` | arbiter |
/// | `nworkers_changed` | `fn(module: &Module, &Count)` | arbiter |
/// | `signal_received` | `fn(module: &Module, &Signal)` | arbiter |
/// | `post_fork` `worker_init` `post_worker_init` `worker_int` `worker_abort` `worker_exit` `drain_start` `log_reopen` | `fn(&self, &WorkerEvent)` | worker, its main thread |
/// | `request_head` `pre_request` | `fn(&self, &mut Request)` | worker, a thread that serves |
/// | `response_start` | `fn(&self, &mut Response)` | the same |
/// | `post_request` `access` | `fn(&self, &Done)` | the same |
/// | `conn_open` `conn_close` | `fn(&self, &Connection)` | the same |
/// | `request_error` | `fn(&self, &Refusal)` | the same |
///
/// `Module` is the options of a [`Plugin`], and what a [`StagedPlugin`] makes of them. The method
/// returns nothing, a [`Flow`], or a [`Result`] of either.
#[macro_export]
macro_rules! on {
    ($plugin:ty, $event:ident => $method:ident
     $(, priority: $priority:expr)?
     $(, before: [$($before:expr),* $(,)?])?
     $(, after: [$($after:expr),* $(,)?])?
     $(,)?) => {
        const _: () = {
            unsafe extern "C-unwind" fn call(
                state: *mut ::core::ffi::c_void,
                event: *const $crate::abi::Event,
                host: *const $crate::abi::Host,
            ) -> i32 {
                // SAFETY: the server calls a handler with the state that the plugin made, and with
                // the struct of the handler's event.
                unsafe { $crate::__call!($event, $plugin, $method, state, event, host) }
            }
            $crate::__private::inventory::submit! {
                $crate::__private::Registration {
                    plugin: || ::core::any::TypeId::of::<$plugin>(),
                    event: $crate::__event!($event),
                    name: ::core::stringify!($method),
                    priority: 0 $(+ $priority)?,
                    before: &[$($($before),*)?],
                    after: &[$($($after),*)?],
                    call,
                }
            }
        };
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __event {
    (on_starting) => {
        $crate::abi::EVENT_ON_STARTING
    };
    (on_reload) => {
        $crate::abi::EVENT_ON_RELOAD
    };
    (when_ready) => {
        $crate::abi::EVENT_WHEN_READY
    };
    (pre_fork) => {
        $crate::abi::EVENT_PRE_FORK
    };
    (post_fork) => {
        $crate::abi::EVENT_POST_FORK
    };
    (worker_init) => {
        $crate::abi::EVENT_WORKER_INIT
    };
    (post_worker_init) => {
        $crate::abi::EVENT_POST_WORKER_INIT
    };
    (worker_int) => {
        $crate::abi::EVENT_WORKER_INT
    };
    (worker_abort) => {
        $crate::abi::EVENT_WORKER_ABORT
    };
    (pre_exec) => {
        $crate::abi::EVENT_PRE_EXEC
    };
    (pre_request) => {
        $crate::abi::EVENT_PRE_REQUEST
    };
    (post_request) => {
        $crate::abi::EVENT_POST_REQUEST
    };
    (child_exit) => {
        $crate::abi::EVENT_CHILD_EXIT
    };
    (worker_exit) => {
        $crate::abi::EVENT_WORKER_EXIT
    };
    (nworkers_changed) => {
        $crate::abi::EVENT_NWORKERS_CHANGED
    };
    (on_exit) => {
        $crate::abi::EVENT_ON_EXIT
    };
    (request_head) => {
        $crate::abi::EVENT_REQUEST_HEAD
    };
    (response_start) => {
        $crate::abi::EVENT_RESPONSE_START
    };
    (access) => {
        $crate::abi::EVENT_ACCESS
    };
    (request_error) => {
        $crate::abi::EVENT_REQUEST_ERROR
    };
    (conn_open) => {
        $crate::abi::EVENT_CONN_OPEN
    };
    (conn_close) => {
        $crate::abi::EVENT_CONN_CLOSE
    };
    (worker_ready) => {
        $crate::abi::EVENT_WORKER_READY
    };
    (worker_timeout) => {
        $crate::abi::EVENT_WORKER_TIMEOUT
    };
    (signal_received) => {
        $crate::abi::EVENT_SIGNAL_RECEIVED
    };
    (drain_start) => {
        $crate::abi::EVENT_DRAIN_START
    };
    (log_reopen) => {
        $crate::abi::EVENT_LOG_REOPEN
    };
    ($other:ident) => {
        ::core::compile_error!(::core::concat!(
            "there is no event ",
            ::core::stringify!($other)
        ))
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __call {
    (@ $shape:ident $plugin:ty, $method:ident, $state:ident, $event:ident, $host:ident) => {
        $crate::__private::$shape::<$plugin>($state, $event, $host, |state, subject| {
            ::core::convert::Into::into(<$plugin>::$method(state, subject))
        })
    };
    (on_starting, $($rest:tt)*) => { $crate::__call!(@ server $($rest)*) };
    (on_reload, $($rest:tt)*) => { $crate::__call!(@ server $($rest)*) };
    (when_ready, $($rest:tt)*) => { $crate::__call!(@ server $($rest)*) };
    (pre_exec, $($rest:tt)*) => { $crate::__call!(@ server $($rest)*) };
    (on_exit, $($rest:tt)*) => { $crate::__call!(@ server $($rest)*) };
    (pre_fork, $($rest:tt)*) => { $crate::__call!(@ worker $($rest)*) };
    (worker_ready, $($rest:tt)*) => { $crate::__call!(@ worker $($rest)*) };
    (worker_timeout, $($rest:tt)*) => { $crate::__call!(@ worker $($rest)*) };
    (child_exit, $($rest:tt)*) => { $crate::__call!(@ worker $($rest)*) };
    (nworkers_changed, $($rest:tt)*) => { $crate::__call!(@ count $($rest)*) };
    (signal_received, $($rest:tt)*) => { $crate::__call!(@ signal $($rest)*) };
    (post_fork, $($rest:tt)*) => { $crate::__call!(@ here $($rest)*) };
    (worker_init, $($rest:tt)*) => { $crate::__call!(@ here $($rest)*) };
    (post_worker_init, $($rest:tt)*) => { $crate::__call!(@ here $($rest)*) };
    (worker_int, $($rest:tt)*) => { $crate::__call!(@ here $($rest)*) };
    (worker_abort, $($rest:tt)*) => { $crate::__call!(@ here $($rest)*) };
    (worker_exit, $($rest:tt)*) => { $crate::__call!(@ here $($rest)*) };
    (drain_start, $($rest:tt)*) => { $crate::__call!(@ here $($rest)*) };
    (log_reopen, $($rest:tt)*) => { $crate::__call!(@ reopen $($rest)*) };
    (request_head, $($rest:tt)*) => { $crate::__call!(@ head $($rest)*) };
    (pre_request, $($rest:tt)*) => { $crate::__call!(@ head $($rest)*) };
    (response_start, $($rest:tt)*) => { $crate::__call!(@ start $($rest)*) };
    (post_request, $($rest:tt)*) => { $crate::__call!(@ done $($rest)*) };
    (access, $($rest:tt)*) => { $crate::__call!(@ done $($rest)*) };
    (request_error, $($rest:tt)*) => { $crate::__call!(@ refusal $($rest)*) };
    (conn_open, $($rest:tt)*) => { $crate::__call!(@ connection $($rest)*) };
    (conn_close, $($rest:tt)*) => { $crate::__call!(@ connection $($rest)*) };
    ($other:ident, $($rest:tt)*) => {
        ::core::compile_error!(::core::concat!(
            "handlers of ",
            ::core::stringify!($other),
            " have no shape: what are they called with?"
        ))
    };
}

/// Exports the plugins of a crate: once, in the crate that is built as a `cdylib`.
///
/// ```text
/// export_plugin!(Type, id = "org.example.name", description = "What it does");
/// export_plugin!(One, id = "org.example.one"; Two, id = "org.example.two");
/// export_plugin!(Guard, id = "org.example.guard", description = "Keeps out", required = true);
/// ```
///
/// A plugin that is `required` guards: should it be set aside, because it has panicked three times or
/// workers have died in it, requests are answered with 503 and not served without it. The operator's own
/// word (`"required": False`) goes before.
#[macro_export]
macro_rules! export_plugin {
    ($($plugin:ty, id = $id:expr $(, description = $description:expr)?
       $(, required = $required:expr)? $(,)?);+ $(;)?) => {
        /// What the server calls to find out what is in this file.
        ///
        /// # Safety
        /// May be called at any time, any number of times.
        #[unsafe(no_mangle)]
        pub unsafe extern "C-unwind" fn tricorn_plugin_entry_v1(
            _host: *const $crate::abi::Host,
        ) -> *const $crate::abi::Entry {
            static ENTRY: ::std::sync::OnceLock<usize> = ::std::sync::OnceLock::new();
            let entry = ENTRY.get_or_init(|| {
                let plugins = [$($crate::__private::Described::of::<$plugin>(
                    $id,
                    ::core::env!("CARGO_PKG_VERSION"),
                    ::core::concat!($($description)?),
                )$(.required($required))?),+];
                $crate::__private::entry(&plugins).expose_provenance()
            });
            ::core::ptr::with_exposed_provenance(*entry)
        }

        #[used]
        #[unsafe(link_section = ".note.tricorn")]
        static TRICORN_NOTE: $crate::abi::Note = $crate::__private::note();
    };
}
