//! Handlers of the server's own, registered where they are written.

use std::any::Any;
use std::sync::Arc;

use super::handler::{Call, Handler, Occasion, Source, Tongue, Verdict};
use super::table::Event;
use crate::config::Config;

/// A handler the server brings along. Submitted to `inventory` from any module.
#[derive(Debug)]
pub struct Builtin {
    /// Its name in `before`, `after` and `tricorn hooks list`.
    pub name: &'static str,
    /// The event it handles.
    pub event: Event,
    /// Whether this configuration wants it.
    pub applies: fn(&Config) -> bool,
    /// What it does.
    pub call: fn(&Occasion<'_>) -> Verdict,
}

inventory::collect!(Builtin);

struct Function(fn(&Occasion<'_>) -> Verdict);

impl Call for Function {
    fn call(&self, occasion: &Occasion<'_>) -> Verdict {
        (self.0)(occasion)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The built-in handlers that a configuration wants, by name: inventory promises no order.
#[must_use]
pub fn builtins(config: &Config) -> Vec<(Event, Handler)> {
    let mut wanted: Vec<&Builtin> = inventory::iter::<Builtin>
        .into_iter()
        .filter(|builtin| (builtin.applies)(config))
        .collect();
    wanted.sort_by_key(|builtin| builtin.name);
    wanted
        .into_iter()
        .map(|builtin| {
            let handler = Handler {
                name: builtin.name.to_owned(),
                source: Source::Builtin,
                tongue: Tongue::Native,
                priority: 0,
                before: Vec::new(),
                after: Vec::new(),
                goes_on: None,
                call: Arc::new(Function(builtin.call)),
            };
            (builtin.event, handler)
        })
        .collect()
}

// gunicorn's default `pre_request` logs the request line at debug. It costs nothing at any other
// level, because then it is not on the bus.
inventory::submit! {
    Builtin {
        name: "log-request-line",
        event: Event::PreRequest,
        applies: |config| config.logging.level >= log::LevelFilter::Debug,
        call: |occasion| {
            if let Occasion::Passage(passage) = occasion {
                let passage = passage.borrow();
                let head = &passage.request.head;
                let method = String::from_utf8_lossy(head.method());
                log::debug!("{method} {}", String::from_utf8_lossy(head.path()));
            }
            Verdict::Continue
        },
    }
}
