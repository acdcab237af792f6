//! What a plugin is put to: each trial is one promise of the ABI.

use std::ffi::c_void;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tricorn_abi as abi;
use tricorn_http::Status;
use tricorn_http::response::ResponseHead;

use super::super::descriptor::{Contents, Descriptor};
use super::super::host::Ctx;
use super::super::logs::try_out;
use super::super::module::{init, take_down};
use super::super::trial::{new_threads, threads};
use super::made_up::{self, connection};
use super::stage::{Loaded, Worker};
use crate::config::PluginSpec;
use crate::exchange::{End, Record};
use crate::hooks::{Event, Occasion};

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

fn logs_are_whole(contents: &Contents, spec: &PluginSpec) -> Vec<String> {
    let request = Arc::new(made_up::PLAIN.request());
    let mut response = ResponseHead::default();
    response.begin_with(Status::OK);
    let record = Record {
        request: &request,
        response: &response,
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

/// Makes this child a worker with instances, and takes these down after `with`.
fn in_worker(
    contents: &Contents,
    spec: &PluginSpec,
    with: impl FnOnce(&mut Worker) -> Vec<String>,
) -> Vec<String> {
    let entered = Loaded::of(contents, spec).and_then(Loaded::enter);
    match entered {
        Ok(mut worker) => {
            let mut reasons = with(&mut worker);
            reasons.extend(worker.leave());
            reasons
        }
        Err(why) => vec![why],
    }
}

fn instance_is_made(contents: &Contents, spec: &PluginSpec) -> Vec<String> {
    in_worker(contents, spec, |_| Vec::new())
}

fn every_event(contents: &Contents, spec: &PluginSpec) -> Vec<String> {
    let mut reasons = match Loaded::of(contents, spec) {
        Ok(arbiter) => arbiter_events(&arbiter),
        Err(why) => return vec![why],
    };
    reasons.extend(in_worker(contents, spec, |worker| {
        let mut reasons = Vec::new();
        let itself = [Event::PostFork, Event::WorkerInit, Event::PostWorkerInit];
        for event in itself {
            reasons.extend(worker.fire(event, &Occasion::Itself));
        }
        reasons.extend(connection(0, |it| worker.fire(Event::ConnOpen, it)));
        reasons.extend(every_request(worker));
        reasons.extend(connection(1, |it| worker.fire(Event::ConnClose, it)));
        let refusal = Occasion::Refusal {
            status: 400,
            reason: "a made-up reason",
        };
        reasons.extend(worker.fire(Event::RequestError, &refusal));
        let itself = [
            Event::LogReopen,
            Event::WorkerInt,
            Event::WorkerAbort,
            Event::DrainStart,
            Event::WorkerExit,
        ];
        for event in itself {
            reasons.extend(worker.fire(event, &Occasion::Itself));
        }
        reasons
    }));
    reasons
}

/// The events of the arbiter, on modules that no worker is made of.
fn arbiter_events(arbiter: &Loaded) -> Vec<String> {
    let before = threads();
    let (itself, member) = (Occasion::Itself, Occasion::Worker(made_up::MEMBER));
    let count = Occasion::Count { new: 1, old: None };
    let mut reasons = Vec::new();
    for (event, occasion) in [
        (Event::NworkersChanged, &count),
        (Event::OnStarting, &itself),
        (Event::WhenReady, &itself),
        (Event::PreFork, &member),
        (Event::WorkerReady, &member),
        (Event::SignalReceived, &Occasion::Signal(libc::SIGHUP)),
        (Event::OnReload, &itself),
        (Event::LogReopen, &itself),
        (Event::WorkerTimeout, &member),
    ] {
        reasons.extend(arbiter.fire(event, occasion));
    }
    for cause in abi::CAUSES {
        let gone = made_up::gone(cause);
        let occasion = Occasion::Gone(&gone);
        reasons.extend(arbiter.fire(Event::ChildExit, &occasion));
    }
    reasons.extend(arbiter.fire(Event::PreExec, &itself));
    reasons.extend(arbiter.fire(Event::OnExit, &itself));
    let started = new_threads(&before);
    if !started.is_empty() {
        let names = started.join(", ");
        reasons.push(format!(
            "its handlers start threads in the arbiter: {names}"
        ));
    }
    reasons
}

/// What is wrong with how made-up requests are handled, and with which of them.
fn every_request(worker: &mut Worker) -> Vec<String> {
    let begun = Instant::now();
    let mut found: Vec<(String, Vec<&str>)> = Vec::new();
    let mut all = 0;
    for made_up in &made_up::REQUESTS {
        all += 1;
        for reason in worker.serve(made_up) {
            match found.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, requests)) => requests.push(made_up.what),
                None => found.push((reason, vec![made_up.what])),
            }
        }
        if begun.elapsed() > LONG_ENOUGH {
            break;
        }
    }
    found
        .into_iter()
        .map(|(reason, requests)| match requests.len() {
            count if count == all => format!("{reason} (every request)"),
            _ => format!("{reason} ({})", requests.join("; ")),
        })
        .collect()
}

fn many_requests(contents: &Contents, spec: &PluginSpec) -> Vec<String> {
    in_worker(contents, spec, |worker| {
        let mut reasons = serve_many(worker, 10);
        if !reasons.is_empty() {
            return reasons;
        }
        let before = (threads().len(), descriptors());
        reasons.extend(serve_many(worker, 1000));
        let grown = || {
            let after = (threads().len(), descriptors());
            [
                ("threads", before.0, after.0),
                ("descriptors", before.1, after.1),
            ]
            .into_iter()
            .filter(|(_, before, after)| *after > before + 8)
            .map(|(what, before, after)| format!("{what} grew from {before} to {after}"))
            .collect::<Vec<_>>()
        };
        // What was begun for the last requests may take a moment to end.
        let deadline = Instant::now() + Duration::from_secs(1);
        while !grown().is_empty() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        reasons.extend(grown());
        reasons
    })
}

/// Where requests take long, fewer of them tell enough.
const LONG_ENOUGH: Duration = Duration::from_secs(2);

/// What is wrong with so many requests, once each.
fn serve_many(worker: &mut Worker, count: usize) -> Vec<String> {
    let begun = Instant::now();
    let mut found: Vec<String> = Vec::new();
    for _ in 0..count {
        for reason in worker.serve(&made_up::PLAIN) {
            if !found.contains(&reason) {
                found.push(reason);
            }
        }
        if begun.elapsed() > LONG_ENOUGH {
            break;
        }
    }
    found
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}
