//! Collecting Python handlers from their sources, and checking what they take.

use std::sync::Arc;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyModule, PyString, PyTuple};
use tricorn_server::error::{Exit, Failure};
use tricorn_server::hooks::{Event, Handler, Source, Tongue};

use super::callables::{Wanted, find};
use crate::failure::failure;
use crate::handler::ScriptHandler;

/// Where handlers come from.
pub(super) struct Sources<'a, 'py> {
    pub(super) loading: &'a Bound<'py, PyModule>,
    /// The config file, as messages call it.
    pub(super) config_name: &'a str,
    pub(super) config: &'a [(Event, Py<PyAny>)],
    /// What the program that serves has set.
    pub(super) program: &'a [(Event, Py<PyAny>)],
    /// `--hook`: the event and the dotted name.
    pub(super) flags: Vec<(String, String)>,
}

/// A handler before it is checked.
struct Candidate<'py> {
    event: Event,
    object: Bound<'py, PyAny>,
    name: Option<String>,
    source: Source,
    priority: i32,
    before: Vec<String>,
    after: Vec<String>,
}

/// The handlers of all sources, source by source, each in the order it was written in.
pub(super) fn collect(
    py: Python<'_>,
    sources: &Sources<'_, '_>,
    warnings: &mut Vec<String>,
) -> Result<Vec<(Event, Handler)>, Failure> {
    let mut candidates = registered(py, sources.loading)?;
    for (event, given) in sources.config {
        let source = Source::Config(sources.config_name.to_owned());
        for object in one_or_several(given.bind(py)) {
            candidates.push(Candidate::plain(*event, object, source.clone()));
        }
    }
    for (event, given) in sources.program {
        for object in one_or_several(given.bind(py)) {
            candidates.push(Candidate::plain(*event, object, Source::Program));
        }
    }
    for (name, target) in &sources.flags {
        let event = find_event(name, "--hook").map_err(|no| no.exits_with(Exit::Usage))?;
        let object = PyString::new(py, target).into_any();
        candidates.push(Candidate::plain(event, object, Source::CommandLine));
    }
    candidates
        .into_iter()
        .map(|candidate| checked(sources.loading, candidate, warnings))
        .collect()
}

impl<'py> Candidate<'py> {
    fn plain(event: Event, object: Bound<'py, PyAny>, source: Source) -> Self {
        Self {
            event,
            object,
            name: None,
            source,
            priority: 0,
            before: Vec::new(),
            after: Vec::new(),
        }
    }
}

/// Whether an object can be a handler of an event: callables that take its arguments, or names.
pub(super) fn is_likely(object: &Bound<'_, PyAny>, event: Event) -> bool {
    let expected = event.declaration().arguments;
    let takes = |callable: &Bound<'_, PyAny>| {
        let loading = callable
            .py()
            .import(intern!(callable.py(), "tricorn._loading"));
        let arity = loading
            .and_then(|loading| loading.call_method1(intern!(callable.py(), "arity"), (callable,)))
            .and_then(|arity| arity.extract::<Option<usize>>());
        matches!(arity, Ok(arity) if arity.is_none_or(|arity| expected.accepts(arity)))
    };
    let given = one_or_several(object);
    expected.names().is_some()
        && !given.is_empty()
        && given.iter().all(|one| match one.cast::<PyString>() {
            Ok(name) => name.to_string_lossy().contains([':', '.']),
            Err(_) => one.is_callable() && takes(one),
        })
}

fn one_or_several<'py>(given: &Bound<'py, PyAny>) -> Vec<Bound<'py, PyAny>> {
    if given.is_none() {
        Vec::new()
    } else if let Ok(list) = given.cast::<PyList>() {
        list.iter().collect()
    } else if let Ok(tuple) = given.cast::<PyTuple>() {
        tuple.iter().collect()
    } else {
        vec![given.clone()]
    }
}

fn find_event(name: &str, origin: &str) -> Result<Event, Failure> {
    Event::find(name)
        .filter(|event| event.declaration().arguments.names().is_some())
        .ok_or_else(|| {
            Failure::operator(format!("there is no hook '{name}' for Python"))
                .from_origin(origin)
                .mend("see the names in: tricorn hooks list")
        })
}

