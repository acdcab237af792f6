//! Gathering what has happened: signals, reports, exits, silence, wishes, deadlines.

use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::epoll::{EpollEvent, EpollTimeout};
use nix::sys::signal::Signal as Number;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::drive::Driver;
use super::event::{Event, Signal, Silence};
use super::slot::{Cause, Status};
use crate::clock;
use crate::config::WorkerClass;
use crate::hooks::{Event as Hook, Member, Occasion};
use crate::lifeline::{End, Message, Phase, Reports};

/// How long a worker with a loop of its own may run without a sign of life before it is taken for
/// ready.
const PRESUMED_AFTER: Duration = Duration::from_secs(5);

impl Driver<'_> {
    /// Looks at everything that may have happened.
    pub(super) fn gather(&mut self) {
        // What is readable is found by reading it; the events themselves tell no more.
        let mut events = [EpollEvent::empty(); 64];
        let _ = self.epoll.wait(&mut events, EpollTimeout::ZERO);
        self.gather_signals();
        self.gather_reports();
        self.gather_presumptions();
        self.gather_exits();
        self.gather_silence();
        self.gather_overtime();
        self.gather_memory();
        self.gather_succession();
        self.gather_renewal();
        self.bury_strangers();
        self.queue.extend(self.host.take_wishes());
        if self
            .machine
            .next_deadline()
            .is_some_and(|at| at <= Instant::now())
        {
            self.queue.push_back(Event::DeadlinePassed);
        }
    }

    fn gather_signals(&mut self) {
        for number in self.signals.take() {
            if number == Number::SIGCHLD {
                continue;
            }
            log::info!(
                "Handling signal: {}",
                number.as_str().trim_start_matches("SIG").to_lowercase()
            );
            self.fire(Hook::SignalReceived, &Occasion::Signal(number as i32));
            self.queue.extend(meaning(number).map(Event::Signal));
        }
    }

    fn gather_reports(&mut self) {
        for child in self.children.iter_mut().filter(|child| child.reports) {
            let Member { age, id, pid } = child.member;
            let Reports { messages, end } = child.end.reports();
            if messages.contains(&Message::Ready) {
                self.telling = Some(self.generation.config.worker_name.clone());
            }
            self.queue
                .extend(messages.iter().map(|message| match message {
                    Message::Ready => Event::Ready { age },
                    Message::Served => Event::Due {
                        age,
                        cause: Cause::MaxRequests,
                    },
                }));
            if end.is_none() {
                continue;
            }
            child.reports = false;
            // A pipe that could not be watched before is not watched now.
            let _ = self.epoll.delete(&child.end);
            if end == Some(End::Flood) {
                log::warn!(
                    "worker {id} (pid {pid}): it floods the arbiter with reports, which are not read any longer"
                );
            }
        }
    }

    /// A class with a loop of its own tells that it serves by its first sign of life. One of which no
    /// worker has ever given any is taken for ready after a while.
    fn gather_presumptions(&mut self) {
        let config = &self.generation.config;
        if config.worker_class != WorkerClass::Own
            || self.telling.as_ref() == Some(&config.worker_name)
        {
            return;
        }
        let limits = [config.time.timeout, config.time.boot.map(|most| most / 2)];
        let patience = limits
            .into_iter()
            .flatten()
            .fold(PRESUMED_AFTER, Duration::min);
        let now = clock::now();
        let presumed = self.machine.booting().filter(|&(id, _)| {
            let cell = self.board.cell(id);
            cell.phase() == Phase::Running && Duration::from_nanos(cell.silence(now)) > patience
        });
        let presumed: Vec<_> = presumed.map(|(_, age)| Event::Presumed { age }).collect();
        self.queue.extend(presumed);
    }

    /// Reaps our own children one by one: hooks start subprocesses too, and wait for them.
    fn gather_exits(&mut self) {
        let queue = &mut self.queue;
        let gone = self.children.extract_if(.., |child| {
            let pid = child.member.pid;
            let status = match waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(_, code)) => Status::Code(code),
                Ok(WaitStatus::Signaled(_, signal, _)) => Status::Signal(signal as i32),
                // Somebody else has reaped it: all that is known is that it is gone.
                Err(Errno::ECHILD) => Status::Code(0),
                _ => return false,
            };
            queue.push_back(Event::Exited { pid, status });
            true
        });
        self.gone.extend(gone);
    }

    fn gather_silence(&mut self) {
        let Some(timeout) = self.generation.config.time.timeout else {
            return;
        };
        let (now, timeout) = (clock::now(), clock::nanos(timeout));
        let workers: Vec<_> = self.machine.watched().collect();
        self.slow.forget_all_but(&workers);
        for (id, age, pid) in workers {
            let cell = self.board.cell(id);
            let silence = cell.silence(now);
            // What a worker tells of its threads counts while the worker is seen to be alive.
            let is_alive = silence <= timeout / 2;
            if silence > timeout {
                self.queue.push_back(Event::Silent { age });
            } else if is_alive && cell.stillness(now) > timeout {
                self.queue.push_back(Event::Still { age });
            } else if is_alive && self.slow.has_more(age, cell, now) {
                self.explain(age, pid, Silence::Slow);
            }
        }
    }

    /// The worker that has grown largest, if it is too large at two looks in a row. The others have
    /// their turn when it is replaced.
    fn gather_memory(&mut self) {
        let Some(most) = self.generation.config.max_worker_memory else {
            return;
        };
        let workers = self.machine.to_be_weighed();
        let found = self.memory.look(most, &workers, Instant::now());
        if let Some(&(age, bytes)) = found.first() {
            let pid = self.member(age).pid;
            let mib = bytes >> 20;
            log::warn!("Worker (pid:{pid}) has grown to {mib} MiB of resident memory");
            self.queue.push_back(Event::Due {
                age,
                cause: Cause::Memory,
            });
        }
    }
}

fn meaning(number: Number) -> Option<Signal> {
    Some(match number {
        Number::SIGTERM => Signal::Term,
        Number::SIGINT => Signal::Int,
        Number::SIGQUIT => Signal::Quit,
        Number::SIGHUP => Signal::Hup,
        Number::SIGTTIN => Signal::Ttin,
        Number::SIGTTOU => Signal::Ttou,
        Number::SIGUSR1 => Signal::Usr1,
        Number::SIGUSR2 => Signal::Usr2,
        Number::SIGWINCH => Signal::Winch,
        _ => return None,
    })
}
