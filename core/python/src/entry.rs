//! The command line's way to a running server.

use std::io::Write;
use std::sync::Arc;

use pyo3::intern;
use pyo3::prelude::*;
use tricorn_server::arbiter::Host;
use tricorn_server::config::cli::{self, Answer, CommandLine, Verb};
use tricorn_server::config::{Source, Value};
use tricorn_server::error::{Blame, Exit, Failure};
use tricorn_server::run;

use crate::config::{Loaded, load};
use crate::host::{InForce, PyHost, application_failure};
use crate::objects::{ArbiterControl, Wishes};
use crate::process;
use crate::runtime::PyRuntime;
use crate::scene::set_scene;

/// Does what a command line asks for; the code to exit with.
#[pyfunction]
#[pyo3(signature = (arguments, /))]
pub(crate) fn main(py: Python<'_>, arguments: Vec<String>) -> i32 {
    let line = match cli::parse(&arguments, Source::CommandLine) {
        Ok(line) => line,
        Err(answer) => return print(&answer),
    };
    match act(py, line) {
        Ok(code) => code,
        Err(failure) => {
            say(true, &format!("Error: {failure}\n"));
            failure.exit().code()
        }
    }
}

fn print(answer: &Answer) -> i32 {
    say(answer.is_error, &answer.text);
    answer.exit.code()
}

/// Prints. Where nobody listens any more, there is nobody to tell.
fn say(is_error: bool, text: &str) {
    let _ = if is_error {
        std::io::stderr().write_all(text.as_bytes())
    } else {
        std::io::stdout().write_all(text.as_bytes())
    };
}

fn act(py: Python<'_>, line: CommandLine) -> Result<i32, Failure> {
    let loaded = load(py, &line)?;
    let config = Arc::clone(&loaded.generation.config);
    for warning in &loaded.warnings {
        say(true, &format!("Warning: {warning}\n"));
    }
    if line.verb == Verb::ListHooks {
        say(false, &loaded.generation.bus.describe());
        return Ok(Exit::Ok.code());
    }
    let wants = |name: &str| config.settings.value(name) == &Value::Bool(true);
    if wants("print_config") {
        say(false, &config.settings.print());
        say(false, &loaded.generation.bus.print());
    }
    if loaded.uri.is_none() {
        let none = Failure::operator("no application is named");
        let mend = "give MODULE:NAME, or set wsgi_app in the config file; see tricorn --help";
        return Err(none.mend(mend).exits_with(Exit::Usage));
    }
    run::check(&config)?;
    process::set_variables(py, &config)
        .and_then(|()| process::set_paths(py, &config))
        .map_err(|error| us(&error))?;
    let (check_only, wishes) = (
        wants("check_config") || wants("print_config"),
        Arc::new(wishes()?),
    );
    let app = make_application(py, &loaded).map_err(|error| us(&error))?;
    if check_only {
        let checked = app.call_method0(intern!(py, "wsgi"));
        return checked
            .map(|_| Exit::Ok.code())
            .map_err(|error| application_failure(py, &error, Exit::Startup));
    }
    make_server(py, &app, &wishes).map_err(|error| us(&error))?;
    let in_force = Arc::new(InForce::new(loaded.generation));
    let host = PyHost::new(line, wishes, Arc::clone(&in_force), loaded.cfg);
    serve(py, &host, &in_force)
}

fn serve(py: Python<'_>, host: &PyHost, in_force: &Arc<InForce>) -> Result<i32, Failure> {
    let runtime = PyRuntime::new(Arc::clone(in_force));
    let host: &(dyn Host + Sync) = host;
    py.detach(|| run::serve(in_force.generation(), host, &runtime))
}

fn wishes() -> Result<Wishes, Failure> {
    Wishes::new().map_err(|error| {
        Failure::new(
            Blame::Environment,
            format!("cannot make a pipe: {}", error.desc()),
        )
    })
}

fn us(error: &PyErr) -> Failure {
    Failure::new(
        Blame::Us,
        format!("the server cannot be put together: {error}"),
    )
}

fn make_application<'py>(py: Python<'py>, loaded: &Loaded) -> PyResult<Bound<'py, PyAny>> {
    let objects = py.import(intern!(py, "tricorn._objects"))?;
    let logger = objects
        .getattr(intern!(py, "Logger"))?
        .call1((&loaded.cfg,))?;
    objects
        .getattr(intern!(py, "Application"))?
        .call1((&loaded.cfg, logger, &loaded.uri))
}

fn make_server(py: Python<'_>, app: &Bound<'_, PyAny>, wishes: &Arc<Wishes>) -> PyResult<()> {
    let control = ArbiterControl::new(Arc::clone(wishes));
    let class = py
        .import(intern!(py, "tricorn._objects"))?
        .getattr(intern!(py, "Arbiter"))?;
    let server = class.call1((app, control.into_pyobject(py)?))?;
    set_scene(server.unbind());
    Ok(())
}
