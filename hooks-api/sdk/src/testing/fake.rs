//! The server itself, as far as a plugin needs one.

use std::cell::RefCell;
use std::ffi::c_void;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering};

use tricorn_abi as abi;

use super::request::{Decision, FakeRequest};
use super::tables;
use crate::error::{Error, Flow, Result};
use crate::text::{NOTHING, bytes, lend, string};

/// A negative code that a handler has returned.
pub type Code = i32;

/// A line that the plugin has logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// 1 for an error, 5 for a trace.
    pub level: i32,
    /// Where it came from; empty for the plugin itself.
    pub target: String,
    /// What it says.
    pub message: String,
}

/// What the functions work on that the plugin is given.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) logged: Mutex<Vec<Logged>>,
    pub(super) settings: Mutex<Vec<(String, String)>>,
    pub(super) decisions: Mutex<Vec<(u64, Decision)>>,
    pub(super) last_token: AtomicU64,
    pub(super) thread_panics: AtomicUsize,
    pub(super) metrics: Mutex<Vec<(String, i64)>>,
    pub(super) zones: Mutex<Vec<(String, usize, usize)>>,
    pub(super) instance: Mutex<usize>,
    pub(super) release: Mutex<Option<unsafe extern "C-unwind" fn(*mut c_void, *mut c_void)>>,
}

/// A server with one plugin in it.
#[derive(Debug)]
pub struct FakeHost {
    host: &'static abi::Host,
    state: &'static State,
    plugin: abi::Plugin,
    handlers: Vec<abi::Handler>,
    module: *mut c_void,
    instance: RefCell<*mut c_void>,
}

impl FakeHost {
    /// Loads the plugin of this id and makes its module and its instance, with options as JSON.
    ///
    /// # Errors
    /// What the plugin says is wrong with its options; a file that is no plugin.
    pub fn load(entry: abi::EntryFunction, id: &str, options: &str) -> Result<Self> {
        Self::with_settings(entry, id, options, &[])
    }

    /// The same, under a server with these settings, as JSON.
    ///
    /// # Errors
    /// As `load`.
    pub fn with_settings(
        entry: abi::EntryFunction,
        id: &str,
        options: &str,
        settings: &[(&str, &str)],
    ) -> Result<Self> {
        let state: &'static State = Box::leak(Box::default());
        let owned = settings
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        state
            .settings
            .lock()
            .map_err(|_| Error::new("poisoned"))?
            .extend(owned);
        let host = host(state);
        // SAFETY: the entry function of a plugin, and what it returns.
        let (plugin, handlers) = unsafe { find(entry(host), id)? };
        let mut fake = Self {
            host,
            state,
            plugin,
            handlers,
            module: std::ptr::null_mut(),
            instance: RefCell::new(std::ptr::null_mut()),
        };
        fake.make_module(options)?;
        *state.release.lock().map_err(|_| Error::new("poisoned"))? = plugin.request_drop;
        fake.restart()?;
        Ok(fake)
    }

    fn make_module(&mut self, options: &str) -> Result<()> {
        let Some(init) = self.plugin.module_init else {
            return Ok(());
        };
        let mut error: Vec<u8> = Vec::new();
        let buffer = (&raw mut error).cast::<abi::Buffer>();
        // SAFETY: as the ABI describes the function; the buffer is one that `tables` knows.
        let code = unsafe {
            init(
                self.host,
                lend(options.as_bytes()),
                &raw mut self.module,
                buffer,
            )
        };
        told(code, &error)
    }

    /// Makes the instance anew, as after a panic.
    ///
    /// # Errors
    /// What the plugin says is wrong.
    pub fn restart(&self) -> Result<()> {
        let mut instance = self.module;
        let mut error: Vec<u8> = Vec::new();
        if let Some(create) = self.plugin.worker_create {
            let worker = abi::WorkerInfo {
                struct_size: size_of::<abi::WorkerInfo>() as u32,
                id: 1,
                age: 1,
                pid: std::process::id().cast_signed(),
                threads: 1,
                workers: 1,
                reserved: 0,
            };
            let buffer = (&raw mut error).cast::<abi::Buffer>();
            // SAFETY: as the ABI describes the function.
            let code = unsafe {
                create(
                    self.module,
                    self.host,
                    &raw const worker,
                    &raw mut instance,
                    buffer,
                )
            };
            told(code, &error)?;
        }
        *self.instance.borrow_mut() = instance;
        *self
            .state
            .instance
            .lock()
            .map_err(|_| Error::new("poisoned"))? = instance.expose_provenance();
        Ok(())
    }

