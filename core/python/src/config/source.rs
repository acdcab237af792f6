//! Reading a configuration from its sources.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyModule, PyType};
use tricorn_server::arbiter::Generation;
use tricorn_server::config::cli::CommandLine;
use tricorn_server::config::{
    Config, Layer, Settings, Source, Value, declared, from_start, nearly_a_setting, start_directory,
};
use tricorn_server::error::Failure;
use tricorn_server::hooks::{Bus, Event, builtins};
use tricorn_server::plugin;
use tricorn_server::safe_path::who_may_change;
use tricorn_server::secrets::without_secrets;
use tricorn_server::worker::remark_on_group;

use super::callables;
use super::handlers::{self, Sources};
use super::overrides::{self, OnClass};
use super::value::{setting_value, to_value};
use super::variables::{remember_environment, remembered, variables};
use super::{view, worker_class};
use crate::failure::failure;
use crate::process;

/// Config files that are looked for where none is named.
const DEFAULT_FILES: [&str; 2] = ["tricorn.conf.py", "gunicorn.conf.py"];

/// Lines about a configuration that do not keep it from being used.
type Warnings = Vec<String>;

/// What is done to the words of a variable before they are read: a program takes its own out.
pub(super) type Take<'a> = dyn Fn(Vec<String>) -> PyResult<Vec<String>> + 'a;

/// A hook and what was given for it.
pub(super) type Hook = (Event, Py<PyAny>);

/// A configuration that has been read.
pub(crate) struct Loaded {
    pub(crate) generation: Generation,
    /// The `cfg` that handlers see.
    pub(crate) cfg: Py<PyAny>,
    /// The application's name.
    pub(crate) uri: Option<String>,
    pub(crate) warnings: Warnings,
}

/// What a config file left behind.
struct File {
    /// How it is called in messages.
    name: String,
    layer: Layer,
    hooks: Vec<Hook>,
    warnings: Warnings,
    /// All that it left.
    names: Py<PyDict>,
}

/// What has been read, before it is settled what is in force.
#[derive(Default)]
pub(crate) struct Read {
    /// Of variables, then the command line; the later wins.
    lines: Vec<CommandLine>,
    /// Where the config file is.
    place: Option<String>,
    file: Option<File>,
    /// Defaults of the program that reads.
    pub(crate) better: Vec<(String, Value)>,
    /// Defaults that are set on the classes of settings.
    changed: Given,
}

/// What a program sets itself.
#[derive(Default)]
pub(crate) struct Given {
    pub(crate) values: Vec<(String, Value)>,
    pub(crate) hooks: Vec<Hook>,
    /// The class of its configuration, if it is another than `Config`.
    pub(crate) class: Option<Py<PyAny>>,
}

/// Reads the whole configuration: variables, file, command line.
pub(crate) fn load(py: Python<'_>, line: &CommandLine) -> Result<Loaded, Failure> {
    settle(py, &read(py, line, &Ok)?, &Given::default())
}

/// Prepares the interpreter for code of the operator's.
pub(crate) fn prepare(py: Python<'_>) -> Result<(), Failure> {
    remember_environment(py);
    py.import(intern!(py, "tricorn._standin"))
        .and_then(|module| module.call_method0(intern!(py, "install")))
        .and_then(|_| import_from_here(py))
        .map_err(|error| failure(py, &error))
}

/// Reads variables and a command line, and runs the config file that they name.
pub(super) fn read(py: Python<'_>, line: &CommandLine, take: &Take<'_>) -> Result<Read, Failure> {
    prepare(py)?;
    let loading = loading(py)?;
    let mut lines = variables(py, take)?;
    lines.push(line.clone());
    let place = config_place(&lines);
    let changed = overrides::changed_defaults(py).map_err(|error| failure(py, &error))?;
    let file = match &place {
        Some(place) => Some(read_file(&loading, place)?),
        None => None,
    };
    Ok(Read {
        lines,
        place,
        file,
        better: Vec::new(),
        changed,
    })
}

/// The settings that what was read, and what a program has set, come to.
pub(crate) fn settings(read: &Read, given: &Given) -> Result<Settings, Failure> {
    resolve(layers(read, given), read)
}

fn program(values: &[(String, Value)]) -> Layer {
    Layer {
        source: Source::Program,
        values: values.to_vec(),
    }
}

