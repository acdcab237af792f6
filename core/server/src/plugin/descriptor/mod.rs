//! What a plugin file says of itself, read with nothing taken on trust but that its pointers point
//! somewhere: sizes, strides, versions, events, names.

use std::collections::BTreeSet;
use std::mem::{MaybeUninit, offset_of};

use tricorn_abi as abi;

use super::text::string;
use crate::hooks::Event;

/// What is tolerated of a plugin although it is a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tolerance {
    /// Its panics end the process.
    pub panic_abort: bool,
    /// It starts threads in the arbiter.
    pub threads: bool,
    /// Others may write its file.
    pub permissions: bool,
}

impl Tolerance {
    /// Reads the words of `plugin_allow`.
    #[must_use]
    pub fn of(words: &[String]) -> Self {
        let has = |word: &str| words.iter().any(|other| other == word);
        Self {
            panic_abort: has("panic-abort"),
            threads: has("threads"),
            permissions: has("permissions"),
        }
    }
}

/// A file's plugins, and how it was built.
#[derive(Debug, Clone)]
pub struct Contents {
    /// The minor version it was built for.
    pub abi_minor: u16,
    /// The compiler.
    pub toolchain: String,
    /// The SDK's version, or nothing.
    pub sdk_version: String,
    /// Its panics end the process.
    pub aborts: bool,
    /// Its plugins.
    pub plugins: Vec<Descriptor>,
}

/// One plugin of a file.
#[derive(Debug, Clone)]
pub struct Descriptor {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// What it does.
    pub description: String,
    /// Its handlers may be called by several threads at once.
    pub is_thread_safe: bool,
    /// Requests are not served without it, unless the operator wants that.
    pub is_required: bool,
    /// Its handlers.
    pub handlers: Vec<HandlerDescriptor>,
    /// Its functions: what it does not have is null.
    pub(super) functions: abi::Plugin,
}

/// The type of a handler's function.
pub(super) type HandlerFunction =
    unsafe extern "C-unwind" fn(*mut std::ffi::c_void, *const abi::Event, *const abi::Host) -> i32;

/// One handler of a plugin.
#[derive(Debug, Clone)]
pub struct HandlerDescriptor {
    /// Its event.
    pub event: Event,
    /// Its name among the plugin's.
    pub name: String,
    /// Its own wish for a priority.
    pub priority: i32,
    /// What it runs before.
    pub before: Vec<String>,
    /// What it runs after.
    pub after: Vec<String>,
    pub(super) call: HandlerFunction,
}

/// What the first version of the ABI had of each struct: the least that is taken.
const LEAST_PLUGIN: usize = offset_of!(abi::Plugin, module_init);
const LEAST_HANDLER: usize = offset_of!(abi::Handler, before);

/// Reads an entry.
///
/// # Errors
/// Every fault that was found, with the values of both sides.
///
/// # Safety
/// `entry` is null, or what the entry function of a plugin file returned: it and what it points to
/// are there for ever, and its sizes and counts are true.
pub(super) unsafe fn read(
    entry: *const abi::Entry,
    tolerance: Tolerance,
) -> Result<Contents, Vec<String>> {
    // SAFETY: promised by the caller.
    let entry = unsafe { read_entry(entry)? };
    let mut faults = Vec::new();
    // SAFETY: as above.
    unsafe { judge_entry(&entry, tolerance, &mut faults) };
    // SAFETY: as above.
    let plugins = unsafe { read_plugins(&entry, &mut faults) };
    if !faults.is_empty() {
        return Err(faults);
    }
    // SAFETY: as above.
    unsafe {
        Ok(Contents {
            abi_minor: entry.abi_minor,
            toolchain: string(entry.toolchain),
            sdk_version: string(entry.sdk_version),
            aborts: aborts(&entry),
            plugins,
        })
    }
}

