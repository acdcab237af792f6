//! A server for unit tests: it drives a plugin through its entry function, as the real one does.
//!
//! ```
//! # mod plugin {
//! # use tricorn_hooks::prelude::*;
//! # pub struct Gate;
//! # impl Plugin for Gate {
//! #     type Options = NoOptions;
//! #     fn new(_: &NoOptions, _: &Worker) -> Result<Self> { Ok(Self) }
//! # }
//! # impl Gate {
//! #     fn check(&self, request: &mut Request<'_>) -> Result<Flow> {
//! #         if request.header("x-key").is_some() { return Ok(Flow::Continue); }
//! #         request.respond(Answer::text(403, "no key"))
//! #     }
//! # }
//! # on!(Gate, pre_request => check);
//! # export_plugin!(Gate, id = "org.example.gate");
//! # }
//! # use plugin::tricorn_plugin_entry_v1;
//! # fn main() {
//! use tricorn_hooks::Flow;
//! use tricorn_hooks::testing::{FakeHost, FakeRequest};
//!
//! let host = FakeHost::load(tricorn_plugin_entry_v1, "org.example.gate", "{}").unwrap();
//! let mut request = FakeRequest::new("GET", "/");
//! assert_eq!(host.pre_request(&mut request), Ok(Flow::Respond));
//! assert_eq!(request.answer.as_ref().unwrap().status, 403);
//!
//! let mut request = FakeRequest::new("GET", "/").header("X-Key", "open");
//! assert_eq!(host.pre_request(&mut request), Ok(Flow::Continue));
//! # }
//! ```
//!
//! Everything is on one thread: a suspended request is resumed by whatever thread has the token, and
//! [`FakeHost::decision`] tells how.

mod fake;
mod record;
mod request;
mod tables;

pub use fake::{Code, FakeHost, Logged};
pub use record::FakeRecord;
pub use request::{Decision, FakeAnswer, FakeRequest};
