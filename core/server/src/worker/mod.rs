//! A worker: what happens after the fork, and the loop that serves.
//!
//! `boot` is the order of a worker's life. `io` minds the connections, whatever the class; `sync`
//! and `gthread` decide on which thread a ready request runs; `own` leaves serving to a class of the
//! operator's. The arbiter is not known here: what
//! it and a worker share is the lifeline.

mod ages;
mod boot;

mod gthread;
mod identity;
mod io;
mod own;
mod proof;
mod rehearsal;
mod shared;
mod sync;

pub use boot::{Job, run};
pub use identity::remark_on_group;
pub use rehearsal::rehearse;

use tricorn_http::Status;

use crate::gateway::{Control, Fate};
use crate::hooks::Passing;

/// What becomes of a request by what compiled handlers have decided; `None` if it goes on.
#[must_use]
pub fn fate(passing: Passing, control: &Control) -> Option<Fate> {
    match passing {
        Passing::On => None,
        Passing::Respond => Some(Fate::Answer),
        Passing::Unavailable => Some(Fate::Refuse(Status::SERVICE_UNAVAILABLE)),
        Passing::Close => Some(Fate::Close),
        Passing::Pending(place) => Some(Fate::Park(place)),
        Passing::Failed => Some(Fate::Refuse(Status::INTERNAL_SERVER_ERROR)),
        Passing::Exit(code) => {
            control.leave(code);
            Some(Fate::Refuse(Status::INTERNAL_SERVER_ERROR))
        }
    }
}
