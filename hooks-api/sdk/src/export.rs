//! From registrations to the tables that a plugin file exports.

use std::any::TypeId;
use std::ffi::c_void;

use tricorn_abi as abi;
use tricorn_abi::{Buffer, Str};

use crate::error::Result;
use crate::guard::quietly;
use crate::host::{Arbiter, Host, write};
use crate::logging;
use crate::logs::get_interface;
use crate::options;
use crate::plugin::StagedPlugin;
use crate::request::Kept;
use crate::text::{bytes, lend};
use crate::worker::Worker;

/// A handler, as `on!` registers it.
#[derive(Debug)]
pub struct Registration {
    /// Of which plugin.
    pub plugin: fn() -> TypeId,
    /// Its event.
    pub event: u32,
    /// Its method.
    pub name: &'static str,
    /// Lower runs first.
    pub priority: i32,
    /// What it runs before.
    pub before: &'static [&'static str],
    /// What it runs after.
    pub after: &'static [&'static str],
    /// What the server calls.
    pub call: unsafe extern "C-unwind" fn(*mut c_void, *const abi::Event, *const abi::Host) -> i32,
}

inventory::collect!(Registration);

/// A plugin, as `export_plugin!` describes it.
#[derive(Debug)]
pub struct Described {
    plugin: TypeId,
    id: &'static str,
    version: &'static str,
    description: &'static str,
    /// Its functions; the rest is filled in later.
    functions: abi::Plugin,
}

impl Described {
    /// The same, and whether requests are not to be served without it.
    #[must_use]
    pub fn required(mut self, is_required: bool) -> Self {
        if is_required {
            self.functions.flags |= abi::PLUGIN_REQUIRED;
        }
        self
    }

    /// Describes a plugin.
    #[must_use]
    pub fn of<P: StagedPlugin>(
        id: &'static str,
        version: &'static str,
        description: &'static str,
    ) -> Self {
        Self {
            plugin: TypeId::of::<P>(),
            id,
            version,
            description,
            functions: abi::Plugin {
                struct_size: size_of::<abi::Plugin>() as u32,
                flags: abi::PLUGIN_THREAD_SAFE,
                id: lend(id.as_bytes()),
                version: lend(version.as_bytes()),
                description: lend(description.as_bytes()),
                handlers: std::ptr::null(),
                handler_count: 0,
                handler_stride: size_of::<abi::Handler>(),
                module_init: Some(module_init::<P>),
                module_destroy: Some(module_destroy::<P>),
                worker_create: Some(worker_create::<P>),
                worker_destroy: Some(worker_destroy::<P>),
                request_drop: Some(request_drop),
                get_interface: Some(get_interface::<P>),
            },
        }
    }
}

/// Makes the entry: static data from here on.
#[must_use]
pub fn entry(plugins: &[Described]) -> *const abi::Entry {
    let plugins: Vec<abi::Plugin> = plugins.iter().map(fill_in).collect();
    let plugins = plugins.leak();
    let unwinds = if cfg!(panic = "unwind") {
        abi::BUILD_PANIC_UNWIND
    } else {
        0
    };
    let debug = if cfg!(debug_assertions) {
        abi::BUILD_DEBUG
    } else {
        0
    };
    Box::leak(Box::new(abi::Entry {
        magic: abi::MAGIC,
        struct_size: size_of::<abi::Entry>() as u32,
        abi_major: abi::ABI_MAJOR,
        abi_minor: abi::ABI_MINOR,
        abi_minor_required: 0,
        reserved: [0; 3],
        build_flags: unwinds | debug,
        vendor: lend(abi::VENDOR.as_bytes()),
        toolchain: lend(env!("TRICORN_TOOLCHAIN").as_bytes()),
        sdk_version: lend(env!("CARGO_PKG_VERSION").as_bytes()),
        plugins: plugins.as_ptr(),
        plugin_count: plugins.len(),
        plugin_stride: size_of::<abi::Plugin>(),
    }))
}

fn fill_in(described: &Described) -> abi::Plugin {
    let mut found: Vec<&Registration> = inventory::iter::<Registration>
        .into_iter()
        .filter(|registration| (registration.plugin)() == described.plugin)
        .collect();
    // inventory promises no order.
    found
        .sort_by_key(|registration| (registration.event, registration.priority, registration.name));
    let handlers: Vec<abi::Handler> = found.into_iter().map(handler).collect();
    let handlers = handlers.leak();
    let Described {
        id,
        version,
        description,
        functions,
        ..
    } = described;
    abi::Plugin {
        id: lend(id.as_bytes()),
        version: lend(version.as_bytes()),
        description: lend(description.as_bytes()),
        handlers: handlers.as_ptr(),
        handler_count: handlers.len(),
        ..*functions
    }
}

