//! HTTP/1.0 and 1.1 between bytes and events.
//!
//! This crate knows no socket, no clock and no thread: it is shown bytes and says what they are,
//! or is told what to say and gives the bytes.
//!
//! ```text
//!   bytes ──► proxy::read ──► HeadScan ──► Head ──► BodyDecoder ──► content
//!             (once)          (as they     (once)   (as it arrives)
//!                              arrive)
//!   bytes ◄── Reply::write_head, BodyEncoder ◄── Reply::plan ◄── ResponseHead
//! ```
//!
//! A [`PeerError`] is always the peer's fault, an [`response::InvalidResponse`] always the
//! application's.
#![forbid(unsafe_code)]

pub mod body;
pub mod edit;
mod error;
mod fields;
mod framing;
mod head;
mod known;
mod limits;
pub mod network;
pub mod proxy;
mod request_line;
pub mod response;
mod scan;
mod span;
mod status;
mod target;
pub mod token;
pub mod trust;

pub use error::PeerError;
pub use framing::Framing;
pub use head::{Head, Rules};
pub use known::Known;
pub use limits::{Leniency, Limits, MOST_FIELDS, UNLIMITED};
pub use request_line::Version;
pub use scan::{Extent, HeadScan, Scanned};
pub use status::Status;
pub use target::percent_decode;
