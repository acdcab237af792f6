//! Waiting for a client, with the interpreter let go of.

use pyo3::exceptions::{
    PyBrokenPipeError, PyConnectionError, PyOSError, PyTimeoutError, PyValueError,
};
use pyo3::prelude::*;
use tricorn_server::exchange::End;
use tricorn_server::gateway::{ChannelError, Handle, Progress, Wait, Woken};

/// Waits until it is worth trying again. A signal's handler may raise instead.
pub(super) fn wait(py: Python<'_>, wait: Wait) -> PyResult<Woken> {
    loop {
        match py.detach(|| wait.block()) {
            Woken::Interrupted => py.check_signals()?,
            woken => return Ok(woken),
        }
    }
}

/// Waits until the client has read enough for more to be taken.
pub(super) fn wait_to_write(
    py: Python<'_>,
    channel: &Handle,
    mut progress: Progress,
) -> PyResult<()> {
    while let Progress::Wait(until) = progress {
        if wait(py, until)? == Woken::TimedOut {
            channel.abort(End::WriteTimeout);
            return Err(raise(ChannelError::TimedOut));
        }
        progress = channel.push().map_err(raise)?;
    }
    Ok(())
}

/// The exception that tells the application what is wrong with its client.
pub(super) fn raise(error: ChannelError) -> PyErr {
    let text = error.to_string();
    match error {
        ChannelError::Gone => PyBrokenPipeError::new_err(text),
        ChannelError::TimedOut => PyTimeoutError::new_err(text),
        ChannelError::Body(_) => PyConnectionError::new_err(text),
        ChannelError::Over => PyValueError::new_err(text),
        ChannelError::Io(_) => PyOSError::new_err(text),
    }
}
