//! The driver: gathers what happens, asks the state machine, performs what it says.

use std::collections::VecDeque;
use std::fmt;
use std::os::fd::AsFd;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};

use super::event::{Event, Policy};
use super::handover::Handover;
use super::host::{Generation, Host};
use super::memory::MemoryWatch;
use super::oom::OomKills;
use super::overtime::Overtime;
use super::pidfile::Pidfile;
use super::renew::Renewal;
use super::signals::Signals;
use super::slow::Slow;
use super::sockets;
use super::state::Arbiter;
use super::strangers::Strangers;
use super::systemd::Service;
use super::upgrade::Succession;
use crate::config::{Config, Maker};
use crate::error::{Blame, Exit, Failure};
use crate::hooks::{Age, Event as Hook, Interruption, Member, Occasion};
use crate::lifeline::{ArbiterEnd, Board, Nudge, WorkerSide, closed, forked};
use crate::log::statsd::Kind;
use crate::plugin::{Module, Plugins};
use crate::sock::{Inherited, Listener};

/// The longest sleep: signs of life are looked at so often.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// How long an arbiter sleeps that cannot wait for its workers' ends.
const DEAF_SLEEP: Duration = Duration::from_millis(50);

/// What the driver ends with.
#[derive(Debug)]
pub enum Outcome {
    /// In the arbiter: all workers are gone.
    Left(Exit),
    /// In a child: it is a worker, and this is its task.
    Worker(Box<Birth>),
}

/// What a worker is born with.
#[derive(Debug)]
pub struct Birth {
    /// Its place in the order of forks.
    pub age: Age,
    /// Configuration and handlers.
    pub generation: Generation,
    /// The sockets to accept from.
    pub listeners: Vec<Arc<Listener>>,
    /// Its side of the lifeline.
    pub side: WorkerSide,
    /// Requests after which it leaves; 0 for never.
    pub max_requests: u64,
}

/// A worker's process, as the driver watches it.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) member: Member,
    pub(super) end: ArbiterEnd,
    /// Its reports are listened to.
    pub(super) reports: bool,
    /// Its plugins: their modules live as long as a worker that has instances of them.
    pub(super) plugins: Arc<Plugins>,
    /// The place of the plugin that it was stuck in when it gave no sign of life, and `id/event`.
    pub(super) stuck_in: Option<(usize, String)>,
}

/// What a statsd was told last.
#[derive(Debug, Default)]
pub(super) struct ToldMetrics {
    workers: Option<usize>,
    /// When it was told of the backlog.
    backlog: Option<Instant>,
}

/// The arbiter at work.
pub struct Driver<'h> {
    pub(super) host: &'h dyn Host,
    pub(super) machine: Arbiter,
    pub(super) generation: Generation,
    pub(super) listeners: Vec<Arc<Listener>>,
    pub(super) board: Board,
    pub(super) nudge: Arc<Nudge>,
    pub(super) children: Vec<Child>,
    /// Children that are gone, until they are buried.
    pub(super) gone: Vec<Child>,
    /// Workers that died inside a plugin lately: in which, and when.
    pub(super) crashes: Vec<(Weak<Module>, Instant)>,
    pub(super) signals: Arc<Signals>,
    pub(super) epoll: Epoll,
    pub(super) pidfile: Option<Pidfile>,
    pub(super) queue: VecDeque<Event>,
    pub(super) told: ToldMetrics,
    pub(super) memory: MemoryWatch,
    pub(super) oom: OomKills,
    pub(super) overtime: Overtime,
    pub(super) slow: Slow,
    pub(super) succession: Succession,
    pub(super) service: Service,
    pub(super) renewal: Renewal,
    pub(super) strangers: Strangers,
    /// Its descriptors have been closed: it cannot wait for anything, and ends.
    is_deaf: bool,
    /// The class of which a worker was the last to say that it serves.
    pub(super) telling: Option<String>,
}

fn environment(what: &str, error: impl fmt::Display) -> Failure {
    Failure::new(
        Blame::Environment,
        format!("the arbiter cannot {what}: {error}"),
    )
}

pub(super) fn policy(config: &Config) -> Policy {
    Policy {
        workers: config.workers,
        abort_grace: config.time.abort_grace,
        graceful: config.time.graceful,
        boot: config.time.boot,
        max_age: config.time.worker_age,
        surge: config.max_surge,
        recycles: config.max_requests > 0,
    }
}

impl fmt::Debug for Driver<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("machine", &self.machine)
            .finish_non_exhaustive()
    }
}

