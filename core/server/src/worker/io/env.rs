//! What every connection of a worker goes by.

use std::sync::Arc;

use super::super::ages::Ages;
use crate::access::{Format, InvalidFormat};
use crate::clock::nanos;
use crate::config::Config;
use crate::gateway::Control;
use crate::hooks::{Bus, Event};
use crate::lifeline::Cell;

/// The worker's surroundings, the same for all its connections.
#[derive(Debug)]
pub(in super::super) struct Env {
    pub(in super::super) config: Arc<Config>,
    pub(in super::super) bus: Arc<Bus>,
    pub(in super::super) control: Arc<Control>,
    pub(in super::super) cell: &'static Cell,
    pub(in super::super) ages: Ages,
    pub(in super::super) limits: TimeLimits,
    /// The compiled access format, if there is an access log.
    pub(in super::super) access: Option<Format>,
    /// Requests after which the worker leaves; 0 for never.
    /// Somebody wants to know how long each request took.
    pub(super) wants_duration: bool,
}

/// The configuration's time limits, in nanoseconds; `None` for none.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct TimeLimits {
    pub(super) header: Option<u64>,
    pub(super) body: Option<u64>,
    pub(super) write: Option<u64>,
    pub(super) keepalive: u64,
}

impl Env {
    pub(in super::super) fn new(
        config: Arc<Config>,
        bus: Arc<Bus>,
        control: Arc<Control>,
        cell: &'static Cell,
    ) -> Result<Self, InvalidFormat> {
        let time = &config.time;
        let limits = TimeLimits {
            header: time.header.map(nanos),
            body: time.body.map(nanos),
            write: time.write.map(nanos),
            keepalive: nanos(time.keepalive),
        };
        let logs_access = config.logging.accesslog.is_some();
        let access = logs_access
            .then(|| Format::compile(&config.logging.access_format))
            .transpose()?;
        let wants_duration = access.is_some() || bus.is_heard(Event::Access);
        let ages = Ages::new(cell, config.threads);
        Ok(Self {
            ages,
            config,
            bus,
            control,
            cell,
            limits,
            access,
            wants_duration,
        })
    }

    /// A thread begins to run a request. With the last that the worker is to serve it begins to
    /// stop, so that the answer says that the connection is not kept.
    pub(super) fn begin_request(&self, thread: usize) {
        self.ages.begin(thread);
        let limit = self.control.most_requests();
        if limit > 0 && self.cell.requests() >= limit && self.control.is_alive() {
            let pid = std::process::id();
            log::info!("Worker takes the last of its {limit} requests and leaves (pid: {pid})");
            self.control.stop();
        }
    }

    /// Whether connections may outlive their answers.
    pub(super) fn keeps_alive(&self) -> bool {
        self.limits.keepalive > 0 && self.control.is_alive()
    }
}
