//! What a plugin is put to: each trial is one promise of the ABI.

use std::cell::RefCell;
use std::ffi::c_void;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tricorn_abi as abi;
use tricorn_http::response::ResponseHead;
use tricorn_http::{Head, HeadScan, Rules, Scanned, Status};

use super::super::descriptor::{Contents, Descriptor, HandlerDescriptor};
use super::super::host::{Buffer, Ctx, code_name};
use super::super::logs::try_out;
use super::super::module::{init, take_down};
use super::super::payload;
use super::super::trial::{new_threads, threads};
use crate::config::PluginSpec;
use crate::exchange::{
    End, Ending, Endpoints, Local, Notes, Passage, Record, Request, Stage, Ticket,
};
use crate::hooks::{Event, Member, Obituary, Occasion};

/// One promise, and how it is put to the test in a child: the reasons for which it is not kept.
pub(super) struct Trial {
    pub(super) what: &'static str,
    pub(super) run: fn(&Contents, &PluginSpec) -> Vec<String>,
}

/// The trials, in their order.
pub(super) const TRIALS: [Trial; 8] = [
    Trial {
        what: "the file opens, and its entry is sound",
        run: |_, _| Vec::new(),
    },
    Trial {
        what: "the module is made, and no thread is started by it",
        run: module_is_made,
    },
    Trial {
        what: "a module can be made twice, and taken down",
        run: module_is_made_twice,
    },
    Trial {
        what: "options that are no object's, or unknown, are no crash",
        run: strange_options,
    },
    Trial {
        what: "the instance is made in a worker, and taken down",
        run: instance_is_made,
    },
    Trial {
        what: "every handler takes its event, and gives a verdict that it allows",
        run: every_event,
    },
    Trial {
        what: "what it offers for the logs is whole",
        run: logs_are_whole,
    },
    Trial {
        what: "a thousand requests leave no thread and no descriptor behind",
        run: many_requests,
    },
];

fn for_each(contents: &Contents, what: impl Fn(&Descriptor) -> Result<(), String>) -> Vec<String> {
    contents
        .plugins
        .iter()
        .filter_map(|plugin| {
            what(plugin)
                .err()
                .map(|why| format!("{}: {why}", plugin.id))
        })
        .collect()
}

fn module(plugin: &Descriptor, spec: &PluginSpec) -> Result<(&'static Ctx, *mut c_void), String> {
    let ctx = Ctx::new(plugin.id.clone(), 0);
    let state = init(plugin, spec, ctx)?;
    ctx.freeze();
    Ok((ctx, state))
}

fn module_is_made(contents: &Contents, spec: &PluginSpec) -> Vec<String> {
    let before = threads();
    let mut reasons = for_each(contents, |plugin| module(plugin, spec).map(drop));
    let started = new_threads(&before);
    if !started.is_empty() {
        reasons.push(format!("it starts threads: {}", started.join(", ")));
    }
    reasons
}

fn module_is_made_twice(contents: &Contents, spec: &PluginSpec) -> Vec<String> {
    for_each(contents, |plugin| {
        let (_, first) = module(plugin, spec)?;
        let (_, second) = module(plugin, spec).map_err(|why| format!("the second time: {why}"))?;
        take_down(plugin, first);
        take_down(plugin, second);
        Ok(())
    })
}

fn strange_options(contents: &Contents, spec: &PluginSpec) -> Vec<String> {
    let mut strange = spec.clone();
    let option = ("no-option-of-this-name".to_owned(), "x".into());
    strange.options.extend([option]);
    for plugin in &contents.plugins {
        // Refused or not: it has come back.
        if let Ok((_, state)) = module(plugin, &strange) {
            take_down(plugin, state);
        }
    }
    Vec::new()
}

/// Makes module and instance, and calls `with` in the worker that this child then is.
fn logs_are_whole(contents: &Contents, spec: &PluginSpec) -> Vec<String> {
    let passage = passage(Stage::Done);
    let record = Record {
        request: &passage.request,
        response: &passage.response,
        sent: 5,
        duration: 1_000_000,
        end: End::Complete,
        environ: &[],
        attachment: None,
    };
    for_each(contents, |plugin| {
        let (_, state) = module(plugin, spec)?;
        let tried = try_out(plugin, state, &record);
        take_down(plugin, state);
        tried
    })
}

