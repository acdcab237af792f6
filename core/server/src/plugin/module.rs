//! One plugin of one configuration: its module in the arbiter, its instance in a worker, and what
//! is done when it misbehaves.

use std::ffi::c_void;
use std::process;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tricorn_abi as abi;

use super::crumb::{self, Whose};
use super::descriptor::{Descriptor, Tolerance};
use super::host::{Buffer, Ctx};
use super::link::{self, WorkerLink};
use super::text::lend;
use super::trial::{Threads, new_threads, threads};
use crate::clock;
use crate::config::PluginSpec;
use crate::exchange::Release;

/// So many panics within `WINDOW` set a plugin aside.
const PANICS: usize = 3;
const WINDOW: u64 = 60_000_000_000;

/// A plugin that has been loaded.
#[derive(Debug)]
pub struct Module {
    /// What it says of itself.
    pub descriptor: Descriptor,
    /// What the settings say of it.
    pub spec: PluginSpec,
    /// What the file hashes to.
    pub sha256: String,
    /// Its number among the plugins of the configuration.
    pub place: usize,
    pub(super) ctx: &'static Ctx,
    state: *mut c_void,
    instance: AtomicPtr<c_void>,
    has_instance: AtomicBool,
    /// How many instances there were in this process.
    made: AtomicU32,
    /// How many threads of theirs have panicked.
    thread_panics: AtomicU32,
    /// For a plugin whose handlers must not be called by two threads at once.
    turn: Mutex<()>,
    panics: Mutex<Vec<u64>>,
    is_aside: AtomicBool,
    /// The process whose business it is to take the module down.
    maker: u32,
    /// Threads of it in the arbiter are let through.
    may_start_threads: bool,
}

// SAFETY: the pointers are the plugin's own and are only passed back to it. The ABI asks plugins for
// functions that may be called on any thread; those that are not safe on several at once are called
// under `turn`.
unsafe impl Send for Module {}
// SAFETY: as above.
unsafe impl Sync for Module {}

impl Module {
    /// Makes the module: in the arbiter, before any worker is forked.
    ///
    /// # Errors
    /// What the plugin says is wrong.
    pub(super) fn make(
        descriptor: Descriptor,
        spec: PluginSpec,
        sha256: String,
        place: usize,
        tolerance: Tolerance,
    ) -> Result<Self, String> {
        let ctx = Ctx::new(descriptor.id.clone(), place);
        let id = &descriptor.id;
        let whose = Whose { place, id };
        let state = crumb::inside(whose, crumb::MODULE_INIT, || init(&descriptor, &spec, ctx))?;
        ctx.freeze();
        Ok(Self {
            descriptor,
            spec,
            sha256,
            place,
            ctx,
            state,
            instance: AtomicPtr::new(std::ptr::null_mut()),
            has_instance: AtomicBool::new(false),
            made: AtomicU32::new(0),
            thread_panics: AtomicU32::new(0),
            turn: Mutex::default(),
            panics: Mutex::default(),
            is_aside: AtomicBool::new(false),
            maker: process::id(),
            may_start_threads: tolerance.threads,
        })
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.descriptor.id
    }

