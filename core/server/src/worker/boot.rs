//! What happens between the fork and the loop, and between the loop and the end: the order that
//! hooks rely on.
//!
//! ```text
//!   fork → plugins' instances → post_fork → environment, signals, user → worker_init → application → post_worker_init
//!        → ready → serve → worker_exit → instances down → leave
//! ```

use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, raise};
use nix::unistd::getppid;

use super::identity::drop_privileges;
use super::io::{Env, Means};
use super::shared::Shared;
use super::{gthread, own, sync};
use crate::clock;
use crate::config::{Config, WorkerClass};
use crate::error::{Blame, Exit, Failure};
use crate::gateway::{Control, Gateway, Resumptions, Runtime, Step};
use crate::hooks::{Age, Bus, Event, Interruption, Occasion};
use crate::lifeline::{WorkerSide, overtime_signal, stack_signal};
use crate::plugin::{self, Plugins, Surroundings};
use crate::precedence;
use crate::sock::Listener;

/// A worker's task, as the fork leaves it.
#[derive(Debug)]
pub struct Job {
    /// Its place in the order of forks.
    pub age: Age,
    /// The configuration of its generation.
    pub config: Arc<Config>,
    /// The handlers of its generation.
    pub bus: Arc<Bus>,
    /// The compiled plugins of its generation.
    pub plugins: Arc<Plugins>,
    /// The sockets to accept from.
    pub listeners: Vec<Arc<Listener>>,
    /// Its side of the lifeline.
    pub side: WorkerSide,
    /// Requests after which it leaves; 0 for never.
    pub max_requests: u64,
}

/// Why a worker leaves before it has served.
pub(super) enum Early {
    Failed(Failure),
    Exit(i32),
}

impl Early {
    fn code(&self) -> i32 {
        match self {
            Self::Failed(failure) => failure.exit().code(),
            Self::Exit(code) => *code,
        }
    }
}

impl From<Failure> for Early {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Lives a worker's life; the code to leave the process with.
pub fn run(job: Job, runtime: &Arc<dyn Runtime>) -> i32 {
    precedence::give_way();
    let bus = Arc::clone(&job.bus);
    let cell = job.side.cell();
    let code = match live(job, runtime) {
        Ok(code) => code,
        Err(Early::Exit(code)) => code,
        Err(Early::Failed(failure)) => {
            log::error!("{failure}");
            failure.exit().code()
        }
    };
    precedence::give_way();
    log::info!("Worker exiting (pid: {})", std::process::id());
    let fired = bus.fire(Event::WorkerExit, &Occasion::Itself);
    plugin::leave();
    crate::log::deliver();
    cell.set_left();
    match fired {
        Err(Interruption::Exit(asked)) => asked,
        _ => code,
    }
}

fn live(job: Job, runtime: &Arc<dyn Runtime>) -> Result<i32, Early> {
    plugin::after_fork();
    crate::log::after_fork();
    let control = Arc::new(Control::new().map_err(|error| cannot("make a pipe", &error))?);
    control.serve_at_most(job.max_requests);
    let cell = job.side.cell();
    control.on_beat(move || cell.beat(clock::now()));
    runtime.enter(job.side.id, job.age, &control);
    job.side.held_back.release();
    if runtime.explain_to(stack_signal(), job.side.pipes.stacks().as_fd()) {
        job.side.cell().set_explains();
    }
    if runtime.ends_overdue_on(overtime_signal()) {
        job.side.cell().set_ends_requests();
    }
    runtime.set_title(&format!("gunicorn: worker [{}]", job.config.proc_name));
    log::info!("Booting worker with pid: {}", std::process::id());
    let resumptions =
        Arc::new(Resumptions::new().map_err(|error| cannot("make a descriptor", &error))?);
    let around = Surroundings {
        id: job.side.id,
        cell: job.side.cell(),
        workers: job.side.board.workers(),
        age: job.age,
        threads: job.config.threads,
        control: &control,
        resumptions: &resumptions,
    };
    plugin::enter(&job.plugins, &around)?;
    fire(&job.bus, Event::PostFork)?;
    let means = Means {
        control,
        resumptions,
    };
    step(Step::InitProcess, runtime, move |runtime| {
        initialize(job, runtime, means)
    })
}

/// Takes a step by the worker object's method, which may do more than `rest`, or something else.
pub(super) fn step(
    step: Step,
    runtime: &Arc<dyn Runtime>,
    rest: impl FnOnce(&Arc<dyn Runtime>) -> Result<i32, Early> + Send + 'static,
) -> Result<i32, Early> {
    let result = Arc::new(Mutex::new(None));
    let (within, place) = (Arc::clone(runtime), Arc::clone(&result));
    let rest = move || {
        let came = rest(&within);
        let code = came.as_ref().err().map(Early::code);
        *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(came);
        code
    };
    let taken = runtime.step(step, Box::new(rest));
    let came = result.lock().unwrap_or_else(PoisonError::into_inner).take();
    match (came, taken) {
        (Some(Err(early)), _) => Err(early),
        (_, Err(failure)) => Err(failure.into()),
        (_, Ok(Some(code))) => Err(Early::Exit(code)),
        (came, Ok(None)) => came.unwrap_or(Ok(0)),
    }
}

fn initialize(job: Job, runtime: &Arc<dyn Runtime>, means: Means) -> Result<i32, Early> {
    unless_asked_to_leave(runtime.set_up(), &means.control)?;
    drop_privileges(&job.config)?;
    // Another user's process would be told no more.
    end_with_the_arbiter(&job).map_err(|error| cannot("ask for a signal", &error))?;
    fire(&job.bus, Event::WorkerInit)?;
    unless_asked_to_leave(Ok(()), &means.control)?;
    unless_asked_to_leave(runtime.load(), &means.control)?;
    let serving = Driver::of(job.config.worker_class)
        .map(|driver| Ok::<_, Failure>((driver, runtime.gateway()?)))
        .transpose()?;
    fire(&job.bus, Event::PostWorkerInit)?;
    unless_asked_to_leave(Ok(()), &means.control)?;
    match serving {
        Some((driver, gateway)) => step(Step::Run, runtime, move |runtime| {
            let shared = share(job, means)?;
            runtime.boots();
            precedence::claim_turn();
            shared.env.control.begin_serving();
            shared.report_ready();
            let code = driver.serve(shared, &gateway)?;
            crate::log::flush();
            Ok(code)
        }),
        None => own::serve(job, runtime, &means.control),
    }
}

/// Has the kernel tell this worker when the arbiter is gone, by TERM: a class with a loop of its own
/// knows of no arbiter, and a pipe does not tell while some child of the arbiter's holds a copy of it.
fn end_with_the_arbiter(job: &Job) -> nix::Result<()> {
    let arbiter = getppid();
    set_pdeathsig(Signal::SIGTERM)?;
    if job.side.pipes.is_orphaned() || getppid() != arbiter {
        raise(Signal::SIGTERM)?;
    }
    Ok(())
}

/// What a step came to. Where a signal has asked the worker to leave, it does not matter: that is why
/// the step failed, if it did, or else its exception has met somebody who does not let it pass.
fn unless_asked_to_leave(done: Result<(), Failure>, control: &Control) -> Result<(), Early> {
    match control.exit() {
        Some(code) => Err(Early::Exit(code)),
        None => Ok(done?),
    }
}

/// What runs the requests, in a worker whose loop is the server's.
#[derive(Debug, Clone, Copy)]
enum Driver {
    Sync,
    Gthread,
}

impl Driver {
    /// That of a class, unless the class has a loop of its own.
    fn of(class: WorkerClass) -> Option<Self> {
        match class {
            WorkerClass::Sync => Some(Self::Sync),
            WorkerClass::Gthread => Some(Self::Gthread),
            WorkerClass::Own => None,
        }
    }