/// What `@tricorn.hook` has registered: by packages that offer handlers, and by everybody else.
fn registered<'py>(
    py: Python<'py>,
    loading: &Bound<'py, PyModule>,
) -> Result<Vec<Candidate<'py>>, Failure> {
    let wrong = |error: PyErr| failure(py, &error);
    let already = registrations(py).map_err(wrong)?.len();
    let packages = loading
        .call_method0(intern!(py, "load_entry_points"))
        .map_err(wrong)?;
    let packages: Vec<(String, usize)> = packages.extract().map_err(wrong)?;
    registrations(py)
        .map_err(wrong)?
        .iter()
        .enumerate()
        .map(|(index, registration)| {
            let package = packages
                .iter()
                .find(|(_, end)| index >= already && index < *end);
            candidate(&registration, package.map(|(name, _)| name.as_str()))
        })
        .collect()
}

fn candidate<'py>(
    registration: &Bound<'py, PyAny>,
    package: Option<&str>,
) -> Result<Candidate<'py>, Failure> {
    let py = registration.py();
    let read = || -> PyResult<(String, Candidate<'py>)> {
        let module: String = registration.getattr(intern!(py, "module"))?.extract()?;
        let event: String = registration.getattr(intern!(py, "event"))?.extract()?;
        let source = match package {
            Some(name) => Source::Package(name.to_owned()),
            None => Source::Decorated(module),
        };
        let candidate = Candidate {
            event: Event::OnStarting,
            object: registration.getattr(intern!(py, "handler"))?,
            name: registration.getattr(intern!(py, "name"))?.extract()?,
            source,
            priority: registration.getattr(intern!(py, "priority"))?.extract()?,
            before: registration.getattr(intern!(py, "before"))?.extract()?,
            after: registration.getattr(intern!(py, "after"))?.extract()?,
        };
        Ok((event, candidate))
    };
    let (event, candidate) = read().map_err(|error| failure(py, &error))?;
    let event = find_event(&event, &candidate.source.to_string())?;
    Ok(Candidate { event, ..candidate })
}

fn registrations(py: Python<'_>) -> PyResult<Bound<'_, PyList>> {
    let list = py
        .import(intern!(py, "tricorn.hooks"))?
        .getattr(intern!(py, "registrations"))?;
    Ok(list.cast_into::<PyList>()?)
}

/// Forgets what modules have registered that are about to run again.
pub(super) fn forget_registrations(py: Python<'_>, modules: &[&str]) {
    let forget = || -> PyResult<()> {
        let list = registrations(py)?;
        let kept = PyList::empty(py);
        for registration in list.iter() {
            let module: String = registration.getattr(intern!(py, "module"))?.extract()?;
            if !modules.contains(&module.as_str()) {
                kept.append(registration)?;
            }
        }
        list.set_slice(0, list.len(), kept.as_any())
    };
    if let Err(error) = forget() {
        log::warn!("the registered handlers cannot be sorted out: {error}");
    }
}

/// Imports a dotted name, and checks that the handler takes what the event gives.
fn checked(
    loading: &Bound<'_, PyModule>,
    candidate: Candidate<'_>,
    warnings: &mut Vec<String>,
) -> Result<(Event, Handler), Failure> {
    let Candidate {
        event,
        object,
        name,
        source,
        priority,
        before,
        after,
    } = candidate;
    let expected = event.declaration().arguments;
    let wanted = Wanted {
        title: format!("hook '{}'", event.name()),
        origin: source.to_string(),
        names: expected.names().unwrap_or_default(),
        accepts: &|count| expected.accepts(count),
    };
    let found = find(loading, object, &wanted).map_err(|refusal| match source {
        Source::CommandLine => refusal.exits_with(Exit::Usage),
        _ => refusal,
    })?;
    if found.is_async {
        let what = format!("{} is async, and nobody awaits it", found.described);
        warnings.push(format!(
            "{}: {what}: it does nothing (from {}); make a plain function of it",
            wanted.title, wanted.origin
        ));
    }
    let handler = Handler {
        name: name.unwrap_or(found.described),
        source,
        tongue: Tongue::Script,
        priority,
        before,
        after,
        goes_on: None,
        call: Arc::new(ScriptHandler::new(
            event,
            found.arity,
            found.callable.unbind(),
        )),
    };
    Ok((event, handler))
}
