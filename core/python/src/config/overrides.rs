//! What programs set on classes of `gunicorn.config`: on `Config` itself, and defaults on the classes
//! of settings. Agents hook into a server so.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use tricorn_server::config::{Config, Settings, Value};
use tricorn_server::hooks::Event;

use super::source::{Given, Hook};
use super::value::{setting_value, to_value};
use super::view;

/// Reads the defaults that are set on the classes of settings and of hooks.
pub(super) fn changed_defaults(py: Python<'_>) -> PyResult<Given> {
    let found = module(py)?.call_method0(intern!(py, "changed_defaults"))?;
    let mut changed = Given::default();
    for (name, object) in found.cast_into::<PyDict>()?.iter() {
        let name: String = name.extract()?;
        match Event::find(&name) {
            Some(event) => changed.hooks.push((event, object.unbind())),
            None => changed
                .values
                .push((name.clone(), setting_value(&name, &object))),
        }
    }
    Ok(changed)
}

/// What is set on a class of configurations, in place of what its objects have.
pub(super) struct OnClass {
    class: Py<PyAny>,
    settings: Vec<String>,
    pub(super) hooks: Vec<Hook>,
}

impl OnClass {
    /// Looks at a class, which is `Config` where none is given.
    pub(super) fn find(py: Python<'_>, class: Option<&Py<PyAny>>) -> PyResult<Self> {
        let module = module(py)?;
        let class = match class {
            Some(class) => class.bind(py).clone(),
            None => module.getattr(intern!(py, "Config"))?,
        };
        let found = module.call_method1(intern!(py, "set_on_class"), (&class,))?;
        let (settings, named): (Vec<String>, Bound<'_, PyDict>) = found.extract()?;
        let mut hooks = Vec::new();
        for (name, object) in named.iter() {
            if let Some(event) = Event::find(&name.extract::<String>()?) {
                hooks.push((event, object.unbind()));
            }
        }
        Ok(Self {
            class: class.unbind(),
            settings,
            hooks,
        })
    }

    /// Returns the values of the settings that are set on the class. They may be properties, which
    /// look at what was configured.
    pub(super) fn values(
        &self,
        py: Python<'_>,
        settings: &Settings,
    ) -> PyResult<Vec<(String, Value)>> {
        if self.settings.is_empty() {
            return Ok(Vec::new());
        }
        let Ok(config) = Config::from_settings(settings.clone()) else {
            // What is wrong with it is told where it is settled.
            return Ok(Vec::new());
        };
        let cfg = view::config_object(py, &config, &[])?.into_bound(py);
        cfg.setattr(intern!(py, "__class__"), &self.class)?;
        let value = |name: &String| Ok((name.clone(), to_value(&cfg.getattr(name.as_str())?)));
        self.settings.iter().map(value).collect()
    }

    /// Lets the hooks of the class know the configuration that they are looked up on.
    pub(super) fn attach(&self, cfg: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = cfg.py();
        self.hooks
            .iter()
            .try_for_each(|(_, hook)| hook.bind(py).setattr(intern!(py, "cfg"), cfg))
    }
}

fn module(py: Python<'_>) -> PyResult<Bound<'_, PyModule>> {
    py.import(intern!(py, "tricorn.config"))
}