    /// Fires `request_head`; what the handlers decided, or the code of the one that failed.
    ///
    /// # Errors
    /// The code.
    pub fn request_head(&self, request: &mut FakeRequest) -> Result<Flow, Code> {
        self.request_event(abi::EVENT_REQUEST_HEAD, request)
    }

    /// Fires `pre_request`.
    ///
    /// # Errors
    /// The code of a handler that failed.
    pub fn pre_request(&self, request: &mut FakeRequest) -> Result<Flow, Code> {
        self.request_event(abi::EVENT_PRE_REQUEST, request)
    }

    /// Fires `response_start`, with what stands in `request.response`.
    ///
    /// # Errors
    /// The code of a handler that failed.
    pub fn response_start(&self, request: &mut FakeRequest) -> Result<Flow, Code> {
        self.request_event(abi::EVENT_RESPONSE_START, request)
    }

    /// Fires `post_request` and `access`, and lets go of what the plugin keeps.
    ///
    /// # Errors
    /// The code of a handler that failed.
    pub fn end(&self, request: &mut FakeRequest) -> Result<Flow, Code> {
        let status = request
            .answer
            .as_ref()
            .map_or(request.response.status, |answer| answer.status);
        let sent = request
            .answer
            .as_ref()
            .map_or(&request.response, |answer| answer)
            .body
            .len();
        let mut flow = Ok(Flow::Continue);
        for event in [abi::EVENT_POST_REQUEST, abi::EVENT_ACCESS] {
            let done = abi::DoneEvent {
                header: header::<abi::DoneEvent>(event, 0),
                request: std::ptr::from_mut(request).cast(),
                duration: 1_000_000,
                sent: sent as u64,
                status: status.into(),
                end: abi::END_COMPLETE,
            };
            request.event.set(Some(event));
            flow = flow.and(self.fire(event, &raw const done.header, false));
            request.event.set(None);
        }
        request.let_go();
        flow
    }

    /// Fires an event of a worker's about itself, such as `EVENT_WORKER_INIT`; in the arbiter, an
    /// event about a worker, such as `EVENT_CHILD_EXIT`.
    ///
    /// # Errors
    /// The code of a handler that failed.
    pub fn worker_event(&self, event: u32, cause: &str) -> Result<Flow, Code> {
        let in_arbiter = [
            abi::EVENT_PRE_FORK,
            abi::EVENT_CHILD_EXIT,
            abi::EVENT_WORKER_READY,
            abi::EVENT_WORKER_TIMEOUT,
        ]
        .contains(&event);
        let flags = if in_arbiter { abi::IN_ARBITER } else { 0 };
        let worker = abi::WorkerEvent {
            header: header::<abi::WorkerEvent>(event, flags),
            age: 1,
            id: 1,
            pid: 4242,
            exit_code: 0,
            signal: 0,
            cause: lend(cause.as_bytes()),
        };
        self.fire(event, &raw const worker.header, in_arbiter)
    }

    /// Fires an event about the server as a whole, such as `EVENT_WHEN_READY`.
    ///
    /// # Errors
    /// The code of a handler that failed.
    pub fn server_event(&self, event: u32) -> Result<Flow, Code> {
        let header = header::<abi::Event>(event, abi::IN_ARBITER);
        self.fire(event, &raw const header, true)
    }

    /// What was decided of a suspended request, once somebody has.
    #[must_use]
    pub fn decision(&self, request: &FakeRequest) -> Option<Decision> {
        let decisions = self.state.decisions.lock().ok()?;
        decisions
            .iter()
            .find(|(token, _)| *token == request.token)
            .map(|(_, decision)| decision.clone())
    }

    /// How many threads of [`crate::Worker::spawn`] have panicked: a server makes the instance anew after
    /// each, as [`FakeHost::restart`] does here.
    #[must_use]
    pub fn thread_panics(&self) -> usize {
        self.state.thread_panics.load(Ordering::Relaxed)
    }

