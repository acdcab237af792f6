//! What a worker leaves in its cell of shared memory while it is inside a plugin: should it die there,
//! the arbiter reads whose fault that was.

use std::sync::atomic::{AtomicU32, Ordering};

use super::link;
use crate::hooks::Event;

/// In place of an event: its format makes a line.
pub(super) const FORMAT: u8 = 0xfc;
/// In place of an event: its logger is called.
pub(super) const LOGGER: u8 = 0xfd;
/// In place of an event: the instance is being made.
pub(super) const CREATE: u8 = 0xfe;
/// In place of an event: it is being taken down.
pub(super) const DESTROY: u8 = 0xff;

/// While it lives, this thread is inside a plugin.
pub(super) struct Crumb(Option<(&'static AtomicU32, u32)>);

impl Crumb {
    /// Leaves word of the plugin's place and of what it is called for: an event, or one of the above.
    pub(super) fn leave(place: usize, what: u8) -> Self {
        Self(link::crumb().map(|cell| {
            let before = cell.load(Ordering::Relaxed);
            cell.store(write(place, what), Ordering::Relaxed);
            (cell, before)
        }))
    }
}

impl Drop for Crumb {
    fn drop(&mut self) {
        if let Some((cell, before)) = self.0 {
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
    let what = match (crumb & 0xff) as u8 {
        FORMAT => "access_format",
        LOGGER => "logger",
        CREATE => "worker_create",
        DESTROY => "worker_destroy",
        event => Event::ALL.get(usize::from(event))?.name(),
    };
    Some((place as usize, what))
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