    fn serve(self, shared: Shared, gateway: &Arc<dyn Gateway>) -> Result<i32, Early> {
        match self {
            Self::Sync => {
                shared
                    .heed_control()
                    .map_err(|error| cannot("wait for signals", &error))?;
                let code = sync::serve(&shared, &**gateway);
                shared.core().finish_all();
                Ok(code)
            }
            Self::Gthread => {
                let threads = shared.env.config.threads;
                let shared = Arc::new(shared);
                let code = gthread::serve(&shared, gateway, threads);
                shared.core().finish_all();
                Ok(code?)
            }
        }
    }
}

/// Makes what the threads of the worker share.
fn share(job: Job, means: Means) -> Result<Shared, Early> {
    let cell = job.side.cell();
    let env = plugin::makers(&job.config, &job.plugins)
        .and_then(|makers| Env::new(job.config, job.bus, means, cell, makers))
        .map_err(|invalid| Failure::operator(format!("the access log: {invalid}")))?;
    let shared = Shared::new(Arc::new(env), job.side, job.listeners)
        .map_err(|error| cannot("wait for connections", &error))?;
    Ok(shared)
}

pub(super) fn cannot(what: &str, error: &nix::errno::Errno) -> Failure {
    Failure::new(
        Blame::Environment,
        format!("a worker cannot {what}: {}", error.desc()),
    )
    .exits_with(Exit::WorkerBoot)
}

/// Fires an event whose failing handlers end the worker.
fn fire(bus: &Bus, event: Event) -> Result<(), Early> {
    crate::log::deliver();
    bus.fire(event, &Occasion::Itself)
        .map_err(|interruption| match interruption {
            Interruption::Exit(code) => Early::Exit(code),
            // The bus has logged the failure itself.
            Interruption::Failed { handler, .. } => Early::Failed(
                Failure::new(
                    Blame::Plugin,
                    format!(
                        "the worker cannot boot: {} handler {handler} failed",
                        event.name()
                    ),
                )
                .exits_with(Exit::WorkerBoot),
            ),
        })
}