fn layers(read: &Read, given: &Given) -> Vec<Layer> {
    let mut layers = vec![program(&read.changed.values), program(&read.better)];
    layers.extend(read.file.iter().map(|file| file.layer.clone()));
    layers.extend(read.lines.iter().map(|line| line.layer.clone()));
    layers.push(program(&given.values));
    layers
}

/// As `settings`, with the defaults that a PasteDeploy file gives.
fn settings_with_paste(py: Python<'_>, read: &Read, given: &Given) -> Result<Settings, Failure> {
    let resolved = settings(read, given)?;
    let Value::Str(spec) = resolved.value("paste") else {
        return Ok(resolved);
    };
    let find = || -> PyResult<Vec<(String, Value)>> {
        let found = py
            .import(intern!(py, "tricorn.app.pasterapp"))?
            .call_method1(intern!(py, "defaults"), (spec,))?;
        let items = found.cast_into::<PyDict>()?;
        items
            .iter()
            .map(|(name, value)| Ok((name.extract()?, to_value(&value))))
            .collect()
    };
    let source = resolved.source("paste").to_string();
    let values = find().map_err(|error| failure(py, &error).from_origin(source))?;
    let mut layers = layers(read, given);
    layers.insert(0, program(&values));
    resolve(layers, read)
}

/// As `settings_with_paste`, with what is set on the class of the configuration.
fn settings_with_class(
    py: Python<'_>,
    read: &Read,
    given: &Given,
    on_class: &OnClass,
) -> Result<Settings, Failure> {
    let settings = settings_with_paste(py, read, given)?;
    let values = on_class.values(py, &settings);
    let mut values = values.map_err(|error| failure(py, &error))?;
    if values.is_empty() {
        return Ok(settings);
    }
    values.splice(0..0, given.values.iter().cloned());
    let with_class = Given {
        values,
        ..Given::default()
    };
    settings_with_paste(py, read, &with_class)
}

/// Settles what is in force.
pub(crate) fn settle(py: Python<'_>, read: &Read, given: &Given) -> Result<Loaded, Failure> {
    let wrong = |error: PyErr| failure(py, &error);
    let loading = loading(py)?;
    let on_class = OnClass::find(py, given.class.as_ref()).map_err(wrong)?;
    let settings = settings_with_class(py, read, given, &on_class)?;
    if settings.value("gunicorn_compat") == &Value::Bool(false) {
        py.import(intern!(py, "tricorn._standin"))
            .and_then(|module| module.call_method0(intern!(py, "remove")))
            .map_err(wrong)?;
    }
    let uri = read
        .lines
        .iter()
        .rev()
        .find_map(|line| line.app.clone())
        .or_else(|| match settings.value("wsgi_app") {
            Value::Str(app) => Some(app.clone()),
            _ => None,
        });
    callables::check_settings(&loading, &settings)?;
    let mut config = Config::from_settings(settings)?;
    let mut warnings = Warnings::new();
    worker_class::settle(py, &mut config, &mut warnings)?;
    let config = Arc::new(config);
    let site_hooks = read.hooks_beside(py, &given.hooks);
    let program_hooks = read.program_hooks(py, given, &on_class);
    let config_hooks = read.hooks_beside(py, &program_hooks);
    let mut sources = Sources {
        loading: &loading,
        config_name: "",
        config: &config_hooks,
        program: &program_hooks,
        flags: Vec::new(),
    };
    if let Some(file) = &read.file {
        warnings.extend(file.warnings.iter().cloned());
        sources.config_name = &file.name;
    }
    sources.flags = read
        .lines
        .iter()
        .flat_map(|line| line.hooks.clone())
        .collect();
    let scripted = handlers::collect(py, &sources, &mut warnings)?;
    let shown = [&read.changed.hooks, &site_hooks, &given.hooks].map(Vec::as_slice);
    let cfg = view::config_object(py, &config, &shown).map_err(wrong)?;
    on_class.attach(cfg.bind(py)).map_err(wrong)?;
    warnings.extend(at_odds(&config));
    warnings.extend(remark_on_group(&config));
    warnings.extend(
        read.file
            .iter()
            .filter_map(|file| file.distrust(py, &config)),
    );
    warnings.extend(config.settings.unhonoured());
    let plugins = plugin::load(&config, &|name| find_plugin(&loading, name))?;
    let handlers = builtins(&config)
        .into_iter()
        .chain(plugins.handlers())
        .chain(scripted)
        .collect();
    let bus = Bus::compile(handlers)
        .map_err(|cycle| Failure::operator(cycle.to_string()).mend("drop one of them"))?;
    warnings.extend(plugin::unknown_names(&config, &bus));
    let generation = Generation {
        config,
        bus: Arc::new(bus),
        plugins: Arc::new(plugins),
    };
    Ok(Loaded {
        generation,
        cfg,
        uri,
        warnings,
    })
}

