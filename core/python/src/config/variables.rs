//! The variables of the environment: arguments, and what defaults depend on.

use std::sync::OnceLock;

use pyo3::intern;
use pyo3::prelude::*;
use tricorn_server::config::cli::{self, CommandLine};
use tricorn_server::config::{Setting, Source, declared};
use tricorn_server::error::Failure;

use super::source::Take;
use crate::failure::failure;

/// Variables that hold arguments; the later wins.
const VARIABLES: [&str; 2] = ["GUNICORN_CMD_ARGS", "TRICORN_CMD_ARGS"];

pub(super) fn variables(py: Python<'_>, take: &Take<'_>) -> Result<Vec<CommandLine>, Failure> {
    let read = |name: &'static str, text: String| {
        let words = take(cli::split_variable(name, &text)?).map_err(|error| {
            let source = Source::Environment(name);
            failure(py, &error).from_origin(source.to_string())
        })?;
        cli::parse_variable(name, &words)
    };
    VARIABLES
        .iter()
        .filter_map(|name| variable(py, name).map(|text| read(name, text)))
        .collect()
}

/// The variables that defaults depend on, as they were before the first config file ran.
static REMEMBERED: OnceLock<Vec<(&str, String)>> = OnceLock::new();

pub(super) fn remember_environment(py: Python<'_>) {
    REMEMBERED.get_or_init(|| {
        let names = declared::all().filter_map(Setting::variable);
        names
            .filter_map(|name| variable(py, name).map(|value| (name, value)))
            .collect()
    });
}

pub(super) fn remembered(name: &str) -> Option<String> {
    let mut variables = REMEMBERED.get()?.iter();
    variables
        .find(|(other, _)| *other == name)
        .map(|(_, value)| value.clone())
}

/// A variable as Python sees it.
fn variable(py: Python<'_>, name: &str) -> Option<String> {
    let environ = py
        .import(intern!(py, "os"))
        .and_then(|os| os.getattr(intern!(py, "environ")))
        .ok()?;
    environ
        .call_method1(intern!(py, "get"), (name,))
        .ok()?
        .extract()
        .ok()
}
