//! Access lines: gunicorn's %-format, compiled once into a program and rendered without Python, and
//! the presets.

mod atoms;
mod escape;
mod exclude;
mod format;
mod json;
mod layout;
mod log;
mod render;
mod value;

pub use atoms::Atom;
pub use exclude::Exclude;
pub use format::{Format, InvalidFormat};
pub use log::RequestLog;
