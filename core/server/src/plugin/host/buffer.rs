//! The sink that plugins write results of any length to.

use tricorn_abi as abi;

use super::code_name;

/// A sink, lent to a plugin for one call.
#[derive(Debug, Default)]
pub(in super::super) struct Buffer(Vec<u8>);

impl Buffer {
    pub(in super::super) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(in super::super) fn clear(&mut self) {
        self.0.clear();
    }

    /// What the plugin gets.
    pub(in super::super) fn handle(&mut self) -> *mut abi::Buffer {
        std::ptr::from_mut(self).cast()
    }

    /// The bytes that were written.
    pub(in super::super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// What was written, as one line.
    pub(in super::super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0)
            .trim()
            .replace(char::is_control, " ")
    }

    /// What was written as the reason of a failure; the code, if nothing was.
    pub(in super::super) fn explain(&self, code: i32) -> String {
        match (self.text(), code) {
            (text, abi::PANIC) if text.is_empty() => "it panicked".to_owned(),
            (text, abi::PANIC) => format!("it panicked: {text}"),
            (text, _) if text.is_empty() => format!("it returned {}", code_name(code)),
            (text, _) => text,
        }
    }

    /// The sink behind a pointer that a plugin gives back.
    ///
    /// # Safety
    /// `handle` is null, or was given by `handle` to a call that has not returned.
    pub(super) unsafe fn of<'b>(handle: *mut abi::Buffer) -> Option<&'b mut Vec<u8>> {
        // SAFETY: promised by the caller.
        unsafe { handle.cast::<Self>().as_mut() }.map(|buffer| &mut buffer.0)
    }
}
