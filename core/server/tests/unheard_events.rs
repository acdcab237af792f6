//! What an event costs that nobody listens to.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::sync::Arc;

use tricorn_server::exchange::{
    End, Ending, Endpoints, Local, Notes, Passage, Request, Stage, Ticket,
};
use tricorn_server::hooks::{Bus, Event, Member, Occasion, Passing};

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator, which counts for each thread.
struct Counting;

// SAFETY: everything is the system's; counting touches a cell that needs no allocation of its own.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: promised by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: promised by the caller.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often something allocates.
fn allocations(of: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    of();
    ALLOCATIONS.get() - before
}

fn local() -> Local {
    Local::Unix(String::new())
}

fn passage() -> RefCell<Passage> {
    let endpoints = Endpoints {
        peer: None,
        proxied: None,
        local: Arc::new(local()),
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

fn fire_all(bus: &Bus, occasions: &[Occasion<'_>]) {
    for &event in Event::ALL {
        for occasion in occasions {
            assert!(bus.fire(black_box(event), occasion).is_ok());
            assert_eq!(bus.pass(black_box(event), occasion), Passing::On);
            assert_eq!(bus.pass_leading(black_box(event), 0, occasion), Passing::On);
        }
    }
}

#[test]
fn an_event_without_handlers_allocates_nothing() {
    let Ok(bus) = Bus::compile(Vec::new()) else {
        panic!("no handlers are in no circle");
    };
    let (passage, local) = (passage(), local());
    let ending = Ending {
        duration: 1,
        sent: 2,
        status: 200,
        end: End::Complete,
    };
    let member = Member {
        age: 1,
        id: 1,
        pid: 1,
    };
    let occasions = [
        Occasion::Itself,
        Occasion::Worker(member),
        Occasion::Signal(1),
        Occasion::Passage(&passage),
        Occasion::Done(&passage, ending),
        Occasion::Connection {
            number: 1,
            peer: None,
            local: &local,
            requests: 1,
        },
        Occasion::Refusal {
            status: 400,
            reason: "a reason",
        },
    ];
    let fired = allocations(|| {
        for _ in 0..1000 {
            fire_all(&bus, &occasions);
        }
    });
    assert_eq!(fired, 0);
    let counted = allocations(|| drop(black_box(Box::new(1))));
    assert_eq!(counted, 1, "the allocator counts");
}
