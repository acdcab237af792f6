//! Logs and formats that a plugin offers to the server.

use std::any::TypeId;
use std::ffi::c_void;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tricorn_abi as abi;
use tricorn_abi::{Buffer, Str};

use crate::done::End;
use crate::error::{Error, Result};
use crate::guard::quietly;
use crate::logging;
use crate::plugin::StagedPlugin;
use crate::text::{bytes, lend, string};

/// The level of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The server or a worker is in trouble.
    Critical,
    /// Something failed.
    Error,
    /// Something may be wrong.
    Warning,
    /// What goes on.
    Info,
    /// For whoever looks for a fault.
    Debug,
    /// For whoever looks very hard.
    Trace,
}

impl Level {
    fn of(number: i32) -> Self {
        match number {
            ..=abi::LEVEL_CRITICAL => Self::Critical,
            abi::LEVEL_ERROR => Self::Error,
            abi::LEVEL_WARN => Self::Warning,
            abi::LEVEL_INFO => Self::Info,
            abi::LEVEL_DEBUG => Self::Debug,
            _ => Self::Trace,
        }
    }

    /// Its name, as the server's own log has it: `WARNING`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Critical => "CRITICAL",
            Self::Error => "ERROR",
            Self::Warning => "WARNING",
            Self::Info => "INFO",
            Self::Debug => "DEBUG",
            Self::Trace => "TRACE",
        }
    }
}

/// A message for the error log.
#[derive(Debug, Clone)]
pub struct LogRecord<'r> {
    /// Its level.
    pub level: Level,
    /// The process that says it.
    pub pid: i32,
    /// When.
    pub time: SystemTime,
    /// Which part of the server, or which plugin, says it.
    pub target: &'r str,
    /// What is said: one or more lines.
    pub message: &'r str,
    /// The place in the source, where that is known.
    pub place: Option<(&'r str, u32)>,
}

/// A request that has ended, for the access log: also one that was refused.
///
/// Texts are bytes, as they were sent: whoever writes them to a log escapes them.
#[derive(Debug, Clone, Copy)]
pub struct AccessRecord<'r> {
    pub(crate) raw: &'r abi::AccessRecord,
}

macro_rules! texts {
    ($($(#[$about:meta])* $name:ident;)+) => {
        $(
            $(#[$about])*
            #[must_use]
            pub fn $name(&self) -> &'r [u8] {
                // SAFETY: a text that is there as long as the record.
                unsafe { bytes(self.raw.$name) }
            }
        )+
    };
}

impl<'r> AccessRecord<'r> {
    texts! {
        /// The client's address; empty for a unix socket.
        client;
        /// The user name of Basic authentication (RFC 7617), or empty.
        user;
        /// The first line as it was sent; of a head that could not be read, what there is of it.
        request_line;
        /// The method; empty for a head that could not be read.
        method;
        /// The target as it was sent.
        target;
        /// The path, decoded.
        path;
        /// The query as it was sent.
        query;
        /// `HTTP/1.1`
        protocol;
        /// The header Referer, or empty.
        referer;
        /// The header User-Agent, or empty.
        user_agent;
    }

    /// The status that was sent; 0 if none was.
    #[must_use]
    pub fn status(&self) -> u16 {
        u16::try_from(self.raw.status).unwrap_or(0)
    }

    /// Bytes of content that were sent.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.raw.sent
    }

    /// From the head to the end.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_nanos(self.raw.duration)
    }

    /// The time of the end.
    #[must_use]
    pub fn time(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_nanos(self.raw.unix_ns)
    }

    /// The process.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.raw.pid
    }

    /// The reason of the end.
    #[must_use]
    pub fn end(&self) -> End {
        End::of(self.raw.end)
    }

    /// Returns the last header of the request of this name, in letters of either case.
    #[must_use]
    pub fn request_header(&self, name: &str) -> Option<&'r [u8]> {
        self.look_up(abi::LOOKUP_REQUEST_HEADER, name)
    }

    /// Returns the last header of the answer of this name.
    #[must_use]
    pub fn response_header(&self, name: &str) -> Option<&'r [u8]> {
        self.look_up(abi::LOOKUP_RESPONSE_HEADER, name)
    }

    /// An entry of the application's environ, if `access_log_format` names it.
    #[must_use]
    pub fn environ(&self, name: &str) -> Option<&'r [u8]> {
        self.look_up(abi::LOOKUP_ENVIRON, name)
    }

    fn look_up(&self, place: u32, name: &str) -> Option<&'r [u8]> {
        // SAFETY: as the ABI describes the function; what it gives lives as long as the record.
        unsafe {
            let found = (self.raw.lookup)(self.raw.context, place, lend(name.as_bytes()));
            (!found.ptr.is_null()).then(|| bytes(found))
        }
    }
}