fn loading(py: Python<'_>) -> Result<Bound<'_, PyModule>, Failure> {
    py.import(intern!(py, "tricorn._loading"))
        .map_err(|error| failure(py, &error))
}

impl Read {
    /// Returns what a program starts from that reads nothing: defaults.
    pub(super) fn unread(py: Python<'_>) -> Result<Self, Failure> {
        let changed = overrides::changed_defaults(py).map_err(|error| failure(py, &error))?;
        Ok(Self {
            changed,
            ..Self::default()
        })
    }

    /// The config file's hooks, but for those that a program sets itself.
    pub(super) fn hooks_beside(&self, py: Python<'_>, others: &[Hook]) -> Vec<Hook> {
        let hooks = self.file.iter().flat_map(|file| &file.hooks);
        beside(py, hooks, &[others])
    }

    /// Returns the hooks that a program sets: on the class of the configuration, which come first as
    /// under gunicorn; on its object; and as defaults, where there is no other.
    fn program_hooks(&self, py: Python<'_>, given: &Given, on_class: &OnClass) -> Vec<Hook> {
        let mut hooks = beside(py, &on_class.hooks, &[]);
        hooks.extend(beside(py, &given.hooks, &[&on_class.hooks]));
        let file = self.file.as_ref().map_or(&[][..], |file| &file.hooks);
        hooks.extend(beside(py, &self.changed.hooks, &[&hooks, file]));
        hooks
    }

    /// The names that the config file left, and which of them are hooks.
    pub(super) fn left(&self, py: Python<'_>) -> (Py<PyDict>, Vec<&'static str>) {
        match &self.file {
            Some(file) => (
                file.names.clone_ref(py),
                file.hooks.iter().map(|(event, _)| event.name()).collect(),
            ),
            None => (PyDict::new(py).unbind(), Vec::new()),
        }
    }
}

/// Returns hooks without those of events that others are for.
fn beside<'h>(
    py: Python<'_>,
    hooks: impl IntoIterator<Item = &'h Hook>,
    others: &[&[Hook]],
) -> Vec<Hook> {
    let is_free = |event: &Event| {
        others
            .iter()
            .all(|hooks| hooks.iter().all(|(o, _)| o != event))
    };
    hooks
        .into_iter()
        .filter(|(event, _)| is_free(event))
        .map(|(event, object)| (*event, object.clone_ref(py)))
        .collect()
}

/// The file of a plugin that a Python package offers.
fn find_plugin(loading: &Bound<'_, PyModule>, name: &str) -> Result<PathBuf, String> {
    let py = loading.py();
    let found = loading.call_method1(intern!(py, "find_plugin"), (name,));
    found
        .and_then(|path| path.extract())
        .map_err(|error| failure(py, &error).to_string())
}

/// What is said of settings that make no sense together.
fn at_odds(config: &Config) -> Vec<String> {
    let mut found = Vec::new();
    if config.settings.value("reload") == &Value::Bool(true) && config.preload {
        let what = "reload does nothing for an application that preload_app loads";
        found.push(format!("{what}: it is not loaded again"));
    }
    found
}

/// The directory the server is started in comes first among those that modules are found in.
fn import_from_here(py: Python<'_>) -> PyResult<()> {
    let path = py
        .import(intern!(py, "sys"))?
        .getattr(intern!(py, "path"))?;
    let path = path.cast::<PyList>()?;
    process::put_first(path, &start_directory().display().to_string())
}

fn config_place(lines: &[CommandLine]) -> Option<String> {
    let named = lines
        .iter()
        .rev()
        .flat_map(|line| &line.layer.values)
        .find_map(|(name, value)| match value {
            Value::Str(place) if name == "config" && !place.is_empty() => Some(place.clone()),
            _ => None,
        });
    named.or_else(|| {
        let found = DEFAULT_FILES.iter().find(|name| from_start(name).is_file());
        found.map(|name| format!("./{name}"))
    })
}

