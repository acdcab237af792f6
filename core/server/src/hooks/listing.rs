//! The bus as operators see it: `--print-config`, and `tricorn hooks list`.

use std::fmt::Write;

use super::bus::Bus;
use super::handler::Handler;
use super::table::Event;

impl Bus {
    /// Every event with the names of its handlers, as `--print-config` shows them.
    #[must_use]
    pub fn print(&self) -> String {
        let width = Event::ALL.iter().map(|event| event.name().len()).max();
        let width = width.unwrap_or_default();
        let row = |&event: &Event| {
            let names = self.chain(event).iter().map(|slot| &*slot.handler.name);
            let names = names.collect::<Vec<_>>().join(", ");
            let shown = if names.is_empty() { "None" } else { &names };
            format!("{:width$} = {shown}\n", event.name())
        };
        Event::ALL.iter().map(row).collect()
    }

    /// Every event with its handlers in the order they run, as `tricorn hooks list` shows them.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut text = String::new();
        for &event in Event::ALL {
            let declaration = event.declaration();
            let _ = writeln!(text, "{} ({})", event.name(), declaration.fires);
            for (place, slot) in self.chain(event).iter().enumerate() {
                let handler = &slot.handler;
                let tongue = handler.tongue.name();
                let _ = writeln!(
                    text,
                    "  {}. {tongue:6} {}  [{}] {}",
                    place + 1,
                    handler.name,
                    handler.source,
                    reason(handler)
                );
            }
            if self.chain(event).is_empty() {
                let _ = writeln!(text, "  no handler");
            }
        }
        text
    }
}

/// Why a handler stands where it does.
fn reason(handler: &Handler) -> String {
    let mut reasons = Vec::new();
    if handler.priority != 0 {
        reasons.push(format!("priority {}", handler.priority));
    }
    if !handler.before.is_empty() {
        reasons.push(format!("before {}", handler.before.join(", ")));
    }
    if !handler.after.is_empty() {
        reasons.push(format!("after {}", handler.after.join(", ")));
    }
    if reasons.is_empty() {
        "in the order of sources".to_owned()
    } else {
        reasons.join("; ")
    }
}
