//! One configuration generation's handlers, in order, behind a mask.
//!
//! An event without handlers costs one load and one test. The bus knows neither Python nor
//! plugins: it calls what it was given.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::handler::{Handler, HandlerError, Occasion, Tongue, Verdict};
use super::order::{self, Cycle};
use super::table::{Event, OnFailure};
use crate::log::{Raised, log_raised};

/// A handler in its place, and what it has cost so far in this process.
#[derive(Debug)]
pub struct Slot {
    /// The handler.
    pub handler: Handler,
    calls: AtomicU64,
    errors: AtomicU64,
    nanoseconds: AtomicU64,
}

/// What a handler has cost in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// Times it was called.
    pub calls: u64,
    /// Times it failed.
    pub errors: u64,
    /// Time spent in it, in nanoseconds.
    pub nanoseconds: u64,
}

impl Slot {
    /// What the handler has cost in this process.
    #[must_use]
    pub fn cost(&self) -> Cost {
        Cost {
            calls: self.calls.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            nanoseconds: self.nanoseconds.load(Ordering::Relaxed),
        }
    }

    /// Counts a call that was made without the bus's help.
    pub fn count(&self, failed: bool) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.errors.fetch_add(u64::from(failed), Ordering::Relaxed);
    }

    fn call(&self, occasion: &Occasion<'_>) -> Verdict {
        let started = Instant::now();
        let verdict = self.handler.call.call(occasion);
        self.spend(started, 1);
        self.count(matches!(verdict, Verdict::Failed(_)));
        verdict
    }

    /// As `call`, for the events of requests: reading the clock costs more than most handlers, so
    /// one call in `SAMPLED` stands for all.
    fn call_often(&self, occasion: &Occasion<'_>) -> Verdict {
        let called = self.calls.load(Ordering::Relaxed);
        let started = called.is_multiple_of(SAMPLED).then(Instant::now);
        let verdict = self.handler.call.call(occasion);
        if let Some(started) = started {
            self.spend(started, SAMPLED);
        }
        // Threads that count at the same moment may lose a call: that is near enough.
        self.calls.store(called + 1, Ordering::Relaxed);
        if matches!(verdict, Verdict::Failed(_)) {
            self.errors.fetch_add(1, Ordering::Relaxed);
        }
        verdict
    }

    fn spend(&self, started: Instant, times: u64) {
        let spent = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds
            .fetch_add(spent.saturating_mul(times), Ordering::Relaxed);
    }
}

/// Of so many calls of a request's handler one is timed.
const SAMPLED: u64 = 64;

/// Why an event's handlers did not all run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interruption {
    /// A handler failed, and the event's rule is not to go on.
    Failed {
        /// The handler's name.
        handler: String,
        /// How.
        error: HandlerError,
    },
    /// A handler asked the process to end with this code.
    Exit(i32),
}

/// What compiled handlers have decided of a request or a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passing {
    /// It goes on.
    On,
    /// The passage holds an answer.
    Respond,
    /// It cannot be decided for now: 503.
    Unavailable,
    /// Its connection is closed.
    Close,
    /// It is suspended, and goes on with the handler of this place.
    Pending(usize),
    /// A handler failed, and the event's rule is not to go on.
    Failed,
    /// A handler asked the process to end with this code.
    Exit(i32),
}

/// The event bus.
#[derive(Debug, Default)]
pub struct Bus {
    mask: u64,
    /// The events that compiled handlers listen to.
    native: u64,
    chains: Vec<Chain>,
}

/// The handlers of one event, in order.
#[derive(Debug)]
struct Chain {
    slots: Vec<Slot>,
    /// How many native ones come before any of Python's.
    leading: usize,
}

impl Chain {
    fn of(handlers: Vec<Handler>) -> Self {
        let is_native = |handler: &&Handler| handler.tongue == Tongue::Native;
        Self {
            leading: handlers.iter().take_while(is_native).count(),
            slots: handlers.into_iter().map(Slot::from).collect(),
        }
    }
}

impl Bus {
    /// Puts handlers in order. Handlers of one source are given in the order they were written.
    ///
    /// # Errors
    /// `before` and `after` that go round in a circle.
    pub fn compile(handlers: Vec<(Event, Handler)>) -> Result<Self, Cycle> {
        let mut by_event: Vec<Vec<Handler>> = Event::ALL.iter().map(|_| Vec::new()).collect();
        let (mut mask, mut native) = (0, 0);
        for (event, handler) in handlers {
            mask |= event.bit();
            if handler.tongue == Tongue::Native {
                native |= event.bit();
            }
            by_event[event as usize].push(handler);
        }
        let chains = Event::ALL
            .iter()
            .zip(by_event)
            .map(|(event, handlers)| {
                let sorted = order::sort(event.name(), event.declaration().down, handlers)?;
                Ok(Chain::of(sorted))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            mask,
            native,
            chains,
        })
    }