fn handler(registration: &Registration) -> abi::Handler {
    let texts = |texts: &[&'static str]| -> &'static [Str] {
        let texts: Vec<Str> = texts.iter().map(|text| lend(text.as_bytes())).collect();
        texts.leak()
    };
    let (before, after) = (texts(registration.before), texts(registration.after));
    abi::Handler {
        struct_size: size_of::<abi::Handler>() as u32,
        event: registration.event,
        priority: registration.priority,
        flags: 0,
        name: lend(registration.name.as_bytes()),
        call: Some(registration.call),
        before: before.as_ptr(),
        before_count: before.len(),
        after: after.as_ptr(),
        after_count: after.len(),
    }
}

/// The content of the note section.
#[must_use]
pub const fn note() -> abi::Note {
    let mut toolchain = [0; 48];
    let text = env!("TRICORN_TOOLCHAIN").as_bytes();
    let mut at = 0;
    while at < text.len() && at < toolchain.len() {
        toolchain[at] = text[at];
        at += 1;
    }
    abi::Note {
        magic: abi::MAGIC,
        abi_major: abi::ABI_MAJOR,
        abi_minor: abi::ABI_MINOR,
        reserved: 0,
        toolchain,
    }
}

/// Stores what was made, or says why it was not.
///
/// # Safety
/// `place` and `error` are what the server passed to the call under way.
unsafe fn deliver<T>(
    made: Option<Result<T>>,
    place: *mut *mut c_void,
    host: Host,
    error: *mut Buffer,
) -> i32 {
    match made {
        Some(Ok(value)) => {
            // SAFETY: promised by the caller.
            unsafe { *place = Box::into_raw(Box::new(value)).cast() };
            abi::OK
        }
        Some(Err(why)) => {
            write(host, error, &why.to_string());
            abi::ERROR
        }
        None => {
            write(host, error, "the server's log says where");
            abi::PANIC
        }
    }
}

unsafe extern "C-unwind" fn module_init<P: StagedPlugin>(
    host: *const abi::Host,
    options: Str,
    module: *mut *mut c_void,
    error: *mut Buffer,
) -> i32 {
    // SAFETY: as the ABI describes the arguments, here and below.
    unsafe {
        let host = Host::new(host);
        logging::lead_to(host);
        let made = quietly(|| P::prepare(options::read(bytes(options))?, &Arbiter { host }));
        deliver(made, module, host, error)
    }
}

unsafe extern "C-unwind" fn module_destroy<P: StagedPlugin>(module: *mut c_void) {
    // SAFETY: the box that `module_init` gave away, which comes back once.
    quietly(|| drop(unsafe { Box::from_raw(module.cast::<P::Module>()) }));
}

unsafe extern "C-unwind" fn worker_create<P: StagedPlugin>(
    module: *mut c_void,
    host: *const abi::Host,
    worker: *const abi::WorkerInfo,
    instance: *mut *mut c_void,
    error: *mut Buffer,
) -> i32 {
    // SAFETY: as above; the module is the one that `module_init` made.
    unsafe {
        let worker = Worker::new(host, worker);
        logging::lead_to(worker.host);
        let made = quietly(|| P::start(&*module.cast::<P::Module>(), &worker));
        deliver(made, instance, worker.host, error)
    }
}

unsafe extern "C-unwind" fn worker_destroy<P: StagedPlugin>(instance: *mut c_void) {
    // SAFETY: the box that `worker_create` gave away, which comes back once.
    quietly(|| drop(unsafe { Box::from_raw(instance.cast::<P>()) }));
}

unsafe extern "C-unwind" fn request_drop(_: *mut c_void, value: *mut c_void) {
    // SAFETY: the box that `keep` gave away, which comes back once.
    quietly(|| drop(unsafe { Box::from_raw(value.cast::<Kept>()) }));
}

#[cfg(all(panic = "abort", not(feature = "allow-panic-abort")))]
compile_error!(
    "a plugin must be built with panic=unwind, so that a panic in it does not end the worker; \
     the feature allow-panic-abort lets it through, and then the server's operator has to"
);