fn read_file(loading: &Bound<'_, PyModule>, place: &str) -> Result<File, Failure> {
    let py = loading.py();
    let (function, argument, source) = match place.strip_prefix("python:") {
        Some(module) => ("read_module", module, Source::Module(module.to_owned())),
        None => {
            let path = place.strip_prefix("file:").unwrap_or(place);
            ("read_file", path, Source::File(PathBuf::from(path)))
        }
    };
    handlers::forget_registrations(py, &["__config__", argument]);
    let names = loading
        .call_method1(
            function,
            (argument, start_directory().display().to_string()),
        )
        .map_err(|error| failure(py, &error))?;
    let names = names
        .cast_into::<PyDict>()
        .map_err(|error| failure(py, &error.into()))?;
    Ok(sort_out(&names, source))
}

impl File {
    /// What is said of a file that others may change, and whose code root runs.
    fn distrust(&self, py: Python<'_>, config: &Config) -> Option<String> {
        let path = self.names.bind(py).get_item("__file__").ok()??;
        let path: PathBuf = path.extract().ok()?;
        let who = who_may_change(&path, config.user)?;
        Some(format!("{}: root runs its code, but {who}", self.name))
    }

    /// A name of tricorn's own may well be a variable in a file that was written for gunicorn.
    fn warn(&mut self, name: &str, why: &str) {
        self.warnings.push(format!(
            "{}: '{name}' is left alone: {}",
            self.name,
            without_secrets(why)
        ));
    }

    /// A name that is nearly a setting's is a variable where that setting is set too.
    fn warn_of_slips(&mut self, slips: Vec<(String, &str)>) {
        for (name, meant) in slips {
            if self.layer.values.iter().all(|(set, _)| set != meant) {
                let what = format!("'{name}' is no setting; is '{meant}' meant?");
                self.warnings.push(format!("{}: {what}", self.name));
            }
        }
    }
}

/// Settings, hooks, and names that are nearly one of them.
fn sort_out(names: &Bound<'_, PyDict>, source: Source) -> File {
    let mut file = File {
        name: source.to_string(),
        layer: Layer {
            source,
            values: Vec::new(),
        },
        hooks: Vec::new(),
        warnings: Vec::new(),
        names: names.clone().unbind(),
    };
    let mut slips = Vec::new();
    for (key, object) in names.iter() {
        let Ok(name) = key.extract::<String>() else {
            continue;
        };
        if let Some(setting) = declared::find(&name) {
            let value = setting_value(&name, &object);
            match setting.ours.then(|| setting.check(value.clone())) {
                Some(Err(why)) => file.warn(&name, &why),
                _ => file.layer.values.push((name, value)),
            }
        } else if let Some(event) = Event::find(&name) {
            if event.is_gunicorns() || handlers::is_likely(&object, event) {
                file.hooks.push((event, object.unbind()));
            } else if object.is_callable() {
                file.warn(&name, "it is not what the hook of this name takes");
            }
        } else if is_plain(&object)
            && let Some(meant) = nearly_a_setting(&name)
        {
            slips.push((name, meant));
        }
    }
    file.warn_of_slips(slips);
    file
}

/// Whether an object looks like a setting's value: neither module, nor function, nor class.
fn is_plain(object: &Bound<'_, PyAny>) -> bool {
    !object.is_callable()
        && !object.is_instance_of::<PyModule>()
        && !object.is_instance_of::<PyType>()
}

/// The application's name is the default of the process's, and the file that was found that of
/// `config`.
fn resolve(mut layers: Vec<Layer>, read: &Read) -> Result<Settings, Failure> {
    let uri = read.lines.iter().rev().find_map(|line| line.app.clone());
    let found = [("default_proc_name", uri), ("config", read.place.clone())];
    let values = found.into_iter().filter_map(|(name, value)| {
        let value = value.map(Value::Str)?;
        Some((name.to_owned(), value))
    });
    let values = values.collect();
    layers.insert(
        0,
        Layer {
            source: Source::Default,
            values,
        },
    );
    Settings::resolve(&layers, remembered)
}