    /// Whether anybody listens to an event.
    #[inline]
    #[must_use]
    pub fn is_heard(&self, event: Event) -> bool {
        self.mask & event.bit() != 0
    }

    /// Whether a compiled handler listens to an event.
    #[inline]
    #[must_use]
    pub fn is_heard_natively(&self, event: Event) -> bool {
        self.native & event.bit() != 0
    }

    /// Whether a Python handler listens to an event.
    #[must_use]
    pub fn is_heard_in_python(&self, event: Event) -> bool {
        let is_script = |slot: &Slot| slot.handler.tongue == Tongue::Script;
        self.chain(event).iter().any(is_script)
    }

    /// The handlers of an event, in order.
    #[must_use]
    pub fn chain(&self, event: Event) -> &[Slot] {
        let chain = self.chains.get(event as usize);
        chain.map_or(&[], |chain| &chain.slots)
    }

    /// How many native handlers lead an event's chain: they can run without an interpreter.
    #[must_use]
    pub fn leading_native(&self, event: Event) -> usize {
        let chain = self.chains.get(event as usize);
        chain.map_or(0, |chain| chain.leading)
    }

    /// Calls an event's handlers in order. Failures are logged with the handler's name.
    ///
    /// # Errors
    /// The failure, where the event's rule is not to go on after one, or the code of an exit.
    #[inline]
    pub fn fire(&self, event: Event, occasion: &Occasion<'_>) -> Result<(), Interruption> {
        if self.mask & event.bit() == 0 {
            return Ok(());
        }
        run(event, self.chain(event), occasion)
    }

    /// Calls the compiled handlers that lead an event's chain, from the place `from` on.
    #[inline]
    pub fn pass_leading(&self, event: Event, from: usize, occasion: &Occasion<'_>) -> Passing {
        if self.native & event.bit() == 0 {
            return Passing::On;
        }
        let places = from..self.leading_native(event);
        pass(event, self.chain(event), places, occasion)
    }

    /// Calls all compiled handlers of an event, in order. Python's have their turn elsewhere.
    #[inline]
    pub fn pass(&self, event: Event, occasion: &Occasion<'_>) -> Passing {
        if self.native & event.bit() == 0 {
            return Passing::On;
        }
        let chain = self.chain(event);
        pass(event, chain, 0..chain.len(), occasion)
    }

    /// Calls the compiled handler at a place of an event's chain.
    #[must_use]
    pub fn pass_one(&self, event: Event, place: usize, occasion: &Occasion<'_>) -> Passing {
        pass(event, self.chain(event), place..place + 1, occasion)
    }
}

impl From<Handler> for Slot {
    fn from(handler: Handler) -> Self {
        Self {
            handler,
            calls: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            nanoseconds: AtomicU64::new(0),
        }
    }
}

#[cold]
fn run(event: Event, chain: &[Slot], occasion: &Occasion<'_>) -> Result<(), Interruption> {
    let mut exit = None;
    for slot in chain {
        match slot.call(occasion) {
            Verdict::Continue => {}
            // The others are for requests and connections: see `pass`.
            Verdict::Stop
            | Verdict::Respond
            | Verdict::Unavailable
            | Verdict::Close
            | Verdict::Pending => break,
            Verdict::Exit(code) => exit = exit.or(Some(code)),
            Verdict::Failed(error) => {
                complain(event, &slot.handler, &error);
                if !slot.handler.goes_on(event) {
                    return Err(Interruption::Failed {
                        handler: slot.handler.name.clone(),
                        error: *error,
                    });
                }
            }
        }
    }
    exit.map_or(Ok(()), |code| Err(Interruption::Exit(code)))
}

fn pass(
    event: Event,
    chain: &[Slot],
    places: std::ops::Range<usize>,
    occasion: &Occasion<'_>,
) -> Passing {
    for place in places {
        let Some(slot) = chain.get(place) else { break };
        if slot.handler.tongue != Tongue::Native {
            continue;
        }
        match slot.call_often(occasion) {
            Verdict::Continue => {}
            Verdict::Stop => break,
            Verdict::Respond => return Passing::Respond,
            Verdict::Unavailable => return Passing::Unavailable,
            Verdict::Close => return Passing::Close,
            Verdict::Pending => return Passing::Pending(place + 1),
            Verdict::Exit(code) => return Passing::Exit(code),
            Verdict::Failed(error) => {
                complain(event, &slot.handler, &error);
                if !slot.handler.goes_on(event) {
                    return Passing::Failed;
                }
            }
        }
    }
    Passing::On
}

