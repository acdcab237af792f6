//! The table of connections, and what moves them along.

use std::collections::VecDeque;
use std::sync::{Arc, MutexGuard};

use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use slab::Slab;

use super::Key;
use super::accept::Listeners;
use super::conn::{Conn, ConnCell, Interest, Phase};
use super::env::Env;
use super::linger::Lingering;
use super::timers::Timers;
use super::turn::Turn;
use crate::clock;
use crate::exchange::{Finished, Request};
use crate::gateway::{Handle, Transaction};
use crate::lifeline::{Beginning, forked};

/// Bytes that are read from a socket at once.
const SCRATCH: usize = 128 * 1024;

/// The client sends no more, or the connection is broken.
const HANG_UP: EpollFlags = EpollFlags::EPOLLRDHUP
    .union(EpollFlags::EPOLLHUP)
    .union(EpollFlags::EPOLLERR);

/// The connection is gone for certain, both ways: a client that only sends no more may still read.
const BROKEN: EpollFlags = EpollFlags::EPOLLHUP.union(EpollFlags::EPOLLERR);

/// A request that was refused, for the handlers of `request_error`.
#[derive(Debug)]
pub(in super::super) struct Refusal {
    pub(in super::super) status: u16,
    pub(in super::super) reason: String,
}

/// The core.
#[derive(Debug)]
pub(in super::super) struct Core {
    pub(super) env: Arc<Env>,
    epoll: Arc<Epoll>,
    pub(in super::super) listeners: Listeners,
    pub(super) table: Slab<Arc<ConnCell>>,
    pub(super) next_serial: u32,
    /// Events of this turn that have not been looked at.
    events: VecDeque<EpollEvent>,
    /// Connections that could go on at once, and are looked at in the next turn.
    again: VecDeque<EpollEvent>,
    ready: VecDeque<Arc<ConnCell>>,
    pub(super) timers: Timers,
    pub(super) scratch: Vec<u8>,
    /// The time at which this turn began, or its last request ended.
    pub(super) now: u64,
    pub(super) turn: Turn,
    /// Bytes of bodies that are read in advance.
    pub(super) bodies: usize,
    /// Compiled handlers decide of a request as soon as it is ready, where it is.
    pub(super) decides: bool,
    /// A body is read on although the memory for them is used up.
    pub(super) has_privileged: bool,
    /// Buffers of bodies that are done with, for the next.
    pub(super) spare: Vec<Vec<u8>>,
    /// Some of that has been let go of: bodies that wait may go on.
    pub(super) memory_freed: bool,
    pub(super) paused: VecDeque<Arc<ConnCell>>,
    pub(super) lingering: Lingering,
    pub(super) refusals: Vec<Refusal>,
    /// Requests that the gateway is to be told of.
    pub(super) finished: Vec<Finished>,
    /// Until then nothing is accepted, for want of descriptors.
    pub(super) pause_until: u64,
    /// Connections are left to the siblings until then; 0 if they are not.
    pub(super) courtesy_until: u64,
    /// That was in vain the last time, and no request has come since.
    pub(super) courtesy_failed: bool,
}

/// A request that runs, for the gateway.
pub(super) fn transaction(cell: Arc<ConnCell>, number: u64, request: Arc<Request>) -> Transaction {
    let place = cell.key.place();
    Transaction {
        request,
        channel: Handle::new(cell, number),
        place,
    }
}

impl Core {
    pub(in super::super) fn new(env: Arc<Env>, epoll: Arc<Epoll>, listeners: Listeners) -> Self {
        let now = clock::now();
        Self {
            listeners,
            env,
            epoll,
            table: Slab::new(),
            next_serial: 0,
            events: VecDeque::new(),
            again: VecDeque::new(),
            ready: VecDeque::new(),
            timers: Timers::default(),
            scratch: Vec::with_capacity(SCRATCH),
            now,
            turn: Turn::new(now),
            bodies: 0,
            decides: false,
            has_privileged: false,
            memory_freed: false,
            spare: Vec::new(),
            paused: VecDeque::new(),
            lingering: Lingering::default(),
            refusals: Vec::new(),
            finished: Vec::new(),
            pause_until: 0,
            courtesy_until: 0,
            courtesy_failed: false,
        }
    }

