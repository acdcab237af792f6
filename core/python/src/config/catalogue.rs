//! What the server knows of its settings and events, for Python code that explains them. Nothing
//! here is put in force.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyList;
use tricorn_server::config::{Config, Layer, Reach, Settings, Source, cli, declared, shown};
use tricorn_server::hooks::{Event, Process};
use tricorn_server::secrets;

use super::value::{setting_value, to_python, to_value};

/// More positional parameters than any event gives.
const MOST: usize = 8;

/// Every setting: name, default, help, flags, how far it reaches and why, whether it is ours.
#[pyfunction]
pub(crate) fn known_settings(py: Python<'_>) -> PyResult<Bound<'_, PyList>> {
    let rows = PyList::empty(py);
    for setting in declared::all() {
        let default = to_python(py, &setting.default_value(|_| None))?;
        let (reach, why) = match setting.reach {
            Reach::Full => ("full", ""),
            Reach::Inert(why) => ("inert", why),
            Reach::Later(why) => ("later", why),
            Reach::Refused(why) => ("refused", why),
        };
        let flags = setting.flags.to_vec();
        rows.append((
            setting.name,
            default,
            setting.help,
            flags,
            reach,
            why,
            setting.ours,
        ))?;
    }
    Ok(rows)
}

/// A setting's value, or what stands under another name, without what may be a secret in it.
#[pyfunction]
#[pyo3(signature = (name, value, /))]
pub(crate) fn without_secrets<'py>(
    name: &str,
    value: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    to_python(value.py(), &shown(name, &to_value(value)))
}

/// A text without what looks like a secret.
#[pyfunction]
#[pyo3(signature = (text, /))]
pub(crate) fn text_without_secrets(text: &str) -> String {
    secrets::without_secrets(text)
}

/// Every event that Python can handle: name, arguments, how many of them a handler may take, where
/// and when it fires, what a failing handler leads to, whether gunicorn has it.
#[pyfunction]
pub(crate) fn known_events(py: Python<'_>) -> PyResult<Bound<'_, PyList>> {
    let rows = PyList::empty(py);
    for event in Event::ALL {
        let declaration = event.declaration();
        let Some(names) = declaration.arguments.names() else {
            continue;
        };
        let accepts = |count: &usize| declaration.arguments.accepts(*count);
        let place = match declaration.process {
            Process::Arbiter => "the arbiter",
            Process::Worker => "a worker",
            Process::ForkedChild => "the child that becomes the next arbiter",
            Process::Both => "the arbiter and each worker",
        };
        rows.append((
            event.name(),
            names.to_vec(),
            (0..MOST).filter(accepts).collect::<Vec<_>>(),
            place,
            declaration.fires,
            declaration.on_failure.describe(),
            event.is_gunicorns(),
        ))?;
    }
    Ok(rows)
}

/// The setting whose name is nearly this one.
#[pyfunction]
#[pyo3(signature = (name, /))]
pub(crate) fn nearly_a_setting(name: &str) -> Option<&'static str> {
    tricorn_server::config::nearly_a_setting(name)
}

type Arguments<'py> = (
    Option<String>,
    Vec<(String, Bound<'py, PyAny>)>,
    Vec<(String, String)>,
);

/// What a command line says: the application, settings, and handlers of `--hook`.
#[pyfunction]
#[pyo3(signature = (words, /))]
pub(crate) fn read_arguments(py: Python<'_>, words: Vec<String>) -> PyResult<Arguments<'_>> {
    let line = cli::parse(&words, Source::CommandLine).map_err(|answer| {
        let first = answer.text.lines().next().unwrap_or_default();
        PyValueError::new_err(first.trim_start_matches("error: ").to_owned())
    })?;
    let values = line.layer.values.into_iter();
    let values = values.map(|(name, value)| Ok((name, to_python(py, &value)?)));
    Ok((line.app, values.collect::<PyResult<_>>()?, line.hooks))
}

/// Whether these values can be in force together: why they cannot, and one line for each that is
/// not honoured yet.
#[pyfunction]
#[pyo3(signature = (values, origin, /))]
pub(crate) fn judge_settings(
    values: Vec<(String, Bound<'_, PyAny>)>,
    origin: &str,
) -> (Option<String>, Vec<String>) {
    let values = values.iter();
    let layer = Layer {
        source: Source::File(origin.into()),
        values: values
            .map(|(name, value)| (name.clone(), setting_value(name, value)))
            .collect(),
    };
    let settings = match Settings::resolve(&[layer], |_| None) {
        Ok(settings) => settings,
        Err(failure) => return (Some(failure.to_string()), Vec::new()),
    };
    let unhonoured = settings.unhonoured().collect();
    let refusal = Config::from_settings(settings).err();
    (refusal.map(|failure| failure.to_string()), unhonoured)
}