/// Magic, size and major version first: nothing else means anything without them.
unsafe fn read_entry(entry: *const abi::Entry) -> Result<abi::Entry, Vec<String>> {
    if entry.is_null() {
        return Err(vec!["its entry function returned nothing".into()]);
    }
    // SAFETY: not null; the magic comes first, the size second, whatever the version.
    let (magic, size) = unsafe { ((*entry).magic, (*entry).struct_size as usize) };
    if magic != abi::MAGIC {
        return Err(vec![format!(
            "its magic is {magic:#018x}, this server's {:#018x}: it is no plugin, or for another machine",
            abi::MAGIC
        )]);
    }
    if size < size_of::<abi::Entry>() {
        return Err(vec![format!(
            "its entry has {size} bytes, this server needs {}",
            size_of::<abi::Entry>()
        )]);
    }
    // SAFETY: it is as long as it has to be.
    let entry = unsafe { entry.read() };
    if entry.abi_major != abi::ABI_MAJOR {
        return Err(vec![format!(
            "it is built for version {}.{} of the plugin ABI, this server speaks {}.{}",
            entry.abi_major,
            entry.abi_minor,
            abi::ABI_MAJOR,
            abi::ABI_MINOR
        )]);
    }
    Ok(entry)
}

fn aborts(entry: &abi::Entry) -> bool {
    entry.build_flags & (abi::BUILD_PANIC_UNWIND | abi::BUILD_NO_PANICS) == 0
}

unsafe fn judge_entry(entry: &abi::Entry, tolerance: Tolerance, faults: &mut Vec<String>) {
    if entry.abi_minor_required > abi::ABI_MINOR {
        faults.push(format!(
            "it needs version {}.{} of the plugin ABI, this server speaks {}.{}",
            entry.abi_major,
            entry.abi_minor_required,
            abi::ABI_MAJOR,
            abi::ABI_MINOR
        ));
    }
    // SAFETY: the caller's promise.
    let vendor = unsafe { string(entry.vendor) };
    if vendor != abi::VENDOR {
        faults.push(format!(
            "it is made for the server '{vendor}', this is '{}'",
            abi::VENDOR
        ));
    }
    if aborts(entry) && !tolerance.panic_abort {
        faults.push(
            "it is built with panic=abort, so a panic in it would end the worker: build it with panic=unwind, or plugin_allow = 'panic-abort'"
                .to_owned(),
        );
    }
}

unsafe fn read_plugins(entry: &abi::Entry, faults: &mut Vec<String>) -> Vec<Descriptor> {
    let (count, stride) = (entry.plugin_count, entry.plugin_stride);
    if count == 0 || entry.plugins.is_null() {
        faults.push("there is no plugin in it".to_owned());
        return Vec::new();
    }
    if stride < LEAST_PLUGIN {
        faults.push(format!(
            "its plugins are {stride} bytes apart, this server needs {LEAST_PLUGIN}"
        ));
        return Vec::new();
    }
    let mut ids = BTreeSet::new();
    let mut found = Vec::new();
    for place in 0..count {
        // SAFETY: the plugins stand so far apart, and each begins with its size.
        let plugin = unsafe {
            prefix::<abi::Plugin>(entry.plugins.byte_add(place * stride), LEAST_PLUGIN, stride)
        };
        match plugin {
            // SAFETY: the caller's promise.
            Ok(plugin) => found.push(unsafe { read_plugin(&plugin, faults) }),
            Err(size) => faults.push(format!(
                "plugin {place} in it has {size} bytes, this server needs {LEAST_PLUGIN}"
            )),
        }
    }
    for descriptor in &found {
        if !ids.insert(&descriptor.id) {
            faults.push(format!("two plugins in it have the id '{}'", descriptor.id));
        }
    }
    found
}

/// The first bytes of a struct that may be shorter or longer than ours; the rest is zero. Its size,
/// if that is too little.
unsafe fn prefix<T>(at: *const T, least: usize, stride: usize) -> Result<T, usize> {
    // SAFETY: every struct of an array begins with its size.
    let size = unsafe { at.cast::<u32>().read() } as usize;
    if size < least || size > stride {
        return Err(size);
    }
    let mut value = MaybeUninit::<T>::zeroed();
    // SAFETY: both sides are that long. All-zero is a valid value of the fields that are missing:
    // numbers, null pointers and functions that are none.
    unsafe {
        let length = size.min(size_of::<T>());
        std::ptr::copy_nonoverlapping(at.cast::<u8>(), value.as_mut_ptr().cast::<u8>(), length);
        Ok(value.assume_init())
    }
}

