//! The end of a worker: what the log says of it, who is told, and what follows if it died inside a
//! compiled plugin.

use std::sync::atomic::Ordering;
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
        let cell = self.board.cell(departed.id);
        let is_astray = cell.astray().load(Ordering::Relaxed) > 0 && !cell.has_left();
        let scene = child
            .as_ref()
            .and_then(|child| child.plugins.scene_of_death(cell.crumbs()));
        plugin::forget_worker(departed.id);
        let suspicion = self.suspect(departed);
        let cause = match suspicion {
            Some(Suspicion::Kernel) => Cause::OutOfMemory,
            _ => departed.cause,
        };
        let departed = &Departed { cause, ..*departed };
        let doing = match whose_doing(departed, cell.has_left()) {
            Doing::Scene => scene.clone(),
            Doing::Silence => child.as_ref().and_then(|child| child.stuck_in.clone()),
            Doing::Others => None,
        };
        let was_inside = doing.as_ref().or(match departed.status {
            Status::Signal(_) => scene.as_ref(),
            Status::Code(_) => None,
        });
        let note = match was_inside {
            Some((_, text)) => Note::Inside(text),
            None if is_astray => {
                Note::Hint(": perhaps inside a plugin, on a thread without a place")
            }
            None => Note::Hint(suspicion.map_or("", hint)),
        };
        self.tell_of(departed, &note);
        self.host.mourn_worker(departed);
        let obituary = obituary(departed);
        self.fire(Hook::ChildExit, &Occasion::Gone(&obituary));
        self.host.forget_worker(departed.age);
        if let (Some((place, _)), Some(child)) = (doing, child)
            && let Some(module) = child.plugins.modules().get(place)
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
            Cause::Timeout => "no thread of it has moved for timeout",
            other => other.name(),
        };
        let order = match cause {
            Cause::RequestTimeout => "when its other requests are answered",
            Cause::Timeout => "when its requests are answered, in graceful_timeout at most",
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
            Status::Code(0) if matches!(note, Note::Hint(_)) => {
                if departed.cause == Cause::Boot {
                    log::warn!(
                        "Worker (pid:{pid}) has left with code 0 before it served ({cause})"
                    );
                } else {
                    log::debug!("Worker (pid:{pid}) has left ({cause})");
                }
            }
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
                let id = module.id();
                log::error!(
                    "Plugin {id}: three workers died in it within a minute: the server stops"
                );
                self.queue.push_back(Event::Leave(Exit::Startup));
            }
        }
    }
}

/// Whose doing it is that a worker is gone.
#[derive(Debug, PartialEq, Eq)]
enum Doing {
    /// That of the plugin which it was inside of when it ended, if it was inside of one.
    Scene,
    /// That of the plugin which it was stuck in when it gave no sign of life, if it was.
    Silence,
    /// No plugin's: a thread may just have been in one when somebody else ended the process.
    Others,
}

/// `has_left`: it has done all that was to be done before its process ends.
fn whose_doing(departed: &Departed, has_left: bool) -> Doing {
    match (departed.cause, departed.status) {
        (Cause::OutOfMemory, _) => Doing::Others,
        (Cause::Timeout | Cause::RequestTimeout, _) | (Cause::Boot, Status::Signal(_)) => {
            Doing::Silence
        }
        (Cause::Crash, Status::Signal(_)) => Doing::Scene,
        (_, Status::Code(_)) if has_left => Doing::Others,
        // One that leaves may be killed because clients are late.
        (_, Status::Signal(libc::SIGKILL | libc::SIGTERM)) => Doing::Others,
        _ => Doing::Scene,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_is_blamed_for_what_it_has_done_and_not_for_where_others_have_ended_it() {
        let doing = |cause, status, has_left| {
            let departed = Departed {
                id: 1,
                age: 1,
                pid: 4711,
                status,
                cause,
            };
            whose_doing(&departed, has_left)
        };
        let killed = Status::Signal(libc::SIGKILL);
        let crashed = Status::Signal(libc::SIGSEGV);
        assert_eq!(doing(Cause::Crash, crashed, false), Doing::Scene);
        assert_eq!(doing(Cause::Retired, Status::Code(0), false), Doing::Scene);
        assert_eq!(doing(Cause::Failed, Status::Code(7), false), Doing::Scene);
        assert_eq!(doing(Cause::Asked, crashed, false), Doing::Scene);
        assert_eq!(doing(Cause::Timeout, killed, false), Doing::Silence);
        assert_eq!(doing(Cause::Timeout, Status::Code(1), true), Doing::Silence);
        assert_eq!(doing(Cause::Retired, Status::Code(0), true), Doing::Others);
        assert_eq!(doing(Cause::Asked, killed, false), Doing::Others);
        assert_eq!(doing(Cause::OutOfMemory, killed, false), Doing::Others);
    }
}
