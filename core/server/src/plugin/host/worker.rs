//! `tricorn.worker/1`

use std::cell::Cell;
use std::ffi::c_void;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, SigmaskHow, pthread_sigmask};
use tricorn_abi as abi;
use tricorn_abi::Str;

use super::super::crumb::Whose;
use super::super::link::{self, Spawned, WorkerLink};
use super::super::own_threads;
use super::super::serving;
use super::super::text::string;
use super::Ctx;

pub(super) static TABLE: abi::Worker = abi::Worker {
    struct_size: size_of::<abi::Worker>() as u32,
    reserved: 0,
    stop,
    is_stopping,
    spawn,
    wait_for_stop,
    panicked,
};

/// How often a waiting thread looks whether the worker is leaving.
const LOOK: Duration = Duration::from_millis(50);

unsafe extern "C" fn stop(_: *mut c_void) -> i32 {
    link::worker().map_or(abi::WRONG_PROCESS, |worker| {
        worker.control.stop();
        abi::OK
    })
}

unsafe extern "C" fn is_stopping(_: *mut c_void) -> i32 {
    let stops = |worker: &WorkerLink| worker.leaves() || !worker.control.is_alive();
    link::worker().is_some_and(stops).into()
}

thread_local! {
    /// The instance that this thread was started by: its plugin's place, and its number.
    static BIRTH: Cell<Option<(usize, u32)>> = const { Cell::new(None) };
}

unsafe extern "C" fn panicked(_: *mut c_void) -> i32 {
    let Some((place, made)) = BIRTH.get() else {
        return abi::WRONG_PROCESS;
    };
    serving::note_thread_panic(place, made);
    abi::OK
}

type Body = unsafe extern "C-unwind" fn(argument: *mut c_void);

/// What a thread is to run.
struct Task {
    body: Body,
    argument: *mut c_void,
    ctx: &'static Ctx,
    /// The number of the instance that it is started by.
    made: u32,
}

// SAFETY: the plugin passes the argument to another thread, and knows that it does.
unsafe impl Send for Task {}

impl Task {
    fn run(self) {
        let (place, id) = (self.ctx.place, &self.ctx.id);
        BIRTH.set(Some((place, self.made)));
        // SAFETY: the plugin has asked for it.
        own_threads::run(Whose { place, id }, || unsafe {
            (self.body)(self.argument)
        });
    }
}

unsafe extern "C" fn spawn(
    ctx: *mut c_void,
    name: Str,
    body: Option<Body>,
    argument: *mut c_void,
) -> i32 {
    // SAFETY: a host's ctx, and a text that is passed into a call.
    let (ctx, name) = unsafe { (Ctx::of(ctx), string(name)) };
    let Some(worker) = link::worker() else {
        return abi::WRONG_PROCESS;
    };
    let Some(body) = body else {
        return abi::INVALID;
    };
    let task = Task {
        body,
        argument,
        ctx,
        made: serving::made(ctx.place),
    };
    match start(&name, task) {
        Ok(thread) => {
            let owner = ctx.place;
            let mut spawned = worker.spawned();
            // Those that have ended give their memory back.
            spawned.retain(|other| !other.thread.is_finished());
            spawned.push(Spawned {
                owner,
                name,
                thread,
            });
            abi::OK
        }
        Err(_) => abi::FULL,
    }
}

/// Signals are the main thread's affair: a new thread inherits a mask that holds them all back.
fn start(name: &str, task: Task) -> std::io::Result<thread::JoinHandle<()>> {
    let mut before = SigSet::empty();
    pthread_sigmask(
        SigmaskHow::SIG_BLOCK,
        Some(&own_threads::held_back()),
        Some(&mut before),
    )?;
    let started = thread::Builder::new()
        .name(name.replace('\0', ""))
        .spawn(move || task.run());
    pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
    started
}

unsafe extern "C" fn wait_for_stop(_: *mut c_void, milliseconds: u64) -> i32 {
    let Some(worker) = link::worker() else {
        return 1;
    };
    let until = Instant::now().checked_add(Duration::from_millis(milliseconds));
    loop {
        if worker.leaves() {
            return 1;
        }
        let left = until.map_or(LOOK, |until| {
            until.saturating_duration_since(Instant::now())
        });
        if left.is_zero() {
            return 0;
        }
        thread::sleep(left.min(LOOK));
    }
}
