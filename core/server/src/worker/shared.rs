//! What the threads of a worker share, and the steps that every driver's turn is made of.
//!
//! A driver decides on which thread a ready request runs, and when. Waiting, taking events in,
//! accepting, and noticing that it is time to stop are the same for all, and here.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::time::TimeSpec;
use nix::unistd::{Pid, getppid};

use super::io::{Core, Env, Listeners};
use crate::access::RequestLog;
use crate::clock;
use crate::gateway::{Gateway, Transaction};
use crate::hooks::{Event, Interruption, Occasion};
use crate::lifeline::{Message, Phase, WorkerSide, forked};
use crate::sock::Listener;

/// Data of the events that are no connection's and no listener's.
const WAKER: u64 = u64::MAX;
const ARBITER: u64 = u64::MAX - 1;
const BELL: u64 = u64::MAX - 2;

/// Events taken in at once.
const BATCH: usize = 256;

/// Connections a lone worker accepts in a turn. One that has siblings accepts one, so that they
/// get their share.
const ACCEPTED_ALONE: usize = 64;

/// The longest sleep of a worker that idles.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// A sleep of a thread without connections that is longer ends with a look around.
const LOOK_AROUND: Duration = Duration::from_secs(1);

/// How long before the end of a graceful stop suspended requests are given up.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What a driver is to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Go on.
    Serve,
    /// Leave the loop, with this code.
    Leave(i32),
}

/// What a turn's events held besides connections.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Turn {
    /// A request is ready to run.
    pub(super) ready: bool,
    /// The wait was cut short by a signal, or somebody rang.
    pub(super) woken: bool,
}

/// Buffers of one waiting thread.
pub(super) struct Events(Vec<EpollEvent>);

impl Events {
    pub(super) fn new() -> Self {
        Self(vec![EpollEvent::empty(); BATCH])
    }
}

/// The worker, as its threads see it.
pub(super) struct Shared {
    pub(super) env: Arc<Env>,
    epoll: Arc<Epoll>,
    core: Mutex<Core>,
    side: WorkerSide,
    /// The longest sleep, in nanoseconds: a beat is due more often than the arbiter grows impatient.
    longest_sleep: u64,
    /// When the worker leaves although requests run; 0 until it is stopping.
    leave_at: AtomicU64,
    /// The process that has forked this one.
    arbiter: Pid,
    /// It is gone.
    orphaned: AtomicBool,
}

impl Shared {
    pub(super) fn new(
        env: Arc<Env>,
        side: WorkerSide,
        listeners: Vec<Arc<Listener>>,
    ) -> nix::Result<Self> {
        let epoll = Arc::new(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?);
        let bell = env.resumptions.bell();
        epoll.add(bell, EpollEvent::new(EpollFlags::EPOLLIN, BELL))?;
        epoll.add(
            side.pipes.arbiter(),
            EpollEvent::new(EpollFlags::EPOLLIN, ARBITER),
        )?;
        let longest_sleep = env
            .config
            .time
            .timeout
            .map_or(LONGEST_SLEEP, |timeout| (timeout / 3).min(LONGEST_SLEEP));
        let nudge = Arc::clone(&side.nudge);
        let listeners = Listeners::new(Arc::clone(&epoll), listeners, nudge);
        let core = Core::new(Arc::clone(&env), Arc::clone(&epoll), listeners);
        let shared = Self {
            core: Mutex::new(core),
            env,
            epoll,
            side,
            longest_sleep: clock::nanos(longest_sleep),
            leave_at: AtomicU64::new(0),
            arbiter: getppid(),
            orphaned: AtomicBool::new(false),
        };
        shared.core().balance_listeners(true);
        Ok(shared)
    }

    /// Tells the arbiter that the worker serves.
    pub(super) fn report_ready(&self) {
        self.env.cell.set_phase(Phase::Serving);
        self.side.pipes.send(Message::Ready);
    }

    /// Lets the control's bell end a wait: for drivers whose main thread minds the I/O.
    pub(super) fn heed_control(&self) -> nix::Result<()> {
        self.epoll.add(
            self.env.control.waker(),
            EpollEvent::new(EpollFlags::EPOLLIN, WAKER),
        )
    }

    /// Ends the wait of the thread that minds the I/O.
    pub(super) fn ring(&self) {
        self.env.resumptions.ring();
    }

