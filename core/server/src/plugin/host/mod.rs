//! The functions that plugins are given. None of them unwinds, takes the interpreter's lock, or
//! waits for anything but memory.

pub(super) mod basics;
mod buffer;
mod http;
mod metrics;
mod response;
mod shm;
mod worker;

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use log::Level;
use tricorn_abi as abi;
use tricorn_abi::Str;

use super::link;
use super::text::{bytes, legible, lend, string};

pub(super) use buffer::Buffer;
pub(super) use metrics::{enter as enter_metrics, forget as forget_metrics};

/// Who is calling: what the `ctx` of every function points to.
#[derive(Debug)]
pub(super) struct Ctx {
    /// The plugin's id.
    pub(super) id: String,
    /// Its place among the plugins of its configuration.
    pub(super) place: usize,
    /// Its module is made: what can be defined is defined.
    frozen: AtomicBool,
    host: OnceLock<abi::Host>,
}

// SAFETY: the pointers in the host lead to the ctx itself and to static data.
unsafe impl Send for Ctx {}
// SAFETY: as above; the host is written once.
unsafe impl Sync for Ctx {}

impl Ctx {
    /// One that lives for ever: a plugin's threads may outlast its module.
    pub(super) fn new(id: String, place: usize) -> &'static Self {
        Box::leak(Box::new(Self {
            id,
            place,
            frozen: AtomicBool::new(false),
            host: OnceLock::new(),
        }))
    }

    /// What the plugin gets to see.
    pub(super) fn host(&'static self) -> *const abi::Host {
        self.host.get_or_init(|| abi::Host {
            struct_size: size_of::<abi::Host>() as u32,
            abi_major: abi::ABI_MAJOR,
            abi_minor: abi::ABI_MINOR,
            ctx: std::ptr::from_ref(self).cast_mut().cast(),
            server_version: lend(env!("CARGO_PKG_VERSION").as_bytes()),
            log_level: link::level().as_ptr(),
            get_interface,
            log,
        })
    }

    /// From now on nothing can be defined.
    pub(super) fn freeze(&self) {
        self.frozen.store(true, Ordering::Relaxed);
    }

    fn is_frozen(&self) -> bool {
        self.frozen.load(Ordering::Relaxed)
    }

    /// The ctx behind a pointer that a plugin gives back.
    ///
    /// # Safety
    /// `ctx` is the one of a host.
    unsafe fn of(ctx: *mut c_void) -> &'static Self {
        // SAFETY: promised by the caller; a ctx lives for ever.
        unsafe { &*ctx.cast::<Self>() }
    }
}

unsafe extern "C" fn get_interface(_: *mut c_void, name: Str) -> *const c_void {
    // SAFETY: a text that is passed into a call.
    let name = unsafe { bytes(name) };
    let tables: [(&str, *const c_void); 6] = [
        (
            abi::INTERFACE_CORE,
            std::ptr::from_ref(&basics::TABLE).cast(),
        ),
        (abi::INTERFACE_HTTP, std::ptr::from_ref(&http::TABLE).cast()),
        (
            abi::INTERFACE_RESPONSE,
            std::ptr::from_ref(&response::TABLE).cast(),
        ),
        (
            abi::INTERFACE_METRICS,
            std::ptr::from_ref(&metrics::TABLE).cast(),
        ),
        (abi::INTERFACE_SHM, std::ptr::from_ref(&shm::TABLE).cast()),
        (
            abi::INTERFACE_WORKER,
            std::ptr::from_ref(&worker::TABLE).cast(),
        ),
    ];
    tables
        .iter()
        .find(|(known, _)| known.as_bytes() == name)
        .map_or(std::ptr::null(), |(_, table)| *table)
}

unsafe extern "C" fn log(
    ctx: *mut c_void,
    level: i32,
    target: Str,
    message: Str,
    file: Str,
    line: u32,
) {
    if link::is_probe() {
        // It will say so again when it is loaded for good.
        if level <= abi::LEVEL_ERROR {
            // SAFETY: a text that is passed into a call.
            complaints().push(unsafe { string(message) });
        }
        return;
    }
    // SAFETY: a host's ctx, and texts that are passed into a call.
    let (ctx, target, message, file) =
        unsafe { (Ctx::of(ctx), string(target), string(message), string(file)) };
    let level = match level {
        ..=abi::LEVEL_ERROR => Level::Error,
        abi::LEVEL_WARN => Level::Warn,
        abi::LEVEL_INFO => Level::Info,
        abi::LEVEL_DEBUG => Level::Debug,
        _ => Level::Trace,
    };
    let target = if target.is_empty() { &ctx.id } else { &target };
    let said = Said {
        level,
        text: format!("[{}] {}", legible(target), legible(&message)),
        target: target.clone(),
        file,
        line,
    };
    if crate::log::is_installed() {
        said.say();
    } else {
        early().push(said);
    }
}

/// What a plugin has said.
#[derive(Debug)]
struct Said {
    level: Level,
    text: String,
    target: String,
    file: String,
    line: u32,
}

impl Said {
    fn say(&self) {
        let about = log::Metadata::builder()
            .level(self.level)
            .target(&self.target)
            .build();
        if log::logger().enabled(&about) {
            log::logger().log(
                &log::Record::builder()
                    .metadata(about)
                    .file((!self.file.is_empty()).then_some(&self.file))
                    .line((self.line > 0).then_some(self.line))
                    .args(format_args!("{}", self.text))
                    .build(),
            );
        }
    }
}

/// What was said while plugins were made and no log was open.
static EARLY: Mutex<Vec<Said>> = Mutex::new(Vec::new());

fn early() -> MutexGuard<'static, Vec<Said>> {
    EARLY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What plugins have complained of in a process that tries them out.
static COMPLAINTS: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn complaints() -> MutexGuard<'static, Vec<String>> {
    COMPLAINTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes away what plugins have complained of since the last call, in a process that tries them out.
pub(super) fn take_complaints() -> Vec<String> {
    std::mem::take(&mut *complaints())
}

/// Logs what was said too early.
pub(super) fn say_what_was_early() {
    for said in std::mem::take(&mut *early()) {
        said.say();
    }
}

/// The name of a negative code, for messages.
pub(super) fn code_name(code: i32) -> String {
    let name = match code {
        abi::ERROR => "an error",
        abi::PANIC => "after a panic",
        abi::UNSUPPORTED => "UNSUPPORTED",
        abi::INVALID => "INVALID",
        abi::STALE => "STALE",
        abi::REENTRANT => "REENTRANT",
        abi::FROZEN => "FROZEN",
        abi::WRONG_PROCESS => "WRONG_PROCESS",
        abi::FULL => "FULL",
        abi::TOO_LATE => "TOO_LATE",
        abi::POISONED => "POISONED",
        abi::NOT_FOUND => "NOT_FOUND",
        _ => return format!("{code}, which means nothing"),
    };
    format!("{name} ({code})")
}

/// Stores a result where a plugin wants it.
///
/// # Safety
/// `out` is null, or may be written to.
unsafe fn put<T>(out: *mut T, value: T) -> i32 {
    if out.is_null() {
        return abi::INVALID;
    }
    // SAFETY: promised by the caller.
    unsafe { out.write(value) };
    abi::OK
}
