//! The shared memory: one cell for each worker id.

use std::num::NonZeroUsize;
use std::os::fd::{IntoRawFd, OwnedFd, RawFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, ProtFlags, mmap};
use nix::sys::stat::fstat;
use nix::unistd::{close, ftruncate};

use super::running::{Beginning, Running, RunningRequest};

/// The most workers that can live at once: ids run from 1 to this.
pub const WORKERS_AT_MOST: usize = 4096;

/// What a worker is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Phase {
    /// Between fork and readiness.
    Booting = 0,
    /// Serving.
    Serving = 1,
    /// No longer accepting.
    Draining = 2,
    /// In a loop of its class's own, which has not said yet that it serves.
    Running = 3,
}

/// What one worker tells the arbiter, a cache line of its own.
#[derive(Debug)]
#[repr(C, align(128))]
pub struct Cell {
    /// The last sign of life, in nanoseconds of the monotonic clock.
    beat: AtomicU64,
    /// When the request began that a worker runs which runs one at a time; 0 when it runs none.
    oldest: AtomicU64,
    /// Since when no thread of a pool has moved; 0 if one idles, or waits for its client.
    still_since: AtomicU64,
    /// Requests on threads that have no place below, and when the oldest of them began.
    beyond: AtomicU64,
    beyond_since: AtomicU64,
    /// Requests taken up.
    requests: AtomicU64,
    /// Open connections.
    connections: AtomicU32,
    phase: AtomicU32,
    /// Which compiled handler each of its threads is inside of, in the plugins' own code; 0 for
    /// none.
    crumbs: [AtomicU32; PLACES],
    /// Threads that are inside such code and have no place.
    astray: AtomicU32,
    /// The crumb of a thread that has ended the worker and is known to have; 0 if none is.
    culprit: AtomicU32,
    /// What the worker does when it is asked to, and whether it has left: bits.
    abilities: AtomicU32,
    /// The request that each of its threads runs.
    running: [Running; PLACES],
}

/// Threads that have a place of their own. What others do is counted.
pub const PLACES: usize = 64;

/// It writes its stacks.
const EXPLAINS: u32 = 1;
/// It ends requests that have run for too long.
const ENDS_REQUESTS: u32 = 2;
/// It has done all that was to be done before its process ends.
const HAS_LEFT: u32 = 4;

impl Cell {
    /// Begins anew for the next worker of this id.
    pub fn reset(&self, now: u64) {
        self.beat.store(now, Ordering::Relaxed);
        self.oldest.store(0, Ordering::Relaxed);
        self.still_since.store(0, Ordering::Relaxed);
        self.beyond.store(0, Ordering::Relaxed);
        self.beyond_since.store(0, Ordering::Relaxed);
        self.astray.store(0, Ordering::Relaxed);
        self.culprit.store(0, Ordering::Relaxed);
        self.requests.store(0, Ordering::Relaxed);
        self.connections.store(0, Ordering::Relaxed);
        self.phase.store(Phase::Booting as u32, Ordering::Relaxed);
        for crumb in &self.crumbs {
            crumb.store(0, Ordering::Relaxed);
        }
        self.abilities.store(0, Ordering::Relaxed);
        self.running.iter().for_each(Running::clear);
    }

    /// The thread of this number begins to run a request.
    pub fn begin(&self, thread: usize, beginning: &Beginning<'_>) {
        if let Some(place) = self.running.get(thread) {
            place.begin(beginning);
        }
    }

    /// Its request has ended.
    pub fn end(&self, thread: usize) {
        if let Some(place) = self.running.get(thread) {
            place.clear();
        }
    }

    /// Returns when the request of a thread began; 0 if it runs none, or has no place.
    #[must_use]
    pub fn began(&self, thread: usize) -> u64 {
        self.running.get(thread).map_or(0, Running::began)
    }

    /// The request of a thread, which began then, has run for longer than `timeout`.
    pub fn note_overdue(&self, thread: usize, began: u64) {
        if let Some(place) = self.running.get(thread) {
            place.note_overdue(began);
        }
    }

