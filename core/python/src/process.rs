//! The process: its title, its directory, its variables.

use std::ffi::CString;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::sys::prctl::{get_name, set_name};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyAnyMethods, PyList};
use tricorn_server::config::{Config, Value, from_start};

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

/// Calls with a name of this thread that has no spaces, as far as the kernel lists it. From 3.12 on the
/// interpreter counts the process's threads when it forks, in a line of the kernel's that it takes
/// apart at the spaces: with one in the name it would read how nice the process is.
pub(crate) fn with_simple_name<T>(call: impl FnOnce() -> T) -> T {
    let name = get_name().unwrap_or_default();
    let simple: Vec<u8> = name
        .to_bytes()
        .iter()
        .map(|&byte| if byte == b' ' { b'-' } else { byte })
        .collect();
    let is_simple = simple == name.to_bytes();
    // A name that cannot be set does no harm but that.
    if let (false, Ok(simple)) = (is_simple, CString::new(simple)) {
        let _ = set_name(&simple);
    }
    let result = call();
    if !is_simple {
        let _ = set_name(&name);
    }
    result
}

/// Variables that an earlier configuration has set, and what they were before.
static REPLACED: Mutex<Vec<(String, Option<String>)>> = Mutex::new(Vec::new());

/// Sets the variables of `raw_env` in `os.environ` (one set from Rust would not be seen there), in
/// place of those that an earlier configuration has set.
pub(crate) fn set_variables(py: Python<'_>, config: &Config) -> PyResult<()> {
    let environ = environ(py)?;
    let replaced = std::mem::take(&mut *lock_replaced());
    for (name, before) in replaced.into_iter().rev() {
        match before {
            Some(value) => environ.set_item(name, value)?,
            None => unset_variable(py, &name)?,
        }
    }
    for (name, value) in &config.env {
        let before = environ
            .call_method1(intern!(py, "get"), (name,))?
            .extract()?;
        lock_replaced().push((name.clone(), before));
        environ.set_item(name, value)?;
    }
    Ok(())
}

fn lock_replaced() -> MutexGuard<'static, Vec<(String, Option<String>)>> {
    REPLACED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn environ(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    py.import(intern!(py, "os"))?
        .getattr(intern!(py, "environ"))
}

/// Sets a variable in `os.environ`.
pub(crate) fn set_variable(py: Python<'_>, name: &str, value: &str) -> PyResult<()> {
    environ(py)?.set_item(name, value)
}

/// Removes a variable from `os.environ`, and so from the process's environment.
pub(crate) fn unset_variable(py: Python<'_>, name: &str) -> PyResult<()> {
    environ(py)?
        .call_method1(intern!(py, "pop"), (name, py.None()))
        .map(drop)
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
            put_first(&path, &from_start(directory).display().to_string())?;
        }
    }
    Ok(())
}

/// Puts a directory first among those that modules are found in, unless it is one of them.
pub(crate) fn put_first(path: &Bound<'_, PyList>, directory: &str) -> PyResult<()> {
    if path.contains(directory)? {
        Ok(())
    } else {
        path.insert(0, directory)
    }
}
