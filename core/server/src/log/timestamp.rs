//! Local time as the logs write it, formatted at most once a second.

use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::Local;

/// `2026-11-23 10:00:00 +0000`
#[must_use]
pub fn error_time() -> String {
    Local::now().format("%Y-%m-%d %H:%M:%S %z").to_string()
}

/// Appends `[23/Nov/2026:10:00:00 +0000]`, the common log format's time.
pub fn clf_time(line: &mut String) {
    thread_local! {
        static LAST: RefCell<(u64, String)> = const { RefCell::new((u64::MAX, String::new())) };
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let second = since.map_or(0, |since| since.as_secs());
    LAST.with_borrow_mut(|(last, text)| {
        if *last != second {
            *last = second;
            *text = Local::now().format("[%d/%b/%Y:%H:%M:%S %z]").to_string();
        }
        line.push_str(text);
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