    pub(super) fn whose(&self) -> Whose<'_> {
        let (place, id) = (self.place, self.id());
        Whose { place, id }
    }

    /// Makes the instance of a worker.
    ///
    /// # Errors
    /// What the plugin says is wrong.
    pub(super) fn create_instance(&self, worker: &WorkerLink) -> Result<(), String> {
        let Some(create) = self.descriptor.functions.worker_create else {
            self.instance.store(self.state, Ordering::Release);
            return Ok(());
        };
        let info = worker_info(worker);
        let mut instance = std::ptr::null_mut();
        let mut error = Buffer::default();
        self.made.fetch_add(1, Ordering::AcqRel);
        // SAFETY: as the ABI describes the function; the pointers live through the call.
        let code = crumb::inside(self.whose(), crumb::CREATE, || unsafe {
            create(
                self.state,
                self.ctx.host(),
                &raw const info,
                &raw mut instance,
                error.handle(),
            )
        });
        if code != abi::OK {
            return Err(error.explain(code));
        }
        self.instance.store(instance, Ordering::Release);
        self.has_instance.store(true, Ordering::Release);
        Ok(())
    }

    /// Takes the instance down, unless it has panicked last.
    pub(super) fn destroy_instance(&self) {
        if self.has_instance.swap(false, Ordering::AcqRel)
            && let Some(destroy) = self.descriptor.functions.worker_destroy
        {
            // SAFETY: the instance is one that `worker_create` made, and is not used any more: the
            // worker runs no requests, and the plugin's threads have ended.
            crumb::inside(self.whose(), crumb::DESTROY, || unsafe {
                destroy(self.instance.load(Ordering::Acquire));
            });
        }
    }

    /// What a handler gets as its state in this process.
    pub(super) fn state(&self) -> *mut c_void {
        if link::worker().is_some() {
            self.instance.load(Ordering::Acquire)
        } else {
            self.state
        }
    }

    /// What was made before the fork.
    pub(super) fn module_state(&self) -> *mut c_void {
        self.state
    }

    /// Waits for its turn, where its handlers must not be called by two threads at once.
    pub(super) fn take_turn(&self) -> Option<MutexGuard<'_, ()>> {
        (!self.descriptor.is_thread_safe)
            .then(|| self.turn.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The threads of the arbiter before a handler is called there, if that must not start any.
    pub(super) fn threads_before(&self) -> Option<Threads> {
        let is_arbiter = link::worker().is_none() && !link::is_probe();
        (is_arbiter && !self.may_start_threads).then(threads)
    }

    /// What a handler's call comes to: one that has started threads in the arbiter has failed.
    #[cold]
    pub(super) fn judge_threads(&self, before: &Threads, code: i32) -> i32 {
        let started = new_threads(before);
        if started.is_empty() {
            return code;
        }
        log::error!(
            "Plugin {} has started threads in the arbiter ({}), which a fork loses: start them in the worker, or plugin_allow = 'threads'",
            self.id(),
            started.join(", ")
        );
        abi::ERROR
    }

    /// Returns true if requests are not to be served without it: the operator's word counts, then its
    /// own.
    pub(super) fn is_required(&self) -> bool {
        self.spec.required.unwrap_or(self.descriptor.is_required)
    }

    /// Whether it is not called any more.
    pub(super) fn is_aside(&self) -> bool {
        self.is_aside.load(Ordering::Relaxed)
    }

    /// Does without it from now on; workers that are forked later do so from the start.
    pub fn set_aside(&self, why: &str) {
        if !self.is_aside.swap(true, Ordering::Relaxed) {
            let consequence = if self.is_required() {
                "requests are answered with 503"
            } else {
                "requests pass unguarded by it ('required': True would refuse them)"
            };
            let id = self.id();
            log::error!("Plugin {id} is set aside: {why}; until a reload {consequence}");
        }
    }

    /// The number of the instance that there is, or that is being made.
    pub(super) fn made(&self) -> u32 {
        self.made.load(Ordering::Acquire)
    }

    /// How many threads of its instances have panicked in this process.
    pub(super) fn thread_panics(&self) -> u32 {
        self.thread_panics.load(Ordering::Relaxed)
    }

    /// A thread that the instance of this number had started has panicked, and does no more what it was
    /// there for: the same as if a handler had.
    pub(super) fn note_thread_panic(&self, made: u32) {
        self.thread_panics.fetch_add(1, Ordering::Relaxed);
        let thread = std::thread::current();
        let (id, name) = (self.id(), thread.name().unwrap_or("?"));
        if made != self.made() || link::worker().is_none_or(WorkerLink::leaves) {
            log::error!("Plugin {id}: its thread '{name}' has panicked");
            return;
        }
        log::error!("Plugin {id}: its thread '{name}' has panicked; the instance is made anew");
        self.note_panic();
    }

    /// A handler has panicked: its instance may be half-way through anything. It is left where it
    /// is, and another one made.
    pub(super) fn note_panic(&self) {
        let now = clock::now();
        let mut panics = self.panics.lock().unwrap_or_else(PoisonError::into_inner);
        panics.retain(|&at| now.saturating_sub(at) < WINDOW);
        panics.push(now);
        let count = panics.len();
        drop(panics);
        if count >= PANICS {
            return self.set_aside("three panics within a minute");
        }
        let Some(worker) = link::worker() else { return };
        self.has_instance.store(false, Ordering::Release);
        if let Err(why) = self.create_instance(worker) {
            self.set_aside(&format!("it cannot be made anew after a panic: {why}"));
        }
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        // In a child it is the parent's, which may still use it.
        if self.maker == process::id() {
            crumb::inside(self.whose(), crumb::MODULE_DESTROY, || {
                take_down(&self.descriptor, self.state);
            });
        }
    }
}

/// Calls `module_init`.
pub(super) fn init(
    descriptor: &Descriptor,
    spec: &PluginSpec,
    ctx: &'static Ctx,
) -> Result<*mut c_void, String> {
    let Some(init) = descriptor.functions.module_init else {
        return if spec.options.is_empty() {
            Ok(std::ptr::null_mut())
        } else {
            let names: Vec<_> = spec.options.keys().map(String::as_str).collect();
            Err(format!(
                "it takes no options, and is given {}",
                names.join(", ")
            ))
        };
    };
    let options = serde_json::to_vec(&spec.options).map_err(|error| error.to_string())?;
    let mut state = std::ptr::null_mut();
    let mut error = Buffer::default();
    // SAFETY: as the ABI describes the function; the pointers live through the call, the host for
    // ever.
    let code = unsafe { init(ctx.host(), lend(&options), &raw mut state, error.handle()) };
    if code == abi::OK {
        Ok(state)
    } else {
        Err(error.explain(code))
    }
}

/// Calls `module_destroy` with what `init` gave, which nobody uses any more.
pub(super) fn take_down(descriptor: &Descriptor, state: *mut c_void) {
    if let Some(destroy) = descriptor.functions.module_destroy {
        // SAFETY: the module is one that `module_init` made, and no configuration that is in use
        // refers to it.
        unsafe { destroy(state) }
    }
}

fn worker_info(worker: &WorkerLink) -> abi::WorkerInfo {
    let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    abi::WorkerInfo {
        struct_size: size_of::<abi::WorkerInfo>() as u32,
        id: small(worker.id),
        age: worker.age,
        pid: worker.pid.cast_signed(),
        threads: small(worker.threads),
        workers: small(worker.workers),
        reserved: 0,
    }
}

impl Release for Module {
    unsafe fn release(&self, holder: *mut c_void, value: *mut c_void) {
        if let Some(release) = self.descriptor.functions.request_drop {
            // SAFETY: promised by the caller.
            crumb::inside(self.whose(), crumb::REQUEST_DROP, || unsafe {
                release(holder, value);
            });
        }
    }
}
