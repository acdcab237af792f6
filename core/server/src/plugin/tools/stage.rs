//! A worker that serves nobody: the plugins of a file are put into it as they are into one at work, on
//! the bus, with instances, threads and suspended requests, and made-up requests run through them.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tricorn_http::Status;

use super::super::descriptor::Contents;
use super::super::host::take_complaints;
use super::super::load::Plugins;
use super::super::serving::{self, Surroundings};
use super::super::shared;
use super::made_up::{self, MadeUp};
use crate::config::PluginSpec;
use crate::exchange::{End, Ending, Passage, Stage, Ticket};
use crate::gateway::{Control, Decision, Resumptions};
use crate::hooks::{Bus, Event, Handler, HandlerError, Occasion, Verdict};
use crate::lifeline::Board;

/// The time in which a suspended request must be decided of.
const DECISION: Duration = Duration::from_secs(2);

/// The plugins of a file, on a bus of their own.
pub(super) struct Loaded {
    plugins: Plugins,
    bus: Bus,
}

/// What became of a request among the handlers of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passed {
    On,
    Answered,
    Closed,
}

impl Loaded {
    /// Makes the modules.
    pub(super) fn of(contents: &Contents, spec: &PluginSpec) -> Result<Self, String> {
        // Zones and numbers are this process's own.
        shared::separate().map_err(|why| format!("there is no memory to try it out in: {why}"))?;
        let plugins = Plugins::to_try(contents, spec)?;
        let bus = Bus::compile(plugins.handlers()).map_err(|cycle| cycle.to_string())?;
        Ok(Self { plugins, bus })
    }

    /// Fires an event: what is wrong with its handlers.
    pub(super) fn fire(&self, event: Event, occasion: &Occasion<'_>) -> Vec<String> {
        let mut reasons = Vec::new();
        for slot in self.bus.chain(event) {
            take_complaints();
            if let Verdict::Failed(error) = slot.handler.call.call(occasion) {
                reasons.push(explain(event, &slot.handler, &error));
            }
        }
        reasons
    }

    /// Makes this process a worker, with instances.
    pub(super) fn enter(self) -> Result<Worker, String> {
        let system = |error: nix::Error| format!("there is no worker to try it out in: {error}");
        let board = Board::new().map_err(system)?;
        let control = Arc::new(Control::new().map_err(system)?);
        let resumptions = Arc::new(Resumptions::new().map_err(system)?);
        let around = Surroundings {
            id: made_up::MEMBER.id,
            cell: board.cell(made_up::MEMBER.id),
            workers: 1,
            age: made_up::MEMBER.age,
            threads: 1,
            control: &control,
            resumptions: &resumptions,
        };
        take_complaints();
        serving::enter(&self.plugins, &around).map_err(|failure| {
            let mut text = failure.to_string();
            add_complaints(&mut text);
            text
        })?;
        Ok(Worker {
            loaded: self,
            resumptions,
            number: 0,
        })
    }
}

/// A worker without a server.
pub(super) struct Worker {
    loaded: Loaded,
    resumptions: Arc<Resumptions>,
    number: u64,
}

impl Worker {
    /// Fires an event: what is wrong with its handlers.
    pub(super) fn fire(&self, event: Event, occasion: &Occasion<'_>) -> Vec<String> {
        self.loaded.fire(event, occasion)
    }

    /// Takes the instances down, once their threads have ended: what is wrong with that.
    pub(super) fn leave(self) -> Vec<String> {
        let mut reasons = serving::take_leave();
        for module in self.loaded.plugins.modules() {
            let (id, count) = (module.id(), module.thread_panics());
            if count > 0 {
                reasons.push(format!("{id}: {count} of its threads panicked"));
            }
        }
        reasons
    }

