//! The end of a worker: what the log says of it, who is told, and what follows if it died inside a
//! compiled plugin.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::signal::Signal as Number;

use super::drive::Driver;
use super::event::Event;
use super::oom::Suspicion;
use super::slot::{Cause, Departed, Status};
use crate::config::OnCrash;
use crate::error::Exit;
use crate::hooks::{Age, Event as Hook, Obituary, Occasion};
use crate::plugin::{self, Module};

/// So many workers that die inside one plugin within `WINDOW` make its `on_crash` count.
const CRASHES: usize = 3;
const WINDOW: Duration = Duration::from_secs(60);

impl Driver<'_> {
    pub(super) fn bury(&mut self, departed: &Departed) {
        let place = self
            .gone
            .iter()
            .position(|child| child.member.age == departed.age);
        let child = place.map(|place| self.gone.swap_remove(place));
        let crumbs = self.board.cell(departed.id).crumbs();
        let plugins = child.map(|child| child.plugins);
        let scene = plugins
            .as_ref()
            .and_then(|plugins| plugins.scene_of_death(crumbs));
        plugin::forget_worker(departed.id);
        let suspicion = self.suspect(departed);
        let cause = match suspicion {
            Some(Suspicion::Kernel) => Cause::OutOfMemory,
            _ => departed.cause,
        };
        let departed = &Departed { cause, ..*departed };
        let note = match &scene {
            Some((_, text)) => Note::Inside(text),
            None => Note::Hint(suspicion.map_or("", hint)),
        };
        self.tell_of(departed, &note);
        self.host.mourn_worker(departed);
        let obituary = obituary(departed);
        self.fire(Hook::ChildExit, &Occasion::Gone(&obituary));
        self.host.forget_worker(departed.age);
        if let (Some((place, _)), Some(plugins), Status::Signal(_), Cause::Crash) =
            (scene, plugins, departed.status, departed.cause)
            && let Some(module) = plugins.modules().get(place)
        {
            self.note_crash(module);
        }
    }

    /// Says why the worker is going to be replaced.
    pub(super) fn tell_due(&self, age: Age, cause: Cause) {
        let pid = self.member(age).pid;
        let why = match cause {
            Cause::MaxRequests => "it has served max_requests",
            Cause::Memory => "it has grown beyond max_worker_memory",
            Cause::Age => "it has reached max_worker_age",
            Cause::RequestTimeout => "a request of it cannot be ended by itself",
            other => other.name(),
        };
        let order = match cause {
            Cause::RequestTimeout => "when its other requests are answered",
            _ if self.machine.surge() > 0 => "once its replacement serves",
            _ => "before there is a replacement",
        };
        log::info!("Worker (pid:{pid}) leaves {order}: {why}");
    }

    /// A worker that was killed may have been killed for want of memory.
    fn suspect(&mut self, departed: &Departed) -> Option<Suspicion> {
        let is_killed = departed.status == Status::Signal(Number::SIGKILL as i32);
        (is_killed && departed.cause == Cause::Crash).then(|| self.oom.suspect())
    }

    fn tell_of(&self, departed: &Departed, note: &Note) {
        let (id, pid, cause) = (departed.id, departed.pid, departed.cause.name());
        match departed.status {
            Status::Code(0) if departed.cause == Cause::Boot => {
                log::warn!("Worker (pid:{pid}) has left with code 0 before it served ({cause})");
            }
            Status::Code(0) => log::debug!("Worker (pid:{pid}) has left ({cause})"),
            // As asynchronous servers do: they raise the signal again when they have shut down.
            Status::Signal(libc::SIGTERM) if departed.cause == Cause::Asked => {
                log::debug!("Worker (pid:{pid}) has left by SIGTERM ({cause})");
            }
            Status::Code(code) => match note {
                Note::Inside(scene) => {
                    log::error!(
                        "Worker {id} (pid {pid}) exited with code {code} inside {scene} ({cause})"
                    );
                }
                Note::Hint(_) => {
                    log::error!("Worker (pid:{pid}) exited with code {code} ({cause})");
                }
            },
            Status::Signal(number) => {
                let name = Number::try_from(number)
                    .map_or_else(|_| number.to_string(), |s| s.as_str().to_owned());
                match note {
                    Note::Inside(scene) => {
                        log::error!("Worker {id} (pid {pid}) died of {name} inside {scene}");
                    }
                    Note::Hint(hint) => {
                        log::error!("Worker (pid:{pid}) was killed by {name} ({cause}){hint}");
                    }
                }
            }
        }
    }

    /// One of a former configuration counts no more: whoever reloads has mended something.
    fn note_crash(&mut self, module: &Arc<Module>) {
        let mut serving = self.generation.plugins.modules().iter();
        if !serving.any(|other| Arc::ptr_eq(other, module)) {
            return;
        }
        let now = Instant::now();
        self.crashes
            .retain(|(_, at)| now.saturating_duration_since(*at) < WINDOW);
        self.crashes.push((Arc::downgrade(module), now));
        let is_same = |other: &Weak<Module>| std::ptr::eq(other.as_ptr(), Arc::as_ptr(module));
        let same = self.crashes.iter().filter(|(other, _)| is_same(other));
        if same.count() < CRASHES {
            return;
        }
        match module.spec.on_crash {
            OnCrash::Continue => {}
            OnCrash::Disable => module.set_aside("three workers died in it within a minute"),
            OnCrash::Halt => {
                log::error!("Three workers died inside the same plugin: the server stops");
                self.queue.push_back(Event::Leave(Exit::Startup));
            }
        }
    }
}

/// What is known beside the signal that a worker died of.
enum Note<'a> {
    /// The compiled handler that it was inside of.
    Inside(&'a str),
    /// Who may have sent it.
    Hint(&'static str),
}

fn hint(suspicion: Suspicion) -> &'static str {
    match suspicion {
        Suspicion::Kernel => ": the kernel has killed for want of memory",
        Suspicion::Unknown => ": perhaps out of memory",
        Suspicion::Nobody => ": not by the kernel for want of memory",
    }
}

fn obituary(departed: &Departed) -> Obituary {
    let (code, signal) = match departed.status {
        Status::Code(code) => (Some(code), None),
        Status::Signal(number) => (None, Some(number)),
    };
    Obituary {
        age: departed.age,
        id: departed.id,
        pid: departed.pid,
        code,
        signal,
        cause: departed.cause.name(),
    }
}
