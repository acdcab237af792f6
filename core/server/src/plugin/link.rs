//! The process a plugin finds itself in: what the functions it is given work on.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::gateway::{Control, Resumptions};
use crate::lifeline::Cell;

/// A worker, to the plugins in it.
#[derive(Debug)]
pub(super) struct WorkerLink {
    pub(super) id: usize,
    pub(super) age: u64,
    pub(super) pid: u32,
    pub(super) threads: usize,
    pub(super) workers: usize,
    pub(super) cell: &'static Cell,
    pub(super) control: Arc<Control>,
    pub(super) resumptions: Arc<Resumptions>,
    /// The worker leaves: threads that plugins have started are to end.
    pub(super) is_leaving: AtomicBool,
    pub(super) spawned: Mutex<Vec<Spawned>>,
}

/// A thread that a plugin has started.
#[derive(Debug)]
pub(super) struct Spawned {
    /// The plugin's place.
    pub(super) owner: usize,
    pub(super) name: String,
    pub(super) thread: std::thread::JoinHandle<()>,
}

/// Set once in each worker's life.
static WORKER: AtomicPtr<WorkerLink> = AtomicPtr::new(std::ptr::null_mut());

/// This process tries plugins out.
static IS_PROBE: AtomicBool = AtomicBool::new(false);

/// The worker that this process is, if it is one.
#[inline]
pub(super) fn worker() -> Option<&'static WorkerLink> {
    let link = WORKER.load(Ordering::Acquire);
    // SAFETY: null, or leaked by `become_worker`, and never changed but through its own atomics and
    // locks.
    unsafe { link.as_ref() }
}

/// Makes this process a worker.
pub(super) fn become_worker(link: WorkerLink) -> &'static WorkerLink {
    let link = Box::leak(Box::new(link));
    WORKER.store(link, Ordering::Release);
    link
}

/// Makes this process one that tries plugins out.
pub(super) fn become_probe() {
    IS_PROBE.store(true, Ordering::Relaxed);
}

/// Whether this process tries plugins out.
pub(super) fn is_probe() -> bool {
    IS_PROBE.load(Ordering::Relaxed)
}

impl WorkerLink {
    /// Returns true once the worker is leaving.
    pub(super) fn leaves(&self) -> bool {
        self.is_leaving.load(Ordering::Relaxed)
    }

    pub(super) fn spawned(&self) -> MutexGuard<'_, Vec<Spawned>> {
        self.spawned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where this thread notes which plugin it is in.
pub(super) fn crumb() -> Option<&'static AtomicU32> {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static PLACE: usize = THREADS.fetch_add(1, Ordering::Relaxed);
    }
    worker().map(|worker| worker.cell.crumb(PLACE.with(|&place| place)))
}

/// The level word that every host points to.
pub(super) fn level() -> &'static AtomicI32 {
    crate::log::level_word()
}