/// Logs a handler's failure: what, where it comes from, and its traceback.
pub fn complain(event: Event, handler: &Handler, error: &HandlerError) {
    if error.is_known {
        return;
    }
    let consequence = if handler.goes_on(event) {
        OnFailure::Log.describe()
    } else {
        event.declaration().on_failure.describe()
    };
    let message = format!(
        "{} handler {} (from {}) failed: {} ({consequence})",
        event.name(),
        handler.name,
        handler.source,
        error.summary
    );
    match &error.raised {
        Some((thrown, trace)) => log_raised(&Raised {
            message: &message,
            trace,
            thrown,
        }),
        None => log::error!("{message}"),
    }
}

#[cfg(test)]
mod tests {
    use std::any::Any;
    use std::sync::{Arc, Mutex};

    use super::super::handler::{Call, Source};
    use super::*;

    struct Noting {
        name: &'static str,
        verdict: Verdict,
        notes: Arc<Mutex<Vec<&'static str>>>,
    }

    impl Call for Noting {
        fn call(&self, _: &Occasion<'_>) -> Verdict {
            self.notes.lock().unwrap().push(self.name);
            self.verdict.clone()
        }
        fn as_any(&self) -> &dyn Any {
            self
        }
    }

    fn failure() -> Verdict {
        Verdict::Failed(Box::new(HandlerError {
            summary: "boom".into(),
            raised: None,
            is_known: false,
        }))
    }

    fn fire(
        event: Event,
        verdicts: &[(&'static str, Verdict)],
    ) -> (Vec<&'static str>, Result<(), Interruption>) {
        let notes = Arc::new(Mutex::new(Vec::new()));
        let handlers = verdicts
            .iter()
            .map(|(name, verdict)| {
                let call = Noting {
                    name,
                    verdict: verdict.clone(),
                    notes: Arc::clone(&notes),
                };
                let handler = Handler {
                    name: (*name).to_owned(),
                    source: Source::CommandLine,
                    tongue: Tongue::Native,
                    priority: 0,
                    before: vec![],
                    after: vec![],
                    goes_on: None,
                    call: Arc::new(call),
                };
                (event, handler)
            })
            .collect();
        let bus = Bus::compile(handlers).unwrap();
        let result = bus.fire(event, &Occasion::Itself);
        let notes = notes.lock().unwrap().clone();
        (notes, result)
    }

    #[test]
    fn an_event_nobody_listens_to_does_nothing() {
        let bus = Bus::compile(vec![]).unwrap();
        assert!(!bus.is_heard(Event::PreRequest));
        assert_eq!(bus.fire(Event::PreRequest, &Occasion::Itself), Ok(()));
        assert!(Bus::default().chain(Event::OnExit).is_empty());
    }

    #[test]
    fn a_failure_that_is_only_logged_does_not_stop_the_others() {
        let (notes, result) = fire(
            Event::ChildExit,
            &[("a", failure()), ("b", Verdict::Continue)],
        );
        assert_eq!((notes, result), (vec!["a", "b"], Ok(())));
    }

    #[test]
    fn a_failure_with_a_consequence_stops_the_others() {
        let (notes, result) = fire(
            Event::PostFork,
            &[("a", failure()), ("b", Verdict::Continue)],
        );
        assert_eq!(notes, ["a"]);
        assert!(matches!(result, Err(Interruption::Failed { handler, .. }) if handler == "a"));
    }

    #[test]
    fn an_exit_is_reported_after_all_have_run() {
        let (notes, result) = fire(
            Event::OnStarting,
            &[("a", Verdict::Exit(7)), ("b", Verdict::Continue)],
        );
        assert_eq!(
            (notes, result),
            (vec!["a", "b"], Err(Interruption::Exit(7)))
        );
    }

    #[test]
    fn the_description_names_every_event_and_every_handler() {
        let handler = Handler {
            name: "m:f".into(),
            source: Source::Config("conf.py".into()),
            tongue: Tongue::Script,
            priority: -5,
            before: vec![],
            after: vec!["auth".into()],
            goes_on: None,
            call: Arc::new(Noting {
                name: "f",
                verdict: Verdict::Continue,
                notes: Arc::default(),
            }),
        };
        let text = Bus::compile(vec![(Event::PreRequest, handler)])
            .unwrap()
            .describe();
        for event in Event::ALL {
            assert!(
                text.lines().any(|line| line.starts_with(event.name())),
                "{}",
                event.name()
            );
        }
        assert!(
            text.contains("1. python m:f  [conf.py] priority -5; after auth"),
            "{text}"
        );
    }
}
