//! A worker's boot as far as it needs no application and no server: what would keep it from serving.

use std::sync::Arc;

use super::boot::cannot;
use super::identity::drop_privileges;
use crate::config::Config;
use crate::error::Failure;
use crate::gateway::{Control, Resumptions};
use crate::lifeline::Cell;
use crate::plugin::{self, Plugins, Surroundings};

/// Boots, and leaves again: in a child that ends after it.
///
/// # Errors
/// What would keep a worker from serving.
pub fn rehearse(config: &Config, plugins: &Plugins, cell: &'static Cell) -> Result<(), Failure> {
    plugin::relay_logs(config, plugins)?;
    plugin::after_fork();
    let control = Control::new().map_err(|error| cannot("make a pipe", &error))?;
    let resumptions = Resumptions::new().map_err(|error| cannot("make a descriptor", &error))?;
    let around = Surroundings {
        id: 1,
        cell,
        workers: config.workers,
        age: 1,
        threads: config.threads,
        control: &Arc::new(control),
        resumptions: &Arc::new(resumptions),
    };
    plugin::enter(plugins, &around)?;
    drop_privileges(config)?;
    plugin::makers(config, plugins)
        .map_err(|invalid| Failure::operator(format!("the access log: {invalid}")))?;
    plugin::leave();
    Ok(())
}
