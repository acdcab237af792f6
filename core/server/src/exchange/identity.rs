//! What every answer says of the server itself: fixed when a worker begins to serve.

use std::cell::RefCell;
use std::sync::OnceLock;

use tricorn_http::response::OwnFields;

use crate::clock;

static OWN: OnceLock<OwnFields> = OnceLock::new();

/// The fields that the server itself puts into every answer.
pub fn own_fields() -> &'static OwnFields {
    // The name is one that can be sent; without one the field would only be missing.
    OWN.get_or_init(|| OwnFields::named(b"tricorn").unwrap_or_default())
}

/// Calls `with` with the lines that the server itself puts into an answer now: its own fields, and the
/// Date. They are written at most once a second.
pub fn with_own_lines<R>(with: impl FnOnce(&[u8]) -> R) -> R {
    thread_local! {
        static LAST: RefCell<(u64, Vec<u8>)> = const { RefCell::new((u64::MAX, Vec::new())) };
    }
    let second = clock::second();
    LAST.with_borrow_mut(|(last, lines)| {
        if *last != second {
            *last = second;
            lines.clear();
            let date = clock::http_date(second);
            for part in [own_fields().lines(), b"Date: ", date.as_bytes(), b"\r\n"] {
                lines.extend_from_slice(part);
            }
        }
        with(lines)
    })
}

/// Has this process's answers have others. Those that were named first, or sent already, stay.
pub fn set_own_fields(fields: OwnFields) {
    let _ = OWN.set(fields);
}