    /// What the plugin has logged.
    #[must_use]
    pub fn logged(&self) -> Vec<Logged> {
        self.state
            .logged
            .lock()
            .map_or_else(|_| Vec::new(), |logged| logged.clone())
    }

    /// The value of a counter or a gauge; how often a histogram was added to.
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<i64> {
        let metrics = self.state.metrics.lock().ok()?;
        metrics
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| *value)
    }

    fn request_event(&self, event: u32, request: &mut FakeRequest) -> Result<Flow, Code> {
        let payload = abi::RequestEvent {
            header: header::<abi::RequestEvent>(event, 0),
            request: std::ptr::from_mut(request).cast(),
        };
        request.host.set(Some(self.state));
        request.event.set(Some(event));
        let flow = self.fire(event, &raw const payload.header, false);
        request.event.set(None);
        flow
    }

    fn fire(&self, event: u32, payload: *const abi::Event, in_arbiter: bool) -> Result<Flow, Code> {
        let state = if in_arbiter {
            self.module
        } else {
            *self.instance.borrow()
        };
        for handler in self
            .handlers
            .iter()
            .filter(|handler| handler.event == event)
        {
            let Some(call) = handler.call else { continue };
            // SAFETY: as the ABI describes a handler.
            let code = unsafe { call(state, payload, self.host) };
            match Flow::of(code) {
                Some(Flow::Continue) => {}
                Some(flow) => return Ok(flow),
                None => return Err(code),
            }
        }
        Ok(Flow::Continue)
    }
}

impl Drop for FakeHost {
    fn drop(&mut self) {
        // SAFETY: as the ABI describes the functions; nothing of the plugin is used any more.
        unsafe {
            let instance = *self.instance.borrow();
            if let Some(destroy) = self.plugin.worker_destroy
                && !instance.is_null()
            {
                destroy(instance);
            }
            if let Some(destroy) = self.plugin.module_destroy
                && !self.module.is_null()
            {
                destroy(self.module);
            }
        }
    }
}

fn told(code: i32, error: &[u8]) -> Result<()> {
    if code == abi::OK {
        return Ok(());
    }
    let text = String::from_utf8_lossy(error);
    Err(if text.is_empty() {
        Error::of_code("the plugin", code)
    } else {
        Error::new(text)
    })
}

fn header<T>(event: u32, flags: u64) -> abi::Event {
    abi::Event {
        struct_size: size_of::<T>() as u32,
        event,
        flags: flags | abi::SYNTHETIC,
        pid: std::process::id().cast_signed(),
        reserved: 0,
    }
}

fn host(state: &'static State) -> &'static abi::Host {
    static LEVEL: AtomicI32 = AtomicI32::new(abi::LEVEL_TRACE);
    Box::leak(Box::new(abi::Host {
        struct_size: size_of::<abi::Host>() as u32,
        abi_major: abi::ABI_MAJOR,
        abi_minor: abi::ABI_MINOR,
        ctx: std::ptr::from_ref(state).cast_mut().cast(),
        server_version: lend(env!("CARGO_PKG_VERSION").as_bytes()),
        log_level: LEVEL.as_ptr(),
        get_interface: tables::get_interface,
        log: tables::log,
    }))
}

/// The plugin of this id, with its handlers in their order.
unsafe fn find(entry: *const abi::Entry, id: &str) -> Result<(abi::Plugin, Vec<abi::Handler>)> {
    // SAFETY: what a plugin's entry function returned.
    unsafe {
        let entry = entry
            .as_ref()
            .ok_or_else(|| Error::new("there is no entry"))?;
        for place in 0..entry.plugin_count {
            let plugin = entry.plugins.byte_add(place * entry.plugin_stride).read();
            if bytes(plugin.id) != id.as_bytes() {
                continue;
            }
            let mut handlers: Vec<abi::Handler> = (0..plugin.handler_count)
                .map(|place| {
                    plugin
                        .handlers
                        .byte_add(place * plugin.handler_stride)
                        .read()
                })
                .collect();
            handlers.sort_by_key(|handler| handler.priority);
            return Ok((plugin, handlers));
        }
        let first = (entry.plugin_count > 0).then(|| (*entry.plugins).id);
        let there = string(first.unwrap_or(NOTHING));
        Err(Error::new(format!(
            "there is no plugin '{id}', but {there}"
        )))
    }
}
