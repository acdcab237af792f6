//! The logs as a configuration wants them.

use crate::config::{AccessSink, Config};
use crate::error::{Blame, Failure};
use crate::log::{self, Options, Target};

/// Opens the logs that a configuration names.
///
/// # Errors
/// A file that cannot be written. What was open before stays in use.
pub fn open_logs(config: &Config) -> Result<(), Failure> {
    let options = Options {
        errors: config
            .logging
            .errorlog
            .clone()
            .map_or(Target::Stderr, Target::File),
        access: config.logging.accesslog.as_ref().map(|sink| match sink {
            AccessSink::Stdout => Target::Stdout,
            AccessSink::File(path) => Target::File(path.clone()),
        }),
        level: config.logging.level,
    };
    let refused = |what: String| {
        let is_access = matches!(&options.access, Some(Target::File(path)) if what.contains(&path.display().to_string()));
        let setting = if is_access { "accesslog" } else { "errorlog" };
        Failure::operator(format!("setting '{setting}': {what}"))
            .from_origin(config.settings.source(setting).to_string())
            .mend("give a path this user may write")
    };
    log::install(&options).map_err(|error| refused(error.to_string()))?;
    if config.logging.capture_output {
        log::capture_output().map_err(|error| {
            Failure::new(
                Blame::Environment,
                format!("cannot capture the output: {error}"),
            )
        })?;
    }
    Ok(())
}
