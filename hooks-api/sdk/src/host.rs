//! The server, as a plugin sees it.

use std::ffi::c_void;

use serde::de::DeserializeOwned;
use tricorn_abi as abi;
use tricorn_abi::{Buffer, Str};

use crate::error::{Error, Result, check};
use crate::metrics::Metrics;
use crate::shm::{self, Zone};
use crate::text::{bytes, lend, string, table};

/// The host that the server passed to a call, with its tables.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Host {
    pub(crate) raw: *const abi::Host,
}

// SAFETY: a host is static data for as long as the module lives, and its functions say themselves
// where they may be called.
unsafe impl Send for Host {}
// SAFETY: as above.
unsafe impl Sync for Host {}

impl Host {
    /// # Safety
    /// `raw` is what the server passed to a call.
    pub(crate) unsafe fn new(raw: *const abi::Host) -> Self {
        Self { raw }
    }

    fn host(&self) -> &abi::Host {
        // SAFETY: promised to `new`.
        unsafe { &*self.raw }
    }

    pub(crate) fn ctx(&self) -> *mut c_void {
        self.host().ctx
    }

    pub(crate) fn table<T>(&self, name: &str) -> Result<&'static T> {
        let host = self.host();
        // SAFETY: as the ABI describes the function; what it gives is a table of this name.
        let found = unsafe { table((host.get_interface)(host.ctx, lend(name.as_bytes()))) };
        found.ok_or_else(|| {
            Error::new(format!(
                "this server has no {name} that is as new as this plugin"
            ))
        })
    }

    pub(crate) fn level(&self) -> i32 {
        // SAFETY: the word is there for ever; it is written by the server as a whole.
        unsafe { self.host().log_level.read_volatile() }
    }

    pub(crate) fn log(&self, level: i32, target: &str, message: &str, place: (&str, u32)) {
        let host = self.host();
        // SAFETY: as the ABI describes the function; the texts live through the call.
        unsafe {
            (host.log)(
                host.ctx,
                level,
                lend(target.as_bytes()),
                lend(message.as_bytes()),
                lend(place.0.as_bytes()),
                place.1,
            );
        }
    }

    /// A setting of the server's.
    pub(crate) fn setting<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        let basics = self.table::<abi::Basics>(abi::INTERFACE_CORE)?;
        // SAFETY: as the ABI describes the function, with a sink and its context.
        let text = collect(&format!("setting '{name}'"), |sink, context| unsafe {
            (basics.setting)(self.ctx(), lend(name.as_bytes()), sink, context)
        })?;
        Ok(serde_json::from_slice(&text)?)
    }
}

/// Collects a result of any length.
pub(crate) fn collect(
    what: &str,
    call: impl FnOnce(abi::Sink, *mut c_void) -> i32,
) -> Result<Vec<u8>> {
    unsafe extern "C-unwind" fn add(context: *mut c_void, piece: Str) {
        // SAFETY: the server passes the context on that it was given below, and a text.
        unsafe { (*context.cast::<Vec<u8>>()).extend_from_slice(bytes(piece)) }
    }
    let mut collected = Vec::new();
    let code = call(Some(add), (&raw mut collected).cast());
    check(what, code)?;
    Ok(collected)
}

/// Writes to a buffer that the server has lent to a call.
pub(crate) fn write(host: Host, buffer: *mut Buffer, text: &str) {
    if let Ok(basics) = host.table::<abi::Basics>(abi::INTERFACE_CORE)
        && !buffer.is_null()
    {
        // SAFETY: the buffer is the one of the call under way.
        unsafe { (basics.buf_write)(buffer, lend(text.as_bytes())) };
    }
}

/// The arbiter, while a module is made: before workers are forked.
///
/// Everything defined here is there in every worker.
#[derive(Debug, Clone, Copy)]
pub struct Arbiter {
    pub(crate) host: Host,
}

impl Arbiter {
    /// Numbers that all processes add to.
    ///
    /// # Errors
    /// A server that has none.
    pub fn metrics(&self) -> Result<Metrics> {
        Metrics::of(self.host)
    }

    /// Memory that all processes share, of this size in bytes: what stands there under this name
    /// is there still after a reload.
    ///
    /// # Errors
    /// No memory left.
    pub fn zone(&self, name: &str, size: usize) -> Result<Zone> {
        shm::zone(self.host, name, size)
    }

    /// The value of a setting of the server's, such as `workers`.
    ///
    /// # Errors
    /// No such setting, or a value of another type.
    pub fn setting<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        self.host.setting(name)
    }

    /// Whether this process only tries the plugin out, and will end.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        let basics = self.host.table::<abi::Basics>(abi::INTERFACE_CORE);
        // SAFETY: as the ABI describes the function.
        basics.is_ok_and(|basics| unsafe { (basics.role)(self.host.ctx()) } == abi::ROLE_PROBE)
    }

    /// The version of the server.
    #[must_use]
    pub fn server_version(&self) -> String {
        // SAFETY: a text of static data.
        unsafe { string(self.host.host().server_version) }
    }
}
