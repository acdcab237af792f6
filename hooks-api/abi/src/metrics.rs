//! The table `tricorn.metrics/1`: numbers that all processes of the server add to.

use core::ffi::c_void;

use crate::{Sink, Str};

/// The name of the table [`Metrics`].
pub const INTERFACE_METRICS: &str = "tricorn.metrics/1";

/// Kind of a metric: a count that only grows.
pub const METRIC_COUNTER: u32 = 0;
/// Kind of a metric: a number that rises and falls. What a worker has added to it is taken back when
/// the worker is gone, however it went.
pub const METRIC_GAUGE: u32 = 1;
/// Kind of a metric: a distribution of durations.
pub const METRIC_HISTOGRAM: u32 = 2;

/// `tricorn.metrics/1`
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Metrics {
    /// The size of this struct.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// `[arbiter]` Defines a metric, during `module_init`; later `FROZEN`. `labels` is the inside of
    /// the braces in Prometheus text, such as `code="200"`, or empty. All of one name
    /// are of one kind, else `INVALID`. Defined again, also by the module of the next configuration,
    /// it is the same metric.
    pub define: unsafe extern "C" fn(
        ctx: *mut c_void,
        kind: u32,
        name: Str,
        labels: Str,
        help: Str,
        id: *mut u32,
    ) -> i32,
    /// `[any]` Adds to a counter, or to a gauge, which may fall.
    pub add: unsafe extern "C" fn(ctx: *mut c_void, id: u32, amount: i64) -> i32,
    /// `[any]` Sets this process's part of a gauge.
    pub set: unsafe extern "C" fn(ctx: *mut c_void, id: u32, value: i64) -> i32,
    /// `[any]` Adds a duration in nanoseconds to a histogram.
    pub observe: unsafe extern "C" fn(ctx: *mut c_void, id: u32, nanoseconds: u64) -> i32,
    /// `[any]` The sum over all processes, of a counter or a gauge; or 0.
    pub read: unsafe extern "C" fn(ctx: *mut c_void, id: u32) -> i64,
    /// `[any]` Gives all metrics of all plugins as Prometheus text.
    pub render: unsafe extern "C" fn(ctx: *mut c_void, sink: Sink, context: *mut c_void) -> i32,
}
