//! The gthread driver: a pool of threads, one of which leads.
//!
//! The leader minds the I/O and runs requests inline, which costs no hand-over as long as they are
//! quick. The worker's main thread runs none: it looks every half millisecond whether the leader
//! is still inside the same request, and then gives the lead to a thread that idles. The old leader
//! finishes its request as a follower, and runs what else is ready unless somebody waits for the
//! interpreter meanwhile. So quick requests run on one thread without switches, and
//! slow ones occupy as many threads as there are.
//!
//! When every thread is inside a request, the main thread minds the I/O: limits are kept, bodies
//! arrive, answers leave. It accepts nothing then, and leaves connections to workers with a thread
//! to spare.
//!
//! It also proves to the arbiter that the worker is alive: threads move, and the interpreter can be
//! had. A thread that holds the interpreter for good holds the main thread up as well.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::proof::Proof;
use super::shared::{Events, Next, Shared};
use crate::clock;
use crate::error::Failure;
use crate::gateway::{Gateway, Source, Transaction};
use crate::plugin;

/// How long a request may run before another thread takes the lead.
const TICK: Duration = Duration::from_micros(500);

/// The same where the leader ends requests one after the other. Where processors are short, each look
/// takes one from it.
const QUICK_TICK: Duration = Duration::from_millis(2);

/// So many requests between two looks are quick ones.
const QUICK: u64 = 32;

/// Ticks without a request after which the main thread sleeps until one comes.
const TICKS_AWAKE: u32 = 20;

/// How long the main thread sleeps when nothing goes on.
pub(super) const DOZE: Duration = Duration::from_secs(30);

/// How long the leader sleeps while other threads run requests.
const LULL: Duration = Duration::from_secs(1);

/// How long the threads may take to notice that the worker leaves.
const PARTING: Duration = Duration::from_secs(1);

/// How often the main thread minds the I/O while every thread is busy, and looks around when the
/// worker is stopping.
const MIND: Duration = Duration::from_millis(2);

/// Nobody leads.
const VACANT: usize = usize::MAX;

/// What the leader does: the lowest bits of the pool's progress.
mod phase {
    /// It is between requests.
    pub(super) const BETWEEN: u64 = 0;
    /// It has a request, and waits for the interpreter.
    pub(super) const WAITING: u64 = 1;
    /// It is inside a request.
    pub(super) const INSIDE: u64 = 2;

    const ALL: u64 = 4;

    pub(super) fn of(progress: u64) -> u64 {
        progress % ALL
    }

    /// Returns how many requests have ended.
    pub(super) fn count(progress: u64) -> u64 {
        progress / ALL
    }

    /// Returns the progress at the end of the request.
    pub(super) fn end(progress: u64) -> u64 {
        (progress / ALL + 1) * ALL
    }
}

/// Looks at a leader that waits for the interpreter before it counts as stuck. Another leader would
/// wait as well, with a request in hand that a thread could run which has the interpreter.
const LOOKS_WAITING: u32 = 20;

/// Serves until the worker is to leave; the code to leave with.
///
/// # Errors
/// The threads cannot be started.
pub(super) fn serve(
    shared: &Arc<Shared>,
    gateway: &Arc<dyn Gateway>,
    threads: usize,
) -> Result<i32, Failure> {
    shared.env.control.have_pool();
    let pool = Arc::new(Pool::new());
    let mut joins = Vec::with_capacity(threads);
    for index in 0..threads {
        let (own, runner, pool) = (Arc::clone(shared), Arc::clone(gateway), Arc::clone(&pool));
        let body = Box::new(move || {
            let (leading, begun, is_inside) = Default::default();
            Member {
                gateway: &*runner,
                shared: &own,
                pool: &pool,
                index,
                leading,
                begun,
                is_inside,
            }
            .live();
        });
        match gateway.spawn(&format!("tricorn-{index}"), body) {
            Ok(join) => joins.push(join),
            // A signal has come meanwhile: those that have started may be inside requests already.
            Err(_) if shared.env.control.last_code().is_some() => break,
            Err(failure) => return Err(failure),
        }
    }
    let code = watch(shared, &**gateway, &pool);
    pool.dismiss();
    shared.ring();
    // Those that run requests are waited for no longer.
    let is_idle = !shared.env.ages.is_any_running();
    let deadline = Instant::now() + if is_idle { PARTING } else { Duration::ZERO };
    let are_done = joins.iter().map(|join| join.join(deadline));
    if are_done.filter(|is_done| !is_done).count() > 0 {
        plugin::abandon();
    }
    Ok(code)
}

