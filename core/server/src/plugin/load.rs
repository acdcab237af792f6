//! From the settings to plugins that are ready to be called: read, looked into, tried out in a
//! child, opened, made. Either all of them are, or none is and every reason is told.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::addressed;
use super::copy::PrivateCopy;
use super::crumb;
use super::descriptor::{Contents, Tolerance};
use super::downfall;
use super::file::{self, PluginFile, Resolve};
use super::handler;
use super::image::Image;
use super::module::Module;
use super::named;
use super::peek::peek;
use super::trial;
use super::{basics, descriptor};
use crate::config::{Config, PluginSpec};
use crate::error::{Blame, Failure};
use crate::hooks::{Event, Handler};

/// The plugins of one configuration.
#[derive(Debug, Default)]
pub struct Plugins {
    modules: Vec<Arc<Module>>,
    /// What the operator should know of their files.
    remarks: Vec<String>,
}

/// A plugin's file that has been found worth opening.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) spec: PluginSpec,
    pub(super) file: PluginFile,
    /// `None` if the same content is open already.
    copy: Option<PrivateCopy>,
}

/// A plugin, and all that is against it.
#[derive(Debug)]
struct Fault {
    shown: String,
    reasons: Vec<String>,
}

/// Loads the plugins that a configuration names. `resolve` finds those that packages offer.
///
/// # Errors
/// Every plugin that cannot be loaded, with every reason. Nothing of the others is left then.
pub fn load(config: &Arc<Config>, resolve: Resolve<'_>) -> Result<Plugins, Failure> {
    let settings = &config.plugins;
    if settings.specs.is_empty() {
        return Ok(Plugins::default());
    }
    named::check_events(config)?;
    basics::show_config(config);
    let tolerance = Tolerance::of(&settings.allowed);
    let mut faults = Vec::new();
    let mut candidates = Vec::new();
    for spec in &settings.specs {
        let read = read(spec, tolerance, settings.keep_copies, resolve);
        match read {
            Ok(candidate) => candidates.push(candidate),
            Err(reasons) => faults.push(Fault::of(spec, reasons)),
        }
    }
    match addressed::distribute(config, &mut candidates, tolerance) {
        Err(failure) if faults.is_empty() => return Err(failure),
        _ => {}
    }
    let found = trial::all(&candidates, settings.timeout, tolerance).map_err(|error| {
        Failure::new(
            Blame::Environment,
            format!("plugins cannot be tried out: {error}"),
        )
    })?;
    for (candidate, reasons) in candidates.iter().zip(found) {
        if !reasons.is_empty() {
            faults.push(Fault::of(&candidate.spec, reasons));
        }
    }
    if !faults.is_empty() {
        return Err(refuse(config, &faults));
    }
    downfall::watch();
    let modules = make(&candidates, tolerance).map_err(|fault| refuse(config, &[fault]))?;
    let remarks = candidates.iter().flat_map(Candidate::remarks).collect();
    Ok(Plugins {
        modules: modules.into_iter().map(Arc::new).collect(),
        remarks,
    })
}

fn read(
    spec: &PluginSpec,
    tolerance: Tolerance,
    is_kept: bool,
    resolve: Resolve<'_>,
) -> Result<Candidate, Vec<String>> {
    let (file, mut reasons) = file::read(spec, !tolerance.permissions, resolve)?;
    reasons.extend(peek(&file.bytes).err().into_iter().flatten());
    if !reasons.is_empty() {
        return Err(reasons);
    }
    let copy = match Image::find(&file.sha256) {
        Some(_) => None,
        None => Some(
            PrivateCopy::make(&file, is_kept)
                .map_err(|error| vec![format!("it cannot be copied: {error}")])?,
        ),
    };
    Ok(Candidate {
        spec: spec.clone(),
        file,
        copy,
    })
}

impl Candidate {
    /// A file outside any configuration: for the tools.
    pub(super) fn of_file(path: &Path) -> Result<Self, Vec<String>> {
        let spec = PluginSpec::of_file(path);
        let tolerance = Tolerance {
            permissions: true,
            ..Tolerance::default()
        };
        let no_packages = |_: &str| -> Result<PathBuf, String> { Err("give a file".to_owned()) };
        read(&spec, tolerance, false, &no_packages)
    }

    fn remarks(&self) -> impl Iterator<Item = String> {
        let remarks = self.file.remarks.iter();
        remarks.map(|remark| format!("Plugin file {}: {remark}", self.file.path.display()))
    }

    /// Opens the file, and reads what is in it.
    pub(super) fn open(&self, tolerance: Tolerance) -> Result<Contents, Vec<String>> {
        let image = match (Image::find(&self.file.sha256), &self.copy) {
            (Some(image), _) => image,
            (None, Some(copy)) => {
                Image::open(&copy.path, &self.file.sha256).map_err(|why| vec![why])?
            }
            (None, None) => return Err(vec!["its copy is gone".to_owned()]),
        };
        let ctx = super::host::Ctx::new(self.spec.shown.clone(), usize::MAX);
        // SAFETY: what the entry function of a plugin file returns.
        unsafe { descriptor::read(image.entry(ctx.host()), tolerance) }
    }

