//! Logs and formats that plugins offer: `logger_class = "plugin:ID"` and
//! `access_log_formatter = "plugin:ID"`.

use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use log::{Level, Record as Message};
use tricorn_abi as abi;
use tricorn_abi::Str;

use super::crumb;
use super::descriptor::Descriptor;
use super::host::Buffer;
use super::load::Plugins;
use super::module::Module;
use super::payload::end_number;
use super::text::{NOTHING, bytes, lend};
use crate::access::{Facts, LineMaker, Listener, Makers, escape_controls};
use crate::config::{ACCESS_LOG_FORMAT, Config, Maker};
use crate::error::{Blame, Failure};
use crate::exchange::Record;
use crate::log::{self as logs, CRITICAL, Relay};

/// A table that a plugin offers, whose module this is.
fn offered<T: Copy>(plugin: &Descriptor, module: *mut c_void, name: &str) -> Option<T> {
    let get = plugin.functions.get_interface?;
    // SAFETY: as the ABI describes the function: a table lives for ever, and begins with its size.
    unsafe {
        let table = get(module, lend(name.as_bytes()));
        let size = *table.cast::<u32>().as_ref()? as usize;
        (size >= size_of::<T>()).then(|| table.cast::<T>().read())
    }
}

/// A table that a plugin of the configuration offers.
fn offered_by<T: Copy>(module: &Module, name: &str) -> Option<T> {
    crumb::inside(module.whose(), crumb::INTERFACE, || {
        offered(&module.descriptor, module.module_state(), name)
    })
}

fn find<'p>(plugins: &'p Plugins, id: &str) -> Result<&'p Arc<Module>, String> {
    let found = plugins.modules().iter().find(|module| module.id() == id);
    found.ok_or_else(|| {
        let ids: Vec<_> = plugins.modules().iter().map(|module| module.id()).collect();
        format!(
            "no plugin with the id '{id}' is loaded, but {}",
            if ids.is_empty() {
                "none at all".to_owned()
            } else {
                ids.join(", ")
            }
        )
    })
}

/// Looks whether the plugins that the logs' settings name offer what they are named for.
///
/// # Errors
/// The setting, and what is wrong with it.
pub fn check_logs(config: &Config, plugins: &Plugins) -> Result<(), Failure> {
    let complain = |setting: &str, what: String| {
        config
            .settings
            .complain(setting, what)
            .mend("give plugin:ID, with the id of a plugin in 'plugins' that offers one")
    };
    if let Maker::Plugin(id) = &config.logging.logger {
        logger(plugins, id).map_err(|what| complain("logger_class", what))?;
    }
    if let Maker::Plugin(id) = &config.logging.formatter {
        NativeFormat::compile(plugins, id, &config.logging.access_format)
            .map_err(|what| complain("access_log_formatter", what))?;
    }
    Ok(())
}

fn logger(plugins: &Plugins, id: &str) -> Result<(Arc<Module>, abi::Logger), String> {
    let module = find(plugins, id)?;
    let table = offered_by(module, abi::INTERFACE_LOGGER);
    let table = table.ok_or_else(|| format!("the plugin {id} offers no logger"))?;
    Ok((Arc::clone(module), table))
}

/// Gives the server's messages to the logger that the configuration names, if that is a plugin's.
///
/// # Errors
/// A logger that cannot be opened.
pub fn relay_logs(config: &Config, plugins: &Plugins) -> Result<(), Failure> {
    let Maker::Plugin(id) = &config.logging.logger else {
        return Ok(());
    };
    let refused = |what| Failure::new(Blame::Plugin, format!("logger_class: {what}"));
    let (module, table) = logger(plugins, id).map_err(refused)?;
    let logger = NativeLogger::open(module, table).map_err(refused)?;
    let logger = Arc::new(logger);
    *OPENED.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&logger));
    logs::relay_to(Some(logger));
    Ok(())
}

