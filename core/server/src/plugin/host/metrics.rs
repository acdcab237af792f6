//! `tricorn.metrics/1`: a row of cells for each process, in memory that all share. Each process
//! writes its own row, so that nobody waits for anybody, and whoever reads adds the rows up.

use std::ffi::c_void;
use std::fmt::Write;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use nix::sys::mman::MapFlags;
use tricorn_abi as abi;
use tricorn_abi::Str;

use super::super::link;
use super::super::shared;
use super::super::text::string;
use super::basics::pour;
use super::{Ctx, put};
use crate::lifeline::WORKERS_AT_MOST;

pub(super) static TABLE: abi::Metrics = abi::Metrics {
    struct_size: size_of::<abi::Metrics>() as u32,
    reserved: 0,
    define,
    add,
    set,
    observe,
    read,
    render,
};

/// Cells of a row: a counter or a gauge takes one, a histogram `BOUNDS` and two more.
const CELLS: usize = 4096;

/// Rows: the arbiter's, and one for each worker id.
const ROWS: usize = WORKERS_AT_MOST + 1;

/// The upper bounds of a histogram, in nanoseconds and as Prometheus writes them in seconds.
const BOUNDS: [(u64, &str); 14] = [
    (500_000, "0.0005"),
    (1_000_000, "0.001"),
    (2_500_000, "0.0025"),
    (5_000_000, "0.005"),
    (10_000_000, "0.01"),
    (25_000_000, "0.025"),
    (50_000_000, "0.05"),
    (100_000_000, "0.1"),
    (250_000_000, "0.25"),
    (500_000_000, "0.5"),
    (1_000_000_000, "1"),
    (2_500_000_000, "2.5"),
    (5_000_000_000, "5"),
    (10_000_000_000, "10"),
];

/// Cells of a histogram: one for each bound, one for what is beyond, one for the sum.
const HISTOGRAM: usize = BOUNDS.len() + 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    fn of(number: u32) -> Option<Self> {
        match number {
            abi::METRIC_COUNTER => Some(Self::Counter),
            abi::METRIC_GAUGE => Some(Self::Gauge),
            abi::METRIC_HISTOGRAM => Some(Self::Histogram),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }

    fn cells(self) -> usize {
        if self == Self::Histogram {
            HISTOGRAM
        } else {
            1
        }
    }
}

#[derive(Debug)]
struct Metric {
    kind: Kind,
    name: String,
    labels: String,
    help: String,
    /// The first of its cells in each row.
    at: usize,
}

/// What is defined. Grows in the arbiter only, before workers are forked, which inherit it.
static METRICS: Mutex<Vec<Metric>> = Mutex::new(Vec::new());

/// The kind and place of each metric by its id, for the hot path: written before it is read.
static PLACES: [AtomicUsize; CELLS] = [const { AtomicUsize::new(0) }; CELLS];

static MEMORY: OnceLock<Option<&'static [AtomicI64]>> = OnceLock::new();

fn metrics() -> MutexGuard<'static, Vec<Metric>> {
    METRICS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The cells, and behind them the number of rows in use. Only rows that are written take memory.
fn memory() -> Option<&'static [AtomicI64]> {
    *MEMORY.get_or_init(|| {
        let count = ROWS * CELLS + 1;
        let length = NonZeroUsize::new(count * size_of::<AtomicI64>())?;
        let memory = shared::map(length, MapFlags::MAP_NORESERVE);
        // SAFETY: page-aligned, long enough, zeroed, which is a valid value, and never unmapped.
        memory
            .ok()
            .map(|memory| unsafe { std::slice::from_raw_parts(memory.cast().as_ptr(), count) })
    })
}

fn row(number: usize) -> Option<&'static [AtomicI64]> {
    memory()?.get(number * CELLS..(number + 1) * CELLS)
}

/// This process's row: 0 is the arbiter's.
fn own_row() -> Option<&'static [AtomicI64]> {
    row(link::worker().map_or(0, |worker| worker.id))
}

