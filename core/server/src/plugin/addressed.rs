//! Options that are given to plugins by their own ids. A file says in a child which ids are in it:
//! it has not been tried out yet.

use super::descriptor::Tolerance;
use super::link;
use super::load::Candidate;
use super::probe::report;
use crate::config::{AddressedOption, Config};
use crate::error::Failure;

/// Gives each option to the entry that it is for. One for a plugin that cannot say who it is is let
/// be: what is wrong with that one comes first.
///
/// # Errors
/// An option that is for nobody, or for one of several that share an entry.
pub(super) fn distribute(
    config: &Config,
    candidates: &mut [Candidate],
    tolerance: Tolerance,
) -> Result<(), Failure> {
    if config.plugins.addressed.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = candidates
        .iter()
        .map(|candidate| ids(candidate, config, tolerance))
        .collect();
    for option in &config.plugins.addressed {
        let has = |ids: &Option<Vec<String>>| ids.iter().flatten().any(|id| *id == option.id);
        let Some(place) = ids.iter().position(has) else {
            if ids.iter().any(Option::is_none) {
                continue;
            }
            return Err(option.complain(&config.settings, &nobody(option, candidates, &ids)));
        };
        let spec = &mut candidates[place].spec;
        if let Some([_, _, ..]) = ids[place].as_deref() {
            let all = ids[place].iter().flatten().map(String::as_str);
            let all: Vec<_> = all.collect();
            let (shown, id) = (&spec.shown, &option.id);
            let why = format!(
                "{shown} has several plugins: {}; name this one alone, as {shown}#{id}",
                all.join(", ")
            );
            return Err(option.complain(&config.settings, &why));
        }
        let (key, value) = (option.key.clone(), option.value.clone());
        spec.options.insert(key, value);
    }
    Ok(())
}

/// The ids of the plugins that an entry wants of its file.
fn ids(candidate: &Candidate, config: &Config, tolerance: Tolerance) -> Option<Vec<String>> {
    let told = report(config.plugins.timeout, || {
        link::become_probe();
        let contents = candidate.open(tolerance)?;
        let wanted = candidate.wanted(contents).map_err(|why| vec![why])?;
        let ids: Vec<_> = wanted.into_iter().map(|plugin| plugin.id).collect();
        Ok(ids.join("\n"))
    });
    let told = told.ok()?.ok()?;
    Some(told.lines().map(str::to_owned).collect())
}

fn nobody(
    option: &AddressedOption,
    candidates: &[Candidate],
    ids: &[Option<Vec<String>>],
) -> String {
    let names = candidates.iter().filter_map(|one| one.spec.name());
    let ids = ids.iter().flatten().flatten().map(String::as_str);
    let known: Vec<_> = names.chain(ids).collect();
    format!(
        "there is no plugin '{}' in the settings, which have {}",
        option.id,
        known.join(", ")
    )
}
