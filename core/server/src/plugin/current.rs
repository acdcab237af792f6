//! The request that this thread's handler is looking at. Handles that plugins get are numbers, and
//! not addresses: one that is used after its call, or on another thread, is found out.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicU64, Ordering};

use tricorn_abi as abi;

use crate::exchange::Passage;
use crate::hooks::Event;

#[derive(Debug, Clone, Copy)]
struct Current {
    /// The handle's value; 0 for none.
    serial: u64,
    passage: *const RefCell<Passage>,
    /// The events whose handlers this thread is inside of, as bits.
    events: u64,
}

/// What a thread knows of its handlers.
#[derive(Debug)]
struct Thread {
    current: Cell<Current>,
    /// The serial of its next handle; a multiple of `RANGE` if it has none left.
    next: Cell<u64>,
}

thread_local! {
    static THREAD: Thread = const {
        Thread {
            current: Cell::new(Current { serial: 0, passage: std::ptr::null(), events: 0 }),
            next: Cell::new(0),
        }
    };
}

/// While it lives, the thread is inside a handler.
#[derive(Debug)]
pub(super) struct Inside {
    before: Current,
    serial: u64,
}

/// Enters a handler; `None` if the thread is inside a handler of this event already.
pub(super) fn enter(event: Event, passage: Option<&RefCell<Passage>>) -> Option<Inside> {
    THREAD.with(|thread| {
        let before = thread.current.get();
        if before.events & event.bit() != 0 {
            return None;
        }
        let serial = if passage.is_some() {
            thread.next_serial()
        } else {
            0
        };
        thread.current.set(Current {
            serial,
            passage: passage.map_or(std::ptr::null(), std::ptr::from_ref),
            events: before.events | event.bit(),
        });
        Some(Inside { before, serial })
    })
}

impl Inside {
    /// What the handler gets to name its request.
    pub(super) fn handle(&self) -> *mut abi::Request {
        std::ptr::without_provenance_mut(self.serial as usize)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        THREAD.with(|thread| thread.current.set(self.before));
    }
}

/// So many handles a thread gives before it takes another range of them.
const RANGE: u64 = 1 << 40;

impl Thread {
    /// Threads count in ranges of their own, so that no handle means something on another thread.
    fn next_serial(&self) -> u64 {
        static RANGES: AtomicU64 = AtomicU64::new(1);
        let mut next = self.next.get();
        if next.is_multiple_of(RANGE) {
            next = RANGES.fetch_add(1, Ordering::Relaxed) * RANGE + 1;
        }
        self.next.set(next + 1);
        next
    }
}

/// Calls `with` with the request of a handle; `STALE` if that names no request of this call.
pub(super) fn with(handle: *mut abi::Request, with: impl FnOnce(&mut Passage) -> i32) -> i32 {
    let current = THREAD.with(|thread| thread.current.get());
    if current.serial == 0 || current.serial != handle.addr() as u64 {
        return abi::STALE;
    }
    // SAFETY: set by `enter` from a reference that outlives the `Inside`, which sets it back.
    let passage = unsafe { &*current.passage };
    match passage.try_borrow_mut() {
        Ok(mut passage) => with(&mut passage),
        Err(_) => abi::REENTRANT,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::exchange::{Endpoints, Local, Notes, Request, Stage, Ticket};

    fn passage() -> RefCell<Passage> {
        let endpoints = Endpoints {
            peer: None,
            proxied: None,
            local: Arc::new(Local::Unix(String::new())),
            trusted: true,
            notes: Notes::default(),
        };
        let request = Request {
            head: tricorn_http::Head::default(),
            endpoints: Arc::new(endpoints),
            number: 1,
            started: 0,
            measured: None,
            environ: Vec::new(),
        };
        let ticket = Ticket {
            connection: 1,
            number: 1,
        };
        RefCell::new(Passage::new(Stage::Ready, ticket, Arc::new(request)))
    }

    #[test]
    fn a_handle_is_good_for_its_own_call_on_its_own_thread() {
        let passage = passage();
        let inside = enter(Event::PreRequest, Some(&passage)).unwrap();
        let handle = inside.handle();
        assert_eq!(with(handle, |_| 5), 5);
        let address = handle.addr();
        let elsewhere =
            std::thread::spawn(move || with(std::ptr::without_provenance_mut(address), |_| 5));
        assert_eq!(elsewhere.join().unwrap(), abi::STALE);
        drop(inside);
        assert_eq!(with(handle, |_| 5), abi::STALE);
        let again = enter(Event::PreRequest, Some(&passage)).unwrap();
        assert_eq!(
            with(handle, |_| 5),
            abi::STALE,
            "a later call of the same request"
        );
        assert_eq!(with(again.handle(), |_| 5), 5);
        assert_eq!(with(std::ptr::null_mut(), |_| 5), abi::STALE);
    }

    #[test]
    fn an_event_is_not_fired_from_within_itself() {
        let outer = enter(Event::ConnOpen, None).unwrap();
        assert!(enter(Event::ConnOpen, None).is_none());
        let inner = enter(Event::ConnClose, None).unwrap();
        assert_eq!(
            with(inner.handle(), |_| 5),
            abi::STALE,
            "there is no request"
        );
        drop(inner);
        drop(outer);
        assert!(enter(Event::ConnOpen, None).is_some());
    }
}
