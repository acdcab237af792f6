//! HUP: a new configuration, taken into force only when all of it is sound.

use super::drive::{Driver, policy};
use super::event::Event;
use super::host::Generation;
use super::logs::{check, open_logs};
use super::pidfile::Pidfile;
use super::sockets;
use crate::config::Config;
use crate::error::{Exit, Failure};
use crate::hooks::Event as Hook;
use crate::precedence;

impl Driver<'_> {
    pub(super) fn reload(&mut self) {
        log::info!("Hang up: reloading the configuration");
        self.service.reloading();
        let config = &self.generation.config;
        if config.preload && config.preload_reload {
            return self.begin_renewal();
        }
        if config.preload {
            log::info!(
                "preload_app: the application stays as it was loaded; \
                 preload_reload = True has HUP load it anew"
            );
        }
        if let Err(failure) = self.try_reload() {
            self.give_up_reload(&failure);
        }
    }

    pub(super) fn give_up_reload(&mut self, failure: &Failure) {
        log::error!("The reload is given up: {failure}; the old configuration serves on");
        self.service.ready();
    }

    fn try_reload(&mut self) -> Result<(), Failure> {
        precedence::give_way();
        let read = self.host.reload();
        precedence::claim_turn();
        let fresh = read?;
        check(&fresh)?;
        let listeners = if self.succession.by_systemd {
            self.listeners.clone()
        } else {
            sockets::open(&fresh.config, &self.listeners)?
        };
        let moved = match self.change_over(fresh) {
            Ok(moved) => moved,
            Err(failure) => {
                self.let_go(&listeners, &self.listeners);
                self.return_to_logs();
                if let asked @ Exit::Asked(_) = failure.exit() {
                    self.queue.push_back(Event::Leave(asked));
                }
                return Err(failure);
            }
        };
        match moved {
            Some(pidfile) => {
                if let Some(old) = std::mem::replace(&mut self.pidfile, pidfile) {
                    old.remove();
                }
            }
            // Somebody may have taken it away.
            None => self.pidfile.iter().for_each(Pidfile::renew),
        }
        let old_listeners = std::mem::replace(&mut self.listeners, listeners);
        self.let_go(&old_listeners, &self.listeners);
        if sockets::differ(&old_listeners, &self.listeners) {
            self.announce_listeners();
        }
        self.show_title();
        self.tell_settings();
        self.generation.plugins.announce();
        self.queue
            .push_back(Event::Reloaded(policy(&self.generation.config)));
        Ok(())
    }

    /// Takes a configuration into force, as far as that may still fail; the pidfile, if that moves.
    /// Nothing of it is left after a failure but the logs, which the caller sees to.
    fn change_over(&mut self, fresh: Generation) -> Result<Option<Option<Pidfile>>, Failure> {
        open_logs(&fresh)?;
        let moved = self.moved_pidfile(&fresh.config)?;
        let (before, after) = (self.machine.wanted(), fresh.config.workers);
        let old = std::mem::replace(&mut self.generation, fresh);
        self.host.adopt(&self.generation);
        self.tell_count(after, Some(before));
        if let Err(failure) = self.fire_or_refuse(Hook::OnReload) {
            if let Some(Some(pidfile)) = moved {
                pidfile.remove();
            }
            self.generation = old;
            self.host.adopt(&self.generation);
            self.tell_count(before, Some(after));
            return Err(failure);
        }
        Ok(moved)
    }

    /// Logs to where the configuration in force says.
    fn return_to_logs(&self) {
        if let Err(failure) = open_logs(&self.generation) {
            log::error!("{failure}; logging on as the new configuration says");
        }
    }

    /// The pidfile that a configuration names, if it is another one than there is.
    fn moved_pidfile(&self, config: &Config) -> Result<Option<Option<Pidfile>>, Failure> {
        if config.pidfile == self.generation.config.pidfile {
            return Ok(None);
        }
        let path = self.pidfile_of(config);
        path.as_deref().map(Pidfile::create).transpose().map(Some)
    }
}
