//! tricorn's extension module: the binding between the server and the interpreter.
//!
//! The server knows no Python; this crate implements the ports it defines: the arbiter's host, the
//! worker's runtime, the gateway of the application, and handlers that are Python callables. No
//! borrow, lock or pointer to the stack is held across a call into Python: it may switch threads.

mod config;
mod ending;
mod entry;
mod failure;
mod forked;
mod handler;
mod host;
mod logs;
mod objects;
mod process;
mod runtime;
mod scene;
mod signals;
mod threads;
mod watch;
mod wsgi;

use pyo3::prelude::*;

/// The compiled part of the package `tricorn`.
#[pymodule]
mod _native {
    #[pymodule_export]
    use super::config::{
        Reading, check_setting, default_settings, explain, judge_settings, known_events,
        known_settings, nearly_a_setting, parse_addresses, read_arguments, read_for_program,
        text_without_secrets, without_secrets,
    };
    #[pymodule_export]
    use super::entry::{main, serve, start_directory_of_server};
    #[pymodule_export]
    use super::logs::bridge::{
        hear, log_access, log_line, log_reopen, metric, open_log_file, write_log,
    };
    #[pymodule_export]
    use super::objects::{ArbiterControl, WorkerControl};
    #[pymodule_export]
    use super::signals::{
        install, on_nothing, on_overtime, on_reopen, on_stop, reload_worker, worker_abort,
        worker_quit,
    };
    #[pymodule_export]
    use super::watch::DirectoryWatch;
    #[pymodule_export]
    use super::wsgi::{BodyInput, ClientSocket, ErrorStream, Request, Response};

    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let timeout = module
            .py()
            .get_type::<crate::wsgi::overtime::RequestTimeout>();
        module.add("RequestTimeout", timeout)?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
