//! What a plugin is.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::Result;
use crate::host::Arbiter;
use crate::worker::Worker;

/// A plugin whose module is its options: what most are.
///
/// An option that is missing, unknown or of the wrong kind stops the server's start with a line
/// that names it; `#[serde(deny_unknown_fields)]` on the options is a good idea.
pub trait Plugin: Sized + Send + Sync + 'static {
    /// What the operator writes under `options`; [`NoOptions`] for none.
    type Options: DeserializeOwned + Send + Sync + 'static;

    /// Checks the options: in the arbiter, before any worker is forked.
    ///
    /// # Errors
    /// What is wrong with them: the server does not start, or keeps its old configuration.
    fn check(_options: &Self::Options) -> Result<()> {
        Ok(())
    }

    /// Makes the instance of a worker, after the fork; once more after a panic.
    ///
    /// # Errors
    /// What kept it from that: the worker cannot boot.
    fn new(options: &Self::Options, worker: &Worker) -> Result<Self>;
}

/// A plugin that makes something of its own before the fork: metrics, shared memory.
pub trait StagedPlugin: Sized + Send + Sync + 'static {
    /// What the operator writes under `options`; [`NoOptions`] for none.
    type Options: DeserializeOwned;
    /// What is made before the fork, and handlers of the arbiter's events are called with.
    type Module: Send + Sync + 'static;

    /// Makes the module: in the arbiter, before any worker is forked. It must start no threads, and
    /// hold nothing that belongs to one process: sockets to services, random numbers, process ids.
    ///
    /// # Errors
    /// What is wrong: the server does not start, or keeps its old configuration.
    fn prepare(options: Self::Options, arbiter: &Arbiter) -> Result<Self::Module>;

    /// Makes the instance of a worker, after the fork; once more after a panic.
    ///
    /// # Errors
    /// What kept it from that: the worker cannot boot.
    fn start(module: &Self::Module, worker: &Worker) -> Result<Self>;
}

impl<P: Plugin> StagedPlugin for P {
    type Options = P::Options;
    type Module = P::Options;

    fn prepare(options: P::Options, _: &Arbiter) -> Result<P::Options> {
        P::check(&options)?;
        Ok(options)
    }

    fn start(module: &P::Options, worker: &Worker) -> Result<Self> {
        P::new(module, worker)
    }
}

/// The options of a plugin that has none: giving it some is an error.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoOptions {}
