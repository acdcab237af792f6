//! Access lines: gunicorn's %-format, compiled once into a program and rendered without Python, and
//! the presets.

mod atoms;
mod escape;
mod exclude;
mod facts;
mod format;
mod json;
mod layout;
mod log;
mod maker;
mod render;
mod shown;
mod value;

pub use atoms::Atom;
pub use escape::escape_controls;
pub use exclude::Exclude;
pub use facts::Facts;
pub use format::{Format, InvalidFormat};
pub use log::{RequestLog, hear, is_heard};
pub use maker::{LineMaker, Listener, Makers};