    pub(super) fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps until something happens, for `longest` nanoseconds at most, and takes it in.
    pub(super) fn wait(&self, events: &mut Events, longest: u64) -> Turn {
        leave_if_forked();
        let limit = self.core().until_next_limit().unwrap_or(u64::MAX);
        let sleep = limit.min(longest).min(self.longest_sleep);
        // Round up: waking a little early would spin through the last millisecond.
        let timeout =
            EpollTimeout::try_from(sleep.div_ceil(1_000_000)).unwrap_or(EpollTimeout::ZERO);
        let (count, interrupted) = match self.epoll.wait(&mut events.0, timeout) {
            // After a long sleep it looks around: what was to wake it may have been closed.
            Ok(count) => (count, count == 0 && sleep == self.longest_sleep),
            Err(Errno::EINTR) => (0, true),
            Err(error) => {
                self.core().lose("wait for events", error);
                (0, true)
            }
        };
        self.env.ages.beat(clock::roughly_now());
        let events = &events.0[..count];
        let woken = self.take_special(events) || interrupted;
        let mut core = self.core();
        core.take_events(events);
        Turn {
            ready: core.has_ready(),
            woken,
        }
    }

    fn take_special(&self, events: &[EpollEvent]) -> bool {
        let mut woken = false;
        for event in events.iter().filter(|event| event.data() >= BELL) {
            match event.data() {
                WAKER => {
                    self.env.control.silence();
                    woken = true;
                }
                ARBITER => self.stop_if_orphaned(),
                BELL => drop(self.env.resumptions.bell().read()),
                _ => {}
            }
        }
        woken
    }

    /// Stops if the arbiter is gone.
    fn stop_if_orphaned(&self) {
        let is_orphaned = self.side.pipes.is_orphaned() || getppid() != self.arbiter;
        if is_orphaned && !self.orphaned.swap(true, Ordering::Relaxed) {
            log::warn!("The arbiter is gone: stopping");
            self.env.control.stop();
            // It stays readable for ever, and has said what it had to say.
            let _ = self.epoll.delete(self.side.pipes.arbiter());
        }
    }

    /// Looks after the connections without running anything, while all who could are busy.
    pub(super) fn mind(&self, gateway: &dyn Gateway, events: &mut Events) {
        self.wait(events, 0);
        self.core().look_at_all();
        self.end_turn(gateway);
    }

    /// Before requests are run: lets an idle sibling know of connections that this worker will not
    /// come to at once.
    pub(super) fn share_connections(&self) {
        if self.side.board.workers() > 1 && self.core().listeners.any_ready() {
            self.side.nudge.give();
        }
    }

    /// After requests were run: accepts, and says whether requests are ready now.
    pub(super) fn accept(&self) -> bool {
        let alone = self.side.board.workers() <= 1;
        let mut core = self.core();
        if core.listeners.any_ready() {
            core.listeners.set_shared(!alone);
            let accepted = core.accept(if alone { ACCEPTED_ALONE } else { 1 });
            if accepted > 0 && !alone && !core.has_ready() {
                core.leave_others_to_siblings();
            }
        }
        core.has_ready()
    }

    /// Ends a turn: the log's lines leave, refusals are told, listening goes by the room there is.
    pub(super) fn end_turn(&self, gateway: &dyn Gateway) {
        let refusals = {
            let mut core = self.core();
            core.balance_listeners(self.env.control.is_alive());
            core.take_refusals()
        };
        self.tell_of_requests(gateway);
        crate::log::deliver();
        for refusal in &refusals {
            let occasion = Occasion::Refusal {
                status: refusal.status,
                reason: &refusal.reason,
            };
            self.fire(Event::RequestError, &occasion);
        }
    }

    /// Before a request is run: those that have ended are not to wait for its end as well, which may
    /// be far away.
    pub(super) fn catch_up(&self, gateway: &dyn Gateway) {
        if self.env.requests.as_ref().is_some_and(RequestLog::is_due) {
            self.tell_of_requests(gateway);
        }
    }

    fn tell_of_requests(&self, gateway: &dyn Gateway) {
        let Some(requests) = &self.env.requests else {
            return;
        };
        let finished = self.core().take_finished();
        if !finished.is_empty() {
            gateway.log_requests(finished);
        }
        requests.flush();
    }

    /// Does what the worker has been asked for, on its main thread.
    pub(super) fn oversee(&self, gateway: &dyn Gateway, signalled: bool) -> Next {
        crate::log::deliver();
        if signalled {
            gateway.check_signals();
            // The kernel tells of that by a signal too.
            self.stop_if_orphaned();
        }
        let control = &self.env.control;
        if control.takes_reopen() {
            crate::log::reopen();
            self.fire(Event::LogReopen, &Occasion::Itself);
        }
        if control.takes_replacement() {
            self.side.pipes.send(Message::Served);
        }
        if let Some(code) = control.exit() {
            return Next::Leave(code);
        }
        if control.is_alive() {
            return Next::Serve;
        }
        self.drain()
    }

