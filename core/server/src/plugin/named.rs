//! Events and handlers that the settings of plugins name: whether there are such.

use crate::config::{Config, PerEvent, PluginSpec, nearest};
use crate::error::Failure;
use crate::hooks::{Bus, Event};

/// Looks for events that there are not.
///
/// # Errors
/// The first of them, and the key that it stands in.
pub(super) fn check_events(config: &Config) -> Result<(), Failure> {
    for spec in &config.plugins.specs {
        let named = [
            ("priority", spec.priority.events().collect::<Vec<_>>()),
            ("before", spec.before.events().collect()),
            ("after", spec.after.events().collect()),
            ("on_error", spec.on_error.events().collect()),
        ];
        for (key, events) in named {
            let unknown = events.into_iter().find(|name| Event::find(name).is_none());
            if let Some(name) = unknown {
                let what = place(spec, key, &format!("there is no event '{name}'"));
                let known = Event::ALL.iter().map(|event| event.name());
                let mend = meant(name, known);
                let mend = mend.unwrap_or_else(|| "tricorn hooks list shows the events".into());
                return Err(config.settings.complain("plugins", what).mend(mend));
            }
        }
    }
    Ok(())
}

/// Names in the settings' `before` and `after` that no handler bears: it may be one that is not
/// always there.
#[must_use]
pub fn unknown_names(config: &Config, bus: &Bus) -> Vec<String> {
    let mut found = Vec::new();
    for spec in &config.plugins.specs {
        for (key, said) in [("before", &spec.before), ("after", &spec.after)] {
            for warning in unknown_in(said, bus) {
                found.push(place(spec, key, &warning));
            }
        }
    }
    found
}

fn unknown_in(said: &PerEvent<Vec<String>>, bus: &Bus) -> Vec<String> {
    let mut found = Vec::new();
    for (event, names) in said.all() {
        let of = event.map_or_else(String::new, |event| format!(" of {event}"));
        let events = || {
            let all = Event::ALL.iter().copied();
            all.filter(move |it| event.is_none_or(|event| it.name() == event))
        };
        let handlers = || {
            events()
                .flat_map(|event| bus.chain(event))
                .map(|slot| &slot.handler)
        };
        let unknown = |name: &&String| !handlers().any(|handler| handler.answers_to(name));
        for name in names.iter().filter(unknown) {
            let known = handlers().flat_map(|handler| handler.names());
            let tip = meant(name, known).unwrap_or_else(|| "tricorn hooks list shows them".into());
            found.push(format!("no handler{of} is called '{name}'; {tip}"));
        }
    }
    found
}

fn place(spec: &PluginSpec, key: &str, what: &str) -> String {
    format!("plugin '{}', key '{key}': {what}", spec.shown)
}

fn meant<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    nearest(name, known).map(|known| format!("is '{known}' meant?"))
}
