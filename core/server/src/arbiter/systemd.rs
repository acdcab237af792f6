//! What systemd is told, where it has asked for it: sd_notify(3). Without `NOTIFY_SOCKET` in the
//! environment nothing is told to anybody.

use std::io;
use std::time::{Duration, Instant};

use sd_notify::{NotifyState, notify, watchdog_enabled};

/// The service that this process may be.
#[derive(Debug)]
pub(super) struct Service {
    /// Between two signs of life.
    beats: Option<Duration>,
    beaten: Option<Instant>,
}

impl Service {
    pub(super) fn new() -> Self {
        Self {
            // Twice as often as it has to be.
            beats: watchdog_enabled().map(|limit| limit / 2),
            beaten: None,
        }
    }

    /// The server serves.
    pub(super) fn ready(&self) {
        tell(&[NotifyState::Ready, NotifyState::Status("serving")]);
    }

    /// A reload has begun; `ready` ends it.
    pub(super) fn reloading(&self) {
        let mut states = vec![NotifyState::Reloading, NotifyState::Status("reloading")];
        states.extend(NotifyState::monotonic_usec_now().ok());
        tell(&states);
    }

    /// The server has begun to stop.
    pub(super) fn stopping(&self) {
        tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
    }

    /// Another process is the service from now on.
    pub(super) fn hand_over(&self, pid: i32) {
        if let Ok(pid) = u32::try_from(pid) {
            tell(&[NotifyState::MainPid(pid)]);
        }
    }

    /// How long the arbiter may sleep.
    pub(super) fn patience(&self) -> Duration {
        self.beats.unwrap_or(Duration::MAX)
    }

    /// Gives a sign of life, when one is due.
    pub(super) fn beat(&mut self, now: Instant) {
        if let Some(beats) = self.beats
            && self
                .beaten
                .is_none_or(|last| now.duration_since(last) + beats / 4 >= beats)
        {
            self.beaten = Some(now);
            tell(&[NotifyState::Watchdog]);
        }
    }
}

fn tell(states: &[NotifyState<'_>]) {
    let told: io::Result<()> = notify(states);
    if let Err(error) = told {
        log::debug!("systemd cannot be told: {error}");
    }
}
