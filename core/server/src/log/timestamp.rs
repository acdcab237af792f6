//! Local time as the logs write it, formatted at most once a second.

use std::cell::RefCell;
use std::fmt::Write;

use chrono::{DateTime, Local};
use nix::time::{ClockId, clock_gettime};

/// `2026-11-23 10:00:00 +0000`
#[must_use]
pub fn error_time() -> String {
    Local::now().format("%Y-%m-%d %H:%M:%S %z").to_string()
}

fn local(second: i64) -> DateTime<Local> {
    DateTime::from_timestamp(second, 0)
        .unwrap_or_default()
        .into()
}

/// Appends `[23/Nov/2026:10:00:00 +0000]`, the common log format's time.
pub fn clf_time(line: &mut String) {
    thread_local! {
        static LAST: RefCell<(i64, String)> = const { RefCell::new((i64::MIN, String::new())) };
    }
    let second = clock_gettime(ClockId::CLOCK_REALTIME_COARSE).map_or(0, |time| time.tv_sec());
    LAST.with_borrow_mut(|(last, text)| {
        if *last != second {
            *last = second;
            *text = local(second).format("[%d/%b/%Y:%H:%M:%S %z]").to_string();
        }
        line.push_str(text);
    });
}

/// Appends `2026-11-23T10:00:00.123+00:00` (RFC 3339).
pub fn iso_time(line: &mut String) {
    thread_local! {
        static LAST: RefCell<(i64, String, String)> =
            const { RefCell::new((i64::MIN, String::new(), String::new())) };
    }
    let now = clock_gettime(ClockId::CLOCK_REALTIME_COARSE).ok();
    let (second, millis) = now.map_or((0, 0), |now| (now.tv_sec(), now.tv_nsec() / 1_000_000));
    LAST.with_borrow_mut(|(last, date, zone)| {
        if *last != second {
            let now = local(second);
            *last = second;
            *date = now.format("%Y-%m-%dT%H:%M:%S").to_string();
            *zone = now.format("%:z").to_string();
        }
        line.push_str(date);
        // Writing to memory cannot fail.
        let _ = write!(line, ".{millis:03}");
        line.push_str(zone);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_have_their_shapes() {
        let mut clf = String::new();
        clf_time(&mut clf);
        let shape: String = clf
            .chars()
            .map(|c| {
                if c.is_ascii_digit() {
                    '9'
                } else if c.is_alphabetic() {
                    'a'
                } else {
                    c
                }
            })
            .collect();
        assert_eq!(shape.replace('-', "+"), "[99/aaa/9999:99:99:99 +9999]");
        assert_eq!(error_time().len(), "2026-11-23 10:00:00 +0000".len());
    }
}
