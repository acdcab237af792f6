//! The plugin's own copy of the `log` crate, led to the server's log.

use std::sync::Once;
use std::sync::atomic::{AtomicPtr, Ordering};

use log::{Level, LevelFilter, Metadata, Record};
use tricorn_abi as abi;

use crate::host::Host;

/// The host that was seen last: several plugins of one file share a `log` crate.
static HOST: AtomicPtr<abi::Host> = AtomicPtr::new(std::ptr::null_mut());

/// The host that messages go to.
pub(crate) fn host() -> Option<Host> {
    let raw = HOST.load(Ordering::Acquire);
    // SAFETY: one that the server passed to a call, and that lives for ever.
    (!raw.is_null()).then(|| unsafe { Host::new(raw) })
}

/// Leads messages to this host.
pub(crate) fn lead_to(host: Host) {
    static ONCE: Once = Once::new();
    HOST.store(host.raw.cast_mut(), Ordering::Release);
    ONCE.call_once(|| {
        // Another logger that the plugin has set stays.
        let _ = log::set_logger(&Forwarder);
        // The level may change at any time: it is looked at for each message.
        log::set_max_level(LevelFilter::Trace);
        install_panic_hook();
        #[cfg(feature = "tracing")]
        crate::tracing::install();
    });
}

pub(crate) fn level_of(level: Level) -> i32 {
    level as i32
}

/// Sends a message, if the server wants it.
pub(crate) fn send(level: i32, target: &str, message: &str, place: (&str, u32)) {
    if let Some(host) = host().filter(|host| level <= host.level()) {
        host.log(level, target, message, place);
    }
}

struct Forwarder;

impl log::Log for Forwarder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        host().is_some_and(|host| level_of(metadata.level()) <= host.level())
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let message = record.args().to_string();
            let place = (
                record.file().unwrap_or_default(),
                record.line().unwrap_or(0),
            );
            send(level_of(record.level()), record.target(), &message, place);
        }
    }

    fn flush(&self) {}
}

/// What panics say goes to the log as well, with the place.
fn install_panic_hook() {
    std::panic::set_hook(Box::new(|info| {
        let payload = info.payload();
        let what = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("something that is not text");
        let (file, line) = info
            .location()
            .map_or(("", 0), |place| (place.file(), place.line()));
        let message = format!("panicked at {file}:{line}: {what}");
        send(abi::LEVEL_ERROR, "", &message, (file, line));
    }));
}
