//! The proof that a pool of threads is alive, which its main thread gives.

use std::time::Duration;

use super::gthread::DOZE;
use super::shared::Shared;
use crate::clock;
use crate::gateway::Gateway;

/// The shortest and the longest time between two signs of life while requests run.
const SURVEY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// The sign of life of the main thread.
pub(super) struct Proof {
    timeout: Option<u64>,
    /// How often it is due while requests run, and while none does.
    busy: Duration,
    idle: Duration,
    given: u64,
}

impl Proof {
    pub(super) fn new(shared: &Shared) -> Self {
        let time = &shared.env.config.time;
        let shortest = [time.timeout, time.request].into_iter().flatten().min();
        let busy = shortest.map_or(DOZE, |limit| (limit / 8).clamp(SURVEY.0, SURVEY.1));
        let idle = time
            .timeout
            .map_or(DOZE, |timeout| (timeout / 3).clamp(busy, DOZE));
        Self {
            timeout: time.timeout.map(clock::nanos),
            busy,
            idle,
            given: 0,
        }
    }

    /// Gives it, if it is due. Time that is spent waiting for the interpreter is silence.
    pub(super) fn give(&mut self, shared: &Shared, gateway: &dyn Gateway) {
        let now = clock::roughly_now();
        if now.saturating_sub(self.given) >= clock::nanos(self.busy) {
            self.given = now;
            shared.env.ages.survey(now, self.timeout);
            gateway.check_signals();
        }
    }

    /// How long the main thread may sleep.
    pub(super) fn rest(&self, shared: &Shared) -> Duration {
        if shared.env.ages.is_any_running() {
            self.busy
        } else {
            self.idle
        }
    }
}