    /// The worker is stopping: no new connections, and an end when the last request has its answer.
    fn drain(&self) -> Next {
        let now = clock::now();
        let leave_at = self.leave_at.load(Ordering::Relaxed);
        if leave_at == 0 {
            let graceful = clock::nanos(self.env.config.time.graceful);
            self.leave_at
                .store(now.saturating_add(graceful), Ordering::Relaxed);
            self.env.cell.set_phase(Phase::Draining);
            self.fire(Event::DrainStart, &Occasion::Itself);
            self.accept_last(now);
            if let Some(code) = self.env.control.exit() {
                return Next::Leave(code);
            }
        }
        let mut core = self.core();
        if core.close_idle() {
            self.ring();
        }
        let left = self.time_left(leave_at, now);
        if leave_at > 0 && left <= self.last_words() {
            core.give_up_pending();
        }
        // Where only clients are late, or it is to leave with a code of somebody's, the worker leaves by
        // itself: at the end it is killed.
        let last_code = self.env.control.last_code();
        let may_leave = last_code.is_some() || !self.env.ages.is_any_running();
        let is_late = left <= self.last_words() / 2 && may_leave;
        let overdue = leave_at > 0 && (left == 0 || is_late);
        let has_ready = core.has_ready();
        if has_ready {
            // Found here, and not by the thread that waits for events: it is to run them.
            self.ring();
        }
        if !has_ready && (core.is_quiet() || overdue) {
            Next::Leave(last_code.unwrap_or(0))
        } else {
            Next::Serve
        }
    }

    /// Takes what stands in the queue already, unless no thread is likely to come to it: others will.
    fn accept_last(&self, now: u64) {
        let timeout = self.env.config.time.timeout.map(clock::nanos);
        let stillness = self.env.ages.stillness(now);
        if timeout.is_none_or(|timeout| stillness < timeout) {
            self.core().accept_last();
        }
    }

    /// Until requests are left alone although they run, in nanoseconds. Where the arbiter has given the
    /// worker up, that is within the time that it has for its hooks.
    fn time_left(&self, leave_at: u64, now: u64) -> u64 {
        if leave_at > 0 && self.env.control.aborts() {
            let grace = clock::nanos(self.env.config.time.abort_grace / 2);
            let at = leave_at.min(now.saturating_add(grace));
            self.leave_at.store(at, Ordering::Relaxed);
            return at.saturating_sub(now);
        }
        leave_at.saturating_sub(now)
    }

    /// How long before the end requests that nobody has decided of are answered, in nanoseconds.
    fn last_words(&self) -> u64 {
        clock::nanos(LAST_WORDS.min(self.env.config.time.graceful / 4))
    }

    /// Whether the worker is stopping: it then looks around more often.
    pub(super) fn is_draining(&self) -> bool {
        self.leave_at.load(Ordering::Relaxed) > 0
    }

    /// Fires an event whose handlers' failures are only logged; a `SystemExit` among them is heard.
    pub(super) fn fire(&self, event: Event, occasion: &Occasion<'_>) {
        if let Err(Interruption::Exit(code)) = self.env.bus.fire(event, occasion) {
            self.env.control.leave(code);
        }
    }

    /// Takes the next ready request for a thread, unless the worker is to leave at once. Those that
    /// compiled handlers decide of without the application are dealt with here, and need no
    /// interpreter.
    pub(super) fn next(&self, thread: usize) -> Option<Transaction> {
        let mut core = self.core();
        while self.env.control.exit().is_none() {
            if !core.lends() {
                return core.take_ready(thread);
            }
            let visit = core.lend_ready(thread)?;
            drop(core);
            let fate = self.env.pass_ready(&visit.passage);
            core = self.core();
            let transaction = core.meet(visit, fate);
            if transaction.is_some() {
                return transaction;
            }
            if core.goes_on() {
                self.ring();
            }
        }
        None
    }

    /// Takes a request back.
    pub(super) fn done(&self, transaction: Transaction) {
        let mut core = self.core();
        core.take_back(transaction);
        let goes_on = core.goes_on();
        drop(core);
        if goes_on {
            // The thread that minds the I/O may be asleep.
            self.ring();
        }
    }

    /// Blocks on nothing but the control's bell, for a thread that minds no connections.
    pub(super) fn sleep_until_woken(&self, longest: Duration) -> bool {
        leave_if_forked();
        // `poll` counts milliseconds: a shorter time would be none.
        let timeout = Some(TimeSpec::from_duration(longest));
        let mut fds = [PollFd::new(self.env.control.waker(), PollFlags::POLLIN)];
        // After a long sleep it looks around: what was to wake it may have been closed.
        let woken = !matches!(ppoll(&mut fds, timeout, None), Ok(0)) || longest > LOOK_AROUND;
        if fds[0].revents() == Some(PollFlags::POLLNVAL) {
            self.core().lose("wait for signals", Errno::EBADF);
        }
        if woken {
            self.env.control.silence();
        }
        woken
    }
}

/// A child that was forked off this worker minds nothing that it shares with it.
fn leave_if_forked() {
    if forked::is_forked() {
        forked::leave(0);
    }
}
