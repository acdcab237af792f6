//! The command line's way to a running server.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::fd::{AsRawFd, IntoRawFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pyo3::intern;
use pyo3::prelude::*;
use tricorn_server::arbiter::{self, HANDOVER, Handover, Host, PROBE, Stranded};
use tricorn_server::config::cli::{self, Answer, PluginVerb, Verb};
use tricorn_server::config::{Maker, Source, Value, start_directory};
use tricorn_server::error::{Blame, Exit, Failure};
use tricorn_server::gateway::Runtime;
use tricorn_server::plugin::tools;
use tricorn_server::run::{self, Origin};
use tricorn_server::sock::{Inherited, VARIABLES};

use crate::config::{Loaded, Page, Wanted};
use crate::ending;
use crate::failure::{exit_code, failure, is_instance, setting_failure, summary, trace};
use crate::forked;
use crate::host::{InForce, PyHost, application_failure};
use crate::logs::LoggerRelay;
use crate::objects::{ArbiterControl, Wishes};
use crate::process;
use crate::runtime::PyRuntime;
use crate::scene::set_scene;

/// Does what a command line asks for; the code to exit with.
#[pyfunction]
#[pyo3(signature = (arguments, /))]
pub(crate) fn main(py: Python<'_>, arguments: Vec<String>) -> i32 {
    open_standard_streams();
    let line = match cli::parse(&arguments, Source::CommandLine) {
        Ok(line) => line,
        Err(answer) => return print(&answer),
    };
    attempt(py, Wanted::Command(line))
}

/// Serves what a program gives; the code to exit with.
#[pyfunction]
#[pyo3(signature = (program, /))]
pub(crate) fn serve(py: Python<'_>, program: Py<PyAny>) -> i32 {
    open_standard_streams();
    attempt(py, Wanted::Program(program))
}

fn attempt(py: Python<'_>, wanted: Wanted) -> i32 {
    if let Err(error) = forked::watch(py) {
        return complain(&us(&error));
    }
    let left = std::env::var(HANDOVER).ok();
    let left = Handover::take(left.as_deref()).map(|left| Attempt { wanted, left });
    match left.and_then(|attempt| attempt.act(py)) {
        Ok(code) => code,
        Err(failure) => complain(&failure),
    }
}

/// Prints why there is no server; the code to exit with.
fn complain(failure: &Failure) -> i32 {
    say(true, &format!("Error: {failure}\n"));
    failure.exit().code()
}

/// What is to be served, and what an earlier program of this process has left.
struct Attempt {
    wanted: Wanted,
    left: Option<Handover>,
}

impl Attempt {
    /// Acts. With workers of an earlier program there, a failure is not the end: they serve on, and
    /// the program is executed again.
    fn act(self, py: Python<'_>) -> Result<i32, Failure> {
        let acted = act(py, self.wanted, self.left.as_ref());
        let (Err(failure), Some(mut left)) = (&acted, self.left) else {
            return acted;
        };
        say(
            true,
            &format!("Error: {failure}\nThe workers serve on; HUP has the program tried again\n"),
        );
        let cannot = |error: &dyn std::fmt::Display| {
            Failure::new(Blame::Environment, format!("no other try: {error}"))
        };
        let next = py.detach(|| arbiter::wait_stranded(&mut left));
        match next.map_err(|error| cannot(&error))? {
            Stranded::Leave(exit) => Ok(exit.code()),
            Stranded::Again(memory) => {
                let number = memory.as_raw_fd().to_string();
                let execute = || -> PyResult<()> {
                    py.import(intern!(py, "tricorn._execution"))?
                        .call_method1(intern!(py, "execute_again"), (HANDOVER, number))
                        .map(drop)
                };
                Err(match execute() {
                    Err(error) => cannot(&summary(py, &error)),
                    Ok(()) => cannot(&"nothing was executed"),
                })
            }
        }
    }
}

/// The directory the server was started in.
#[pyfunction(name = "start_directory")]
pub(crate) fn start_directory_of_server() -> String {
    start_directory().display().to_string()
}