/// The rows that are in use.
fn rows() -> impl Iterator<Item = &'static [AtomicI64]> {
    let last = memory().map_or(0, |cells| cells[ROWS * CELLS].load(Ordering::Relaxed));
    // Any worker may have written there, and anything.
    (0..=usize::try_from(last).unwrap_or(0).min(ROWS - 1)).filter_map(row)
}

/// A worker of this id begins: its row is in use, and its gauges are its own.
pub(in super::super) fn enter(id: usize) {
    forget(id);
    if let Some(cells) = memory() {
        cells[ROWS * CELLS].fetch_max(i64::try_from(id).unwrap_or(0), Ordering::Relaxed);
    }
}

/// A worker of this id is gone: what it had added to gauges is taken back.
pub(in super::super) fn forget(id: usize) {
    let metrics = metrics();
    if metrics.is_empty() {
        return;
    }
    let Some(row) = row(id) else { return };
    for metric in metrics.iter().filter(|metric| metric.kind == Kind::Gauge) {
        row[metric.at].store(0, Ordering::Relaxed);
    }
}

unsafe extern "C" fn define(
    ctx: *mut c_void,
    kind: u32,
    name: Str,
    labels: Str,
    help: Str,
    id: *mut u32,
) -> i32 {
    // SAFETY: a host's ctx, and texts that are passed into a call.
    let (ctx, name, labels, help) =
        unsafe { (Ctx::of(ctx), string(name), string(labels), string(help)) };
    if ctx.is_frozen() {
        return abi::FROZEN;
    }
    let Some(kind) = Kind::of(kind).filter(|_| is_name(&name) && are_labels(&labels)) else {
        return abi::INVALID;
    };
    let help = help.replace('\\', r"\\").replace('\n', r"\n");
    match define_metric(kind, name, labels, help) {
        // SAFETY: `id` is the plugin's own.
        Ok(number) => unsafe { put(id, number) },
        Err(code) => code,
    }
}

fn define_metric(kind: Kind, name: String, labels: String, help: String) -> Result<u32, i32> {
    let mut metrics = metrics();
    let known = metrics
        .iter()
        .position(|metric| metric.name == name && metric.labels == labels);
    // All of one name stand under one heading, which says of what kind they are.
    let is_other = |metric: &Metric| metric.name == name && metric.kind != kind;
    if metrics.iter().any(is_other) {
        return Err(abi::INVALID);
    }
    let number = match known {
        Some(number) => number,
        None => {
            let at = metrics.last().map_or(0, |last| last.at + last.kind.cells());
            if at + kind.cells() > CELLS || memory().is_none() {
                return Err(abi::FULL);
            }
            let number = metrics.len();
            PLACES[number].store((at << 2) | (kind as usize + 1), Ordering::Relaxed);
            metrics.push(Metric {
                kind,
                name,
                labels,
                help,
                at,
            });
            number
        }
    };
    u32::try_from(number).map_err(|_| abi::FULL)
}

fn is_name(name: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphabetic() || "_:".contains(c);
    name.starts_with(is_letter) && name.chars().all(|c| is_letter(c) || c.is_ascii_digit())
}

/// Whether this can stand in the braces: what reads the text would take none of it otherwise.
fn are_labels(text: &str) -> bool {
    let mut rest = text;
    while !rest.is_empty() {
        let Some((name, value)) = rest.split_once("=\"") else {
            return false;
        };
        let Some(end) = end_of_value(value).filter(|_| is_name(name) && !name.contains(':')) else {
            return false;
        };
        rest = &value[end + 1..];
        match rest.strip_prefix(',') {
            Some(next) if !next.is_empty() => rest = next,
            Some(_) => return false,
            None if rest.is_empty() => {}
            None => return false,
        }
    }
    true
}

/// Where the quotation mark stands that ends a label's value.
fn end_of_value(text: &str) -> Option<usize> {
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some(at),
            '\n' => return None,
            '\\' => {
                let (_, escaped) = characters.next()?;
                if !['\\', '"', 'n'].contains(&escaped) {
                    return None;
                }
            }
            _ => {}
        }
    }
    None
}

