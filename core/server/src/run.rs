//! The composition of a server: logs, daemon, arbiter, and in each child a worker.

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use nix::sys::stat::{Mode, umask};
use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout, setsid};

use crate::arbiter::{self, Birth, Driver, Generation, Handover, Host, Outcome, check, open_logs};
use crate::error::{Blame, Exit, Failure};
use crate::gateway::Runtime;
use crate::lifeline::Board;
use crate::plugin;
use crate::sock::Inherited;
use crate::worker::{self, Job};

/// What a process is given at its start.
#[derive(Debug, Default)]
pub struct Origin<'l> {
    /// By others.
    pub inherited: Inherited,
    /// By an earlier program of the same process.
    pub left: Option<&'l Handover>,
}

/// Serves until the server, or this process as one of its workers, is to end; the code to end with.
///
/// # Errors
/// What kept it from starting before there was a log to tell. What happens later is in the log.
pub fn serve(
    generation: Generation,
    origin: Origin<'_>,
    host: &dyn Host,
    runtime: &Arc<dyn Runtime>,
) -> Result<i32, Failure> {
    check(&generation)?;
    open_logs(&generation)?;
    // A successor is in the background already, as the child of the server before.
    let is_first = origin.left.is_none() && origin.inherited.predecessor.is_none();
    let daemon = generation.config.daemon && is_first;
    if daemon && !daemonize(host, generation.config.inherits_stdio)? {
        return Ok(Exit::Ok.code());
    }
    if daemon {
        // The streams are others now.
        open_logs(&generation)?;
    }
    let left = origin.left;
    let ended = supervise(generation, origin, host, runtime);
    if let (Err(failure), Some(_)) = (&ended, left) {
        log::error!("{failure}");
        crate::log::deliver();
        return ended;
    }
    let code = ended.unwrap_or_else(|failure| {
        log::error!("{failure}");
        failure.exit().code()
    });
    crate::log::deliver();
    Ok(code)
}

/// Finds out what would keep a server with this configuration from starting, and its workers from
/// serving, as far as that can be found out without a server: what workers do is done in a child.
///
/// # Errors
/// What it is, and where it comes from.
pub fn rehearse(generation: &Generation) -> Result<(), Failure> {
    arbiter::rehearse(generation)?;
    let Generation {
        config, plugins, ..
    } = generation;
    if plugins.modules().is_empty() && config.user.is_none() && config.group.is_none() {
        return Ok(());
    }
    let board = Board::new().map_err(|error| {
        let what = format!("cannot map shared memory: {}", error.desc());
        Failure::new(Blame::Environment, what)
    })?;
    let cell = board.cell(1);
    let limit = config.plugins.timeout;
    plugin::rehearse(limit, || worker::rehearse(config, plugins, cell)).map_err(|reasons| {
        let place = plugins.scene_of_death(cell.crumbs());
        let inside = place.map_or_else(String::new, |(_, place)| format!(", inside {place}"));
        Failure::new(Blame::Plugin, format!("{}{inside}", reasons.join("; ")))
    })
}

fn supervise(
    generation: Generation,
    origin: Origin<'_>,
    host: &dyn Host,
    runtime: &Arc<dyn Runtime>,
) -> Result<i32, Failure> {
    let mut driver = Driver::start(host, generation, origin.inherited, origin.left)?;
    match driver.run() {
        Outcome::Left(exit) => Ok(exit.code()),
        Outcome::Worker(birth) => {
            // The arbiter's own descriptors are of no use in a worker.
            drop(driver);
            Ok(worker::run(job(*birth), runtime))
        }
    }
}

fn job(birth: Birth) -> Job {
    let Birth {
        age,
        generation,
        listeners,
        side,
        max_requests,
    } = birth;
    Job {
        age,
        config: generation.config,
        bus: generation.bus,
        plugins: generation.plugins,
        listeners,
        side,
        max_requests,
    }
}

/// Goes into the background: away from the terminal and from whoever waits for the first process.
/// Whether this is the process that is to serve.
fn daemonize(host: &dyn Host, inherits_stdio: bool) -> Result<bool, Failure> {
    let refused = |error: io::Error| {
        Failure::new(
            Blame::Environment,
            format!("cannot become a daemon: {error}"),
        )
    };
    if host.fork().map_err(refused)?.is_some() {
        return Ok(false);
    }
    setsid().map_err(|error| refused(error.into()))?;
    if host.fork().map_err(refused)?.is_some() {
        return Ok(false);
    }
    umask(Mode::from_bits_truncate(0o022));
    let null = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")
        .map_err(refused)?;
    silence(null.as_fd(), inherits_stdio).map_err(|error| refused(error.into()))?;
    Ok(true)
}

/// Lets go of the terminal, and of redirected output too unless that is kept.
fn silence(null: BorrowedFd<'_>, inherits_stdio: bool) -> nix::Result<()> {
    dup2_stdin(null)?;
    let keeps = |is_terminal: bool| inherits_stdio && !is_terminal;
    if !keeps(io::stdout().is_terminal()) {
        dup2_stdout(null)?;
    }
    if !keeps(io::stderr().is_terminal()) {
        dup2_stderr(null)?;
    }
    Ok(())
}
