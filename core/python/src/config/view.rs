//! The `cfg` object that handlers see.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use tricorn_server::config::{Config, Kind, declared};
use tricorn_server::hooks::Event;

use super::source::Hook;
use super::value::to_python;

/// Makes a `Config` object of a configuration.
pub(super) fn config_object(
    py: Python<'_>,
    config: &Config,
    hooks: &[&[Hook]],
) -> PyResult<Py<PyAny>> {
    let class = py
        .import(intern!(py, "tricorn.config"))?
        .getattr(intern!(py, "Config"))?;
    let made = class.call_method1(intern!(py, "_of"), parts(py, config, hooks)?)?;
    Ok(made.unbind())
}

/// What a `Config` object is made of: rows of settings, hooks by name, and attributes by name.
pub(super) type Parts<'py> = (Bound<'py, PyList>, Bound<'py, PyDict>, Bound<'py, PyDict>);

/// The parts of a `Config` object.
pub(super) fn parts<'py>(
    py: Python<'py>,
    config: &Config,
    hooks: &[&[Hook]],
) -> PyResult<Parts<'py>> {
    let objects = py.import(intern!(py, "tricorn.config"))?;
    let settings = PyList::empty(py);
    for setting in declared::all() {
        let mut value = to_python(py, config.settings.value(setting.name))?;
        if matches!(setting.kind, Kind::Callable(_)) {
            value = objects.call_method1(intern!(py, "hook_callable"), (setting.name, value))?;
        }
        let default = to_python(py, &setting.default_value(|_| None))?;
        let flags = PyTuple::new(py, setting.flags)?;
        let option = (flags, action(setting.kind), setting.metavar, setting.help);
        settings.append((
            setting.name,
            value,
            default,
            setting.section.title(),
            option,
        ))?;
    }
    let hooks = hook_callables(py, &objects, hooks)?;
    Ok((settings, hooks, resolved(py, config)?))
}

/// What a flag does, in the words of argparse.
fn action(kind: Kind) -> &'static str {
    match kind {
        Kind::Bool => "store_true",
        Kind::Off => "store_false",
        Kind::List | Kind::Files | Kind::Plugins => "append",
        Kind::Switch(_) => "switch",
        Kind::Count => "count",
        _ => "store",
    }
}

/// Every hook is callable on `cfg`, whatever was configured.
fn hook_callables<'py>(
    py: Python<'py>,
    objects: &Bound<'py, PyModule>,
    given: &[&[Hook]],
) -> PyResult<Bound<'py, PyDict>> {
    let callables = PyDict::new(py);
    for event in Event::ALL
        .iter()
        .filter(|event| event.declaration().arguments.names().is_some())
    {
        let configured = given
            .iter()
            .flat_map(|hooks| hooks.iter())
            .rev()
            .find(|(other, _)| other == event);
        let configured = configured.map_or_else(|| py.None(), |(_, object)| object.clone_ref(py));
        let callable =
            objects.call_method1(intern!(py, "hook_callable"), (event.name(), configured))?;
        callables.set_item(event.name(), callable)?;
    }
    Ok(callables)
}

/// Attributes whose value is not that of the setting as it was given.
fn resolved<'py>(py: Python<'py>, config: &Config) -> PyResult<Bound<'py, PyDict>> {
    let resolved = PyDict::new(py);
    resolved.set_item("proc_name", &config.proc_name)?;
    let user = config
        .user
        .unwrap_or_else(|| nix::unistd::geteuid().as_raw());
    let group = config
        .group
        .unwrap_or_else(|| nix::unistd::getegid().as_raw());
    for (names, id) in [(["user", "uid"], user), (["group", "gid"], group)] {
        names
            .iter()
            .try_for_each(|name| resolved.set_item(name, id))?;
    }
    Ok(resolved)
}
