//! What a plugin file exports.

use core::ffi::c_void;

use crate::{Buffer, Event, Host, Str, WorkerInfo};

/// The bytes `TRICORN1`, read as a little-endian number: the first bytes of every entry and of the note.
pub const MAGIC: u64 = 0x314E_524F_4349_5254;

/// The major version of this ABI. It is part of the entry function's name.
pub const ABI_MAJOR: u16 = 1;
/// The minor version of this ABI.
pub const ABI_MINOR: u16 = 1;

/// The name of the one function that a plugin file exports, of the type [`EntryFunction`].
pub const ENTRY_SYMBOL: &str = "tricorn_plugin_entry_v1";

/// The name of the ELF section that a plugin file may describe itself in, to be read without
/// running any of it: a [`Note`].
pub const NOTE_SECTION: &str = ".note.tricorn";

/// The vendor of this ABI. A fork of the server that changes it refuses others' plugins.
pub const VENDOR: &str = "tricorn";

/// Build flag: panics unwind, and can be caught.
pub const BUILD_PANIC_UNWIND: u64 = 1;
/// Build flag: built without optimization.
pub const BUILD_DEBUG: u64 = 2;
/// Build flag: written in a language without panics, such as C: `BUILD_PANIC_UNWIND` says nothing.
pub const BUILD_NO_PANICS: u64 = 4;

/// Plugin flag: its handlers may be called by several threads at once. Without it the server calls
/// one at a time, which costs a lock.
pub const PLUGIN_THREAD_SAFE: u32 = 1;
/// Plugin flag: requests are not served without it. Should it be set aside, they are answered with
/// 503, unless the operator has said `required: False`. For whatever keeps requests out.
pub const PLUGIN_REQUIRED: u32 = 2;

/// Handler flag: an event that this server does not know is passed over; without it such a
/// plugin is refused.
pub const HANDLER_OPTIONAL_EVENT: u32 = 1;

/// The entry function. `[any]` It may be called more than once, does nothing but return a pointer
/// to static data, and never fails.
pub type EntryFunction = unsafe extern "C-unwind" fn(host: *const Host) -> *const Entry;

/// The description of a plugin file: static data.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// [`MAGIC`].
    pub magic: u64,
    /// The size of this struct.
    pub struct_size: u32,
    /// [`ABI_MAJOR`] of the headers it was built with.
    pub abi_major: u16,
    /// [`ABI_MINOR`] of the headers it was built with.
    pub abi_minor: u16,
    /// The least minor version of the server that it can live with.
    pub abi_minor_required: u16,
    /// 0.
    pub reserved: [u16; 3],
    /// `BUILD_` flags.
    pub build_flags: u64,
    /// [`VENDOR`].
    pub vendor: Str,
    /// The compiler: for messages.
    pub toolchain: Str,
    /// The version of the SDK, or empty: for messages.
    pub sdk_version: Str,
    /// The plugins in the file.
    pub plugins: *const Plugin,
    /// How many.
    pub plugin_count: usize,
    /// From one to the next, in bytes.
    pub plugin_stride: usize,
}

/// The same, for whoever wants to know before running any of the file: the content of the section
/// [`NOTE_SECTION`].
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Note {
    /// [`MAGIC`].
    pub magic: u64,
    /// [`ABI_MAJOR`].
    pub abi_major: u16,
    /// [`ABI_MINOR`].
    pub abi_minor: u16,
    /// 0.
    pub reserved: u32,
    /// The compiler, filled up with NUL.
    pub toolchain: [u8; 48],
}

/// One plugin: static data.
///
/// It lives twice. Its *module* is made once for each configuration, in the arbiter before any
/// worker is forked; its *instance* once in each worker, after the fork. What belongs to one
/// process (threads, sockets, random numbers) belongs to the instance.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Plugin {
    /// The size of this struct.
    pub struct_size: u32,
    /// `PLUGIN_` flags.
    pub flags: u32,
    /// Unique and for ever, such as `org.example.auth`.
    pub id: Str,
    /// Its version: for messages.
    pub version: Str,
    /// One line on what it does.
    pub description: Str,
    /// Its handlers.
    pub handlers: *const Handler,
    /// How many.
    pub handler_count: usize,
    /// From one to the next, in bytes.
    pub handler_stride: usize,
    /// `[arbiter]` Makes the module of a configuration. `options` is a JSON object. On failure it
    /// writes one line to `error`. May be null: the module is then a null pointer.
    ///
    /// It must start no thread. The host pointer is valid as long as the module is.
    pub module_init: Option<
        unsafe extern "C-unwind" fn(
            host: *const Host,
            options: Str,
            module: *mut *mut c_void,
            error: *mut Buffer,
        ) -> i32,
    >,
    /// `[arbiter]` Takes a module down: no worker uses its configuration any longer. May be null.
    pub module_destroy: Option<unsafe extern "C-unwind" fn(module: *mut c_void)>,
    /// `[worker]` Makes the instance of a worker, after the fork and before `post_fork`; again
    /// after a panic, then on the thread that had it, be it one of the plugin's own. May be null: the instance is then the module.
    pub worker_create: Option<
        unsafe extern "C-unwind" fn(
            module: *mut c_void,
            host: *const Host,
            worker: *const WorkerInfo,
            instance: *mut *mut c_void,
            error: *mut Buffer,
        ) -> i32,
    >,
    /// `[worker]` Takes an instance down, after `worker_exit` and before the process ends. Not
    /// called for an instance that has panicked. May be null.
    pub worker_destroy: Option<unsafe extern "C-unwind" fn(instance: *mut c_void)>,
    /// `[request]` Lets go of what the plugin has kept with a request; once for each value that is
    /// not null. May be null.
    pub request_drop:
        Option<unsafe extern "C-unwind" fn(instance: *mut c_void, value: *mut c_void)>,
    /// `[any]` A table that the plugin offers to the server, by its name; null if it has none.
    /// May be null.
    pub get_interface:
        Option<unsafe extern "C-unwind" fn(module: *mut c_void, name: Str) -> *const c_void>,
}

/// One handler of a plugin: static data.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Handler {
    /// The size of this struct.
    pub struct_size: u32,
    /// The event: an `EVENT_` number.
    pub event: u32,
    /// Lower runs first; 0 unless there is a reason.
    pub priority: i32,
    /// `HANDLER_` flags.
    pub flags: u32,
    /// Its name, unique among the plugin's handlers of this event.
    pub name: Str,
    /// Handles the event, and returns a verdict or a negative code. `state` is the module in the
    /// arbiter, the instance in a worker. `event` points to the struct of that event, whose header
    /// says how long it is. On which thread is said with each event.
    pub call: Option<
        unsafe extern "C-unwind" fn(
            state: *mut c_void,
            event: *const Event,
            host: *const Host,
        ) -> i32,
    >,
    /// Handlers or plugins that it runs before, by name or id.
    pub before: *const Str,
    /// How many.
    pub before_count: usize,
    /// Handlers or plugins that it runs after.
    pub after: *const Str,
    /// How many.
    pub after_count: usize,
}