/// A log of the plugin's own, in place of the server's: `logger_class = "plugin:ID"`.
///
/// Its methods may be called by several threads at once, with locks of the server's held: they must
/// not block for long. What they log themselves goes to standard error.
pub trait Logger: Sized + Send + Sync + 'static {
    /// The plugin that offers it.
    type Plugin: StagedPlugin;

    /// Opens it in a process: in the arbiter before the first message, and again in each worker.
    ///
    /// # Errors
    /// What kept it from that: the server does not start.
    fn open(module: &<Self::Plugin as StagedPlugin>::Module) -> Result<Self>;

    /// Takes a message.
    fn log(&self, record: &LogRecord<'_>);

    /// Takes an access record, and its line by the configured format; that is empty if `accesslog`
    /// is not set.
    fn access(&self, _line: &str, _record: &AccessRecord<'_>) {}

    /// Opens its files again, after somebody has moved them away.
    ///
    /// # Errors
    /// What kept it from that; it should write on to the old ones.
    fn reopen(&self) -> Result<()> {
        Ok(())
    }

    /// The end of a turn: what was collected is to be written.
    fn flush(&self) {}
}

/// A format for the lines of the access log: `access_log_formatter = "plugin:ID"`.
pub trait AccessFormat: Sized + Send + Sync + 'static {
    /// The plugin that offers it.
    type Plugin: StagedPlugin;

    /// Reads a format: `access_log_format` as the operator has written it.
    ///
    /// # Errors
    /// What is wrong with it: the server does not start.
    fn compile(module: &<Self::Plugin as StagedPlugin>::Module, spec: &str) -> Result<Self>;

    /// Appends the line for a record, without an end. The server escapes control characters in it.
    ///
    /// # Errors
    /// Whatever: the line has the built-in format then, and the failure is counted.
    fn write(&self, record: &AccessRecord<'_>, line: &mut Vec<u8>) -> Result<()>;
}

/// A table that a plugin offers to the server.
#[derive(Debug)]
pub struct Offer {
    /// Which plugin does.
    pub plugin: fn() -> TypeId,
    /// The table's name.
    pub name: &'static str,
    /// The table.
    pub table: fn() -> *const c_void,
}

inventory::collect!(Offer);

/// # Safety
/// As the ABI describes the function.
pub(crate) unsafe extern "C-unwind" fn get_interface<P: StagedPlugin>(
    _: *mut c_void,
    name: Str,
) -> *const c_void {
    // SAFETY: a text that is passed into a call.
    let name = unsafe { bytes(name) };
    let mut offers = inventory::iter::<Offer>.into_iter();
    let found =
        offers.find(|offer| offer.name.as_bytes() == name && (offer.plugin)() == TypeId::of::<P>());
    found.map_or(std::ptr::null(), |offer| (offer.table)())
}

/// The table of a logger.
#[must_use]
pub fn logger_table<L: Logger>() -> *const c_void {
    let table: &'static abi::Logger = const {
        &abi::Logger {
            struct_size: size_of::<abi::Logger>() as u32,
            reserved: 0,
            open: Some(open::<L>),
            log: Some(log::<L>),
            access: Some(access::<L>),
            reopen: Some(reopen::<L>),
            flush: Some(flush::<L>),
            close: Some(close::<L>),
        }
    };
    std::ptr::from_ref(table).cast()
}

/// The table of a format.
#[must_use]
pub fn format_table<F: AccessFormat>() -> *const c_void {
    let table: &'static abi::AccessFormat = const {
        &abi::AccessFormat {
            struct_size: size_of::<abi::AccessFormat>() as u32,
            reserved: 0,
            compile: Some(compile::<F>),
            write: Some(write::<F>),
            drop: Some(let_go::<F>),
        }
    };
    std::ptr::from_ref(table).cast()
}