/// The main thread's part.
fn watch(shared: &Shared, gateway: &dyn Gateway, pool: &Pool) -> i32 {
    let mut events = Events::new();
    let mut seen = Seen::default();
    let mut proof = Proof::new(shared);
    let mut signalled = true;
    loop {
        if let Next::Leave(code) = shared.oversee(gateway, signalled) {
            return code;
        }
        proof.give(shared, gateway);
        let rest = pool.rest(&mut seen).min(proof.rest(shared));
        signalled = shared.sleep_until_woken(if shared.is_draining() {
            rest.min(MIND)
        } else {
            rest
        });
        pool.awake();
        if let Some(stuck) = seen.stuck_at(pool.progress.load(Ordering::SeqCst)) {
            pool.promote(stuck);
        }
        if pool.is_leaderless() {
            shared.mind(gateway, &mut events);
        }
    }
}

/// What the main thread saw at its last look.
#[derive(Debug, Default)]
struct Seen {
    progress: u64,
    /// Requests that had ended since the look before.
    ended: u64,
    /// Looks at which it was the same before.
    same: u32,
    quiet: u32,
}

impl Seen {
    /// The leader's progress, if it is inside the request that it was inside at the last look, or
    /// waits for the interpreter for longer.
    fn stuck_at(&mut self, progress: u64) -> Option<u64> {
        let before = std::mem::replace(&mut self.progress, progress);
        let is_same = before == progress;
        self.ended = phase::count(progress).saturating_sub(phase::count(before));
        self.same = if is_same { self.same + 1 } else { 0 };
        let is_stuck = match phase::of(progress) {
            phase::INSIDE => is_same,
            phase::WAITING => self.same >= LOOKS_WAITING,
            _ => false,
        };
        is_stuck.then_some(progress)
    }
}

/// Who leads, and who waits for it.
#[derive(Debug)]
struct Pool {
    leader: AtomicUsize,
    /// Counts the leader's requests, and tells what it does. Whoever takes the lead from it ends its
    /// request here in its place, and so it finds out.
    progress: AtomicU64,
    /// Threads that have a request, and wait for the interpreter.
    waiting: AtomicUsize,
    /// The main thread sleeps until somebody begins a request.
    dozing: AtomicBool,
    state: Mutex<State>,
    called: Condvar,
}

#[derive(Debug, Default)]
struct State {
    idle: usize,
    /// So many idle threads are to look around.
    calls: usize,
    dismissed: bool,
}

