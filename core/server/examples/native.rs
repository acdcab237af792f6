//! A site without Python: the server under a gateway written in Rust.
//!
//! `cargo run -p tricorn-server --example native -- --bind 127.0.0.1:8000 -w 2`
//!
//! It proves that the server needs no interpreter, and it is what the server's own tests drive.
//! `/` says hello; `/echo` gives the body back; `/sleep` waits for a second; `/stream/N` gives N
//! chunks; `/pid` names the worker.
#![allow(clippy::print_stderr, clippy::print_stdout)]

use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, exit};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{ForkResult, fork};
use tricorn_http::response::ResponseHead;
use tricorn_server::arbiter::{Departed, Event, Generation, Host};
use tricorn_server::config::{self, Config, Settings, cli};
use tricorn_server::error::{Blame, Failure};
use tricorn_server::exchange::{End, Finished};
use tricorn_server::gateway::{
    ChannelError, Control, Gateway, Handle, Joins, Progress, Read, Rest, Runtime, Source, Step,
    Transaction, Wait,
};
use tricorn_server::hooks::{Bus, builtins};
use tricorn_server::log::statsd::Kind;
use tricorn_server::plugin;
use tricorn_server::run;
use tricorn_server::sock::{Inherited, VARIABLES};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let generation = configure(&arguments).unwrap_or_else(|failure| {
        eprintln!("error: {failure}");
        exit(failure.exit().code());
    });
    let runtime: Arc<dyn Runtime> = Arc::new(Site);
    let given = Inherited::from_variables(|name| std::env::var(name).ok());
    let served = given.and_then(|inherited| {
        let origin = run::Origin {
            inherited,
            left: None,
        };
        run::serve(generation, origin, &Native { arguments }, &runtime)
    });
    exit(served.unwrap_or_else(|failure| {
        eprintln!("Error: {failure}");
        failure.exit().code()
    }));
}

fn configure(arguments: &[String]) -> Result<Generation, Failure> {
    let line = cli::parse(arguments, config::Source::CommandLine)
        .map_err(|answer| Failure::operator(answer.text))?;
    let settings = Settings::resolve(&[line.layer], |name| std::env::var(name).ok())?;
    let config = Arc::new(Config::from_settings(settings)?);
    let plugins = plugin::load(&config, &|_| Err("there are no packages here".to_owned()))?;
    let handlers = builtins(&config).into_iter().chain(plugins.handlers());
    let bus =
        Bus::compile(handlers.collect()).map_err(|cycle| Failure::operator(cycle.to_string()))?;
    Ok(Generation {
        config,
        bus: Arc::new(bus),
        plugins: Arc::new(plugins),
    })
}

/// The process: no interpreter, so that every call is plain.
struct Native {
    arguments: Vec<String>,
}

impl Host for Native {
    fn fork(&self) -> io::Result<Option<i32>> {
        // SAFETY: this program has one thread when it forks.
        match unsafe { fork() }? {
            ForkResult::Child => Ok(None),
            ForkResult::Parent { child } => Ok(Some(child.as_raw())),
        }
    }

    fn sleep(&self, fd: BorrowedFd<'_>, longest: Duration) {
        let timeout = PollTimeout::try_from(longest).unwrap_or(PollTimeout::ZERO);
        let _ = poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], timeout);
    }

    fn reload(&self) -> Result<Generation, Failure> {
        configure(&self.arguments)
    }

    fn preload(&self) -> Result<(), Failure> {
        Ok(())
    }

    fn execute(&self, variables: &[(&str, String)]) -> Failure {
        let failed = |error: io::Error| Failure::new(Blame::Environment, error.to_string());
        let program = match std::env::current_exe() {
            Ok(program) => program,
            Err(error) => return failed(error),
        };
        let mut command = Command::new(program);
        VARIABLES.iter().for_each(|name| {
            command.env_remove(name);
        });
        let given = variables.iter().map(|(name, value)| (name, value));
        failed(command.args(&self.arguments).envs(given).exec())
    }

    fn freeze(&self) {}
    fn show_succession(&self, _: Option<i32>, _: Option<i32>) {}
    fn adopt(&self, _: &Generation) {}
    fn expect_worker(&self, _: u64, _: usize) -> bool {
        true
    }
    fn become_worker(&self) {}
    fn know_worker(&self, _: u64, _: i32) {}
    fn note_abort(&self, _: u64) {}

    fn mourn_worker(&self, _: &Departed) {}
    fn forget_worker(&self, _: u64) {}
    fn show_listeners(&self, _: &[(String, i32)]) {}
    fn show_wanted(&self, _: usize) {}
    fn take_wishes(&self) -> Vec<Event> {
        Vec::new()
    }
    fn tell_metric(&self, _: Kind, _: &str, _: u64) {}

    fn set_title(&self, _: &str) {}
}

/// The application.
struct Site;

