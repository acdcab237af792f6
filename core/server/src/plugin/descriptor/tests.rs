//! Entries with faults, and without.

use std::ffi::c_void;

use super::super::text::{NOTHING, lend};
use super::*;

unsafe extern "C-unwind" fn nothing(
    _: *mut c_void,
    _: *const abi::Event,
    _: *const abi::Host,
) -> i32 {
    abi::CONTINUE
}

fn handler(event: u32, name: &'static str) -> abi::Handler {
    abi::Handler {
        struct_size: size_of::<abi::Handler>() as u32,
        event,
        priority: 0,
        flags: 0,
        name: lend(name.as_bytes()),
        call: Some(nothing),
        before: std::ptr::null(),
        before_count: 0,
        after: std::ptr::null(),
        after_count: 0,
    }
}

fn plugin(id: &'static str, handlers: &[abi::Handler]) -> abi::Plugin {
    abi::Plugin {
        struct_size: size_of::<abi::Plugin>() as u32,
        flags: 0,
        id: lend(id.as_bytes()),
        version: NOTHING,
        description: NOTHING,
        handlers: handlers.as_ptr(),
        handler_count: handlers.len(),
        handler_stride: size_of::<abi::Handler>(),
        module_init: None,
        module_destroy: None,
        worker_create: None,
        worker_destroy: None,
        request_drop: None,
        get_interface: None,
    }
}

fn entry(plugins: &[abi::Plugin]) -> abi::Entry {
    abi::Entry {
        magic: abi::MAGIC,
        struct_size: size_of::<abi::Entry>() as u32,
        abi_major: abi::ABI_MAJOR,
        abi_minor: abi::ABI_MINOR,
        abi_minor_required: 0,
        reserved: [0; 3],
        build_flags: abi::BUILD_NO_PANICS,
        vendor: lend(abi::VENDOR.as_bytes()),
        toolchain: NOTHING,
        sdk_version: NOTHING,
        plugins: plugins.as_ptr(),
        plugin_count: plugins.len(),
        plugin_stride: size_of::<abi::Plugin>(),
    }
}

fn faults(entry: &abi::Entry) -> Vec<String> {
    // SAFETY: the entry is well-formed where it is not faulty on purpose.
    unsafe { read(entry, Tolerance::default()) }
        .err()
        .unwrap_or_default()
}

#[test]
fn a_sound_plugin_is_read() {
    let handlers = [handler(10, "a"), handler(11, "a")];
    let plugins = [plugin("org.example.x", &handlers)];
    // SAFETY: all of it is on this stack.
    let contents = unsafe { read(&entry(&plugins), Tolerance::default()) }.unwrap();
    let found = &contents.plugins[0];
    assert_eq!(found.id, "org.example.x");
    assert_eq!(found.handlers[0].event, Event::PreRequest);
}

#[test]
fn every_fault_is_told_at_once() {
    let mut handlers = [
        handler(10, "a"),
        handler(10, "a"),
        handler(99, "b"),
        handler(16, "c"),
    ];
    handlers[1].call = None;
    let plugins = [plugin("org example", &handlers)];
    let mut entry = entry(&plugins);
    entry.abi_minor_required = 9;
    entry.build_flags = 0;
    entry.vendor = lend(b"fork");
    let text = faults(&entry).join("; ");
    for part in [
        "needs version 1.9 of the plugin ABI, this server speaks 1.1",
        "made for the server 'fork', this is 'tricorn'",
        "panic=abort",
        "\"org example\"",
        "handler 1 of org example: it has no function",
        "event 99 is none",
        "ssl_context",
    ] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
    let tolerant = Tolerance {
        panic_abort: true,
        ..Tolerance::default()
    };
    // SAFETY: as above.
    let text = unsafe { read(&entry, tolerant) }.unwrap_err().join("; ");
    assert!(!text.contains("panic=abort"), "{text}");
}

#[test]
fn what_is_not_an_entry_is_not_read_any_further() {
    let plugins = [plugin("x", &[])];
    let mut broken = entry(&plugins);
    broken.magic = 7;
    assert_eq!(faults(&broken).len(), 1);
    let mut short = entry(&plugins);
    short.struct_size = 16;
    assert!(faults(&short)[0].contains("16 bytes, this server needs"));
    let mut major = entry(&plugins);
    major.abi_major = 2;
    assert!(
        faults(&major)[0].contains("version 2.1"),
        "{:?}",
        faults(&major)
    );
    // SAFETY: null is allowed.
    assert!(unsafe { read(std::ptr::null(), Tolerance::default()) }.is_err());
    let mut strides = entry(&plugins);
    strides.plugin_stride = 0;
    assert!(faults(&strides)[0].contains("0 bytes apart"));
}

#[test]
fn an_older_and_shorter_plugin_lacks_what_came_later() {
    let handlers = [abi::Handler {
        struct_size: LEAST_HANDLER as u32,
        ..handler(10, "a")
    }];
    let mut plugins = [plugin("x", &handlers)];
    plugins[0].struct_size = LEAST_PLUGIN as u32;
    // SAFETY: all of it is on this stack.
    let contents = unsafe { read(&entry(&plugins), Tolerance::default()) }.unwrap();
    assert!(contents.plugins[0].functions.request_drop.is_none());
    assert!(contents.plugins[0].handlers[0].after.is_empty());
}

#[test]
fn an_unknown_event_may_be_optional() {
    let mut handlers = [handler(99, "a")];
    handlers[0].flags = abi::HANDLER_OPTIONAL_EVENT;
    let plugins = [plugin("x", &handlers)];
    assert_eq!(faults(&entry(&plugins)), Vec::<String>::new());
}

/// The numbers of the events, as the C header has them.
fn numbered_in_the_header() -> Vec<(String, u8)> {
    include_str!("../../../../../hooks-api/include/tricorn.h")
        .lines()
        .filter_map(|line| line.strip_prefix("#define TRICORN_EVENT_"))
        .map(|line| {
            let (name, number) = line.split_once(' ').unwrap();
            (name.to_lowercase(), number.trim().parse().unwrap())
        })
        .collect()
}

#[test]
fn the_abi_numbers_every_event_as_the_bus_does() {
    let numbered: Vec<_> = Event::ALL
        .iter()
        .map(|&event| (event.name().to_owned(), event as u8))
        .collect();
    assert_eq!(numbered, numbered_in_the_header());
}