impl<'h> Driver<'h> {
    /// Starts an arbiter: up to the moment at which the first worker can be forked.
    ///
    /// # Errors
    /// What kept it from starting. Nothing is left behind then.
    pub fn start(
        host: &'h dyn Host,
        generation: Generation,
        mut inherited: Inherited,
        left: Option<&Handover>,
    ) -> Result<Self, Failure> {
        let policy = policy(&generation.config);
        let succession = Succession::of(&mut inherited);
        let machine = match (left, succession.predecessor) {
            (Some(left), _) => left.machine(policy),
            (None, Some(_)) => Arbiter::succeeding(policy),
            (None, None) => Arbiter::new(policy),
        };
        let board = left.map_or_else(Board::new, Handover::board);
        let nudge = left.map_or_else(Nudge::new, |left| Ok(left.nudge()));
        let signals = left.and_then(|left| left.signals.clone());
        let signals = signals.map_or_else(|| Signals::new().map(Arc::new), Ok);
        let mut driver = Self {
            machine,
            board: board.map_err(|error| environment("map shared memory", error))?,
            nudge: Arc::new(nudge.map_err(|error| environment("make a nudge", error))?),
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)
                .map_err(|error| environment("wait", error))?,
            signals: signals.map_err(|error| environment("handle signals", error))?,
            host,
            listeners: Vec::new(),
            children: Vec::new(),
            gone: Vec::new(),
            crashes: Vec::new(),
            pidfile: None,
            queue: VecDeque::new(),
            told: ToldMetrics::default(),
            memory: MemoryWatch::default(),
            oom: OomKills::find(),
            overtime: Overtime::default(),
            slow: Slow::default(),
            succession,
            service: Service::new(),
            renewal: Renewal::default(),
            strangers: Strangers::default(),
            is_deaf: false,
            telling: None,
            generation,
        };
        if let Some(left) = left {
            driver.know_again(left);
        }
        match driver.come_up(inherited) {
            Ok(()) => Ok(driver),
            Err(failure) if left.is_some() => {
                // Its descriptors and files are the workers' and the next try's.
                std::mem::forget(driver);
                Err(failure)
            }
            Err(failure) => {
                driver.clean_up();
                Err(failure)
            }
        }
    }

    /// Takes the children back that this process has had before.
    fn know_again(&mut self, left: &Handover) {
        for (member, end) in left.children() {
            if self.host.expect_worker(member.age, member.id) {
                self.host.know_worker(member.age, member.pid);
            }
            if let Err(failure) = self.epoll_add(&end) {
                log::warn!("{failure}");
            }
            // Those plugins are of the program before: nothing is known of them.
            let plugins = Arc::default();
            self.children.push(Child {
                member,
                end,
                reports: true,
                plugins,
                stuck_in: None,
            });
        }
    }

    /// What is in force, for whoever looks for a mistake: a line for each setting that is set.
    pub(super) fn tell_settings(&self) {
        if log::log_enabled!(log::Level::Debug) {
            let settings = &self.generation.config.settings;
            settings
                .given()
                .for_each(|line| log::debug!("Setting: {line}"));
        }
    }

    /// The order of a start, which hooks rely on.
    fn come_up(&mut self, mut inherited: Inherited) -> Result<(), Failure> {
        let config = Arc::clone(&self.generation.config);
        self.show_title();
        self.show_succession();
        self.tell_count(config.workers, None);
        if config.preload {
            self.host.preload()?;
        }
        log::info!("Starting tricorn {}", env!("CARGO_PKG_VERSION"));
        self.tell_settings();
        self.generation.plugins.announce();
        if let Some(path) = self.pidfile_of(&config) {
            self.pidfile = Some(Pidfile::create(&path)?);
        }
        self.fire_or_refuse(Hook::OnStarting)?;
        // From here on a signal waits in the pipe for its turn; before, Ctrl-C ends a hook that hangs.
        self.signals
            .install()
            .map_err(|error| environment("handle signals", error))?;
        self.epoll_add(self.signals.as_fd())?;
        let given = sockets::inherit(&config, &mut inherited)?;
        self.listeners = if self.succession.by_systemd {
            given.clone()
        } else {
            sockets::open(&config, &given)?
        };
        self.let_go(&given, &self.listeners);
        self.announce_listeners();
        log::info!("Using worker: {}", config.worker_name);
        self.fire_or_refuse(Hook::WhenReady)
    }

    /// Lets the operator and the handlers know where the server listens.
    pub(super) fn announce_listeners(&self) {
        let shown = sockets::show(&self.listeners);
        let mut urls: Vec<_> = shown.iter().map(|(url, _)| url.as_str()).collect();
        urls.dedup();
        log::info!("Listening at: {} ({})", urls.join(","), std::process::id());
        self.host.show_listeners(&shown);
    }

    pub(super) fn epoll_add(&self, fd: impl AsFd) -> Result<(), Failure> {
        let event = EpollEvent::new(EpollFlags::EPOLLIN, 0);
        self.epoll
            .add(fd, event)
            .map_err(|error| environment("wait", error))
    }

    pub(super) fn fire_or_refuse(&mut self, hook: Hook) -> Result<(), Failure> {
        crate::log::deliver();
        match self.generation.bus.fire(hook, &Occasion::Itself) {
            Ok(()) => Ok(()),
            Err(Interruption::Exit(code)) => {
                let what = format!("{} asked the server to exit with {code}", hook.name());
                Err(Failure::new(Blame::Plugin, what).exits_with(Exit::Asked(code)))
            }
            Err(Interruption::Failed { handler, error }) => {
                let what = format!(
                    "{} handler {handler} failed: {}",
                    hook.name(),
                    error.summary
                );
                Err(Failure::new(Blame::Plugin, what).mend("mend it, or leave it out"))
            }
        }
    }

    /// Supervises until all workers are gone, or until this process is a worker itself.
    pub fn run(&mut self) -> Outcome {
        self.queue.push_back(Event::Started);
        if self.generation.config.gc_freeze {
            self.host.freeze();
        }
        if self.machine.wanted() == 0 {
            self.serve();
        }
        loop {
            while let Some(event) = self.queue.pop_front() {
                if let Some(outcome) = self.feed(event) {
                    return outcome;
                }
            }
            crate::log::deliver();
            self.renew_if_proven();
            self.tell_metrics();
            self.service.beat(Instant::now());
            self.sleep();
            self.gather();
        }
    }

    /// Tells a statsd how many workers there are, when that has changed, and how many connections
    /// wait, once a second.
    fn tell_metrics(&mut self) {
        let statsd = crate::log::metrics();
        let by_logger = self.generation.config.logging.logger == Maker::Gateway;
        if statsd.is_none() && !by_logger {
            return;
        }
        let host = self.host;
        let tell = |kind, name, value: u64| match &statsd {
            Some(statsd) => statsd.add(kind, name, &value),
            None => host.tell_metric(kind, name, value),
        };
        let workers = self.children.len();
        if self.told.workers != Some(workers) {
            self.told.workers = Some(workers);
            tell(Kind::Gauge, "gunicorn.workers", workers as u64);
        }
        let now = Instant::now();
        if self.generation.config.logging.backlog_metric
            && self
                .told
                .backlog
                .is_none_or(|at| now.duration_since(at) >= LONGEST_SLEEP)
        {
            self.told.backlog = Some(now);
            let waiting: u32 = self
                .listeners
                .iter()
                .filter_map(|listener| listener.waiting())
                .sum();
            tell(Kind::Histogram, "gunicorn.backlog", waiting.into());
        }
        if let Some(statsd) = statsd {
            statsd.flush();
        }
    }

    /// Takes an event in. What comes of it comes before what has happened after it: a TTIN behind a
    /// HUP adds to the number that the reload has set, and a TERM behind a USR2 knows of the successor.
    fn feed(&mut self, event: Event) -> Option<Outcome> {
        let mut actions = Vec::new();
        self.machine.step(event, Instant::now(), &mut actions);
        self.board.set_workers(self.machine.wanted());
        self.host.show_wanted(self.machine.wanted());
        let mut later = std::mem::take(&mut self.queue);
        let outcome = actions.into_iter().find_map(|action| self.perform(action));
        self.queue.append(&mut later);
        outcome
    }

    /// The server serves: those who wait for it are told.
    pub(super) fn serve(&mut self) {
        self.service.ready();
        self.succession.announce();
    }

    /// Lets go of sockets that this arbiter has no use for any more. Their files stay where another
    /// arbiter has them too.
    pub(super) fn let_go(&self, old: &[Arc<Listener>], new: &[Arc<Listener>]) {
        if !self.succession.shares_sockets() {
            sockets::let_go(old, new);
        }
    }

    pub(super) fn clean_up(&mut self) {
        self.let_go(&self.listeners, &[]);
        self.listeners.clear();
        if let Some(pidfile) = self.pidfile.take() {
            pidfile.remove();
        }
    }

    fn sleep(&mut self) {
        if forked::is_forked() {
            // A child that a handler has forked, and that has come back.
            forked::leave(0);
        }
        let until = self
            .machine
            .next_deadline()
            .map(|at| at.saturating_duration_since(Instant::now()));
        let longest = until.unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP);
        let longest = longest
            .min(self.service.patience())
            .min(self.overtime_patience());
        if self.can_wait() {
            self.host.sleep(self.epoll.0.as_fd(), longest);
        } else {
            thread::sleep(longest.min(DEAF_SLEEP));
        }
    }

    /// Looks whether its descriptors are there. Without them no signal would be heard: the server stops.
    fn can_wait(&mut self) -> bool {
        if self.is_deaf {
            return false;
        }
        let fds = [self.epoll.0.as_fd(), self.signals.as_fd()];
        let missing = fds.map(|fd| fcntl(fd, FcntlArg::F_GETFD));
        if let Some(error) = missing.into_iter().find_map(Result::err) {
            self.is_deaf = true;
            closed::report("wait for signals and workers", error);
            self.queue.push_back(Event::Leave(Exit::Startup));
        }
        !self.is_deaf
    }
}