    /// Begins a turn: takes events in, and notices limits that are reached.
    pub(in super::super) fn take_events(&mut self, events: &[EpollEvent]) {
        self.begin_turn();
        self.events.append(&mut self.again);
        for event in events {
            if !self.listeners.note(event.data()) {
                self.events.push_back(*event);
            }
        }
        self.take_decisions();
        self.expire();
    }

    pub(super) fn begin_turn(&mut self) {
        self.now = clock::now();
        self.turn.begin(self.now);
    }

    /// Looks at events until a request is ready. The rest is looked at when that one has run: a
    /// connection that is read, run and answered in one go is still warm in the cache.
    fn look_on(&mut self) {
        self.look(false);
    }

    /// Looks at all events, for a thread that runs no requests.
    pub(in super::super) fn look_at_all(&mut self) {
        self.look(true);
    }

    #[inline(never)]
    fn look(&mut self, at_all: bool) {
        while at_all || self.ready.is_empty() {
            let Some(event) = self.events.pop_front() else {
                return;
            };
            self.look_at(event);
        }
    }

    // Inline, down to the call of the system: behind that, the processor does not know any more where
    // to return to, and each return costs as much as many steps.
    #[inline(always)]
    fn look_at(&mut self, event: EpollEvent) {
        if let Some(cell) = self.find(Key::from_data(event.data())) {
            let mut conn = cell.lock();
            let flags = event.events();
            conn.readable |= flags.intersects(!EpollFlags::EPOLLOUT);
            conn.hung_up |= flags.intersects(HANG_UP);
            conn.is_broken |= flags.intersects(BROKEN);
            self.pump_here(&cell, &mut conn);
        }
        self.resume_bodies();
    }

    /// Nanoseconds until a limit may be reached.
    pub(in super::super) fn until_next_limit(&self) -> Option<u64> {
        if !self.again.is_empty() {
            return Some(0);
        }
        let pauses = [self.pause_until, self.courtesy_until];
        self.timers
            .next()
            .into_iter()
            .chain(pauses.into_iter().filter(|&until| until > 0))
            .min()
            .map(|at| at.saturating_sub(clock::now()))
    }

    /// Whether a connection is to be looked at without an event.
    pub(in super::super) fn goes_on(&self) -> bool {
        !self.again.is_empty()
    }

    /// Whether a request is ready to run.
    pub(in super::super) fn has_ready(&mut self) -> bool {
        self.look_on();
        !self.ready.is_empty()
    }

    /// The next request to run, on the thread of this number.
    pub(in super::super) fn take_ready(&mut self, thread: usize) -> Option<Transaction> {
        let (cell, (number, request)) = self.begin_ready(thread, |_, conn, request| {
            conn.request = Some(Arc::clone(&request));
            (conn.number, request)
        })?;
        Some(transaction(cell, number, request))
    }

    /// Begins to run the next request, which `with` takes off the connection.
    pub(super) fn begin_ready<R>(
        &mut self,
        thread: usize,
        with: impl FnOnce(&ConnCell, &mut Conn, Arc<Request>) -> R,
    ) -> Option<(Arc<ConnCell>, R)> {
        loop {
            self.look_on();
            let cell = self.ready.pop_front()?;
            let mut conn = cell.lock();
            if conn.phase != Phase::Queued {
                continue;
            }
            if let Some(request) = self.begin(&mut conn, thread, clock::roughly_now()) {
                let taken = with(&cell, &mut conn, request);
                drop(conn);
                return Some((cell, taken));
            }
        }
    }

