//! What a process leaves behind while it is inside a plugin: should it die there, it is known whose
//! fault that was. A worker leaves a number in its cell of shared memory, which the arbiter reads; the
//! arbiter leaves a line (`downfall`).

use std::sync::atomic::{AtomicU32, Ordering};

use super::downfall::Presence;
use super::link::{self, WorkerLink};
use crate::hooks::Event;

/// In place of an event: it is asked what it offers.
pub(super) const INTERFACE: u8 = 0xf7;
/// In place of an event: a thread of the plugin's own runs.
const THREAD: u8 = 0xf8;
/// In place of an event: what it has kept with a request is let go of.
pub(super) const REQUEST_DROP: u8 = 0xf9;
/// In place of an event: the module is being taken down.
pub(super) const MODULE_DESTROY: u8 = 0xfa;
/// In place of an event: the module is being made.
pub(super) const MODULE_INIT: u8 = 0xfb;
/// In place of an event: its format makes a line.
pub(super) const FORMAT: u8 = 0xfc;
/// In place of an event: its logger is called.
pub(super) const LOGGER: u8 = 0xfd;
/// In place of an event: the instance is being made.
pub(super) const CREATE: u8 = 0xfe;
/// In place of an event: it is being taken down.
pub(super) const DESTROY: u8 = 0xff;

/// Word of where this thread is: inside a plugin.
struct Crumb<'w> {
    whose: Whose<'w>,
    what: u8,
    word: Word,
}

/// How it was left.
enum Word {
    /// A thread of a worker has left its number here, where another stood before.
    Number(&'static AtomicU32, u32),
    /// A thread of a worker that has no place is counted here.
    Count(&'static AtomicU32),
    /// Another process has left a line.
    Line { presence: Option<Presence> },
}

/// The plugin that a crumb is about.
#[derive(Clone, Copy)]
pub(super) struct Whose<'a> {
    /// Its place among those of the configuration.
    pub(super) place: usize,
    pub(super) id: &'a str,
}

/// Calls into a plugin. Should the process end meanwhile, it is known where: `what` it was called for,
/// an event or one of the above.
pub(super) fn inside<R>(whose: Whose<'_>, what: u8, call: impl FnOnce() -> R) -> R {
    let crumb = Crumb::leave(whose, what);
    let result = call();
    crumb.lift();
    result
}

/// The word of a thread of the plugin's own.
pub(super) fn of_thread(place: usize) -> u32 {
    write(place, THREAD)
}

/// Ends this process, with a line that says why.
pub(super) fn end(why: &str) -> ! {
    crate::log::urgent().write(format_args!("{why}"));
    std::process::abort()
}

impl<'w> Crumb<'w> {
    fn leave(whose: Whose<'w>, what: u8) -> Self {
        let word = match link::worker() {
            Some(worker) => Word::of_thread(worker, write(whose.place, what)),
            None => Word::of_process(whose, what),
        };
        Self { whose, what, word }
    }

    /// The plugin has come back.
    fn lift(mut self) {
        self.wipe();
        std::mem::forget(self);
    }

    fn wipe(&mut self) {
        match &mut self.word {
            Word::Number(cell, before) => cell.store(*before, Ordering::Relaxed),
            Word::Count(count) => drop(count.fetch_sub(1, Ordering::Relaxed)),
            Word::Line { presence } => drop(presence.take()),
        }
    }
}

impl Word {
    fn of_thread(worker: &'static WorkerLink, number: u32) -> Self {
        let Some(cell) = link::crumb(worker) else {
            let count = worker.cell.astray();
            count.fetch_add(1, Ordering::Relaxed);
            return Self::Count(count);
        };
        // Nobody else writes here: a load and a store cost less than an exchange.
        let before = cell.load(Ordering::Relaxed);
        cell.store(number, Ordering::Relaxed);
        Self::Number(cell, before)
    }

    fn of_process(whose: Whose<'_>, what: u8) -> Self {
        let who = match what == Event::PreExec as u8 {
            true => "Successor",
            false => "Arbiter",
        };
        let place = || format!("{}/{}", whose.id, name(what).unwrap_or("?"));
        Self::Line {
            presence: Presence::leave(who, place),
        }
    }
}

impl Drop for Crumb<'_> {
    /// Reached only when the stack is unwound. Nothing may unwind out of a plugin: what does is no panic
    /// of Rust's, nobody can catch it here, and the word must stay for whoever reads it.
    fn drop(&mut self) {
        if std::thread::panicking() {
            return self.wipe();
        }
        let (id, what) = (self.whose.id, name(self.what).unwrap_or("?"));
        end(&format!(
            "{id}/{what} was left by a C++ exception or pthread_exit: the process ends"
        ));
    }
}

fn write(place: usize, what: u8) -> u32 {
    (u32::try_from(place).unwrap_or(0) + 1) << 8 | u32::from(what)
}

/// What a crumb says: the plugin's place, and what it was called for.
pub(super) fn read(crumb: u32) -> Option<(usize, &'static str)> {
    let place = (crumb >> 8).checked_sub(1)?;
    Some((place as usize, name((crumb & 0xff) as u8)?))
}

fn name(what: u8) -> Option<&'static str> {
    Some(match what {
        MODULE_DESTROY => "module_destroy",
        MODULE_INIT => "module_init",
        INTERFACE => "get_interface",
        THREAD => "a thread of its own",
        REQUEST_DROP => "request_drop",
        FORMAT => "access_format",
        LOGGER => "logger",
        CREATE => "worker_create",
        DESTROY => "worker_destroy",
        event => Event::ALL.get(usize::from(event))?.name(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crumb_is_read_as_it_was_left() {
        let of_event = write(3, Event::ConnClose as u8);
        assert_eq!(read(of_event), Some((3, "conn_close")));
        assert_eq!(read(write(0, CREATE)), Some((0, "worker_create")));
        assert_eq!(read(0), None);
        assert_eq!(read(1 << 8 | 0x7f), None);
    }
}
