//! The process a plugin finds itself in: what the functions it is given work on.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::gateway::{Control, Resumptions};
use crate::lifeline::{Cell, PLACES};

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

/// The places that threads of this worker have on the board: a bit for each.
static TAKEN: AtomicU64 = AtomicU64::new(0);
const _: () = assert!(PLACES == 64, "one word has a bit for each");

/// A thread's place on the board, for as long as the thread lives; `None` if there is none left.
struct Place(Option<usize>);

impl Place {
    fn take() -> Self {
        let free = |taken: u64| (taken != u64::MAX).then(|| taken | (taken + 1));
        let before = TAKEN.fetch_update(Ordering::AcqRel, Ordering::Acquire, free);
        Self(before.ok().map(|taken| taken.trailing_ones() as usize))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(place) = self.0 {
            TAKEN.fetch_and(!(1 << place), Ordering::AcqRel);
        }
    }
}

/// Returns where this thread of a worker notes which plugin it is in; `None` if no place is left.
pub(super) fn crumb(worker: &'static WorkerLink) -> Option<&'static AtomicU32> {
    thread_local! {
        static PLACE: Place = Place::take();
    }
    // At the very end of a thread its place is gone.
    let place = PLACE.try_with(|place| place.0).ok().flatten()?;
    worker.cell.crumb(place)
}

/// The level word that every host points to.
pub(super) fn level() -> &'static AtomicI32 {
    crate::log::level_word()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_one_threads_until_it_ends_and_then_anothers() {
        let mut taken: Vec<_> = (0..PLACES).map(|_| Place::take()).collect();
        let mut numbers: Vec<_> = taken.iter().filter_map(|place| place.0).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..PLACES).collect::<Vec<_>>());
        assert_eq!(Place::take().0, None, "it is counted, and takes nobody's");
        let free = taken.swap_remove(7).0;
        assert_eq!(Place::take().0, free);
    }
}
