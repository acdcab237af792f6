//! Python's exceptions as the server's failures.

use std::sync::Arc;

use pyo3::exceptions::{PyKeyboardInterrupt, PySystemExit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyInt;
use tricorn_server::config::Settings;
use tricorn_server::error::{Blame, Exit, Failure};
use tricorn_server::hooks::HandlerError;
use tricorn_server::log::Thrown;

/// One line for an exception: its type and its message.
pub(crate) fn summary(py: Python<'_>, error: &PyErr) -> String {
    let value = error.value(py);
    let name = value
        .get_type()
        .name()
        .map_or_else(|_| "exception".to_owned(), |name| name.to_string());
    match value.str() {
        Ok(text) if text.to_string_lossy().is_empty() => name,
        Ok(text) => format!("{name}: {}", text.to_string_lossy()),
        Err(_) => name,
    }
}

/// The whole traceback, as Python prints it.
pub(crate) fn trace(py: Python<'_>, error: &PyErr) -> String {
    let arguments = (error.get_type(py), error.value(py), error.traceback(py));
    let formatted = py
        .import(intern!(py, "traceback"))
        .and_then(|module| module.call_method1(intern!(py, "format_exception"), arguments))
        .and_then(|lines| lines.extract::<Vec<String>>());
    formatted.map_or_else(
        |_| summary(py, error),
        |lines| lines.concat().trim_end().to_owned(),
    )
}

/// The exception, for a logger in Python.
pub(crate) fn thrown(py: Python<'_>, error: &PyErr) -> Thrown {
    // What reports exceptions may have been set up just now.
    let looked = py
        .import(intern!(py, "tricorn._handlers"))
        .and_then(|module| module.call_method0(intern!(py, "look")));
    if let Err(problem) = looked {
        log::debug!(
            "nobody knows who hears the loggers: {}",
            summary(py, &problem)
        );
    }
    Thrown(Arc::new(error.clone_ref(py)))
}

/// A handler's exception.
pub(crate) fn handler_error(py: Python<'_>, error: &PyErr) -> HandlerError {
    HandlerError {
        summary: summary(py, error),
        raised: Some((thrown(py, error), trace(py, error))),
        is_known: false,
    }
}

/// The code of a `SystemExit`, as the interpreter would exit with it; `None` for anything else.
pub(crate) fn exit_code(py: Python<'_>, error: &PyErr) -> Option<i32> {
    if !error.is_instance_of::<PySystemExit>(py) {
        return None;
    }
    let code = error.value(py).getattr(intern!(py, "code")).ok()?;
    if code.is_none() {
        Some(0)
    } else {
        Some(code.extract().unwrap_or(1))
    }
}

/// Why somebody wants the process to exit, in one line: the reason of a `HaltServer`, or the text in
/// a `SystemExit`.
pub(crate) fn exit_reason(py: Python<'_>, error: &PyErr) -> Option<String> {
    let value = error.value(py);
    let reason = value.getattr(intern!(py, "reason"));
    let reason = reason
        .or_else(|_| value.getattr(intern!(py, "code")))
        .ok()?;
    if reason.is_none() || reason.is_instance_of::<PyInt>() {
        return None;
    }
    let text = reason.str().ok()?.to_string_lossy().into_owned();
    let words: Vec<_> = text.split_whitespace().collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// A mistake of the operator's, or whatever else went wrong while it was looked for.
pub(crate) fn failure(py: Python<'_>, error: &PyErr) -> Failure {
    let value = error.value(py);
    let text = |name: &str| {
        value
            .getattr(name)
            .ok()
            .and_then(|text| text.extract::<String>().ok())
    };
    let is_mistake = is_instance(py, error, "Mistake");
    match (is_mistake, text("what"), text("mend")) {
        (true, Some(what), Some(mend)) => {
            let title = text("setting").map(|name| format!("setting '{name}': "));
            let failure = Failure::operator(title.unwrap_or_default() + &what);
            let failure = if mend.is_empty() {
                failure
            } else {
                failure.mend(mend)
            };
            let not_found = is_instance(py, error, "AppNotFound");
            if not_found {
                failure.exits_with(Exit::AppNotFound)
            } else {
                failure
            }
        }
        _ if error.is_instance_of::<PyKeyboardInterrupt>(py) => {
            Failure::operator("interrupted").exits_with(Exit::Asked(INTERRUPTED))
        }
        _ => match exit_code(py, error) {
            Some(code) => {
                Failure::operator(format!("the configuration asks for {}", summary(py, error)))
                    .exits_with(Exit::Asked(code))
            }
            None => Failure::new(Blame::Us, summary(py, error)),
        },
    }
}

/// A mistake in a setting's value, with the value's source.
pub(crate) fn setting_failure(py: Python<'_>, settings: &Settings, error: &PyErr) -> Failure {
    let failure = failure(py, error);
    let setting = error.value(py).getattr(intern!(py, "setting"));
    match setting.and_then(|name| name.extract::<String>()) {
        Ok(name) => {
            let source = settings.source(&name);
            let failure = failure.from_origin(source.to_string());
            failure.exits_with(source.exit())
        }
        Err(_) => failure,
    }
}

/// The code of a process that INT has ended, as shells have it.
const INTERRUPTED: i32 = 130;

/// Whether the exception is of a class in `tricorn._loading`.
pub(crate) fn is_instance(py: Python<'_>, error: &PyErr, class: &str) -> bool {
    py.import(intern!(py, "tricorn._loading"))
        .and_then(|module| module.getattr(class))
        .is_ok_and(|class| error.value(py).is_instance(&class).unwrap_or(false))
}
