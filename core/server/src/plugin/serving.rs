//! The plugins of this worker: made after the fork, taken down before the process ends.

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use super::host::enter_metrics;
use super::link::{self, WorkerLink};
use super::load::Plugins;
use super::module::Module;
use crate::error::{Blame, Exit, Failure};
use crate::exchange::Release;
use crate::gateway::{Control, Resumptions};
use crate::hooks::Age;
use crate::lifeline::Cell;

/// How long threads of plugins may take to notice that the worker leaves.
const PARTING: Duration = Duration::from_secs(2);

/// Threads that serve may still be inside handlers: the worker ends without them.
static ABANDONED: AtomicBool = AtomicBool::new(false);

static SERVING: OnceLock<Vec<Arc<Module>>> = OnceLock::new();

fn module(place: usize) -> Option<&'static Arc<Module>> {
    SERVING.get()?.get(place)
}

/// The instance of the plugin of this place.
pub(super) fn instance(place: usize) -> *mut c_void {
    module(place).map_or(std::ptr::null_mut(), |module| module.state())
}

/// Who lets go of what that plugin keeps with a request.
pub(super) fn release(place: usize) -> Option<&'static dyn Release> {
    module(place).map(|module| &**module as &dyn Release)
}

/// The number of that plugin's instance.
pub(super) fn made(place: usize) -> u32 {
    module(place).map_or(0, |module| module.made())
}

/// A thread has panicked that the instance of this number had started.
pub(super) fn note_thread_panic(place: usize, made: u32) {
    if let Some(module) = module(place) {
        module.note_thread_panic(made);
    }
}

/// A worker, as far as plugins are concerned.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// Its id among the living.
    pub id: usize,
    /// Its cell of the lifeline.
    pub cell: &'static Cell,
    /// Workers that the server keeps.
    pub workers: usize,
    /// Its number in the order of forks.
    pub age: Age,
    /// Threads that run requests.
    pub threads: usize,
    /// How it is asked to stop.
    pub control: &'a Arc<Control>,
    /// Where suspended requests are decided.
    pub resumptions: &'a Arc<Resumptions>,
}

/// Makes the instances of a worker, in the order of the settings.
///
/// # Errors
/// The plugin that could not be made, and why.
pub fn enter(plugins: &Plugins, around: &Surroundings<'_>) -> Result<(), Failure> {
    if plugins.modules().is_empty() {
        return Ok(());
    }
    let worker = link::become_worker(WorkerLink {
        id: around.id,
        age: around.age,
        pid: std::process::id(),
        threads: around.threads,
        workers: around.workers,
        cell: around.cell,
        control: Arc::clone(around.control),
        resumptions: Arc::clone(around.resumptions),
        is_leaving: false.into(),
        spawned: Mutex::default(),
    });
    enter_metrics(worker.id);
    let modules = SERVING.get_or_init(|| plugins.modules().to_vec());
    for module in modules.iter().filter(|module| !module.is_aside()) {
        module.create_instance(worker).map_err(|why| {
            let id = module.id();
            Failure::new(
                Blame::Plugin,
                format!("the worker cannot boot: plugin {id}: {why}"),
            )
            .exits_with(Exit::WorkerBoot)
        })?;
    }
    Ok(())
}

/// The worker ends although threads of it are inside requests: what these use stays where it is.
pub fn abandon() {
    ABANDONED.store(true, Ordering::Relaxed);
}

/// Ends the plugins' threads and takes the instances down.
pub fn leave() {
    for remark in take_leave() {
        log::warn!("{remark}");
    }
}

/// The same, in the order opposite to their making; what is to be said of it.
pub(super) fn take_leave() -> Vec<String> {
    let (Some(worker), Some(modules)) = (link::worker(), SERVING.get()) else {
        return Vec::new();
    };
    worker.is_leaving.store(true, Ordering::Relaxed);
    let (busy, remarks) = end_threads(worker);
    for module in modules.iter().rev() {
        // What a thread still uses is left where it is; the process ends anyway.
        if !busy.contains(&module.place) && !ABANDONED.load(Ordering::Relaxed) {
            module.destroy_instance();
        }
    }
    remarks
}

/// Waits for the threads; the places of the plugins that have one which does not end, and what is to be
/// said of these.
fn end_threads(worker: &WorkerLink) -> (Vec<usize>, Vec<String>) {
    let deadline = Instant::now() + PARTING;
    let (mut busy, mut remarks) = (Vec::new(), Vec::new());
    for spawned in std::mem::take(&mut *worker.spawned()) {
        while !spawned.thread.is_finished() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        if spawned.thread.is_finished() {
            // It has nothing to say: a panic was its plugin's to catch.
            let _ = spawned.thread.join();
        } else {
            let id = module(spawned.owner).map_or("?", |module| module.id());
            remarks.push(format!(
                "Plugin {id}: its thread '{}' does not end with the worker",
                spawned.name
            ));
            busy.push(spawned.owner);
        }
    }
    (busy, remarks)
}
