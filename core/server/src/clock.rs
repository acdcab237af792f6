//! The monotonic clock in nanoseconds, the one measure that both sides of a fork agree on.

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

/// The present second, since 1970.
#[must_use]
pub fn second() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_REALTIME_COARSE);
    time.map_or(0, |time| u64::try_from(time.tv_sec()).unwrap_or(0))
}

/// A second as HTTP writes it: an IMF-fixdate (RFC 9110 section 5.6.7).
#[must_use]
pub fn http_date(second: u64) -> String {
    httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(second))
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