    /// A thread begins now to run the request of a connection, which is taken off it.
    pub(super) fn begin(&self, conn: &mut Conn, thread: usize, now: u64) -> Option<Arc<Request>> {
        conn.phase = Phase::Running;
        conn.thread = thread;
        let request = conn.request.take()?;
        let beginning = Beginning {
            now,
            line: request.head.method_and_target(),
            client: conn.client,
        };
        self.env.begin_request(thread, &beginning);
        if !std::mem::replace(&mut conn.announced, true) {
            self.env.count_request();
        }
        Some(request)
    }

    /// Takes a request back. Whatever is still to be sent is the core's affair now.
    pub(in super::super) fn take_back(&mut self, transaction: Transaction) {
        // The request may have run for long, and limits are counted from its end.
        self.now = self.now.max(clock::roughly_now());
        let place = transaction.place;
        drop(transaction);
        let Some(cell) = self.table.get(place).cloned() else {
            return;
        };
        let mut conn = cell.lock();
        self.end_run(&cell, &mut conn);
        drop(conn);
        self.resume_bodies();
    }

    /// A request runs no longer, and the connection is locked.
    pub(super) fn end_run(&mut self, cell: &Arc<ConnCell>, conn: &mut MutexGuard<'_, Conn>) {
        self.env.end_request(conn.thread, self.now);
        if conn.phase == Phase::Running {
            self.flush_after_run(conn);
            self.pump(cell, conn);
        } else if conn.phase == Phase::Pending {
            self.park(cell, conn);
            self.pump(cell, conn);
        }
    }

    pub(super) fn flush_after_run(&mut self, conn: &mut Conn) {
        conn.phase = Phase::Flushing;
        self.release_body(conn);
    }

    /// The connections there are.
    pub(super) fn cells(&self) -> Vec<Arc<ConnCell>> {
        self.table
            .iter()
            .map(|(_, cell)| Arc::clone(cell))
            .collect()
    }

    /// Whether every connection is gone.
    pub(in super::super) fn is_quiet(&self) -> bool {
        self.table.is_empty()
    }

    /// The requests refused since the last call.
    pub(in super::super) fn take_finished(&mut self) -> Vec<Finished> {
        std::mem::take(&mut self.finished)
    }

    pub(in super::super) fn take_refusals(&mut self) -> Vec<Refusal> {
        std::mem::take(&mut self.refusals)
    }

    pub(super) fn find(&self, key: Key) -> Option<Arc<ConnCell>> {
        self.table
            .get(key.place())
            .filter(|cell| cell.key == key)
            .cloned()
    }

    /// Moves a connection along as far as it goes without waiting.
    pub(super) fn pump(&mut self, cell: &Arc<ConnCell>, conn: &mut MutexGuard<'_, Conn>) {
        self.pump_here(cell, conn);
    }

    #[inline(always)]
    fn pump_here(&mut self, cell: &Arc<ConnCell>, conn: &mut MutexGuard<'_, Conn>) {
        loop {
            let again = match conn.phase {
                Phase::Head if !conn.has_at_hand() => false,
                Phase::Head if self.turn.is_over_for(conn) => {
                    conn.goes_on = true;
                    false
                }
                Phase::Head => self.read_head(cell, conn),
                Phase::Body => self.read_body(cell, conn),
                Phase::Flushing => self.flush(conn),
                Phase::Draining => self.drain(conn),
                Phase::Lingering => self.linger(conn),
                Phase::Pending => self.give_up_broken(conn),
                Phase::BodyPaused | Phase::Queued | Phase::Running | Phase::Closed => false,
            };
            if !again {
                break;
            }
        }
        self.settle(cell, conn);
    }

