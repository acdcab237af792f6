//! The bus as operators see it: `--print-config`, and `tricorn hooks list`.

use std::fmt::Write;

use serde_json::{Value as Json, json};

use super::bus::{Bus, Slot};
use super::handler::{Handler, Source};
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

    /// Every event with its handlers in the order they run, for programs.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let handler = |slot: &Slot| {
            let Slot { handler, .. } = slot;
            let source = handler.source.to_string();
            json!({"handler": handler.name, "source": source, "kind": handler.tongue.name()})
        };
        let row = |&event: &Event| {
            let handlers = self.chain(event).iter().map(handler).collect::<Vec<_>>();
            (event.name().to_owned(), Json::Array(handlers))
        };
        Json::Object(Event::ALL.iter().map(row).collect())
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
            if let Some(warning) = self.alternation(event) {
                let _ = writeln!(text, "  note: {warning}");
            }
            for name in self.unknown_names(event) {
                let _ = writeln!(text, "  note: no handler of this event answers to '{name}'");
            }
            if self.chain(event).is_empty() {
                let _ = writeln!(text, "  no handler");
            }
        }
        text
    }
}

impl Bus {
    /// What an order costs in which a compiled handler of a request comes behind one of Python's.
    fn alternation(&self, event: Event) -> Option<&'static str> {
        let chain = self.chain(event);
        let leading = self.leading_native(event);
        let is_behind = |slot: &Slot| matches!(slot.handler.source, Source::Plugin(..));
        let is_mixed = chain.iter().skip(leading).any(is_behind);
        match event {
            Event::PreRequest if is_mixed => Some(
                "a compiled handler behind a Python one needs the interpreter, and cannot suspend a request: a lower priority puts it in front",
            ),
            Event::ResponseStart | Event::PostRequest
                if leading < chain.len() && chain.iter().any(is_behind) =>
            {
                Some(
                    "compiled handlers run after Python's: where the answer is written, and at its true end",
                )
            }
            _ => None,
        }
    }

    /// Names in `before` and `after` that nobody has.
    fn unknown_names(&self, event: Event) -> Vec<&str> {
        let handlers = || self.chain(event).iter().map(|slot| &slot.handler);
        let is_known = |name: &str| handlers().any(|handler| handler.answers_to(name));
        let names = handlers().flat_map(|handler| handler.before.iter().chain(&handler.after));
        let mut unknown: Vec<&str> = names
            .map(String::as_str)
            .filter(|name| !is_known(name))
            .collect();
        unknown.sort_unstable();
        unknown.dedup();
        unknown
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