pub(crate) fn print(answer: &Answer) -> i32 {
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

fn act(py: Python<'_>, wanted: Wanted, left: Option<&Handover>) -> Result<i32, Failure> {
    let verb = wanted.verb();
    if let Verb::Plugin(verb) = &verb {
        return act_on_plugin(py, verb);
    }
    if let Verb::Migrate(words) = &verb {
        return migrate(py, words);
    }
    py.import(intern!(py, "tricorn.config"))
        .map_err(|error| us(&error))?;
    // Before any code of the operator's, and any program that it starts, can see it.
    let is_probe = std::env::var_os(PROBE).is_some();
    forget(py, &[HANDOVER, PROBE])?;
    let page = Page::of(wanted.line())
        .map_err(|error| Failure::new(Blame::Environment, error.to_string()))?;
    let loaded = wanted.load(py);
    forked::stay_here(py);
    let loaded = loaded?;
    let config = Arc::clone(&loaded.generation.config);
    for warning in &loaded.warnings {
        say(true, &format!("Warning: {warning}\n"));
    }
    if verb == Verb::ListHooks {
        say(false, &loaded.generation.bus.describe());
        return Ok(Exit::Ok.code());
    }
    let wants = |name: &str| config.settings.value(name) == &Value::Bool(true);
    let is_printed = page.write(&loaded);
    let program = wanted.program(py);
    let is_named = loaded.uri.is_some() || config.settings.value("paste") != &Value::None;
    if !is_named && program.is_none() {
        let none = Failure::operator("no application is named");
        let mend = "give MODULE:NAME, or set wsgi_app in the config file; see tricorn --help";
        return Err(none.mend(mend).exits_with(Exit::Usage));
    }
    py.import(intern!(py, "tricorn._standin"))
        .and_then(|module| module.call_method0(intern!(py, "tell_software")))
        .and_then(|_| process::set_variables(py, &config))
        .and_then(|()| process::set_paths(py, &config))
        .map_err(|error| us(&error))?;
    let check_only = is_probe || is_printed || wants("check_config");
    arbiter::check(&loaded.generation)?;
    check_logs(py, &loaded, check_only)?;
    let app = application(py, program, &loaded).map_err(|error| us(&error))?;
    if check_only {
        if wants("check_config") {
            run::rehearse(&loaded.generation)?;
        }
        return check(py, &app);
    }
    start(py, wanted, loaded, &app, left)
}

/// Makes the objects of the server's, and serves.
fn start(
    py: Python<'_>,
    wanted: Wanted,
    loaded: Loaded,
    app: &Bound<'_, PyAny>,
    left: Option<&Handover>,
) -> Result<i32, Failure> {
    let wishes = Arc::new(wishes()?);
    app.setattr(intern!(py, "logger"), make_logger(py, &loaded)?)
        .map_err(|error| us(&error))?;
    make_server(py, app, &wishes).map_err(|error| unmade_server(py, &error))?;
    let in_force = Arc::new(InForce::new(loaded.generation));
    let host = PyHost::new(wanted, wishes, Arc::clone(&in_force), loaded.cfg);
    let inherited = match left {
        Some(left) => left.inherited(),
        None => inherit(py)?,
    };
    supervise(py, &host, &in_force, Origin { inherited, left })
}

/// Removes variables that nobody else is to see.
fn forget(py: Python<'_>, names: &[&str]) -> Result<(), Failure> {
    names
        .iter()
        .try_for_each(|name| process::unset_variable(py, name))
        .map_err(|error| us(&error))
}

/// Takes what another process has handed over: the variables are gone after that.
fn inherit(py: Python<'_>) -> Result<Inherited, Failure> {
    let inherited = Inherited::from_variables(|name| std::env::var(name).ok())?;
    forget(py, &VARIABLES)?;
    Ok(inherited)
}

/// Says what changes for a site that moves here; serves nothing.
fn migrate(py: Python<'_>, words: &[String]) -> Result<i32, Failure> {
    py.import(intern!(py, "tricorn._migrate"))
        .and_then(|module| module.call_method1(intern!(py, "main"), (words,)))
        .and_then(|code| code.extract())
        .map_err(|error| failure(py, &error))
}

/// Looks at a plugin file, puts it to the test, or begins a new one.
fn act_on_plugin(py: Python<'_>, verb: &PluginVerb) -> Result<i32, Failure> {
    let refused = |path: &Path, reasons: Vec<String>| {
        Failure::new(
            Blame::Plugin,
            format!("{}: {}", path.display(), reasons.join("; ")),
        )
    };
    match verb {
        PluginVerb::Inspect(path) => {
            let text = tools::inspect(path).map_err(|reasons| refused(path, reasons))?;
            say(false, &text);
            Ok(Exit::Ok.code())
        }
        PluginVerb::Check(path, options) => {
            let options = options
                .iter()
                .map(|(key, value)| (key.clone(), plain(value)));
            let checked = tools::check(path, options.collect());
            let (text, is_sound) = checked.map_err(|reasons| refused(path, reasons))?;
            say(false, &text);
            let exit = if is_sound { Exit::Ok } else { Exit::Startup };
            Ok(exit.code())
        }
        PluginVerb::New(name) => {
            let sdk = sdk_folder(py).map_err(|error| us(&error))?;
            let here = start_directory();
            let written = tools::create(here, name, &sdk)
                .map_err(|why| Failure::operator(why).exits_with(Exit::Usage))?;
            for path in written {
                say(false, &format!("wrote {}\n", path.display()));
            }
            let next = format!(
                "\ncd {name} && cargo test && cargo build --release\ntricorn --plugin target/release/lib{}.so MODULE:NAME\n",
                name.replace('-', "_")
            );
            say(false, &next);
            Ok(Exit::Ok.code())
        }
    }
}

/// JSON where it is some, else text.
fn plain(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

/// Where the SDK's sources are that came with this package.
fn sdk_folder(py: Python<'_>) -> PyResult<PathBuf> {
    py.import(intern!(py, "tricorn._loading"))?
        .call_method0(intern!(py, "sdk_folder"))?
        .extract()
}

/// Loads the application. There is no log yet: what it raises is printed.
fn check(py: Python<'_>, app: &Bound<'_, PyAny>) -> Result<i32, Failure> {
    let checked = app.call_method0(intern!(py, "wsgi"));
    checked.map(|_| Exit::Ok.code()).map_err(|error| {
        if !is_instance(py, &error, "Mistake") && exit_code(py, &error).is_none() {
            say(true, &format!("{}\n", trace(py, &error)));
        }
        application_failure(py, &error, Exit::Startup)
    })
}

/// Opens what is closed of the standard streams: the next files to be opened would take their
/// places, and whatever is printed would go there.
fn open_standard_streams() {
    for number in 0..3 {
        // SAFETY: asks for the flags of a number that may be closed, which is the answer then.
        let is_closed = unsafe { libc::fcntl(number, libc::F_GETFD) } == -1;
        if is_closed && let Ok(null) = OpenOptions::new().read(true).write(true).open("/dev/null") {
            // The lowest number that is free: this one. It stays open for good.
            let _ = null.into_raw_fd();
        }
    }
}

fn supervise(
    py: Python<'_>,
    host: &PyHost,
    in_force: &Arc<InForce>,
    origin: Origin<'_>,
) -> Result<i32, Failure> {
    let runtime: Arc<dyn Runtime> = Arc::new(PyRuntime::new(Arc::clone(in_force)));
    let host: &(dyn Host + Sync) = host;
    let served = py.detach(|| run::serve(in_force.generation(), origin, host, &runtime));
    if let Ok(code) = served {
        ending::leave_beside_threads(py, code);
    }
    served
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

/// A class that a program has put in the place of the server's cannot be made.
fn unmade_server(py: Python<'_>, error: &PyErr) -> Failure {
    let what = summary(py, error);
    let class = "the class that derives from Arbiter";
    Failure::operator(format!("the object 'server' cannot be made: {what}")).mend(format!(
        "{class} is made with the application alone: __init__(self, app)"
    ))
}

/// Finds the classes, callables and files that the logs' settings name.
fn check_logs(py: Python<'_>, loaded: &Loaded, check_only: bool) -> Result<(), Failure> {
    let logger = py.import(intern!(py, "tricorn._logger"));
    let found = logger
        .and_then(|module| module.call_method1(intern!(py, "check"), (&loaded.cfg, check_only)));
    let settings = &loaded.generation.config.settings;
    found
        .map(drop)
        .map_err(|error| setting_failure(py, settings, &error))
}

/// Makes the logger. One that is not native has what the server logs from now on.
fn make_logger<'py>(py: Python<'py>, loaded: &Loaded) -> Result<Bound<'py, PyAny>, Failure> {
    let made = loaded
        .cfg
        .bind(py)
        .getattr(intern!(py, "logger_class"))
        .and_then(|class| class.call1((&loaded.cfg,)));
    let logger = made.map_err(|error| match is_instance(py, &error, "Mistake") {
        true => setting_failure(py, &loaded.generation.config.settings, &error),
        false => {
            say(true, &format!("{}\n", trace(py, &error)));
            Failure::operator(format!(
                "the logger cannot be made: {}",
                summary(py, &error)
            ))
            .mend("the traceback is above")
        }
    })?;
    let is_own = match &loaded.generation.config.logging.logger {
        Maker::Native => true,
        Maker::Gateway => false,
        Maker::Plugin(_) => return Ok(logger),
    };
    let relay = LoggerRelay::new(logger.clone().unbind(), is_own);
    tricorn_server::log::relay_to(Some(Arc::new(relay)));
    Ok(logger)
}

/// What is served: the program, or what the command line names.
fn application<'py>(
    py: Python<'py>,
    program: Option<Bound<'py, PyAny>>,
    loaded: &Loaded,
) -> PyResult<Bound<'py, PyAny>> {
    if let Some(program) = program {
        return Ok(program);
    }
    py.import(intern!(py, "tricorn.app.wsgiapp"))?
        .getattr(intern!(py, "WSGIApplication"))?
        .call_method1(intern!(py, "_of"), (&loaded.cfg, &loaded.uri))
}

fn make_server(py: Python<'_>, app: &Bound<'_, PyAny>, wishes: &Arc<Wishes>) -> PyResult<()> {
    let control = ArbiterControl::new(Arc::clone(wishes));
    let class = py
        .import(intern!(py, "tricorn.arbiter"))?
        .getattr(intern!(py, "Arbiter"))?;
    let server = class.call_method1(intern!(py, "_of"), (app, control.into_pyobject(py)?))?;
    set_scene(server.unbind());
    Ok(())
}