    /// Tells when the requests began that run on threads without a place.
    pub fn set_beyond(&self, began: impl Iterator<Item = u64>) {
        let (count, oldest) = began.fold((0, u64::MAX), |(count, oldest), began| {
            (count + 1, oldest.min(began))
        });
        self.beyond_since.store(oldest, Ordering::Relaxed);
        self.beyond.store(count, Ordering::Relaxed);
    }

    /// Returns how many requests run on threads without a place, and when the oldest began.
    #[must_use]
    pub fn beyond(&self) -> Option<(u64, u64)> {
        let count = self.beyond.load(Ordering::Relaxed);
        (count > 0).then(|| (count, self.beyond_since.load(Ordering::Relaxed)))
    }

    /// Tells since when no thread of a pool has moved; 0 for not so.
    pub fn set_still_since(&self, since: u64) {
        self.still_since.store(since, Ordering::Relaxed);
    }

    /// Returns for how long no thread of a pool has moved, in nanoseconds.
    #[must_use]
    pub fn stillness(&self, now: u64) -> u64 {
        match self.still_since.load(Ordering::Relaxed) {
            0 => 0,
            since => now.saturating_sub(since),
        }
    }

    /// The requests that run.
    #[must_use]
    pub fn running(&self) -> Vec<RunningRequest> {
        self.running.iter().filter_map(Running::read).collect()
    }

    /// The worker has a handler for [`super::stack_signal`].
    pub fn set_explains(&self) {
        self.abilities.fetch_or(EXPLAINS, Ordering::Release);
    }

    /// Whether it has.
    #[must_use]
    pub fn explains(&self) -> bool {
        self.abilities.load(Ordering::Acquire) & EXPLAINS != 0
    }

    /// The worker has a handler for [`super::overtime_signal`].
    pub fn set_ends_requests(&self) {
        self.abilities.fetch_or(ENDS_REQUESTS, Ordering::Release);
    }

    /// Whether it has.
    #[must_use]
    pub fn ends_requests(&self) -> bool {
        self.abilities.load(Ordering::Acquire) & ENDS_REQUESTS != 0
    }

    /// The worker has come to its end in order: whatever its threads were inside of has not ended it.
    pub fn set_left(&self) {
        self.abilities.fetch_or(HAS_LEFT, Ordering::Release);
    }

    /// Returns true if it has.
    #[must_use]
    pub fn has_left(&self) -> bool {
        self.abilities.load(Ordering::Acquire) & HAS_LEFT != 0
    }

    /// Returns where the thread of this number leaves its crumb, if it has a place.
    #[must_use]
    pub fn crumb(&self, thread: usize) -> Option<&AtomicU32> {
        self.crumbs.get(thread)
    }

    /// Returns the number of threads without a place that are inside of compiled handlers.
    #[must_use]
    pub fn astray(&self) -> &AtomicU32 {
        &self.astray
    }

    /// Returns where a thread that ends the worker leaves its crumb: no other then counts.
    #[must_use]
    pub fn culprit(&self) -> &AtomicU32 {
        &self.culprit
    }

    /// The crumbs that were left when the worker died: the culprit's alone, where one is known.
    pub fn crumbs(&self) -> impl Iterator<Item = u32> {
        let culprit = self.culprit.load(Ordering::Relaxed);
        let crumbs = self
            .crumbs
            .iter()
            .map(|crumb| crumb.load(Ordering::Relaxed));
        let others = crumbs.filter(move |_| culprit == 0);
        std::iter::once(culprit)
            .chain(others)
            .filter(|&crumb| crumb != 0)
    }

