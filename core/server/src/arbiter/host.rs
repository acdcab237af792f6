//! The port to the process the arbiter lives in: its interpreter, its config file, its fork.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

use super::event::Event;
use super::slot::Departed;
use crate::config::Config;
use crate::error::Failure;
use crate::hooks::{Age, Bus};
use crate::log::statsd::Kind;
use crate::plugin::Plugins;

/// A configuration and the handlers that belong to it.
#[derive(Debug, Clone)]
pub struct Generation {
    /// The configuration.
    pub config: Arc<Config>,
    /// The handlers.
    pub bus: Arc<Bus>,
    /// The compiled plugins that some of them are of.
    pub plugins: Arc<Plugins>,
}

/// What the arbiter needs of its process. Called on the main thread only.
pub trait Host {
    /// Forks, in the way the interpreter wants it done: the child's process id, or `None` in the
    /// child.
    ///
    /// # Errors
    /// No processes or no memory left.
    fn fork(&self) -> io::Result<Option<i32>>;

    /// Sleeps until `fd` is readable, for `longest` at most. Other threads of the interpreter run
    /// meanwhile.
    fn sleep(&self, fd: BorrowedFd<'_>, longest: Duration);

    /// Reads the configuration again, and builds what belongs to it. Changes nothing yet.
    ///
    /// # Errors
    /// What is wrong with it.
    fn reload(&self) -> Result<Generation, Failure>;

    /// Takes a configuration into force, which `reload` has given.
    fn adopt(&self, generation: &Generation);

    /// Loads the application, so that workers inherit it.
    ///
    /// # Errors
    /// Why there is none.
    fn preload(&self) -> Result<(), Failure>;

    /// Before the first fork: takes what is loaded out of the garbage collector's sight.
    fn freeze(&self);

    /// In a child that was forked for it: executes the program anew, with these variables beside
    /// those that it was started with. Comes back only to say why that failed.
    fn execute(&self, variables: &[(&str, String)]) -> Failure;

    /// The process ids of the arbiter that this one succeeds, and of the one that succeeds it.
    fn show_succession(&self, predecessor: Option<i32>, successor: Option<i32>);

    /// A worker is about to be forked, with this id among the living. Whether there is an object for
    /// it; why not has been logged.
    fn expect_worker(&self, age: Age, id: usize) -> bool;

    /// In a child that is a worker: lets go of what belongs to the arbiter alone.
    fn become_worker(&self);

    /// A worker has been forked.
    fn know_worker(&self, age: Age, pid: i32);

    /// A worker has taken too long and is about to be aborted.
    fn note_abort(&self, age: Age);

    /// A worker is gone; it is told of, and then forgotten by `forget_worker`.
    fn mourn_worker(&self, departed: &Departed);

    /// Nobody needs to know of a worker any longer.
    fn forget_worker(&self, age: Age);

    /// The sockets that are listened on, as URLs and descriptors.
    fn show_listeners(&self, listeners: &[(String, i32)]);

    /// The number of workers to keep has become this.
    fn show_wanted(&self, workers: usize);

    /// What code of the operator's has asked for since the last call.
    fn take_wishes(&self) -> Vec<Event>;

    /// Tells a logger of the operator's own of a metric.
    fn tell_metric(&self, kind: Kind, name: &str, value: u64);

    /// Sets the title that the process is listed with.
    fn set_title(&self, title: &str);
}