/// The first cell of a metric, if it is of a kind that will do.
fn place(id: u32, fits: impl Fn(Kind) -> bool) -> Result<usize, i32> {
    let place = PLACES
        .get(id as usize)
        .map_or(0, |place| place.load(Ordering::Relaxed));
    let kind = match place & 3 {
        1 => Kind::Counter,
        2 => Kind::Gauge,
        3 => Kind::Histogram,
        _ => return Err(abi::NOT_FOUND),
    };
    if fits(kind) {
        Ok(place >> 2)
    } else {
        Err(abi::INVALID)
    }
}

fn change(
    id: u32,
    fits: impl Fn(Kind) -> bool,
    change: impl FnOnce(&'static [AtomicI64], usize),
) -> i32 {
    match (place(id, fits), own_row()) {
        (Ok(at), Some(row)) => {
            change(row, at);
            abi::OK
        }
        (Err(code), _) => code,
        (_, None) => abi::FULL,
    }
}

unsafe extern "C" fn add(_: *mut c_void, id: u32, amount: i64) -> i32 {
    let fits = |kind| kind == Kind::Gauge || (kind == Kind::Counter && amount >= 0);
    change(id, fits, |row, at| {
        row[at].fetch_add(amount, Ordering::Relaxed);
    })
}

unsafe extern "C" fn set(_: *mut c_void, id: u32, value: i64) -> i32 {
    change(
        id,
        |kind| kind == Kind::Gauge,
        |row, at| {
            row[at].store(value, Ordering::Relaxed);
        },
    )
}

unsafe extern "C" fn observe(_: *mut c_void, id: u32, nanoseconds: u64) -> i32 {
    change(
        id,
        |kind| kind == Kind::Histogram,
        |row, at| {
            let bucket = BOUNDS.partition_point(|(bound, _)| *bound < nanoseconds);
            row[at + bucket].fetch_add(1, Ordering::Relaxed);
            let amount = i64::try_from(nanoseconds).unwrap_or(i64::MAX);
            row[at + HISTOGRAM - 1].fetch_add(amount, Ordering::Relaxed);
        },
    )
}

unsafe extern "C" fn read(_: *mut c_void, id: u32) -> i64 {
    place(id, |kind| kind != Kind::Histogram).map_or(0, sum)
}

fn sum(at: usize) -> i64 {
    let cells = rows().map(|row| row[at].load(Ordering::Relaxed));
    cells.fold(0, i64::wrapping_add)
}

unsafe extern "C" fn render(_: *mut c_void, sink: abi::Sink, context: *mut c_void) -> i32 {
    let text = text(&metrics());
    // SAFETY: the plugin's own sink and context.
    unsafe { pour(&text, sink, context) }
}

/// Prometheus text, version 0.0.4: all of one name together, under one heading.
fn text(metrics: &[Metric]) -> String {
    let mut text = String::new();
    let mut names: Vec<&str> = Vec::new();
    for first in metrics {
        if names.contains(&&*first.name) {
            continue;
        }
        names.push(&first.name);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# HELP {} {}", first.name, first.help);
        let _ = writeln!(text, "# TYPE {} {}", first.name, first.kind.name());
        for metric in metrics.iter().filter(|metric| metric.name == first.name) {
            write_metric(metric, &mut text);
        }
    }
    text
}

fn write_metric(metric: &Metric, text: &mut String) {
    let Metric { name, labels, .. } = metric;
    if metric.kind != Kind::Histogram {
        let braces = if labels.is_empty() {
            String::new()
        } else {
            format!("{{{labels}}}")
        };
        let _ = writeln!(text, "{name}{braces} {}", sum(metric.at));
        return;
    }
    let comma = if labels.is_empty() { "" } else { "," };
    let mut count = 0_i64;
    let bounds = BOUNDS.iter().map(|(_, bound)| *bound).chain(["+Inf"]);
    for (bucket, bound) in bounds.enumerate() {
        count = count.wrapping_add(sum(metric.at + bucket));
        let _ = writeln!(
            text,
            "{name}_bucket{{{labels}{comma}le=\"{bound}\"}} {count}"
        );
    }
    let braces = if labels.is_empty() {
        String::new()
    } else {
        format!("{{{labels}}}")
    };
    let seconds = sum(metric.at + HISTOGRAM - 1) as f64 / 1e9;
    let _ = writeln!(text, "{name}_sum{braces} {seconds}");
    let _ = writeln!(text, "{name}_count{braces} {count}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_added_up_and_gauges_taken_back() {
        let counter =
            define_metric(Kind::Counter, "t_total".into(), String::new(), "T.".into()).unwrap();
        let gauge =
            define_metric(Kind::Gauge, "t_now".into(), r#"a="b""#.into(), "G.".into()).unwrap();
        let again = define_metric(Kind::Counter, "t_total".into(), String::new(), "T.".into());
        assert_eq!(again, Ok(counter), "the same one");
        for labels in ["", r#"a="b""#] {
            let other = define_metric(Kind::Gauge, "t_total".into(), labels.into(), "T.".into());
            assert_eq!(other, Err(abi::INVALID), "one name is of one kind");
        }
        let histogram = define_metric(
            Kind::Histogram,
            "t_seconds".into(),
            String::new(),
            "H.".into(),
        )
        .unwrap();
        enter(2);
        let (at, gauge_at) = (
            place(counter, |_| true).unwrap(),
            place(gauge, |_| true).unwrap(),
        );
        row(1).unwrap()[at].store(3, Ordering::Relaxed);
        row(2).unwrap()[at].store(4, Ordering::Relaxed);
        row(2).unwrap()[gauge_at].store(9, Ordering::Relaxed);
        // SAFETY: the functions do not look at the ctx.
        unsafe {
            assert_eq!(observe(std::ptr::null_mut(), histogram, 3_000_000), abi::OK);
            assert_eq!(observe(std::ptr::null_mut(), counter, 1), abi::INVALID);
            assert_eq!(add(std::ptr::null_mut(), counter, -1), abi::INVALID);
            assert_eq!(add(std::ptr::null_mut(), 4000, 1), abi::NOT_FOUND);
            assert_eq!(read(std::ptr::null_mut(), counter), 7);
        }
        let shown = text(&metrics());
        for line in [
            "# TYPE t_total counter\nt_total 7\n",
            "t_now{a=\"b\"} 9\n",
            "t_seconds_bucket{le=\"0.0025\"} 0\nt_seconds_bucket{le=\"0.005\"} 1\n",
            "t_seconds_bucket{le=\"+Inf\"} 1\nt_seconds_sum 0.003\nt_seconds_count 1\n",
        ] {
            assert!(shown.contains(line), "{line} is not in: {shown}");
        }
        forget(2);
        assert_eq!(sum(gauge_at), 0);
        assert_eq!(sum(at), 7, "a counter only grows");
        let last = &memory().unwrap()[ROWS * CELLS];
        last.store(i64::MAX, Ordering::Relaxed);
        row(3).unwrap()[at].store(i64::MAX, Ordering::Relaxed);
        assert_eq!(rows().count(), ROWS, "whatever a worker writes there");
        assert_eq!(sum(at), i64::MAX.wrapping_add(7));
        last.store(2, Ordering::Relaxed);
    }

    #[test]
    fn labels_are_prometheus_labels() {
        for good in [
            "",
            r#"code="2xx""#,
            r#"a="{}",b="\"\\\n,c=""#,
            r#"a="é",b="""#,
        ] {
            assert!(are_labels(good), "{good}");
        }
        for bad in [
            "a",
            "a=1",
            r#"a="1"#,
            r#"a="1" "#,
            r#"a="1","#,
            r#"a="1"b="2""#,
            r#"1="a""#,
            r#"a:b="1""#,
            r#"a="\x""#,
            "a=\"1\n\"",
            r#"a="1"} x{b="2""#,
        ] {
            assert!(!are_labels(bad), "{bad}");
        }
    }

    #[test]
    fn names_are_prometheus_names() {
        assert!(is_name("tricorn_requests_total") && is_name("_a:b"));
        for bad in ["", "1a", "a b", "a-b", "é"] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
