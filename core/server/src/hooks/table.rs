//! The declaration of every event: one row each, from which code, ids, docs and tests are made.
//!
//! Ids are for ever once the plugin ABI is released: rows are added at the end, never moved.

/// The process an event fires in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Process {
    /// The arbiter.
    Arbiter,
    /// A worker.
    Worker,
    /// The child that is about to become the next arbiter.
    ForkedChild,
    /// The arbiter and each worker.
    Both,
}

/// What a Python handler is called with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arguments {
    /// `(server)`
    Server,
    /// `(server, worker)`
    ServerWorker,
    /// `(worker)`
    Worker,
    /// `(worker, req)`
    WorkerReq,
    /// `(worker, req, environ, resp)`, or its first three, or its first two
    WorkerReqEnvironResp,
    /// `(worker, req, resp)`
    WorkerReqResp,
    /// `(worker, status, reason)`
    WorkerStatusReason,
    /// `(server, new, old)`
    ServerNewOld,
    /// `(server, signum)`
    ServerSignum,
    /// `(config, default_factory)`
    ConfigFactory,
    /// `(server)` in the arbiter, `(worker)` in a worker
    ServerOrWorker,
    /// Native handlers only.
    Native,
}

impl Arguments {
    /// The names of the arguments, in their order; `None` where Python cannot handle the event.
    #[must_use]
    pub fn names(self) -> Option<&'static [&'static str]> {
        Some(match self {
            Self::Server => &["server"],
            Self::ServerWorker => &["server", "worker"],
            Self::Worker => &["worker"],
            Self::WorkerReq => &["worker", "req"],
            Self::WorkerReqEnvironResp => &["worker", "req", "environ", "resp"],
            Self::WorkerReqResp => &["worker", "req", "resp"],
            Self::WorkerStatusReason => &["worker", "status", "reason"],
            Self::ServerNewOld => &["server", "new", "old"],
            Self::ServerSignum => &["server", "signum"],
            Self::ConfigFactory => &["config", "default_factory"],
            Self::ServerOrWorker => &["server_or_worker"],
            Self::Native => return None,
        })
    }

    /// Whether a handler may have this number of positional parameters.
    #[must_use]
    pub fn accepts(self, count: usize) -> bool {
        match self {
            Self::WorkerReqEnvironResp => (2..=4).contains(&count),
            _ => self.names().is_some_and(|names| names.len() == count),
        }
    }
}

/// What follows when a handler fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// The server does not start, exits 1 and leaves nothing behind.
    RefuseStart,
    /// The reload is given up; the old workers serve on.
    GiveUpReload,
    /// That fork is retried, with a growing pause.
    RetryFork,
    /// The worker exits 3.
    WorkerExits,
    /// The failure is logged and the later handlers run.
    Log,
    /// The upgrade is given up; the arbiter is untouched.
    GiveUpUpgrade,
    /// The client gets 500; the application is not called.
    Answer500,
    /// The connection is closed.
    CloseConnection,
    /// The listener is refused; it never serves in the clear.
    RefuseListener,
}

impl OnFailure {
    /// Whether the handlers after the failing one still run.
    #[must_use]
    pub fn goes_on(self) -> bool {
        self == Self::Log
    }

    /// The consequence in words.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::RefuseStart => "start refused, exit 1, nothing left behind",
            Self::GiveUpReload => "reload given up, old workers serve on",
            Self::RetryFork => "logged, that fork retried with back-off",
            Self::WorkerExits => "worker exits 3",
            Self::Log => "logged",
            Self::GiveUpUpgrade => "upgrade given up, the old arbiter untouched",
            Self::Answer500 => "500, application not called",
            Self::CloseConnection => "closed",
            Self::RefuseListener => "listener refused; never plaintext",
        }
    }
}

/// The declaration of one event.
#[derive(Debug)]
pub struct Declaration {
    /// Its name: the setting in a config file.
    pub name: &'static str,
    /// What Python handlers get.
    pub arguments: Arguments,
    /// Where it fires.
    pub process: Process,
    /// A teardown event: handlers of later sources run first.
    pub down: bool,
    /// When it fires.
    pub fires: &'static str,
    /// What a failing handler means.
    pub on_failure: OnFailure,
}

macro_rules! events {
    ($($id:literal $event:ident $name:literal $arguments:ident $process:ident $direction:ident
       $on_failure:ident $fires:literal;)+) => {
        /// A moment in the server's life that handlers can be called at.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Event {
            $(#[doc = $fires] $event = $id,)+
        }

        impl Event {
            /// Every event, in the order of the ids.
            pub const ALL: &'static [Self] = &[$(Self::$event),+];

            /// The event's row.
            #[must_use]
            pub fn declaration(self) -> &'static Declaration {
                match self {
                    $(Self::$event => &Declaration {
                        name: $name,
                        arguments: Arguments::$arguments,
                        process: Process::$process,
                        down: events!(@down $direction),
                        fires: $fires,
                        on_failure: OnFailure::$on_failure,
                    },)+
                }
            }
        }
    };
    (@down up) => { false };
    (@down down) => { true };
}