    /// Runs a request through all handlers, from its head to its end: what is wrong with them.
    pub(super) fn serve(&mut self, made_up: &MadeUp) -> Vec<String> {
        self.number += 1;
        let ticket = Ticket {
            connection: 1,
            number: self.number,
        };
        let request = Arc::new(made_up.request());
        let passage = RefCell::new(Passage::new(Stage::Head, ticket, request));
        let mut reasons = Vec::new();
        let mut announced = false;
        let mut passed = self.pass(Event::RequestHead, &passage);
        if passed == Ok(Passed::On) {
            passage.borrow_mut().stage = Stage::Ready;
            announced = true;
            passed = self.pass(Event::PreRequest, &passage);
        }
        let passed = passed.unwrap_or_else(|why| {
            reasons.push(why);
            Passed::Closed
        });
        if passed != Passed::Closed {
            reasons.extend(self.answer(&passage, passed));
        }
        reasons.extend(self.end(&passage, passed, announced));
        // Lets go of what is kept, outside of any borrow.
        drop(passage.into_inner());
        reasons
    }

    /// Calls the handlers of an event that decide of a request.
    fn pass(&self, event: Event, passage: &RefCell<Passage>) -> Result<Passed, String> {
        for slot in self.loaded.bus.chain(event) {
            take_complaints();
            let handler = &slot.handler;
            match handler.call.call(&Occasion::Passage(passage)) {
                Verdict::Stop => break,
                Verdict::Respond => return Ok(Passed::Answered),
                Verdict::Close => return Ok(Passed::Closed),
                Verdict::Failed(error) => return Err(explain(event, handler, &error)),
                Verdict::Unavailable => {
                    return Err(tell(event, handler, "it has been set aside"));
                }
                Verdict::Pending => match self.decision(passage) {
                    Some(Decision::GoOn) => {}
                    Some(Decision::Close) => return Ok(Passed::Closed),
                    Some(Decision::Answer(answer)) => {
                        passage.borrow_mut().response = answer.head;
                        return Ok(Passed::Answered);
                    }
                    None => {
                        let seconds = DECISION.as_secs();
                        let why = format!(
                            "it has suspended a request, and not decided of it in {seconds} seconds"
                        );
                        return Err(tell(event, handler, &why));
                    }
                },
                Verdict::Continue | Verdict::Exit(_) => {}
            }
        }
        Ok(Passed::On)
    }

    /// Waits for what is decided of a suspended request.
    fn decision(&self, passage: &RefCell<Passage>) -> Option<Decision> {
        let token = passage.borrow_mut().suspended.take()?;
        let deadline = Instant::now() + DECISION;
        while Instant::now() < deadline {
            let mut decided = self.resumptions.take().into_iter();
            if let Some(decided) = decided.find(|decided| decided.token == token) {
                return Some(decided.decision);
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        self.resumptions.revoke(token);
        None
    }

    /// Fires `response_start`, for the application's answer where no handler has given one.
    fn answer(&self, passage: &RefCell<Passage>, passed: Passed) -> Vec<String> {
        {
            let mut passage = passage.borrow_mut();
            passage.stage = Stage::Start;
            if passed == Passed::On {
                passage.response.begin_with(Status::OK);
            }
        }
        self.fire(Event::ResponseStart, &Occasion::Passage(passage))
    }

    fn end(&self, passage: &RefCell<Passage>, passed: Passed, announced: bool) -> Vec<String> {
        let is_answered = passed != Passed::Closed;
        let status = {
            let mut passage = passage.borrow_mut();
            passage.stage = Stage::Done;
            passage.response.status().code()
        };
        let ending = Ending {
            duration: 1_000_000,
            sent: if is_answered { 5 } else { 0 },
            status: if is_answered { status } else { 0 },
            end: if is_answered {
                End::Complete
            } else {
                End::Closed
            },
        };
        let occasion = Occasion::Done(passage, ending);
        let mut reasons = Vec::new();
        if announced {
            reasons.extend(self.fire(Event::PostRequest, &occasion));
        }
        reasons.extend(self.fire(Event::Access, &occasion));
        reasons
    }
}

/// What a handler has failed with, and what it has said of that.
fn explain(event: Event, handler: &Handler, error: &HandlerError) -> String {
    let summary = error.summary.replace("; this is not told again", "");
    let mut text = tell(event, handler, &summary);
    add_complaints(&mut text);
    text
}

fn add_complaints(text: &mut String) {
    for complaint in take_complaints() {
        text.push_str(": ");
        text.push_str(&complaint);
    }
}

fn tell(event: Event, handler: &Handler, what: &str) -> String {
    let (id, name) = handler
        .name
        .rsplit_once('/')
        .unwrap_or(("?", &handler.name));
    format!("{id}: {}/{name}: {what}", event.name())
}