unsafe fn read_plugin(plugin: &abi::Plugin, faults: &mut Vec<String>) -> Descriptor {
    // SAFETY: the caller's promise.
    let (id, version, description) = unsafe {
        (
            string(plugin.id),
            string(plugin.version),
            string(plugin.description),
        )
    };
    let is_id = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    if id.is_empty() || !id.chars().all(is_id) {
        faults.push(format!(
            "the id {id:?} is not made of letters, digits, '.', '-' and '_'"
        ));
    }
    // SAFETY: the caller's promise.
    let handlers = unsafe { read_handlers(plugin, &id, faults) };
    Descriptor {
        id,
        version,
        description,
        is_thread_safe: plugin.flags & abi::PLUGIN_THREAD_SAFE != 0,
        is_required: plugin.flags & abi::PLUGIN_REQUIRED != 0,
        handlers,
        functions: *plugin,
    }
}

unsafe fn read_handlers(
    plugin: &abi::Plugin,
    id: &str,
    faults: &mut Vec<String>,
) -> Vec<HandlerDescriptor> {
    let (count, stride) = (plugin.handler_count, plugin.handler_stride);
    if count == 0 {
        return Vec::new();
    }
    if plugin.handlers.is_null() || stride < LEAST_HANDLER {
        faults.push(format!(
            "the handlers of {id} are {stride} bytes apart, this server needs {LEAST_HANDLER}"
        ));
        return Vec::new();
    }
    let mut found: Vec<HandlerDescriptor> = Vec::new();
    for place in 0..count {
        // SAFETY: the handlers stand so far apart, and each begins with its size.
        let handler = unsafe {
            prefix::<abi::Handler>(
                plugin.handlers.byte_add(place * stride),
                LEAST_HANDLER,
                stride,
            )
        };
        let handler = match handler {
            Ok(handler) => handler,
            Err(size) => {
                faults.push(format!(
                    "handler {place} of {id} has {size} bytes, this server needs {LEAST_HANDLER}"
                ));
                continue;
            }
        };
        // SAFETY: the caller's promise.
        match unsafe { read_handler(&handler) } {
            Ok(Some(handler)) => {
                let is_taken = |other: &HandlerDescriptor| {
                    other.event == handler.event && other.name == handler.name
                };
                if found.iter().any(is_taken) {
                    faults.push(format!(
                        "two handlers of {id} for {} are called '{}'",
                        handler.event.name(),
                        handler.name
                    ));
                }
                found.push(handler);
            }
            Ok(None) => {}
            Err(fault) => faults.push(format!("handler {place} of {id}: {fault}")),
        }
    }
    found
}

/// `None` for a handler that this server need not know.
unsafe fn read_handler(handler: &abi::Handler) -> Result<Option<HandlerDescriptor>, String> {
    // SAFETY: the caller's promise.
    let (name, before, after) = unsafe {
        (
            string(handler.name),
            strings(handler.before, handler.before_count),
            strings(handler.after, handler.after_count),
        )
    };
    let event = Event::ALL.get(handler.event as usize).copied();
    let Some(event) = event else {
        return if handler.flags & abi::HANDLER_OPTIONAL_EVENT != 0 {
            Ok(None)
        } else {
            Err(format!(
                "event {} is none of this server's {}",
                handler.event,
                Event::COUNT
            ))
        };
    };
    if event == Event::SslContext {
        return Err("ssl_context is for Python handlers only".to_owned());
    }
    if name.is_empty() || name.contains(['/', ':']) {
        return Err(format!(
            "the name {name:?} is empty, or has '/' or ':' in it"
        ));
    }
    let call = handler.call.ok_or("it has no function")?;
    Ok(Some(HandlerDescriptor {
        event,
        name,
        priority: handler.priority,
        before,
        after,
        call,
    }))
}

unsafe fn strings(first: *const abi::Str, count: usize) -> Vec<String> {
    if first.is_null() {
        return Vec::new();
    }
    (0..count)
        // SAFETY: the caller's promise: so many texts stand there.
        .map(|place| unsafe { string(first.add(place).read()) })
        .collect()
}

#[cfg(test)]
mod tests;
