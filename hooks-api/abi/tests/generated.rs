//! What is made from the declarations: the C header, and the golden layout. `make abi` writes both
//! anew; here they are compared.
//!
//! A layout that changes in any other way than by growing at the end breaks every plugin there is:
//! such a change is refused, by `make abi` too.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// The sources in the order they stand in the header.
const SOURCES: [&str; 13] = [
    "codes", "text", "causes", "events", "host", "worker", "entry", "basics", "http", "response",
    "metrics", "shm", "logs",
];

/// A field's name, offset and size.
type Field = (&'static str, usize, usize);

macro_rules! layouts {
    ($($type:ident as $c:literal { $($field:ident),+ $(,)? })+) => {
        /// Every struct with its name in C, its size, its alignment and its fields.
        fn layouts() -> Vec<(&'static str, &'static str, usize, Vec<Field>)> {
            vec![$((
                stringify!($type),
                $c,
                size_of::<tricorn_abi::$type>(),
                vec![$((
                    stringify!($field),
                    std::mem::offset_of!(tricorn_abi::$type, $field),
                    size_of_field(|it: &tricorn_abi::$type| &it.$field),
                )),+],
            )),+]
        }
    };
}

fn size_of_field<T, F>(_: impl Fn(&T) -> &F) -> usize {
    size_of::<F>()
}

layouts! {
    Str as "tricorn_str" { ptr, len }
    Header as "tricorn_header" { name, value }
    Event as "tricorn_event" { struct_size, event, flags, pid, reserved }
    WorkerEvent as "tricorn_worker_event" { header, age, id, pid, exit_code, signal, cause }
    CountEvent as "tricorn_count_event" { header, new_count, old_count }
    SignalEvent as "tricorn_signal_event" { header, number, reserved }
    RequestEvent as "tricorn_request_event" { header, request }
    DoneEvent as "tricorn_done_event" { header, request, duration, sent, status, end }
    ErrorEvent as "tricorn_error_event" { header, status, reserved, reason }
    ConnectionEvent as "tricorn_connection_event" {
        header, number, peer, local, requests, peer_port, reserved,
    }
    Host as "tricorn_host" {
        struct_size, abi_major, abi_minor, ctx, server_version, log_level, get_interface, log,
    }
    WorkerInfo as "tricorn_worker_info" {
        struct_size, id, age, pid, threads, workers, reserved,
    }
    Worker as "tricorn_worker" {
        struct_size, reserved, stop, is_stopping, spawn, wait_for_stop, panicked,
    }
    Entry as "tricorn_entry" {
        magic, struct_size, abi_major, abi_minor, abi_minor_required, reserved, build_flags, vendor,
        toolchain, sdk_version, plugins, plugin_count, plugin_stride,
    }
    Note as "tricorn_note" { magic, abi_major, abi_minor, reserved, toolchain }
    Plugin as "tricorn_plugin" {
        struct_size, flags, id, version, description, handlers, handler_count, handler_stride,
        module_init, module_destroy, worker_create, worker_destroy, request_drop, get_interface,
    }
    Handler as "tricorn_handler" {
        struct_size, event, priority, flags, name, call, before, before_count, after, after_count,
    }
    LogRecord as "tricorn_log_record" {
        struct_size, level, pid, line, unix_ns, target, message, file,
    }
    AccessRecord as "tricorn_access_record" {
        struct_size, status, pid, end, unix_ns, duration, sent, client, user, request_line, method,
        target, path, query, protocol, referer, user_agent, context, lookup,
    }
    Logger as "tricorn_logger" { struct_size, reserved, open, log, access, reopen, flush, close }
    AccessFormat as "tricorn_access_format" { struct_size, reserved, compile, write, drop }
    Basics as "tricorn_core" { struct_size, reserved, buf_write, setting, role, now }
    Http as "tricorn_http" {
        struct_size, reserved, method, target, path, query, scheme, version, peer, peer_port,
        peer_is_trusted, header, header_at, header_set, header_add, header_remove, content_length,
        environ_set, kept, keep,
    }
    Answer as "tricorn_answer" {
        struct_size, status, headers, header_count, body, file, reserved, file_offset, file_length,
    }
    Response as "tricorn_response" {
        struct_size, reserved, respond, suspend, resume, resume_respond, resume_close, status,
        status_set, header, header_at, header_set, header_add, header_remove,
    }
    Metrics as "tricorn_metrics" { struct_size, reserved, define, add, set, observe, read, render }
    Shm as "tricorn_shm" { struct_size, reserved, zone }
}

/// Types without a layout of their own.
const OTHERS: [(&str, &str); 5] = [
    ("Sink", "tricorn_sink"),
    ("Buffer", "tricorn_buffer"),
    ("Request", "tricorn_request"),
    ("Resume", "tricorn_resume"),
    ("EntryFunction", "tricorn_entry_function"),
];

/// Those that nobody but the server looks into. ISO C has no empty structs.
const OPAQUE: [&str; 3] = ["tricorn_buffer", "tricorn_request", "tricorn_resume"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn is_writing() -> bool {
    env::var_os("TRICORN_WRITE_ABI").is_some()
}

/// Compares what was made with what is checked in, or checks it in.
fn compare(path: &Path, made: &str) {
    if is_writing() {
        fs::write(path, made).unwrap();
    }
    let there = fs::read_to_string(path).unwrap_or_default();
    assert!(there == made, "{} is stale: run make abi", path.display());
}

fn source(name: &str) -> PathBuf {
    root().join("src").join(format!("{name}.rs"))
}

/// The names of all constants, as they stand in the sources.
fn constants() -> Vec<String> {
    SOURCES
        .iter()
        .flat_map(|name| {
            let text = fs::read_to_string(source(name)).unwrap();
            let names = text
                .lines()
                .filter_map(|line| line.strip_prefix("pub const "));
            names
                .map(|rest| rest.split(':').next().unwrap().to_owned())
                .collect::<Vec<_>>()
        })
        .collect()
}

fn configuration() -> cbindgen::Config {
    let mut config = cbindgen::Config {
        language: cbindgen::Language::C,
        header: Some(HEADER.to_owned()),
        include_guard: Some("TRICORN_H".to_owned()),
        no_includes: true,
        sys_includes: vec!["stddef.h".into(), "stdint.h".into()],
        cpp_compat: true,
        style: cbindgen::Style::Both,
        documentation_style: cbindgen::DocumentationStyle::C,
        usize_is_size_t: true,
        line_length: 100,
        ..cbindgen::Config::default()
    };
    // A list that grows: in C there are its parts.
    config.export.exclude.push("CAUSES".to_owned());
    let names = layouts()
        .into_iter()
        .map(|(rust, c, ..)| (rust, c))
        .chain(OTHERS);
    config
        .export
        .rename
        .extend(names.map(|(rust, c)| (rust.to_owned(), c.to_owned())));
    let constants = constants()
        .into_iter()
        .map(|name| (name.clone(), format!("TRICORN_{name}")));
    config.export.rename.extend(constants);
    config
        .export
        .include
        .extend(layouts().iter().map(|(rust, ..)| (*rust).to_owned()));
    config
        .export
        .include
        .extend(OTHERS.iter().map(|(rust, _)| (*rust).to_owned()));
    config
}

const HEADER: &str = "/*
 * The C ABI between tricorn and its plugins. Made from hooks-api/abi by `make abi`.
 *
 * A plugin is a shared object that exports one function,
 *
 *     const tricorn_entry *tricorn_plugin_entry_v1(const tricorn_host *host);
 *
 * and links against nothing: what it needs of the server it gets through host->get_interface.
 *
 * Growth: a struct that begins with struct_size grows at its end only. Set it to sizeof where you
 * fill such a struct in, and look at it with TRICORN_HAS before you read a field that your oldest
 * server may not know. Tables of functions are found by name and revision.
 *
 * Ownership: what is passed into a call is borrowed until it returns. What one side has allocated
 * the other never frees. Descriptors are static data: nothing is ever unloaded.
 *
 * Where a function may be called is said in brackets: [arbiter] the supervising process;
 * [worker] a worker's main thread; [request] the thread that called the handler, during that call;
 * [any] any thread. examples/plugin-c is a whole plugin.
 */";

/// Constants that are texts, which cbindgen leaves out.
const TEXTS: [(&str, &str); 10] = [
    ("ENTRY_SYMBOL", tricorn_abi::ENTRY_SYMBOL),
    ("VENDOR", tricorn_abi::VENDOR),
    ("INTERFACE_CORE", tricorn_abi::INTERFACE_CORE),
    ("INTERFACE_HTTP", tricorn_abi::INTERFACE_HTTP),
    ("INTERFACE_RESPONSE", tricorn_abi::INTERFACE_RESPONSE),
    ("INTERFACE_METRICS", tricorn_abi::INTERFACE_METRICS),
    ("INTERFACE_SHM", tricorn_abi::INTERFACE_SHM),
    ("INTERFACE_WORKER", tricorn_abi::INTERFACE_WORKER),
    ("INTERFACE_LOGGER", tricorn_abi::INTERFACE_LOGGER),
    (
        "INTERFACE_ACCESS_FORMAT",
        tricorn_abi::INTERFACE_ACCESS_FORMAT,
    ),
];

/// What a C compiler checks, and helps.
fn trailer() -> String {
    let mut text = String::new();
    for (name, value) in TEXTS {
        writeln!(text, "\n#define TRICORN_{name} \"{value}\"").unwrap();
    }
    text.push_str(
        "\n/* Why a worker is gone: `cause` of a tricorn_worker_event on child_exit. */\n",
    );
    for cause in tricorn_abi::CAUSES {
        let name = cause.to_uppercase();
        writeln!(text, "#define TRICORN_CAUSE_{name} \"{cause}\"").unwrap();
    }
    text.push_str(
        "
/* Whether a struct that the other side has filled in reaches past a field. */
#define TRICORN_HAS(pointer, type, field) \\
    ((pointer)->struct_size >= offsetof(type, field) + sizeof((pointer)->field))

/* A borrowed text out of a string literal. */
#define TRICORN_TEXT(literal) { (const uint8_t *)(literal), sizeof(literal) - 1 }

#if defined(__cplusplus)
#define TRICORN_ASSERT(condition) static_assert(condition, #condition)
#else
#define TRICORN_ASSERT(condition) _Static_assert(condition, #condition)
#endif

#if UINTPTR_MAX == UINT64_MAX
",
    );
    for (_, c, size, fields) in layouts() {
        writeln!(text, "TRICORN_ASSERT(sizeof({c}) == {size});").unwrap();
        for (field, offset, _) in fields {
            writeln!(text, "TRICORN_ASSERT(offsetof({c}, {field}) == {offset});").unwrap();
        }
    }
    text + "#endif\n"
}

/// The header, made of the declarations.
fn header() -> String {
    let mut builder = cbindgen::Builder::new().with_config(configuration());
    for name in SOURCES {
        builder = builder.with_src(source(name));
    }
    let mut made = Vec::new();
    builder.generate().unwrap().write(&mut made);
    let made = String::from_utf8(made).unwrap();
    let made = OPAQUE.iter().fold(made, |text, name| {
        let empty = format!("typedef struct {name} {{\n  uint8_t _opaque[0];\n}} {name};");
        text.replace(&empty, &format!("typedef struct {name} {name};"))
    });
    let guard = "#endif  /* TRICORN_H */";
    let (body, _) = made.rsplit_once(guard).unwrap();
    format!("{}\n{}\n{guard}\n", body.trim_end(), trailer())
}

#[test]
fn the_c_header_is_what_the_declarations_say() {
    compare(&root().join("../include/tricorn.h"), &header());
}

/// Every code, id, flag and name, by what it is called in C, with its value.
fn values(header: &str) -> BTreeMap<String, String> {
    header
        .lines()
        .filter_map(|line| line.strip_prefix("#define ")?.split_once(' '))
        .filter(|(name, _)| !name.contains('('))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// What of `golden` is not there any more with its value. The minor version is there to grow.
fn changed(golden: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Vec<String> {
    golden
        .iter()
        .filter(|(name, _)| *name != "TRICORN_ABI_MINOR")
        .filter(|(name, value)| now.get(*name) != Some(value))
        .map(|(name, value)| format!("{name}: was {value}, is {:?}", now.get(name)))
        .collect()
}

#[test]
fn values_are_for_ever() {
    let path = root().join("values.txt");
    let golden = fs::read_to_string(&path).unwrap_or_default();
    let golden = values(&golden.replace("TRICORN_", "#define TRICORN_"));
    let now = values(&header());
    let changed = changed(&golden, &now);
    assert!(
        changed.is_empty(),
        "this breaks every plugin there is: {changed:#?}"
    );
    let lines: String = now
        .iter()
        .map(|(name, value)| format!("{name} {value}\n"))
        .collect();
    compare(&path, &lines);
}

#[test]
fn a_value_that_is_another_or_gone_is_noticed() {
    let golden = values("#define A 1\n#define B -2\n#define TRICORN_ABI_MINOR 1\n#define F(x) x\n");
    let grown = values("#define A 1\n#define B -2\n#define C 3\n#define TRICORN_ABI_MINOR 2\n");
    assert_eq!(golden.len(), 3);
    assert!(changed(&golden, &grown).is_empty());
    assert_eq!(changed(&golden, &values("#define A 2\n")).len(), 2);
}

/// Struct by struct: one line for its size, then one for each field.
fn written() -> BTreeMap<String, Vec<String>> {
    layouts()
        .into_iter()
        .map(|(_, c, size, fields)| {
            let mut lines = vec![format!("size {size}")];
            lines.extend(
                fields
                    .iter()
                    .map(|(name, offset, size)| format!("{name} at {offset}, {size} bytes")),
            );
            (c.to_owned(), lines)
        })
        .collect()
}

fn parse(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut structs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut current = String::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        match line.strip_prefix("  ") {
            Some(fact) => structs
                .entry(current.clone())
                .or_default()
                .push(fact.to_owned()),
            None => current = line.to_owned(),
        }
    }
    structs
}

fn show(structs: &BTreeMap<String, Vec<String>>) -> String {
    structs
        .iter()
        .map(|(name, lines)| format!("{name}\n  {}\n", lines.join("\n  ")))
        .collect()
}

/// What of `golden` is not there any more as it was, apart from sizes, which may grow.
fn broken(
    golden: &BTreeMap<String, Vec<String>>,
    now: &BTreeMap<String, Vec<String>>,
) -> Vec<String> {
    let mut broken = Vec::new();
    for (name, before) in golden {
        let after = now.get(name).map(Vec::as_slice).unwrap_or_default();
        for (place, fact) in before.iter().enumerate().skip(1) {
            if after.get(place) != Some(fact) {
                broken.push(format!("{name}: was {fact}, is {:?}", after.get(place)));
            }
        }
    }
    broken
}

#[test]
fn the_layout_only_grows() {
    let path = root().join("layout.txt");
    let golden = parse(&fs::read_to_string(&path).unwrap_or_default());
    let now = written();
    let broken = broken(&golden, &now);
    assert!(
        broken.is_empty(),
        "this breaks every plugin there is: {broken:#?}"
    );
    compare(&path, &show(&now));
}

#[test]
fn an_edit_that_is_not_an_append_is_noticed() {
    let golden = parse("s\n  size 8\n  a at 0, 4 bytes\n  b at 4, 4 bytes\n");
    let grown = parse("s\n  size 16\n  a at 0, 4 bytes\n  b at 4, 4 bytes\n  c at 8, 8 bytes\n");
    let swapped = parse("s\n  size 8\n  b at 0, 4 bytes\n  a at 4, 4 bytes\n");
    let retyped = parse("s\n  size 16\n  a at 0, 4 bytes\n  b at 8, 8 bytes\n");
    assert!(broken(&golden, &grown).is_empty());
    assert_eq!(broken(&golden, &swapped).len(), 2);
    assert_eq!(broken(&golden, &retyped).len(), 1);
    assert_eq!(broken(&golden, &parse("")).len(), 2, "a struct is gone");
}
