//! The worker class, where it is one of the operator's own.

use pyo3::intern;
use pyo3::prelude::*;
use tricorn_server::config::{Config, WorkerClass};
use tricorn_server::error::Failure;

use super::value::to_python;
use crate::failure::setting_failure;

/// Finds the class that `worker_class` names or is, and which loop its workers have.
pub(super) fn settle(
    py: Python<'_>,
    config: &mut Config,
    warnings: &mut Vec<String>,
) -> Result<(), Failure> {
    if config.worker_class != WorkerClass::Own {
        return Ok(());
    }
    let find = || -> PyResult<(String, Option<String>, Vec<String>)> {
        let given = to_python(py, config.settings.value("worker_class"))?;
        py.import(intern!(py, "tricorn._classes"))?
            .call_method1(intern!(py, "examine_worker_class"), (given,))?
            .extract()
    };
    let (name, own_loop, unheard) =
        find().map_err(|error| setting_failure(py, &config.settings, &error))?;
    config.worker_class = match own_loop.as_deref() {
        Some("sync") => WorkerClass::Sync,
        Some("gthread") => WorkerClass::Gthread,
        _ => WorkerClass::Own,
    };
    if config.worker_class == WorkerClass::Sync {
        config.threads = 1;
    }
    if !unheard.is_empty() {
        warnings.push(format!(
            "worker_class {name}: its {} is not called: the server's own loop serves",
            unheard.join(", ")
        ));
    }
    config.worker_name = name;
    Ok(())
}