impl Pool {
    fn new() -> Self {
        Self {
            leader: AtomicUsize::new(VACANT),
            progress: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            dozing: AtomicBool::new(false),
            state: Mutex::default(),
            called: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long the main thread may sleep.
    fn rest(&self, seen: &mut Seen) -> Duration {
        if self.is_leaderless() {
            return MIND;
        }
        let progress = self.progress.load(Ordering::SeqCst);
        if seen.ended >= QUICK {
            seen.quiet = 0;
            return QUICK_TICK;
        }
        let active = phase::of(progress) != phase::BETWEEN || progress != seen.progress;
        seen.quiet = if active { 0 } else { seen.quiet + 1 };
        if seen.quiet < TICKS_AWAKE {
            return TICK;
        }
        self.dozing.store(true, Ordering::SeqCst);
        // A request may have begun just before that was to be seen.
        if self.progress.load(Ordering::SeqCst) == progress {
            DOZE
        } else {
            TICK
        }
    }

    fn awake(&self) {
        self.dozing.store(false, Ordering::SeqCst);
    }

    /// Takes the lead from a leader that is stuck, for a thread that idles if there is one.
    fn promote(&self, stuck: u64) {
        if !self.moves(stuck, phase::end(stuck)) {
            return;
        }
        let mut state = self.lock();
        self.leader.store(VACANT, Ordering::SeqCst);
        if state.idle > state.calls {
            state.calls += 1;
            self.called.notify_one();
        }
    }

    /// The leader's progress, unless it is not what it was. Returns true if it was.
    fn moves(&self, from: u64, to: u64) -> bool {
        self.progress
            .compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }

    /// Nobody leads, and nobody is about to: every thread is inside a request.
    fn is_leaderless(&self) -> bool {
        self.leader.load(Ordering::SeqCst) == VACANT && self.lock().idle == 0
    }

    fn dismiss(&self) {
        self.lock().dismissed = true;
        self.called.notify_all();
    }

    fn is_dismissed(&self) -> bool {
        self.lock().dismissed
    }

    /// Makes the thread the leader if there is none. Whether it leads now.
    fn takes_lead(&self, index: usize) -> bool {
        self.leader
            .compare_exchange(VACANT, index, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }

    /// Waits to be called, or dismissed. Whether to go on.
    fn idle(&self) -> bool {
        let mut state = self.lock();
        state.idle += 1;
        // The lead may have become vacant while nobody was idle yet.
        while state.calls == 0 && !state.dismissed && self.leader.load(Ordering::SeqCst) != VACANT {
            state = self
                .called
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.idle -= 1;
        state.calls = state.calls.saturating_sub(1);
        !state.dismissed
    }
}

/// A thread of the pool.
struct Member<'s> {
    gateway: &'s dyn Gateway,
    shared: &'s Shared,
    pool: &'s Pool,
    index: usize,
    /// It leads, as far as it knows.
    leading: Cell<bool>,
    /// The progress of its request as the leader.
    begun: Cell<u64>,
    /// It has the interpreter, and runs requests.
    is_inside: Cell<bool>,
}

impl Member<'_> {
    fn live(&self) {
        let mut events = Events::new();
        while !self.pool.is_dismissed() {
            if self.leading.get() || self.pool.takes_lead(self.index) {
                self.leading.set(true);
                self.lead(&mut events);
            } else if !self.pool.idle() {
                return;
            }
        }
    }

    /// One turn as the leader; it may lose the lead in the course of it.
    fn lead(&self, events: &mut Events) {
        let turn = self.shared.wait(events, self.patience());
        if turn.ready {
            self.shared.share_connections();
            self.run();
        }
        if self.leading.get() && self.shared.env.control.is_alive() && self.shared.accept() {
            self.run();
        }
        self.shared.end_turn(self.gateway);
    }

    fn run(&self) {
        if self.pool.waiting.load(Ordering::SeqCst) > 0 {
            // It has been let go of for them.
            std::thread::yield_now();
        }
        self.is_inside.set(false);
        self.gateway.run(self);
    }

    /// Returns true if the requests that are ready are to be left to others: one that leads no more
    /// keeps the interpreter from those that have a request and wait for it.
    fn gives_way(&self) -> bool {
        let gives_way = self.is_inside.get()
            && !self.leading.get()
            && self.pool.waiting.load(Ordering::SeqCst) > 0;
        if gives_way && self.shared.core().has_ready() {
            self.shared.ring();
        }
        gives_way
    }

    /// A request that another thread ends may bring a time limit that is earlier than any now.
    fn patience(&self) -> u64 {
        if self.shared.core().has_ready() {
            0
        } else if self.shared.env.ages.is_any_running() {
            clock::nanos(LULL)
        } else {
            u64::MAX
        }
    }
}

impl Source for Member<'_> {
    fn next(&self) -> Option<Transaction> {
        self.shared.catch_up(self.gateway);
        if self.gives_way() {
            return None;
        }
        let transaction = self.shared.next(self.index)?;
        let phase = if self.is_inside.get() {
            phase::INSIDE
        } else {
            self.pool.waiting.fetch_add(1, Ordering::SeqCst);
            phase::WAITING
        };
        if self.leading.get() {
            let before = self.pool.progress.fetch_add(phase, Ordering::SeqCst);
            self.begun.set(before + phase);
            if self.pool.dozing.swap(false, Ordering::SeqCst) {
                self.shared.env.control.wake();
            }
        }
        Some(transaction)
    }

    fn begun(&self) {
        self.pool.waiting.fetch_sub(1, Ordering::SeqCst);
        self.is_inside.set(true);
        if self.leading.get() {
            let (waited, inside) = (self.begun.get(), self.begun.get() + 1);
            self.begun.set(inside);
            self.leading.set(self.pool.moves(waited, inside));
        }
    }

    fn done(&self, transaction: Transaction) {
        if self.leading.get() {
            let begun = self.begun.get();
            self.leading.set(self.pool.moves(begun, phase::end(begun)));
        }
        self.shared.done(transaction);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leader_is_stuck_only_in_the_same_request_at_two_looks() {
        let mut seen = Seen::default();
        assert_eq!(seen.stuck_at(2), None, "just begun");
        assert_eq!(seen.stuck_at(2), Some(2));
        assert_eq!(seen.stuck_at(6), None, "another one");
        assert_eq!(seen.stuck_at(8), None);
        assert_eq!(seen.stuck_at(8), None, "between requests");
    }

    #[test]
    fn a_leader_that_waits_for_the_interpreter_is_not_stuck_at_once() {
        let mut seen = Seen::default();
        for _ in 0..LOOKS_WAITING {
            assert_eq!(seen.stuck_at(5), None);
        }
        assert_eq!(seen.stuck_at(5), Some(5));
        assert_eq!(seen.stuck_at(6), None, "it has got it");
        assert_eq!(seen.stuck_at(6), Some(6));
    }

    #[test]
    fn the_lead_is_taken_from_a_stuck_leader_and_from_no_other() {
        let pool = Pool::new();
        assert!(pool.takes_lead(0) && !pool.takes_lead(1));
        pool.progress.store(4, Ordering::SeqCst);
        pool.promote(2);
        assert!(!pool.takes_lead(1), "it has ended meanwhile");
        pool.progress.store(6, Ordering::SeqCst);
        pool.promote(6);
        assert!(pool.is_leaderless() && pool.takes_lead(1));
        assert!(!pool.moves(6, phase::end(6)), "the old leader can tell");
        assert_eq!(pool.progress.load(Ordering::SeqCst), 8);
    }

    #[test]
    fn the_main_thread_dozes_when_nothing_goes_on() {
        let pool = Pool::new();
        assert!(pool.takes_lead(0));
        let mut seen = Seen::default();
        let rests: Vec<_> = (0..=TICKS_AWAKE).map(|_| pool.rest(&mut seen)).collect();
        assert_eq!((rests[0], rests[TICKS_AWAKE as usize]), (TICK, DOZE));
        assert!(pool.dozing.load(Ordering::SeqCst));
    }

    #[test]
    fn the_main_thread_looks_less_often_at_a_leader_that_ends_one_request_after_the_other() {
        let pool = Pool::new();
        assert!(pool.takes_lead(0));
        let mut seen = Seen::default();
        seen.stuck_at(4 * QUICK + 2);
        assert_eq!(pool.rest(&mut seen), QUICK_TICK);
        seen.stuck_at(4 * QUICK + 2);
        assert_eq!(pool.rest(&mut seen), TICK, "it may be stuck");
    }
}