/// Stores what was made, or says why it was not.
///
/// # Safety
/// `place` and `error` are what the server passed to the call under way.
unsafe fn deliver<T>(made: Option<Result<T>>, place: *mut *mut c_void, error: *mut Buffer) -> i32 {
    let (code, why) = match made {
        Some(Ok(value)) => {
            // SAFETY: promised by the caller.
            unsafe { *place = Box::into_raw(Box::new(value)).cast() };
            return abi::OK;
        }
        Some(Err(why)) => (abi::ERROR, why.to_string()),
        None => (abi::PANIC, "the server's log says where".to_owned()),
    };
    if let Some(host) = logging::host() {
        crate::host::write(host, error, &why);
    }
    code
}

unsafe extern "C-unwind" fn open<L: Logger>(
    module: *mut c_void,
    logger: *mut *mut c_void,
    error: *mut Buffer,
) -> i32 {
    // SAFETY: as the ABI describes the arguments, here and below.
    unsafe {
        let made = quietly(|| L::open(&*module.cast()));
        deliver(made, logger, error)
    }
}

unsafe extern "C-unwind" fn log<L: Logger>(logger: *mut c_void, record: *const abi::LogRecord) {
    // SAFETY: as above; texts live through the call.
    quietly(|| unsafe {
        let raw = &*record;
        let (target, message, file) = (string(raw.target), string(raw.message), string(raw.file));
        (*logger.cast::<L>()).log(&LogRecord {
            level: Level::of(raw.level),
            pid: raw.pid,
            time: UNIX_EPOCH + Duration::from_nanos(raw.unix_ns),
            target: &target,
            message: &message,
            place: (!file.is_empty()).then_some((&file, raw.line)),
        });
    });
}

unsafe extern "C-unwind" fn access<L: Logger>(
    logger: *mut c_void,
    line: Str,
    record: *const abi::AccessRecord,
) {
    // SAFETY: as above.
    quietly(|| unsafe {
        let record = AccessRecord { raw: &*record };
        let line = String::from_utf8_lossy(bytes(line));
        (*logger.cast::<L>()).access(&line, &record);
    });
}

unsafe extern "C-unwind" fn reopen<L: Logger>(logger: *mut c_void) -> i32 {
    // SAFETY: as above.
    match quietly(|| unsafe { (*logger.cast::<L>()).reopen() }) {
        Some(Ok(())) => abi::OK,
        Some(Err(why)) => {
            logging::send(abi::LEVEL_ERROR, "", &why.to_string(), ("", 0));
            abi::ERROR
        }
        None => abi::PANIC,
    }
}

unsafe extern "C-unwind" fn close<L: Logger>(logger: *mut c_void) {
    // SAFETY: the box that `open` gave away, which comes back once.
    quietly(|| drop(unsafe { Box::from_raw(logger.cast::<L>()) }));
}

unsafe extern "C-unwind" fn flush<L: Logger>(logger: *mut c_void) {
    // SAFETY: as above.
    quietly(|| unsafe { (*logger.cast::<L>()).flush() });
}

unsafe extern "C-unwind" fn compile<F: AccessFormat>(
    module: *mut c_void,
    spec: Str,
    format: *mut *mut c_void,
    error: *mut Buffer,
) -> i32 {
    // SAFETY: as above.
    unsafe {
        let made = quietly(|| F::compile(&*module.cast(), &string(spec)));
        deliver(made, format, error)
    }
}

unsafe extern "C-unwind" fn write<F: AccessFormat>(
    format: *mut c_void,
    record: *const abi::AccessRecord,
    line: *mut Buffer,
) -> i32 {
    thread_local! {
        static LINE: std::cell::RefCell<Vec<u8>> = const { std::cell::RefCell::new(Vec::new()) };
    }
    // SAFETY: as above.
    let written = quietly(|| unsafe {
        let mut text = LINE.take();
        text.clear();
        (*format.cast::<F>()).write(&AccessRecord { raw: &*record }, &mut text)?;
        let host = logging::host().ok_or_else(|| Error::new("there is no host"))?;
        let basics = host.table::<abi::Basics>(abi::INTERFACE_CORE)?;
        (basics.buf_write)(line, lend(&text));
        LINE.set(text);
        Ok::<(), Error>(())
    });
    match written {
        Some(Ok(())) => abi::OK,
        Some(Err(_)) => abi::ERROR,
        None => abi::PANIC,
    }
}

unsafe extern "C-unwind" fn let_go<F: AccessFormat>(format: *mut c_void) {
    // SAFETY: the box that `compile` gave away, which comes back once.
    quietly(|| drop(unsafe { Box::from_raw(format.cast::<F>()) }));
}