    /// The crumbs that stay for a moment where they are: of threads that are stuck, and not of those that
    /// pass through.
    #[must_use]
    pub fn lasting_crumbs(&self) -> Vec<u32> {
        const MOMENT: Duration = Duration::from_millis(10);
        let read = || {
            let crumbs = self.crumbs.iter();
            crumbs.map(|crumb| crumb.load(Ordering::Relaxed))
        };
        let first: Vec<u32> = read().collect();
        if first.iter().all(|&crumb| crumb == 0) {
            return Vec::new();
        }
        std::thread::sleep(MOMENT);
        let both = first.into_iter().zip(read());
        both.filter(|&(before, now)| before != 0 && before == now)
            .map(|(crumb, _)| crumb)
            .collect()
    }

    /// A sign of life.
    pub fn beat(&self, now: u64) {
        self.beat.store(now, Ordering::Relaxed);
    }

    /// The time at which the oldest running request began; 0 for none.
    pub fn set_oldest(&self, began: u64) {
        self.oldest.store(began, Ordering::Relaxed);
    }

    /// Counts a request that is taken up.
    pub fn count_request(&self) {
        // One process writes; a load and a store cost less than an atomic addition.
        let taken = self.requests.load(Ordering::Relaxed);
        self.requests.store(taken + 1, Ordering::Relaxed);
    }

    /// Sets the number of open connections.
    pub fn set_connections(&self, open: usize) {
        self.connections
            .store(u32::try_from(open).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// Sets what the worker is doing.
    pub fn set_phase(&self, phase: Phase) {
        self.phase.store(phase as u32, Ordering::Relaxed);
    }

    /// How long there has been no sign of life, in nanoseconds. While a request runs, its age is
    /// what counts: a loop that goes round beside a stuck request proves nothing.
    #[must_use]
    pub fn silence(&self, now: u64) -> u64 {
        let oldest = self.oldest.load(Ordering::Relaxed);
        let last = if oldest > 0 {
            oldest
        } else {
            self.beat.load(Ordering::Relaxed)
        };
        now.saturating_sub(last)
    }

    /// Requests taken up so far.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Open connections.
    #[must_use]
    pub fn connections(&self) -> u32 {
        self.connections.load(Ordering::Relaxed)
    }

    /// What the worker is doing.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Booting,
            1 => Phase::Serving,
            3 => Phase::Running,
            _ => Phase::Draining,
        }
    }
}

/// The cells of all workers. Mapped once by the arbiter, shared by all its children, never unmapped.
#[derive(Debug, Clone, Copy)]
pub struct Board {
    cells: &'static [Cell],
    shared: &'static Shared,
    /// The memory's descriptor, open for as long as the process lives.
    number: RawFd,
}

/// Bytes of a board.
const LENGTH: usize = size_of::<Shared>() + WORKERS_AT_MOST * size_of::<Cell>();

/// What all workers of an arbiter see.
#[derive(Debug)]
#[repr(C, align(128))]
struct Shared {
    /// Workers that are serving, as far as the arbiter knows.
    workers: AtomicU32,
}

impl Board {
    /// Maps a board. Its length is sealed: a worker that shortened it would end every process that
    /// looks at it.
    ///
    /// # Errors
    /// No memory.
    pub fn new() -> nix::Result<Self> {
        let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
        let memory = memfd_create("board", flags)?;
        let length = i64::try_from(LENGTH).map_err(|_| Errno::EINVAL)?;
        ftruncate(&memory, length)?;
        let seals = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
        fcntl(&memory, FcntlArg::F_ADD_SEALS(seals))?;
        Self::of(memory)
    }

    /// Maps the board that an earlier program of this process has made.
    ///
    /// # Errors
    /// No memory; a descriptor of something else.
    pub fn of(memory: OwnedFd) -> nix::Result<Self> {
        let size = usize::try_from(fstat(&memory)?.st_size).unwrap_or(0);
        let length = NonZeroUsize::new(LENGTH).filter(|_| size >= LENGTH);
        let length = length.ok_or(Errno::EINVAL)?;
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: the memory is as long as what is mapped of it, and nothing else is mapped there.
        let mapped: NonNull<std::ffi::c_void> =
            unsafe { mmap(None, length, access, MapFlags::MAP_SHARED, &memory, 0) }?;
        let number = memory.into_raw_fd();
        let memory = mapped;
        let header = size_of::<Shared>();
        let base = memory.cast::<u8>();
        // SAFETY: the mapping is page-aligned, long enough for the header and the cells that
        // follow it at a multiple of their alignment, zeroed, which is a valid value of both, and
        // never unmapped. All access goes through atomics.
        unsafe {
            let shared = base.cast::<Shared>().as_ref();
            let cells = base.add(header).cast::<Cell>();
            let cells = std::slice::from_raw_parts(cells.as_ptr(), WORKERS_AT_MOST);
            Ok(Self {
                cells,
                shared,
                number,
            })
        }
    }

