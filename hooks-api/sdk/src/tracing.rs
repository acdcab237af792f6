//! Events of the `tracing` crate, led to the server's log; spans are a prefix of the line.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::logging::{host, send};

/// Becomes the subscriber of this plugin's copy of `tracing`, unless it has set one.
pub(crate) fn install() {
    // One that the plugin has set stays.
    let _ = tracing::subscriber::set_global_default(Forwarder::default());
}

#[derive(Default)]
struct Forwarder {
    last: AtomicU64,
    /// Names of spans, and how many handles there are of each.
    spans: Mutex<HashMap<u64, (&'static str, usize)>>,
}

thread_local! {
    /// The spans this thread is in.
    static ENTERED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

impl Forwarder {
    fn spans(&self) -> std::sync::MutexGuard<'_, HashMap<u64, (&'static str, usize)>> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn level_of(level: Level) -> i32 {
    match level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

impl Subscriber for Forwarder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        host().is_some_and(|host| level_of(*metadata.level()) <= host.level())
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        self.spans().insert(number, (span.metadata().name(), 1));
        Id::from_u64(number)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = String::new();
        ENTERED.with_borrow(|entered| {
            let spans = self.spans();
            for (name, _) in entered.iter().filter_map(|number| spans.get(number)) {
                line.push_str(name);
                line.push_str(": ");
            }
        });
        event.record(&mut Fields(&mut line));
        let about = event.metadata();
        let place = (about.file().unwrap_or_default(), about.line().unwrap_or(0));
        send(
            level_of(*about.level()),
            about.target(),
            line.trim_end(),
            place,
        );
    }

    fn enter(&self, span: &Id) {
        ENTERED.with_borrow_mut(|entered| entered.push(span.into_u64()));
    }

    fn exit(&self, span: &Id) {
        ENTERED.with_borrow_mut(|entered| {
            if let Some(place) = entered
                .iter()
                .rposition(|&number| number == span.into_u64())
            {
                entered.remove(place);
            }
        });
    }

    fn clone_span(&self, span: &Id) -> Id {
        if let Some((_, handles)) = self.spans().get_mut(&span.into_u64()) {
            *handles += 1;
        }
        span.clone()
    }

    fn try_close(&self, span: Id) -> bool {
        let mut spans = self.spans();
        let Some((_, handles)) = spans.get_mut(&span.into_u64()) else {
            return false;
        };
        *handles -= 1;
        if *handles == 0 {
            spans.remove(&span.into_u64());
            return true;
        }
        false
    }
}

/// The message, then the other fields as `name=value`.
struct Fields<'l>(&'l mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string cannot fail.
        let _ = if field.name() == "message" {
            write!(self.0, "{value:?} ")
        } else {
            write!(self.0, "{}={value:?} ", field.name())
        };
    }
}
