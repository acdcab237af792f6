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
        let found = specs.iter_mut().filter(|spec| spec.answers_to(&option.id));
        match found.collect::<Vec<_>>().as_mut_slice() {
            [] => left.push(option),
            [spec] => drop(spec.options.insert(option.key, option.value)),
            several => return Err(option.complain(settings, &ambiguity(several))),
        }
    }
    Ok(left)
}

fn ambiguity(several: &[&mut PluginSpec]) -> String {
    let shown = several.iter().map(|spec| match &spec.id {
        Some(id) => format!("{}#{id}", spec.shown),
        None => spec.shown.clone(),
    });
    let shown: Vec<_> = shown.collect();
    format!(
        "several plugins answer to this name ({}); say which by the plugin's id",
        shown.join(", ")
    )
}

/// `NAME.KEY=VALUE`: an id may have dots itself, and so may be the file's name without its ending.
fn read(text: &str) -> Result<AddressedOption, String> {
    let Some((name, value)) = text.split_once('=') else {
        return Err(format!("{} has no value", named(text)));
    };
    let Some((id, key)) = name
        .rsplit_once('.')
        .filter(|(id, key)| !id.is_empty() && !key.is_empty())
    else {
        return Err(format!("{} does not say of which plugin", named(text)));
    };
    Ok(AddressedOption {
        id: id.to_owned(),
        key: key.to_owned(),
        value: serde_json::from_str(value).unwrap_or_else(|_| value.into()),
    })
}

/// Returns a pair as messages show it: the name alone, for what follows may be a secret.
pub(super) fn named(text: &str) -> String {
    let is_of_name = |c: char| c.is_alphanumeric() || "_.-".contains(c);
    let name = text.split(|c| !is_of_name(c)).next().unwrap_or_default();
    let rest = if name.len() < text.len() { "..." } else { "" };
    format!("'{name}{rest}'")
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

#[cfg(test)]
mod tests {
    use super::super::layers::{Layer, Source};
    use super::super::value::Value;
    use super::*;
    use crate::config::Config;

    #[test]
    fn an_option_that_may_be_for_several_plugins_is_for_none() {
        let given = |plugins: &[&str], option: &str| {
            let list =
                |texts: &[&str]| Value::List(texts.iter().map(|&text| text.into()).collect());
            let layer = Layer {
                source: Source::CommandLine,
                values: vec![
                    ("plugins".into(), list(plugins)),
                    ("plugin_options".into(), list(&[option])),
                ],
            };
            Settings::resolve(&[layer], |_| None).and_then(Config::from_settings)
        };
        let text = given(&["a/libx.so", "b/libx.so"], "x.key=1").unwrap_err();
        let text = text.to_string();
        assert!(
            text.contains("several plugins answer to this name (a/libx.so, b/libx.so)"),
            "{text}"
        );
        let text = given(&["libx.so#one", "libx.so#two"], "x.key=1").unwrap_err();
        assert!(text.to_string().contains("(libx.so#one, libx.so#two)"));
        let config = given(&["libx.so#one", "libx.so#two"], "two.key=1").unwrap();
        assert_eq!(config.plugins.specs[1].options["key"], 1);
        assert!(config.plugins.specs[0].options.is_empty());
    }
}
