//! Programs that serve: applications in Python that set their own settings.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use tricorn_server::config::cli::{self, CommandLine, Verb};
use tricorn_server::config::{Config, Source, declared};
use tricorn_server::error::Failure;
use tricorn_server::hooks::Event;

use super::source::{Given, Loaded, Read, load, prepare, read, settings, settle};
use super::value::{setting_value, to_value};
use super::view;
use crate::entry::print;
use crate::failure::{exit_code, failure, summary};

/// What a configuration is read for.
pub(crate) enum Wanted {
    /// The command, with these arguments.
    Command(CommandLine),
    /// An object of a class derived from `BaseApplication`.
    Program(Py<PyAny>),
}

impl Wanted {
    /// What is to be done.
    pub(crate) fn verb(&self) -> Verb {
        self.line().map_or(Verb::Serve, |line| line.verb.clone())
    }

    /// The command line, if the command was run.
    pub(crate) fn line(&self) -> Option<&CommandLine> {
        match self {
            Self::Command(line) => Some(line),
            Self::Program(_) => None,
        }
    }

    /// The program, if it is one.
    pub(crate) fn program<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        match self {
            Self::Command(_) => None,
            Self::Program(program) => Some(program.bind(py).clone()),
        }
    }

    /// Reads the configuration for the first time. A program has read its own.
    pub(crate) fn load(&self, py: Python<'_>) -> Result<Loaded, Failure> {
        match self {
            Self::Command(line) => load(py, line),
            Self::Program(program) => {
                prepare(py)?;
                settle_program(program.bind(py))
            }
        }
    }

    /// Reads it anew. If that fails, nothing has changed.
    pub(crate) fn load_again(&self, py: Python<'_>) -> Result<Loaded, Failure> {
        let Self::Program(program) = self else {
            return self.load(py);
        };
        let program = program.bind(py);
        let former = program.getattr(intern!(py, "cfg")).ok();
        let loaded = program
            .call_method0(intern!(py, "reload"))
            .map_err(|error| explained(py, &error))
            .and_then(|_| settle_program(program));
        if loaded.is_err()
            && let Some(former) = former
            && let Err(error) = program.setattr(intern!(py, "cfg"), former)
        {
            log::error!("the program has lost its configuration: {error}");
        }
        loaded
    }
}

fn settle_program(program: &Bound<'_, PyAny>) -> Result<Loaded, Failure> {
    let py = program.py();
    let wrong = |error: PyErr| failure(py, &error);
    let cfg = program.getattr(intern!(py, "cfg")).map_err(wrong)?;
    let given = given(&cfg).map_err(wrong)?;
    let reading = program.getattr(intern!(py, "_reading")).ok();
    let reading = reading.and_then(|reading| reading.cast_into::<Reading>().ok());
    let loaded = match &reading {
        Some(reading) => settle(py, &reading.get().0, &given)?,
        None => settle(py, &Read::unread(py)?, &given)?,
    };
    loaded
        .cfg
        .bind(py)
        .call_method1(intern!(py, "_inherit"), (cfg,))
        .and_then(|_| program.setattr(intern!(py, "cfg"), &loaded.cfg))
        .map_err(wrong)?;
    Ok(loaded)
}

/// What was set on a `Config` object.
fn given(cfg: &Bound<'_, PyAny>) -> PyResult<Given> {
    let mut given = Given::default();
    let set = cfg.getattr(intern!(cfg.py(), "_given"))?;
    for (name, object) in set.cast_into::<PyDict>()?.iter() {
        let name: String = name.extract()?;
        if let Some(event) = Event::find(&name).filter(|_| declared::find(&name).is_none()) {
            given.hooks.push((event, object.unbind()));
        } else {
            given.values.push((name, to_value(&object)));
        }
    }
    given.class = Some(cfg.get_type().into_any().unbind());
    Ok(given)
}

/// What a command line, the variables and the config file say, for a program that reads them.
#[pyclass(frozen, module = "tricorn._native")]
pub(crate) struct Reading(Read);

#[pymethods]
impl Reading {
    /// The configuration that they come to.
    #[getter]
    fn cfg(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let config = settings(&self.0, &Given::default())
            .and_then(Config::from_settings)
            .map_err(|failure| wrong_value(py, &failure))?;
        view::config_object(py, &config, &[&self.0.hooks_beside(py, &[])])
    }

    /// The names that the config file left, and which of them are hooks.
    #[getter]
    fn left(&self, py: Python<'_>) -> (Py<PyDict>, Vec<&'static str>) {
        self.0.left(py)
    }
}

/// Reads arguments, variables and the config file, over defaults that are better than the server's.
/// `take` gets the words of each variable, and returns those that are left for the server.
/// A code to exit with where the arguments have been answered already.
#[pyfunction(name = "read")]
#[pyo3(signature = (arguments, better, take, /))]
pub(crate) fn read_for_program<'py>(
    py: Python<'py>,
    arguments: Vec<String>,
    better: &Bound<'py, PyDict>,
    take: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let line = match cli::parse(&arguments, Source::CommandLine) {
        Ok(line) => line,
        Err(answer) => return Ok(print(&answer).into_pyobject(py)?.into_any()),
    };
    let take = |words: Vec<String>| take.call1((words,))?.extract();
    let mut read = read(py, &line, &take).map_err(|failure| wrong_value(py, &failure))?;
    for (name, value) in better.iter() {
        let name: String = name.extract()?;
        let value = setting_value(&name, &value);
        read.better.push((name, value));
    }
    Ok(Bound::new(py, Reading(read))?.into_any())
}

/// The parts of a `Config` object with every setting at its default.
#[pyfunction]
pub(crate) fn default_settings(py: Python<'_>) -> PyResult<view::Parts<'_>> {
    prepare(py).map_err(|failure| wrong_value(py, &failure))?;
    let config = Read::unread(py)
        .and_then(|read| settings(&read, &Given::default()))
        .and_then(Config::from_settings)
        .map_err(|failure| wrong_value(py, &failure))?;
    view::parts(py, &config, &[])
}

/// One line for what keeps a program from serving.
#[pyfunction]
#[pyo3(signature = (error, /))]
pub(crate) fn explain(py: Python<'_>, error: Bound<'_, PyAny>) -> String {
    explained(py, &PyErr::from_value(error)).to_string()
}

fn explained(py: Python<'_>, error: &PyErr) -> Failure {
    match exit_code(py, error) {
        Some(code) => Failure::operator(format!("the program exits with {code}")),
        None if crate::failure::is_instance(py, error, "Mistake") => failure(py, error),
        None => Failure::operator(summary(py, error)),
    }
}

/// The exception that code of the operator's sees where a setting does not take a value.
pub(super) fn wrong_value(py: Python<'_>, failure: &Failure) -> PyErr {
    let made = py
        .import(intern!(py, "tricorn._loading"))
        .and_then(|loading| loading.getattr(intern!(py, "WrongValue")))
        .and_then(|class| class.call1((failure.to_string(),)));
    made.map_or_else(|error| error, PyErr::from_value)
}