/// The logger that was opened last.
static OPENED: Mutex<Option<Arc<NativeLogger>>> = Mutex::new(None);

/// What the plugins of a configuration do for the access log, in a worker.
///
/// # Errors
/// A format that cannot be compiled here.
pub fn makers(config: &Config, plugins: &Plugins) -> Result<Makers, String> {
    let mut makers = Makers::default();
    if let Maker::Plugin(id) = &config.logging.formatter {
        let format = NativeFormat::compile(plugins, id, &config.logging.access_format)?;
        makers.formatter = Some(Box::new(format));
    }
    if let Maker::Plugin(_) = &config.logging.logger {
        let opened = OPENED
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        makers.listener = opened.map(|logger| Box::new(Told(logger)) as Box<dyn Listener>);
    }
    Ok(makers)
}

/// A plugin's logger, opened in this process.
#[derive(Debug)]
struct NativeLogger {
    /// Its module stays as long as it is used.
    module: Arc<Module>,
    table: abi::Logger,
    logger: AtomicPtr<c_void>,
}

thread_local! {
    /// This thread is inside a logger: what that logs itself goes to the native log.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

impl NativeLogger {
    fn open(module: Arc<Module>, table: abi::Logger) -> Result<Self, String> {
        let logger = open(&module, &table)?;
        Ok(Self {
            module,
            table,
            logger: AtomicPtr::new(logger),
        })
    }

    fn handle(&self) -> *mut c_void {
        self.logger.load(Ordering::Acquire)
    }

    fn close(&self, logger: *mut c_void) {
        if let Some(close) = self.table.close {
            // SAFETY: one that `open` has made, which nobody uses any more.
            crumb::inside(self.module.whose(), crumb::LOGGER, || unsafe {
                close(logger)
            });
        }
    }

    /// Calls it, unless this thread is inside of a logger. Whether it did.
    fn enter(&self, call: impl FnOnce()) -> bool {
        if INSIDE.replace(true) {
            return false;
        }
        crumb::inside(self.module.whose(), crumb::LOGGER, call);
        INSIDE.set(false);
        true
    }
}

fn open(module: &Module, table: &abi::Logger) -> Result<*mut c_void, String> {
    let open = table.open.ok_or("its logger has no function to open it")?;
    let (mut logger, mut error) = (std::ptr::null_mut(), Buffer::default());
    // SAFETY: as the ABI describes the function; the pointers live through the call.
    let code = crumb::inside(module.whose(), crumb::LOGGER, || unsafe {
        open(module.module_state(), &raw mut logger, error.handle())
    });
    if code == abi::OK {
        Ok(logger)
    } else {
        Err(format!(
            "the logger of plugin {} cannot be opened: {}",
            module.id(),
            error.explain(code)
        ))
    }
}

impl Drop for NativeLogger {
    fn drop(&mut self) {
        self.close(self.handle());
    }
}

impl Relay for NativeLogger {
    fn log(&self, message: &Message<'_>) -> bool {
        let text = message.args().to_string();
        let level = match (message.level(), message.target()) {
            (_, CRITICAL) => abi::LEVEL_CRITICAL,
            (Level::Error, _) => abi::LEVEL_ERROR,
            (Level::Warn, _) => abi::LEVEL_WARN,
            (Level::Info, _) => abi::LEVEL_INFO,
            (Level::Debug, _) => abi::LEVEL_DEBUG,
            (Level::Trace, _) => abi::LEVEL_TRACE,
        };
        let record = abi::LogRecord {
            struct_size: size_of::<abi::LogRecord>() as u32,
            level,
            pid: std::process::id().cast_signed(),
            line: message.line().unwrap_or(0),
            unix_ns: unix_now(),
            target: lend(message.target().as_bytes()),
            message: lend(text.as_bytes()),
            file: message.file().map_or(NOTHING, |file| lend(file.as_bytes())),
        };
        let called = self.enter(|| {
            if let Some(log) = self.table.log {
                // SAFETY: as the ABI describes the function: the logger is one that it has opened,
                // and the record lives through the call.
                unsafe { log(self.handle(), &raw const record) }
            }
        });
        if !called {
            logs::write_natively(&text);
        }
        true
    }

    fn after_fork(&self) {
        match open(&self.module, &self.table) {
            Ok(logger) => self.close(self.logger.swap(logger, Ordering::AcqRel)),
            Err(why) => logs::write_natively(&why),
        }
    }

    fn deliver(&self) {}

    fn reopen(&self) {
        let mut code = abi::OK;
        self.enter(|| {
            if let Some(reopen) = self.table.reopen {
                // SAFETY: as above.
                code = unsafe { reopen(self.handle()) };
            }
        });
        if code != abi::OK {
            let id = self.module.id();
            logs::write_natively(&format!(
                "the logger of plugin {id} cannot open its files again"
            ));
        }
    }
}

/// The logger, told of requests.
#[derive(Debug)]
struct Told(Arc<NativeLogger>);

impl Listener for Told {
    fn access(&self, line: &str, record: &Record<'_>) {
        let Some(access) = self.0.table.access else {
            return;
        };
        show(record, |record| {
            self.0.enter(|| {
                // SAFETY: as above.
                unsafe { access(self.0.handle(), lend(line.as_bytes()), record) }
            });
        });
    }

    fn flush(&self) {
        if let Some(flush) = self.0.table.flush {
            self.0.enter(|| {
                // SAFETY: as above.
                unsafe { flush(self.0.handle()) }
            });
        }
    }
}

/// A plugin's format, compiled.
#[derive(Debug)]
struct NativeFormat {
    table: abi::AccessFormat,
    format: *mut c_void,
    /// Its module stays as long as it is used.
    module: Arc<Module>,
}

// SAFETY: the pointer is the plugin's own and only passed back to it; the ABI asks for functions that
// may be called on any thread.
unsafe impl Send for NativeFormat {}
// SAFETY: as above.
unsafe impl Sync for NativeFormat {}

impl NativeFormat {
    fn compile(plugins: &Plugins, id: &str, spec: &str) -> Result<Self, String> {
        let module = find(plugins, id)?;
        let state = module.module_state();
        let table = offered_by(module, abi::INTERFACE_ACCESS_FORMAT);
        let table = table.ok_or_else(|| format!("the plugin {id} offers no format"))?;
        let format = crumb::inside(module.whose(), crumb::FORMAT, || {
            compile(&table, state, spec)
        });
        let format = format.map_err(|why| format!("the plugin {id} refuses the format: {why}"))?;
        Ok(Self {
            table,
            format,
            module: Arc::clone(module),
        })
    }
}

fn compile(
    table: &abi::AccessFormat,
    module: *mut c_void,
    spec: &str,
) -> Result<*mut c_void, String> {
    let compile = table.compile.ok_or("it has no function to compile it")?;
    let (mut format, mut error) = (std::ptr::null_mut(), Buffer::default());
    // SAFETY: as the ABI describes the function; the pointers live through the call.
    let code = unsafe {
        compile(
            module,
            lend(spec.as_bytes()),
            &raw mut format,
            error.handle(),
        )
    };
    if code == abi::OK {
        Ok(format)
    } else {
        Err(error.explain(code))
    }
}

/// Puts what a plugin offers for the logs to the test, as far as that writes nothing.
///
/// # Errors
/// What is wrong with it.
pub(super) fn try_out(
    plugin: &Descriptor,
    module: *mut c_void,
    record: &Record<'_>,
) -> Result<(), String> {
    if let Some(table) = offered::<abi::Logger>(plugin, module, abi::INTERFACE_LOGGER)
        && (table.open.is_none() || table.log.is_none())
    {
        return Err("its logger has no function to open it, or none to log".to_owned());
    }
    let table = offered::<abi::AccessFormat>(plugin, module, abi::INTERFACE_ACCESS_FORMAT);
    let Some(table) = table else { return Ok(()) };
    let format = compile(&table, module, ACCESS_LOG_FORMAT)
        .map_err(|why| format!("its format refuses the default of access_log_format: {why}"))?;
    let write = table.write.ok_or("its format has no function to write")?;
    let mut made = Buffer::default();
    // SAFETY: as the ABI describes the functions; all lives through the calls.
    let code = show(record, |record| unsafe {
        write(format, record, made.handle())
    });
    if let Some(drop) = table.drop {
        // SAFETY: what `compile` has made, which goes back once.
        unsafe { drop(format) }
    }
    match code {
        abi::OK if made.bytes().contains(&b'\n') => Err("its lines have ends in them".to_owned()),
        abi::OK => Ok(()),
        code => Err(format!("its format makes no line: {}", made.explain(code))),
    }
}

impl Drop for NativeFormat {
    fn drop(&mut self) {
        if let Some(drop) = self.table.drop {
            // SAFETY: what `compile` has made, which goes back once.
            crumb::inside(self.module.whose(), crumb::FORMAT, || unsafe {
                drop(self.format);
            });
        }
    }
}

impl LineMaker for NativeFormat {
    fn make(&self, record: &Record<'_>, line: &mut String) -> bool {
        let Some(write) = self.table.write else {
            return false;
        };
        thread_local! {
            static MADE: RefCell<Buffer> = const { RefCell::new(Buffer::new()) };
        }
        // Taken out, not borrowed: the plugin's code runs meanwhile.
        let mut made = MADE.replace(Buffer::new());
        made.clear();
        let code = crumb::inside(self.module.whose(), crumb::FORMAT, || {
            show(record, |record| {
                // SAFETY: as the ABI describes the function; all lives through the call.
                unsafe { write(self.format, record, made.handle()) }
            })
        });
        if code == abi::OK {
            escape_controls(made.bytes(), line);
        }
        MADE.set(made);
        code == abi::OK
    }
}

fn unix_now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    })
}