fn with_instance(
    contents: &Contents,
    spec: &PluginSpec,
    with: impl Fn(&Descriptor, &'static Ctx, *mut c_void) -> Vec<String>,
) -> Vec<String> {
    let mut reasons = Vec::new();
    for plugin in &contents.plugins {
        let made =
            module(plugin, spec).and_then(|(ctx, state)| Ok((ctx, create(plugin, ctx, state)?)));
        match made {
            Ok((ctx, instance)) => {
                let found = with(plugin, ctx, instance);
                reasons.extend(found.into_iter().map(|why| format!("{}: {why}", plugin.id)));
                if let Some(destroy) = plugin.functions.worker_destroy {
                    // SAFETY: an instance that `worker_create` has made, which nobody uses.
                    unsafe { destroy(instance) }
                }
            }
            Err(why) => reasons.push(format!("{}: {why}", plugin.id)),
        }
    }
    reasons
}

fn create(
    plugin: &Descriptor,
    ctx: &'static Ctx,
    module: *mut c_void,
) -> Result<*mut c_void, String> {
    let Some(create) = plugin.functions.worker_create else {
        return Ok(module);
    };
    let info = abi::WorkerInfo {
        struct_size: size_of::<abi::WorkerInfo>() as u32,
        id: 1,
        age: 1,
        pid: std::process::id().cast_signed(),
        threads: 1,
        workers: 1,
        reserved: 0,
    };
    let mut instance = std::ptr::null_mut();
    let mut error = Buffer::default();
    // SAFETY: as the ABI describes the function; the pointers live through the call.
    let code = unsafe {
        create(
            module,
            ctx.host(),
            &raw const info,
            &raw mut instance,
            error.handle(),
        )
    };
    if code == abi::OK {
        Ok(instance)
    } else {
        Err(error.explain(code))
    }
}

fn instance_is_made(contents: &Contents, spec: &PluginSpec) -> Vec<String> {
    with_instance(contents, spec, |_, _, _| Vec::new())
}

fn every_event(contents: &Contents, spec: &PluginSpec) -> Vec<String> {
    with_instance(contents, spec, |plugin, ctx, instance| {
        let in_arbiter = |handler: &&HandlerDescriptor| {
            use crate::hooks::Process;
            handler.event.declaration().process == Process::Arbiter
        };
        let mut reasons = Vec::new();
        for handler in plugin
            .handlers
            .iter()
            .filter(|handler| !in_arbiter(handler))
        {
            let code = call(handler, ctx, instance);
            if let Some(why) = objection(handler.event, code) {
                reasons.push(format!("{}/{}: {why}", handler.event.name(), handler.name));
            }
        }
        reasons
    })
}

/// What is wrong with a verdict.
fn objection(event: Event, code: i32) -> Option<String> {
    let decides = matches!(event, Event::RequestHead | Event::PreRequest);
    match code {
        abi::CONTINUE | abi::STOP => None,
        abi::RESPOND | abi::PENDING if decides => None,
        abi::CLOSE if decides || event == Event::ConnOpen => None,
        abi::PANIC => Some("it panicked".to_owned()),
        // Suspending needs a worker at work: here the plugin is told so, and fails.
        abi::ERROR if decides => None,
        ..0 => Some(format!("it returned {}", code_name(code))),
        other => Some(format!("verdict {other}, which this event does not allow")),
    }
}

fn many_requests(contents: &Contents, spec: &PluginSpec) -> Vec<String> {
    with_instance(contents, spec, |plugin, ctx, instance| {
        let round = || {
            let events = [Event::RequestHead, Event::PreRequest, Event::PostRequest];
            for event in events {
                for handler in plugin
                    .handlers
                    .iter()
                    .filter(|handler| handler.event == event)
                {
                    call(handler, ctx, instance);
                }
            }
        };
        (0..10).for_each(|_| round());
        let before = (threads().len(), descriptors());
        (0..1000).for_each(|_| round());
        let after = (threads().len(), descriptors());
        let mut reasons = Vec::new();
        for (what, before, after) in [
            ("threads", before.0, after.0),
            ("descriptors", before.1, after.1),
        ] {
            if after > before + 8 {
                reasons.push(format!("{what} grew from {before} to {after}"));
            }
        }
        reasons
    })
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// Calls a handler with a made-up event.
fn call(handler: &HandlerDescriptor, ctx: &'static Ctx, instance: *mut c_void) -> i32 {
    let passage = RefCell::new(passage(stage(handler.event)));
    let local = Local::Tcp(address(8000));
    let obituary = Obituary {
        age: 1,
        id: 1,
        pid: 4242,
        code: Some(0),
        signal: None,
        cause: "asked",
    };
    let ending = Ending {
        duration: 1_000_000,
        sent: 5,
        status: 200,
        end: End::Complete,
    };
    let occasion = match handler.event {
        Event::RequestHead | Event::PreRequest | Event::ResponseStart => {
            Occasion::Passage(&passage)
        }
        Event::PostRequest | Event::Access => Occasion::Done(&passage, ending),
        Event::RequestError => Occasion::Refusal {
            status: 400,
            reason: "a made-up reason",
        },
        Event::ConnOpen | Event::ConnClose => Occasion::Connection {
            number: 1,
            peer: Some(address(50_000)),
            local: &local,
            requests: 0,
        },
        Event::ChildExit => Occasion::Gone(&obituary),
        _ => Occasion::Worker(Member {
            age: 1,
            id: 1,
            pid: 4242,
        }),
    };
    payload::with(handler.event, &occasion, &mut |event| {
        // SAFETY: as the ABI describes a handler; the event lives through the call.
        unsafe { (handler.call)(instance, event, ctx.host()) }
    })
}

fn stage(event: Event) -> Stage {
    match event {
        Event::RequestHead => Stage::Head,
        Event::PreRequest => Stage::Ready,
        Event::ResponseStart => Stage::Start,
        _ => Stage::Done,
    }
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

fn passage(stage: Stage) -> Passage {
    let text = b"GET /check?a=b HTTP/1.1\r\nHost: check.example\r\nX-Check: 1\r\n\r\n";
    let rules = Rules::default();
    let mut head = Head::default();
    if let Ok(Scanned::Complete(extent)) = HeadScan::default().advance(text, &rules.limits) {
        // A fixed head, which is valid.
        let _ = head.read(text, extent, &rules, true);
    }
    let endpoints = Endpoints {
        peer: Some(address(50_000)),
        proxied: None,
        local: Arc::new(Local::Tcp(address(8000))),
        trusted: true,
        notes: Notes::default(),
    };
    let request = Request {
        head,
        endpoints: Arc::new(endpoints),
        number: 1,
        started: 0,
        environ: Vec::new(),
    };
    let ticket = Ticket {
        connection: 1,
        number: 1,
    };
    let mut response = ResponseHead::default();
    if !stage.is_open() {
        response.begin_with(Status::new(200).unwrap_or(Status::INTERNAL_SERVER_ERROR));
    }
    Passage {
        response,
        ..Passage::new(stage, ticket, Arc::new(request))
    }
}