events! {
    0 OnStarting "on_starting" Server Arbiter up RefuseStart
        "pidfile written, nothing bound";
    1 OnReload "on_reload" Server Arbiter up GiveUpReload
        "HUP, new configuration accepted";
    2 WhenReady "when_ready" Server Arbiter up RefuseStart
        "sockets listening, no worker forked";
    3 PreFork "pre_fork" ServerWorker Arbiter up RetryFork
        "just before each fork";
    4 PostFork "post_fork" ServerWorker Worker up WorkerExits
        "after fork";
    5 WorkerInit "worker_init" Worker Worker up WorkerExits
        "process set up (user, signals), application not yet loaded";
    6 PostWorkerInit "post_worker_init" Worker Worker up WorkerExits
        "application loaded";
    7 WorkerInt "worker_int" Worker Worker up Log
        "INT or QUIT";
    8 WorkerAbort "worker_abort" Worker Worker up Log
        "ABRT (time-out), on the interrupted stack, before the kill";
    9 PreExec "pre_exec" Server ForkedChild up GiveUpUpgrade
        "USR2, before exec";
    10 PreRequest "pre_request" WorkerReq Worker up Answer500
        "request ready to run, before the application";
    11 PostRequest "post_request" WorkerReqEnvironResp Worker down Log
        "exactly once for each pre_request: the answer is written, in the response buffer, or lost";
    12 ChildExit "child_exit" ServerWorker Arbiter down Log
        "worker reaped; the worker carries exit status, signal and cause";
    13 WorkerExit "worker_exit" ServerWorker Worker down Log
        "leaving";
    14 NworkersChanged "nworkers_changed" ServerNewOld Arbiter up Log
        "on every set, first (before on_starting) with old None";
    15 OnExit "on_exit" Server Arbiter down Log
        "all workers gone";
    16 SslContext "ssl_context" ConfigFactory Worker up RefuseListener
        "context needed (with TLS)";
    17 RequestHead "request_head" Native Worker up Answer500
        "head parsed, body unread, before any 100 Continue";
    18 ResponseStart "response_start" WorkerReqResp Worker up Log
        "head about to be written: may be edited";
    19 Access "access" Native Worker up Log
        "the access record is ready";
    20 RequestError "request_error" WorkerStatusReason Worker up Log
        "a request refused or malformed";
    21 ConnOpen "conn_open" Native Worker up CloseConnection
        "connection accepted: may be closed";
    22 ConnClose "conn_close" Native Worker down Log
        "connection gone";
    23 WorkerReady "worker_ready" ServerWorker Arbiter up Log
        "worker says it serves";
    24 WorkerTimeout "worker_timeout" ServerWorker Arbiter up Log
        "before ABRT is sent";
    25 SignalReceived "signal_received" ServerSignum Arbiter up Log
        "before a signal is acted on";
    26 DrainStart "drain_start" Worker Worker up Log
        "stops accepting";
    27 LogReopen "log_reopen" ServerOrWorker Both up Log
        "USR1";
}

impl Event {
    /// How many events there are.
    pub const COUNT: usize = Self::ALL.len();

    /// The name: the setting in a config file.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.declaration().name
    }

    /// The event of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|event| event.name() == name)
    }

    /// Whether gunicorn has the event too. In its config files any other name may be a variable.
    #[must_use]
    pub fn is_gunicorns(self) -> bool {
        self != Self::WorkerInit && (self as usize) <= Self::SslContext as usize
    }

    /// The event's bit in a bus's mask.
    #[must_use]
    pub const fn bit(self) -> u64 {
        1 << self as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_the_places_in_the_table_and_fit_the_mask() {
        for (place, &event) in Event::ALL.iter().enumerate() {
            assert_eq!(event as usize, place);
            assert_eq!(Event::find(event.name()), Some(event));
        }
        const { assert!(Event::COUNT <= 64) };
    }

    #[test]
    fn the_sixteen_hooks_of_gunicorn_are_there_with_their_arity() {
        for (name, arity) in [
            ("on_starting", 1),
            ("on_reload", 1),
            ("when_ready", 1),
            ("pre_fork", 2),
            ("post_fork", 2),
            ("post_worker_init", 1),
            ("worker_int", 1),
            ("worker_abort", 1),
            ("pre_exec", 1),
            ("pre_request", 2),
            ("post_request", 4),
            ("child_exit", 2),
            ("worker_exit", 2),
            ("nworkers_changed", 3),
            ("on_exit", 1),
            ("ssl_context", 2),
        ] {
            let event = Event::find(name).unwrap_or_else(|| panic!("{name} is missing"));
            let arguments = event.declaration().arguments;
            assert_eq!(arguments.names().map(<[_]>::len), Some(arity), "{name}");
            assert!(
                arguments.accepts(arity) && !arguments.accepts(arity + 1),
                "{name}"
            );
        }
    }

    #[test]
    fn post_request_takes_its_older_forms() {
        let arguments = Event::PostRequest.declaration().arguments;
        let accepted: Vec<_> = (0..7).filter(|&count| arguments.accepts(count)).collect();
        assert_eq!(accepted, [2, 3, 4]);
    }

    #[test]
    fn teardown_events_are_those_that_undo() {
        let down: Vec<_> = Event::ALL
            .iter()
            .filter(|e| e.declaration().down)
            .map(|e| e.name())
            .collect();
        assert_eq!(
            down,
            [
                "post_request",
                "child_exit",
                "worker_exit",
                "on_exit",
                "conn_close"
            ]
        );
    }
}