    /// The number of the memory's descriptor.
    #[must_use]
    pub fn number(&self) -> RawFd {
        self.number
    }

    /// In a worker: closes the memory's descriptor, which only an arbiter hands on.
    pub(crate) fn close_descriptor(&self) {
        // It is open, and nobody else closes it: that cannot fail.
        let _ = close(self.number);
    }

    /// The cell of the worker of this id, from 1.
    ///
    /// # Panics
    /// An id outside 1 to [`WORKERS_AT_MOST`], which no arbiter gives.
    #[must_use]
    pub fn cell(&self, id: usize) -> &'static Cell {
        &self.cells[id - 1]
    }

    /// Sets the number of workers that are to serve.
    pub fn set_workers(&self, workers: usize) {
        self.shared.workers.store(
            u32::try_from(workers).unwrap_or(u32::MAX),
            Ordering::Relaxed,
        );
    }

    /// The number of workers that are to serve. A lone worker need not share connections.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.shared.workers.load(Ordering::Relaxed) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_the_age_of_a_running_request_else_of_the_last_beat() {
        let board = Board::new().unwrap();
        let cell = board.cell(WORKERS_AT_MOST);
        cell.reset(1_000);
        assert_eq!(cell.silence(1_500), 500);
        cell.set_oldest(1_100);
        cell.beat(1_500);
        assert_eq!(
            cell.silence(1_500),
            400,
            "a beat beside a running request proves nothing"
        );
        cell.set_oldest(0);
        assert_eq!(cell.silence(1_600), 100);
        assert_eq!(cell.phase(), Phase::Booting);
    }

    #[test]
    fn nobody_who_has_the_memory_can_change_its_length() {
        let board = Board::new().unwrap();
        // SAFETY: the descriptor is open as long as the process lives.
        let memory = unsafe { std::os::fd::BorrowedFd::borrow_raw(board.number()) };
        for length in [0, 4096, 2 * LENGTH as i64] {
            assert_eq!(ftruncate(memory, length), Err(Errno::EPERM));
        }
        let seal = FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_WRITE);
        assert_eq!(fcntl(memory, seal), Err(Errno::EPERM));
    }

    #[test]
    fn a_crumb_that_stays_where_it_is_lasts() {
        let board = Board::new().unwrap();
        let cell = board.cell(5);
        assert!(cell.lasting_crumbs().is_empty());
        cell.crumb(0).unwrap().store(7, Ordering::Relaxed);
        assert_eq!(cell.lasting_crumbs(), [7]);
    }

    #[test]
    fn what_a_child_writes_the_parent_reads() {
        let board = Board::new().unwrap();
        // SAFETY: the child only stores to shared memory and leaves without running destructors.
        match unsafe { nix::unistd::fork() }.unwrap() {
            nix::unistd::ForkResult::Child => {
                board.cell(3).count_request();
                board.cell(3).set_phase(Phase::Serving);
                // SAFETY: ends the child at once.
                unsafe { libc::_exit(0) }
            }
            nix::unistd::ForkResult::Parent { child } => {
                nix::sys::wait::waitpid(child, None).unwrap();
            }
        }
        assert_eq!(
            (board.cell(3).requests(), board.cell(3).phase()),
            (1, Phase::Serving)
        );
        assert_eq!(board.cell(2).requests(), 0);
    }
}
