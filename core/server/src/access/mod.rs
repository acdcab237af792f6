//! Access lines: gunicorn's %-format, compiled once into a program and rendered without Python.

mod atoms;
mod format;
mod render;

pub use atoms::Atom;
pub use format::{Format, InvalidFormat};