/// Calls `with` with a record as plugins see it.
fn show<R>(record: &Record<'_>, with: impl FnOnce(*const abi::AccessRecord) -> R) -> R {
    let facts = Facts::of(record);
    let text = |text: &[u8]| lend(text);
    let raw = abi::AccessRecord {
        struct_size: size_of::<abi::AccessRecord>() as u32,
        status: facts.status.into(),
        pid: std::process::id().cast_signed(),
        end: end_number(record.end),
        unix_ns: unix_now(),
        duration: record.duration,
        sent: record.sent,
        client: text(facts.client.as_bytes()),
        user: text(&facts.user),
        request_line: text(facts.request_line),
        method: text(facts.method),
        target: text(facts.target),
        path: text(&facts.path),
        query: text(facts.query),
        protocol: text(facts.protocol.as_bytes()),
        referer: text(&facts.referer),
        user_agent: text(&facts.user_agent),
        context: std::ptr::from_ref(record).cast(),
        lookup,
    };
    with(&raw const raw)
}

unsafe extern "C" fn lookup(context: *const c_void, place: u32, name: Str) -> Str {
    // SAFETY: the record that `show` has lent for the call under way, and a text.
    let (record, name) = unsafe { (&*context.cast::<Record<'_>>(), bytes(name)) };
    let found = match place {
        abi::LOOKUP_REQUEST_HEADER => record.request.head.last_field(name),
        abi::LOOKUP_RESPONSE_HEADER => record.response.last_field(name),
        abi::LOOKUP_ENVIRON => {
            let mut values = record.environ.iter();
            let found = values.find(|(key, _)| key.as_bytes().eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.as_bytes())
        }
        _ => None,
    };
    found.map_or(NOTHING, lend)
}