impl Runtime for Site {
    fn enter(&self, _: usize, _: u64, control: &Arc<Control>) {
        TERMINATE.get_or_init(|| Arc::clone(control));
    }

    fn set_up(&self) -> Result<(), Failure> {
        use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
        let action = SigAction::new(
            SigHandler::Handler(terminate),
            SaFlags::empty(),
            SigSet::empty(),
        );
        for signal in [Signal::SIGTERM, Signal::SIGQUIT] {
            // SAFETY: the handler stores to an atomic and writes to a pipe.
            unsafe { sigaction(signal, &action) }
                .map_err(|error| Failure::new(Blame::Environment, error.to_string()))?;
        }
        Ok(())
    }

    fn load(&self) -> Result<(), Failure> {
        Ok(())
    }

    fn gateway(&self) -> Result<Arc<dyn Gateway>, Failure> {
        Ok(Arc::new(Self))
    }

    fn boots(&self) {}

    fn explain_to(&self, _: i32, _: BorrowedFd<'_>) -> bool {
        false
    }

    fn ends_overdue_on(&self, _: i32) -> bool {
        false
    }

    fn step(&self, _: Step, rest: Rest) -> Result<Option<i32>, Failure> {
        Ok(rest())
    }

    fn set_title(&self, _: &str) {}
}

static TERMINATE: std::sync::OnceLock<Arc<Control>> = std::sync::OnceLock::new();

extern "C" fn terminate(_: i32) {
    if let Some(control) = TERMINATE.get() {
        control.stop();
    }
}

impl Gateway for Site {
    fn run(&self, source: &dyn Source) {
        let mut ready = source.next();
        if ready.is_some() {
            source.begun();
        }
        while let Some(transaction) = ready {
            if answer(&transaction).is_err() {
                transaction.channel.abort(End::ClientGone);
            }
            source.done(transaction);
            ready = source.next();
        }
    }

    fn log_requests(&self, _: Vec<Finished>) {}

    fn check_signals(&self) {}

    fn spawn(&self, name: &str, body: Box<dyn FnOnce() + Send>) -> Result<Box<dyn Joins>, Failure> {
        let handle = thread::Builder::new().name(name.to_owned()).spawn(body);
        let handle = handle.map_err(|error| Failure::new(Blame::Environment, error.to_string()))?;
        Ok(Box::new(Thread(handle)))
    }
}

struct Thread(JoinHandle<()>);

impl Joins for Thread {
    fn join(&self, deadline: Instant) -> bool {
        while !self.0.is_finished() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(1));
        }
        self.0.is_finished()
    }
}

fn answer(transaction: &Transaction) -> Result<(), ChannelError> {
    let channel = &transaction.channel;
    let path = transaction.request.head.path();
    if path == b"/echo" {
        let body = read_all(channel)?;
        return whole(channel, &body);
    }
    if path == b"/sleep" {
        thread::sleep(Duration::from_secs(1));
        return whole(channel, b"slept");
    }
    if path == b"/pid" {
        return whole(channel, std::process::id().to_string().as_bytes());
    }
    if let Some(count) = path.strip_prefix(b"/stream/") {
        let count = std::str::from_utf8(count)
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(0);
        return stream(channel, count);
    }
    whole(channel, b"hello")
}

fn head(status: &[u8]) -> ResponseHead {
    let mut head = ResponseHead::default();
    let begun = head
        .begin(status)
        .and_then(|()| head.push(b"Content-Type", b"text/plain"));
    debug_assert!(begun.is_ok(), "fixed fields are valid");
    head
}

fn whole(channel: &Handle, body: &[u8]) -> Result<(), ChannelError> {
    channel.start(&mut head(b"200 OK"), Some(body.len() as u64))?;
    send(channel, body, false)?;
    channel.end().map(drop)
}

fn stream(channel: &Handle, count: usize) -> Result<(), ChannelError> {
    channel.start(&mut head(b"200 OK"), None)?;
    let piece = [b'x'; 16 * 1024];
    for _ in 0..count {
        send(channel, &piece, true)?;
    }
    channel.end().map(drop)
}

fn send(channel: &Handle, piece: &[u8], flush: bool) -> Result<(), ChannelError> {
    let mut progress = channel.write(piece, flush)?;
    while let Progress::Wait(wait) = progress {
        wait_for(wait)?;
        progress = channel.push()?;
    }
    Ok(())
}

fn read_all(channel: &Handle) -> Result<Vec<u8>, ChannelError> {
    let mut body = Vec::new();
    loop {
        match channel.read(64 * 1024, &mut body)? {
            Read::Bytes(_) => {}
            Read::End => return Ok(body),
            Read::Wait(wait) => wait_for(wait)?,
        }
    }
}

fn wait_for(wait: Wait) -> Result<(), ChannelError> {
    match wait.block() {
        tricorn_server::gateway::Woken::TimedOut => Err(ChannelError::TimedOut),
        _ => Ok(()),
    }
}
