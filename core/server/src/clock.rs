//! The monotonic clock in nanoseconds, the one measure that both sides of a fork agree on.

use std::cell::RefCell;
use std::time::{Duration, Instant, SystemTime};

use nix::time::{ClockId, clock_gettime};

fn read(clock: ClockId) -> u64 {
    // These clocks exist on every Linux; a time of 0 would only make a limit too generous.
    clock_gettime(clock).map_or(0, |time| {
        u64::try_from(time.tv_sec()).unwrap_or(0) * 1_000_000_000
            + u64::try_from(time.tv_nsec()).unwrap_or(0)
    })
}

/// The time now.
#[must_use]
pub fn now() -> u64 {
    read(ClockId::CLOCK_MONOTONIC)
}

/// The time of the last tick, some milliseconds back at most, at a quarter of the price.
#[must_use]
pub fn roughly_now() -> u64 {
    read(ClockId::CLOCK_MONOTONIC_COARSE)
}

/// Calls `with` with the present time as HTTP writes it (RFC 9110 section 5.6.7), formatted at most
/// once a second.
pub fn with_http_date<R>(with: impl FnOnce(&[u8]) -> R) -> R {
    thread_local! {
        static LAST: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) };
    }
    let second = clock_gettime(ClockId::CLOCK_REALTIME_COARSE).map_or(0, |time| time.tv_sec());
    LAST.with_borrow_mut(|(last, text)| {
        if *last != second {
            *last = second;
            let since = Duration::from_secs(u64::try_from(second).unwrap_or(0));
            *text = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + since);
        }
        with(text.as_bytes())
    })
}

/// A length of time in nanoseconds.
#[must_use]
pub fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The instant that lies `left` from now.
#[must_use]
pub fn instant_in(left: Option<Duration>) -> Option<Instant> {
    left.map(|left| Instant::now() + left)
}
