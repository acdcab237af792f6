//! What every connection of a worker goes by.

use std::sync::Arc;

use super::super::ages::{Ages, Lives};
use crate::access::{Makers, RequestLog};
use crate::clock::nanos;
use crate::config::{Config, WorkerClass};
use crate::gateway::{Control, Resumptions};
use crate::hooks::{Bus, Event};
use crate::lifeline::{Beginning, Cell};

/// The worker's surroundings, the same for all its connections.
#[derive(Debug)]
pub(in super::super) struct Env {
    pub(in super::super) config: Arc<Config>,
    pub(in super::super) bus: Arc<Bus>,
    pub(in super::super) control: Arc<Control>,
    pub(in super::super) resumptions: Arc<Resumptions>,
    /// Which of its events compiled handlers listen to.
    pub(in super::super) natives: Natives,
    pub(in super::super) cell: &'static Cell,
    pub(in super::super) ages: Ages,
    pub(in super::super) limits: TimeLimits,
    /// Who is told of finished requests, if anybody.
    pub(in super::super) requests: Option<RequestLog>,
    /// Somebody wants to know how long each request took.
    pub(super) wants_duration: bool,
}

/// How others reach the worker.
#[derive(Debug)]
pub(in super::super) struct Means {
    /// To ask it for something.
    pub(in super::super) control: Arc<Control>,
    /// To decide of suspended requests.
    pub(in super::super) resumptions: Arc<Resumptions>,
}

/// The events of requests and connections that compiled handlers listen to.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Natives {
    pub(in super::super) head: bool,
    /// Handlers of `pre_request` that can run before any of Python's.
    pub(in super::super) ready: bool,
    pub(in super::super) start: bool,
    pub(in super::super) done: bool,
    pub(in super::super) connections: bool,
}

impl Natives {
    fn of(bus: &Bus) -> Self {
        let hears = |event| bus.is_heard_natively(event);
        Self {
            head: hears(Event::RequestHead),
            ready: bus.leading_native(Event::PreRequest) > 0,
            start: hears(Event::ResponseStart),
            done: hears(Event::PostRequest) || hears(Event::Access),
            connections: hears(Event::ConnOpen) || hears(Event::ConnClose),
        }
    }
}

/// The configuration's time limits, in nanoseconds; `None` for none.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct TimeLimits {
    pub(super) header: Option<u64>,
    pub(super) body: Option<u64>,
    pub(super) write: Option<u64>,
    /// For a suspended request to be decided.
    pub(super) decision: Option<u64>,
    pub(super) keepalive: u64,
}

impl Env {
    pub(in super::super) fn new(
        config: Arc<Config>,
        bus: Arc<Bus>,
        means: Means,
        cell: &'static Cell,
        makers: Makers,
    ) -> Result<Self, String> {
        let time = &config.time;
        let limits = TimeLimits {
            header: time.header.map(nanos),
            body: time.body.map(nanos),
            write: time.write.map(nanos),
            decision: time.timeout.map(nanos),
            keepalive: nanos(time.keepalive),
        };
        let requests = RequestLog::open(&config.logging, makers)?;
        let natives = Natives::of(&bus);
        let asks_duration = requests.as_ref().is_some_and(RequestLog::wants_duration);
        let wants_duration = asks_duration || natives.done;
        let Means {
            control,
            resumptions,
        } = means;
        let lives = match config.worker_class {
            WorkerClass::Gthread => Lives::ByItsPool,
            WorkerClass::Sync | WorkerClass::Own => Lives::ByItsRequest,
        };
        let ages = Ages::new(cell, config.threads, lives);
        Ok(Self {
            ages,
            config,
            bus,
            control,
            resumptions,
            natives,
            cell,
            limits,
            requests,
            wants_duration,
        })
    }

    /// A thread begins to run a request.
    pub(super) fn begin_request(&self, thread: usize, beginning: &Beginning<'_>) {
        self.cell.begin(thread, beginning);
        self.ages.begin(thread, beginning.now);
    }

    /// Counts a request that nobody has begun before. With the last that the worker is to serve it asks
    /// to be replaced, and serves on until it is. Where replacements come later it begins to stop, so
    /// that the answer says that the connection is not kept.
    pub(super) fn count_request(&self) {
        self.cell.count_request();
        let limit = self.control.most_requests();
        let is_last = limit > 0 && self.cell.requests() >= limit && self.control.is_alive();
        if is_last && self.control.ask_for_replacement() {
            let pid = std::process::id();
            log::info!("Worker takes the last of its {limit} requests (pid: {pid})");
            if self.config.max_surge == 0 {
                self.control.stop();
            }
        }
    }

    /// A thread has ended its request. That is a sign of life as well: many may be run between two
    /// waits.
    pub(super) fn end_request(&self, thread: usize, now: u64) {
        self.ages.beat(now);
        self.ages.end(thread);
        self.cell.end(thread);
    }

    /// Whether connections may outlive their answers.
    pub(super) fn keeps_alive(&self) -> bool {
        self.limits.keepalive > 0 && self.control.is_alive()
    }
}
