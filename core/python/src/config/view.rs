//! The `cfg` object that handlers see.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use tricorn_server::config::{Config, declared};
use tricorn_server::hooks::Event;

use super::value::to_python;

/// Makes a `Config` object of a configuration.
pub(super) fn config_object(
    py: Python<'_>,
    config: &Config,
    hooks: &[(Event, Py<PyAny>)],
) -> PyResult<Py<PyAny>> {
    let objects = py.import(intern!(py, "tricorn._config"))?;
    let settings = PyList::empty(py);
    for setting in declared::all() {
        let value = to_python(py, config.settings.value(setting.name))?;
        let default = to_python(py, &setting.default_value(|_| None))?;
        settings.append((setting.name, value, default, setting.section.title()))?;
    }
    let hooks = hook_callables(py, &objects, hooks)?;
    let resolved = resolved(py, config)?;
    Ok(objects
        .getattr(intern!(py, "Config"))?
        .call1((settings, hooks, resolved))?
        .unbind())
}

/// Every hook is callable on `cfg`, whatever was configured.
fn hook_callables<'py>(
    py: Python<'py>,
    objects: &Bound<'py, PyModule>,
    given: &[(Event, Py<PyAny>)],
) -> PyResult<Bound<'py, PyDict>> {
    let callables = PyDict::new(py);
    for event in Event::ALL
        .iter()
        .filter(|event| event.declaration().arguments.names().is_some())
    {
        let configured = given.iter().rev().find(|(other, _)| other == event);
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
    resolved.set_item("worker_class_str", config.worker_class.name())?;
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
