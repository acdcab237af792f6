//! Handlers of every event that the ABI has can be written: none is forgotten, none is called with
//! nothing behind it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use tricorn_hooks::prelude::*;
use tricorn_hooks::{Departure, abi};

struct Every;

impl Plugin for Every {
    type Options = NoOptions;

    fn new(_: &NoOptions, _: &Worker) -> Result<Self> {
        Ok(Self)
    }
}

/// One handler for each event, with what it is called with.
macro_rules! handlers {
    ($($event:ident: $state:ty, $argument:ty);+ $(;)?) => {
        impl Every {
            $(fn $event(_: &$state, _: &mut $argument) -> Result<Flow> {
                Err(Error::new(stringify!($event)))
            })+
        }
        $(on!(Every, $event => $event);)+
    };
}

handlers! {
    on_starting: NoOptions, Server;
    on_reload: NoOptions, Server;
    when_ready: NoOptions, Server;
    pre_exec: NoOptions, Server;
    on_exit: NoOptions, Server;
    pre_fork: NoOptions, WorkerEvent;
    worker_ready: NoOptions, WorkerEvent;
    worker_timeout: NoOptions, WorkerEvent;
    child_exit: NoOptions, Departure;
    nworkers_changed: NoOptions, Count;
    signal_received: NoOptions, Signal;
    post_fork: Every, WorkerEvent;
    worker_init: Every, WorkerEvent;
    post_worker_init: Every, WorkerEvent;
    worker_int: Every, WorkerEvent;
    worker_abort: Every, WorkerEvent;
    worker_exit: Every, WorkerEvent;
    drain_start: Every, WorkerEvent;
    log_reopen: Every, WorkerEvent;
    request_head: Every, Request<'_>;
    pre_request: Every, Request<'_>;
    response_start: Every, Response<'_>;
    post_request: Every, Done<'_>;
    access: Every, Done<'_>;
    request_error: Every, Refusal<'_>;
    conn_open: Every, Connection<'_>;
    conn_close: Every, Connection<'_>;
}

export_plugin!(Every, id = "test.every");

/// The events of the ABI, by number, as its golden file has them.
fn events() -> BTreeSet<u32> {
    include_str!("../../abi/values.txt")
        .lines()
        .filter_map(|line| line.strip_prefix("TRICORN_EVENT_")?.split_once(' '))
        .map(|(_, number)| number.parse().unwrap())
        // For Python handlers only.
        .filter(|&number| number != abi::EVENT_SSL_CONTEXT)
        .collect()
}

fn handlers() -> Vec<abi::Handler> {
    // SAFETY: the entry is static data, and names as many plugins and handlers as stand there.
    unsafe {
        let entry = &*tricorn_plugin_entry_v1(std::ptr::null());
        let plugin = &*entry.plugins;
        std::slice::from_raw_parts(plugin.handlers, plugin.handler_count).to_vec()
    }
}

#[test]
fn a_handler_of_every_event_can_be_written() {
    let found: BTreeSet<u32> = handlers().iter().map(|handler| handler.event).collect();
    assert_eq!(found, events());
}