    pub(super) fn settle(&mut self, cell: &Arc<ConnCell>, conn: &mut Conn) {
        let needed = match conn.phase {
            Phase::Closed => return self.remove(cell, conn),
            Phase::Queued | Phase::Running => return,
            Phase::Flushing => Interest::ReadWrite,
            Phase::Lingering => {
                self.line_up_lingering(cell, conn);
                Interest::Read
            }
            _ => Interest::Read,
        };
        if std::mem::take(&mut conn.goes_on) && self.turn.puts_down(conn) {
            let event = EpollEvent::new(EpollFlags::EPOLLOUT, cell.key.to_data());
            self.again.push_back(event);
        }
        if conn.interest < needed {
            self.register(cell.key, conn, needed);
        }
        self.timers.arm(cell.key, &mut conn.limit);
    }

    fn register(&self, key: Key, conn: &mut Conn, needed: Interest) {
        let mut flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLET;
        if needed == Interest::ReadWrite {
            flags |= EpollFlags::EPOLLOUT;
        }
        let mut event = EpollEvent::new(flags, key.to_data());
        let done = if conn.interest == Interest::None {
            self.epoll.add(&conn.stream, event)
        } else {
            self.epoll.modify(&conn.stream, &mut event)
        };
        match done {
            Ok(()) => conn.interest = needed,
            // The connection is then served by its time limits alone, and they close it.
            Err(error) => log::warn!("cannot wait for a connection: {error}"),
        }
    }

    fn remove(&mut self, cell: &Arc<ConnCell>, conn: &mut Conn) {
        let is_there = self
            .table
            .get(cell.key.place())
            .is_some_and(|there| there.key == cell.key);
        if is_there {
            if self.env.natives.connections {
                self.take_leave(cell, conn);
            }
            self.release_body(conn);
            self.forget_lingering(conn);
            self.table.remove(cell.key.place());
            // Whoever holds on to the request holds the descriptor, and so does a child that was forked
            // meanwhile: the client does not wait for either.
            if Arc::strong_count(cell) > 1 || forked::has_forked() {
                self.finish(conn);
            }
            self.show_connections();
        }
    }

    fn finish(&self, conn: &Conn) {
        if !conn.taken_over {
            conn.stream.finish();
        }
        if forked::has_forked() {
            // A copy in a child would keep it there.
            let _ = self.epoll.delete(&conn.stream);
        }
    }

    /// Tells the clients of all connections that nothing more will come, where children that were
    /// forked hold copies: these would keep the clients waiting when this process is gone.
    pub(in super::super) fn finish_all(&self) {
        if forked::has_forked() {
            self.cells()
                .iter()
                .for_each(|cell| self.finish(&cell.lock()));
        }
    }

    /// A request is ready: it is lined up for a thread, unless compiled handlers decide of it at once.
    pub(super) fn queue(&mut self, cell: &Arc<ConnCell>, conn: &mut Conn) {
        self.courtesy_until = 0;
        self.courtesy_failed = false;
        if self.decides && self.decide(cell, conn) {
            return;
        }
        conn.phase = Phase::Queued;
        self.ready.push_back(Arc::clone(cell));
    }

    fn expire(&mut self) {
        while let Some(due) = self.timers.take_due(self.now) {
            if let Some(cell) = self.find(due.key) {
                let mut conn = cell.lock();
                if self.timers.is_reached(due, &mut conn.limit, self.now) {
                    self.look_before_giving_up(&cell, &mut conn);
                }
            }
            self.resume_bodies();
        }
    }

    /// The worker may have been busy: what the limit waited for may have come long ago.
    fn look_before_giving_up(&mut self, cell: &Arc<ConnCell>, conn: &mut MutexGuard<'_, Conn>) {
        let (phase, number) = (conn.phase, conn.number);
        conn.readable = true;
        self.pump(cell, conn);
        let is_same = (conn.phase, conn.number) == (phase, number);
        if is_same && conn.limit.at <= self.now {
            self.give_up(cell, conn);
            self.pump(cell, conn);
        }
    }
}
