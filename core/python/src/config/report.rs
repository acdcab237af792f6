//! `--print-config`: what a configuration has come to, for people and for programs.

use std::fs::File;
use std::io::{Result, Write, stdout};
use std::os::fd::OwnedFd;

use nix::unistd::{dup, dup2_stdout};
use serde_json::json;
use tricorn_server::config::Value;
use tricorn_server::config::cli::{CommandLine, Verb};

use super::source::Loaded;

const SETTING: &str = "print_config";
const JSON: &str = "json";

/// Where the report goes. What programs read is all that they get on standard output: what the
/// operator's own code prints meanwhile goes to standard error.
pub(crate) struct Page(Option<File>);

impl Page {
    /// The page that a command line asks for.
    pub(crate) fn of(line: Option<&CommandLine>) -> Result<Self> {
        let json = (SETTING.to_owned(), Value::from(JSON));
        let asks =
            |line: &CommandLine| line.verb == Verb::Serve && line.layer.values.contains(&json);
        if !line.is_some_and(asks) {
            return Ok(Self(None));
        }
        let kept: OwnedFd = dup(stdout())?;
        dup2_stdout(std::io::stderr())?;
        Ok(Self(Some(kept.into())))
    }

    /// Writes the report, if one is asked for; whether it is.
    pub(crate) fn write(self, loaded: &Loaded) -> bool {
        let Some(text) = report(loaded) else {
            return false;
        };
        // Where nobody listens any more, there is nobody to tell.
        let _ = match self.0 {
            Some(mut page) => page.write_all(text.as_bytes()),
            None => stdout().write_all(text.as_bytes()),
        };
        true
    }
}

fn report(loaded: &Loaded) -> Option<String> {
    let (settings, bus) = (&loaded.generation.config.settings, &loaded.generation.bus);
    match settings.value(SETTING) {
        Value::Bool(true) => Some(settings.print() + &bus.print()),
        Value::Str(form) if form == JSON => {
            let report = json!({
                "application": loaded.uri,
                "settings": settings.to_json(),
                "hooks": bus.to_json(),
            });
            Some(format!("{report:#}\n"))
        }
        _ => None,
    }
}
