//! One request and its answer: what travels from the connection to the hooks, the application and
//! the log. Plain facts; who reads the socket or runs the application is not known here.

mod endpoints;
mod identity;
mod kept;
mod passage;
mod record;
mod request;

pub use endpoints::{Endpoints, Local, Notes};
pub use identity::{own_fields, set_own_fields, with_own_lines};
pub use kept::{Keepsake, Kept, Release};
pub use passage::{Content, Ending, Passage, PreparedAnswer, Stage, Ticket};
pub use record::{Attachment, End, Finished, Record};
pub use request::Request;
