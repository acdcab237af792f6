//! Options of plugins that are given one by one, as `NAME.KEY=VALUE`.

use serde_json::Value as Json;

use super::check::strings;
use super::layers::Settings;
use super::plugins::PluginSpec;
use crate::error::Failure;

/// An option for a plugin that no entry of the settings answers to. It may be its own id: that is
/// known when its file has been opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressedOption {
    /// Whom it is for.
    pub id: String,
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: Json,
}

/// Gives the options to the entries that they name; those that are left.
///
/// # Errors
/// What is no option, or is for a plugin where there is none.
pub(super) fn distribute(
    settings: &Settings,
    specs: &mut [PluginSpec],
) -> Result<Vec<AddressedOption>, Failure> {
    let mut left = Vec::new();
    for text in strings(settings.value("plugin_options")) {
        let option = read(text).map_err(|what| complain(settings, &what))?;
        if specs.is_empty() {
            return Err(option.complain(settings, "there is no plugin in the settings"));
        }
        match specs.iter_mut().find(|spec| spec.answers_to(&option.id)) {
            Some(spec) => drop(spec.options.insert(option.key, option.value)),
            None => left.push(option),
        }
    }
    Ok(left)
}

/// `NAME.KEY=VALUE`: an id may have dots itself, and so may be the file's name without its ending.
fn read(text: &str) -> Result<AddressedOption, String> {
    let Some((name, value)) = text.split_once('=') else {
        return Err(format!("'{text}' has no value"));
    };
    let Some((id, key)) = name
        .rsplit_once('.')
        .filter(|(id, key)| !id.is_empty() && !key.is_empty())
    else {
        return Err(format!("'{text}' does not say of which plugin"));
    };
    Ok(AddressedOption {
        id: id.to_owned(),
        key: key.to_owned(),
        value: serde_json::from_str(value).unwrap_or_else(|_| value.into()),
    })
}

fn complain(settings: &Settings, what: &str) -> Failure {
    let failure = settings.complain("plugin_options", what);
    failure.mend("give NAME.KEY=VALUE")
}

impl AddressedOption {
    /// Why it has found nobody.
    #[must_use]
    pub fn complain(&self, settings: &Settings, why: &str) -> Failure {
        let what = format!("'{}.{}': {why}", self.id, self.key);
        complain(settings, &what)
    }
}
