//! The process: its title, its directory, its variables.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyAnyMethods, PyList};
use tricorn_server::config::{Config, Value};

/// Sets the title that the process is listed with.
pub(crate) fn set_title(title: &str) {
    Python::attach(|py| {
        let set = py
            .import(intern!(py, "setproctitle"))
            .and_then(|module| module.call_method1(intern!(py, "setproctitle"), (title,)));
        if let Err(error) = set {
            log::debug!("the process has no title: {error}");
        }
    });
}

/// Sets the variables of `raw_env` in `os.environ`: one set from Rust would not be seen there.
pub(crate) fn set_variables(py: Python<'_>, config: &Config) -> PyResult<()> {
    for (name, value) in &config.env {
        set_variable(py, name, value)?;
    }
    Ok(())
}

/// Sets a variable in `os.environ`.
pub(crate) fn set_variable(py: Python<'_>, name: &str, value: &str) -> PyResult<()> {
    py.import(intern!(py, "os"))?
        .getattr(intern!(py, "environ"))?
        .set_item(name, value)
}

/// Changes to `chdir`, and puts it and `pythonpath` first among the places to import from.
pub(crate) fn set_paths(py: Python<'_>, config: &Config) -> PyResult<()> {
    let path = py
        .import(intern!(py, "sys"))?
        .getattr(intern!(py, "path"))?
        .cast_into::<PyList>()?;
    if let Value::Str(directory) = config.settings.value("chdir") {
        py.import(intern!(py, "os"))?
            .call_method1(intern!(py, "chdir"), (directory,))?;
        put_first(&path, directory)?;
    }
    if let Value::Str(directories) = config.settings.value("pythonpath") {
        for directory in directories
            .split(',')
            .map(str::trim)
            .filter(|directory| !directory.is_empty())
        {
            let absolute = std::path::absolute(directory)
                .map_or_else(|_| directory.into(), |p| p.display().to_string());
            put_first(&path, &absolute)?;
        }
    }
    Ok(())
}

fn put_first(path: &Bound<'_, PyList>, directory: &str) -> PyResult<()> {
    if path.contains(directory)? {
        Ok(())
    } else {
        path.insert(0, directory)
    }
}
