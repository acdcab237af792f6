//! A plugin's handler on the bus.

use std::any::Any;
use std::cell::RefCell;
use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tricorn_abi as abi;

use super::crumb;
use super::descriptor::{HandlerDescriptor, HandlerFunction};
use super::host::code_name;
use super::link;
use super::module::Module;
use super::payload;
use crate::config::OnError;
use crate::exchange::Passage;
use crate::hooks::{Call, Event, Handler, HandlerError, Occasion, Source, Tongue, Verdict};

/// The function, and the plugin it is of.
#[derive(Debug)]
pub(super) struct NativeHandler {
    module: Arc<Module>,
    event: Event,
    call: HandlerFunction,
    /// It has misbehaved, and that is in the log.
    is_told: AtomicBool,
}

/// A plugin's handlers, for the bus.
pub(super) fn handlers(module: &Arc<Module>) -> impl Iterator<Item = (Event, Handler)> {
    let own = module.descriptor.handlers.iter();
    own.map(|descriptor| (descriptor.event, handler(module, descriptor)))
        .chain(bolt(module).map(|bolt| (Event::RequestHead, bolt)))
}

/// Refuses requests in the place of a required plugin that is set aside and has no handler of its own
/// where requests can be refused: one that guards connections, say.
#[derive(Debug)]
struct Bolt(Arc<Module>);

fn bolt(module: &Arc<Module>) -> Option<Handler> {
    let mut events = module.descriptor.handlers.iter().map(|one| one.event);
    let decides = |event| matches!(event, Event::RequestHead | Event::PreRequest);
    (module.is_required() && !events.any(decides)).then(|| Handler {
        name: format!("{}/required", module.id()),
        source: Source::Plugin(module.place, module.spec.shown.clone()),
        tongue: Tongue::Native,
        priority: 0,
        before: Vec::new(),
        after: Vec::new(),
        goes_on: None,
        call: Arc::new(Bolt(Arc::clone(module))),
    })
}

impl Call for Bolt {
    fn call(&self, _: &Occasion<'_>) -> Verdict {
        if self.0.is_aside() {
            Verdict::Unavailable
        } else {
            Verdict::Continue
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn handler(module: &Arc<Module>, descriptor: &HandlerDescriptor) -> Handler {
    let (spec, event) = (&module.spec, descriptor.event);
    let with = |own: &[String], said: Option<&Vec<String>>| {
        own.iter()
            .chain(said.into_iter().flatten())
            .cloned()
            .collect()
    };
    Handler {
        name: format!("{}/{}", module.id(), descriptor.name),
        source: Source::Plugin(module.place, spec.shown.clone()),
        tongue: Tongue::Native,
        priority: spec
            .priority
            .get(event.name())
            .copied()
            .unwrap_or(descriptor.priority),
        before: with(&descriptor.before, spec.before.get(event.name())),
        after: with(&descriptor.after, spec.after.get(event.name())),
        goes_on: spec
            .on_error
            .get(event.name())
            .map(|&policy| policy == OnError::Log),
        call: Arc::new(NativeHandler {
            module: Arc::clone(module),
            event,
            call: descriptor.call,
            is_told: AtomicBool::new(false),
        }),
    }
}

impl Call for NativeHandler {
    fn call(&self, occasion: &Occasion<'_>) -> Verdict {
        if self.module.is_aside() {
            return self.without(occasion);
        }
        let passage = payload::passage(occasion);
        if let Some(passage) = passage {
            let mut passage = passage.borrow_mut();
            passage.answer = None;
            passage.suspended = None;
        }
        let code = self.enter(occasion);
        let mut passage = passage.map(RefCell::borrow_mut);
        let verdict = self.judge(code, passage.as_deref());
        let token = match verdict {
            Verdict::Pending => None,
            _ => passage
                .as_mut()
                .and_then(|passage| passage.suspended.take()),
        };
        match token {
            None => verdict,
            Some(token) => self.revoke(token, verdict),
        }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl NativeHandler {
    /// What happens in place of a handler that is set aside.
    #[cold]
    fn without(&self, occasion: &Occasion<'_>) -> Verdict {
        let decides =
            payload::passage(occasion).is_some_and(|passage| passage.borrow().stage.is_open());
        if self.module.is_required() && decides {
            Verdict::Unavailable
        } else {
            Verdict::Continue
        }
    }

    /// Calls the function. Should the process die in it, the crumb tells where.
    fn enter(&self, occasion: &Occasion<'_>) -> i32 {
        let state: *mut c_void = self.module.state();
        let host = self.module.ctx.host();
        let before = self.module.threads_before();
        let code = crumb::inside(self.module.whose(), self.event as u8, || {
            let _turn = self.module.take_turn();
            payload::with(self.event, occasion, &mut |event| {
                // SAFETY: as the ABI describes a handler: the state is what the plugin made for this
                // process, the event's struct lives through the call, the host for ever.
                unsafe { (self.call)(state, event, host) }
            })
        });
        match before {
            None => code,
            Some(before) => self.module.judge_threads(&before, code),
        }
    }

    fn judge(&self, code: i32, passage: Option<&Passage>) -> Verdict {
        let is_open = passage.is_some_and(|passage| passage.stage.is_open());
        let is_answered = || passage.is_some_and(|passage| passage.answer.is_some());
        let is_suspended = || passage.is_some_and(|passage| passage.suspended.is_some());
        match code {
            abi::CONTINUE => Verdict::Continue,
            abi::STOP => Verdict::Stop,
            abi::RESPOND if is_open && is_answered() => Verdict::Respond,
            abi::PENDING if is_open && is_suspended() => Verdict::Pending,
            abi::CLOSE if is_open || self.event == Event::ConnOpen => Verdict::Close,
            _ => self.fail(code, is_open),
        }
    }

    /// A code that is no verdict here.
    #[cold]
    fn fail(&self, code: i32, is_open: bool) -> Verdict {
        match code {
            abi::RESPOND if is_open => self.misbehaves("RESPOND without an answer"),
            abi::PENDING if is_open => self.misbehaves("PENDING without a token"),
            abi::RESPOND | abi::PENDING | abi::CLOSE => {
                let what = format!("verdict {code}, which this event does not allow");
                self.misbehaves(&what)
            }
            abi::PANIC => {
                self.module.note_panic();
                failed("it panicked", false)
            }
            5.. => self.misbehaves(&format!("verdict {code}, which means nothing")),
            _ => failed(&format!("it returned {}", code_name(code)), false),
        }
    }

    /// Makes a token void that was taken and not returned on: nobody waits for it.
    #[cold]
    fn revoke(&self, token: u64, verdict: Verdict) -> Verdict {
        if let Some(worker) = link::worker() {
            worker.resumptions.revoke(token);
        }
        match verdict {
            Verdict::Continue | Verdict::Stop => self.misbehaves("a token without PENDING"),
            _ => verdict,
        }
    }

    /// A fault that will be there at every call is told once.
    fn misbehaves(&self, what: &str) -> Verdict {
        let is_told = self.is_told.swap(true, Ordering::Relaxed);
        failed(
            &format!("it misbehaves ({what}); this is not told again"),
            is_told,
        )
    }
}

fn failed(summary: &str, is_known: bool) -> Verdict {
    Verdict::Failed(Box::new(HandlerError {
        summary: summary.to_owned(),
        raised: None,
        is_known,
    }))
}
