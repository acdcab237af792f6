//! What a process leaves behind while it is inside a plugin: should it die there, it is known whose
//! fault that was. A worker leaves a number in its cell of shared memory, which the arbiter reads; the
//! arbiter leaves a line (`downfall`).

use std::sync::atomic::{AtomicU32, Ordering};

use super::downfall::Presence;
use super::link;
use crate::hooks::Event;

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

/// While it lives, this thread is inside a plugin.
pub(super) struct Crumb {
    cell: Option<(&'static AtomicU32, u32)>,
    _presence: Option<Presence>,
}

/// The plugin that a crumb is about.
#[derive(Clone, Copy)]
pub(super) struct Whose<'a> {
    /// Its place among those of the configuration.
    pub(super) place: usize,
    pub(super) id: &'a str,
}

impl Crumb {
    /// Leaves word of the plugin and of what it is called for: an event, or one of the above.
    pub(super) fn leave(whose: Whose<'_>, what: u8) -> Self {
        if let Some(cell) = link::crumb() {
            let before = cell.load(Ordering::Relaxed);
            cell.store(write(whose.place, what), Ordering::Relaxed);
            return Self {
                cell: Some((cell, before)),
                _presence: None,
            };
        }
        let who = match what == Event::PreExec as u8 {
            true => "Successor",
            false => "Arbiter",
        };
        let place = || format!("{}/{}", whose.id, name(what).unwrap_or("?"));
        Self {
            cell: None,
            _presence: Presence::leave(who, place),
        }
    }
}

impl Drop for Crumb {
    fn drop(&mut self) {
        if let Some((cell, before)) = self.cell {
            cell.store(before, Ordering::Relaxed);
        }
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