    /// The plugins in the file that the settings want.
    pub(super) fn wanted(&self, contents: Contents) -> Result<Vec<descriptor::Descriptor>, String> {
        let Some(id) = &self.spec.id else {
            return Ok(contents.plugins);
        };
        let ids: Vec<_> = contents.plugins.iter().map(|one| one.id.clone()).collect();
        let found = contents.plugins.into_iter().filter(|one| one.id == *id);
        let found: Vec<_> = found.collect();
        if found.is_empty() {
            Err(format!(
                "there is no plugin '{id}' in it, but {}",
                ids.join(", ")
            ))
        } else {
            Ok(found)
        }
    }
}

/// Opens the files in this process and makes the modules. Those that are made are taken down again
/// if one cannot be.
fn make(candidates: &[Candidate], tolerance: Tolerance) -> Result<Vec<Module>, Fault> {
    let mut modules: Vec<Module> = Vec::new();
    for candidate in candidates {
        let spec = &candidate.spec;
        let contents = candidate
            .open(tolerance)
            .map_err(|reasons| Fault::of(spec, reasons))?;
        let wrong = |why: String| Fault::of(spec, vec![why]);
        for descriptor in candidate.wanted(contents).map_err(wrong)? {
            if let Some(other) = modules.iter().find(|other| other.id() == descriptor.id) {
                let (id, first) = (other.id(), &other.spec.shown);
                return Err(wrong(format!(
                    "plugin '{id}' is loaded from {first} already"
                )));
            }
            let place = modules.len();
            let sum = candidate.file.sha256.clone();
            let made = Module::make(descriptor, spec.clone(), sum, place, tolerance);
            match made {
                Ok(module) => modules.push(module),
                Err(why) => {
                    // Last in, first out.
                    while modules.pop().is_some() {}
                    return Err(wrong(why));
                }
            }
        }
    }
    Ok(modules)
}

impl Fault {
    fn of(spec: &PluginSpec, reasons: Vec<String>) -> Self {
        Self {
            shown: spec.shown.clone(),
            reasons,
        }
    }
}

fn refuse(config: &Config, faults: &[Fault]) -> Failure {
    let text: Vec<_> = faults
        .iter()
        .map(|fault| {
            format!(
                "plugin {} cannot be loaded: {}",
                fault.shown,
                fault.reasons.join("; ")
            )
        })
        .collect();
    Failure::new(Blame::Plugin, text.join("; "))
        .from_origin(config.settings.source("plugins").to_string())
        .mend("mend it, or leave it out; tricorn plugin check FILE tells more")
}

impl Plugins {
    /// Makes the modules of a file's plugins, for a process that tries them out.
    ///
    /// # Errors
    /// What the first says is wrong that cannot be made.
    pub(super) fn to_try(contents: &Contents, spec: &PluginSpec) -> Result<Self, String> {
        let mut modules = Vec::new();
        for (place, descriptor) in contents.plugins.iter().enumerate() {
            let (spec, sum) = (spec.clone(), String::new());
            let made = Module::make(descriptor.clone(), spec, sum, place, Tolerance::default());
            let module = made.map_err(|why| format!("{}: {why}", descriptor.id))?;
            modules.push(Arc::new(module));
        }
        Ok(Self {
            modules,
            remarks: Vec::new(),
        })
    }

    /// The plugins, in the order of the settings.
    #[must_use]
    pub fn modules(&self) -> &[Arc<Module>] {
        &self.modules
    }

    /// Tells the log what is loaded, and what the plugins said while there was none.
    pub fn announce(&self) {
        for module in &self.modules {
            let Module {
                descriptor, spec, ..
            } = &**module;
            log::info!(
                "Plugin {} {} from {} (sha256 {}, {} handlers)",
                descriptor.id,
                descriptor.version,
                spec.shown,
                &module.sha256[..16],
                descriptor.handlers.len()
            );
        }
        for remark in &self.remarks {
            log::warn!("{remark}");
        }
        super::host::say_what_was_early();
    }

    /// Their handlers.
    #[must_use]
    pub fn handlers(&self) -> Vec<(Event, Handler)> {
        self.modules.iter().flat_map(handler::handlers).collect()
    }

    /// Where a worker that died was, as far as it had left a crumb: the plugin and `id/event`.
    #[must_use]
    pub fn scene_of_death(&self, crumbs: impl Iterator<Item = u32>) -> Option<(usize, String)> {
        let mut found = crumbs.filter_map(crumb::read).filter_map(|(place, what)| {
            let module = self.modules.get(place)?;
            Some((place, format!("{}/{what}", module.id())))
        });
        let (place, mut text) = found.next()?;
        // Several threads were inside plugins: it was one of these.
        for (_, other) in found {
            text.push_str(" or ");
            text.push_str(&other);
        }
        Some((place, text))
    }
}
