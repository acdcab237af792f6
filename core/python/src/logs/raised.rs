//! Python's exceptions in the logs.

use pyo3::ffi;
use pyo3::prelude::*;
use tricorn_server::log::{Raised, log_raised};

use crate::failure::{thrown, trace};

/// Logs an exception, and what it has disturbed.
pub(crate) fn log_exception(py: Python<'_>, message: &str, error: &PyErr) {
    log_raised(&Raised {
        message,
        trace: &trace(py, error),
        thrown: &thrown(py, error),
    });
}

/// Calls as from an `except` clause of this exception: `sys.exc_info()` is of it meanwhile.
pub(super) fn while_handling<T>(py: Python<'_>, error: &PyErr, call: impl FnOnce() -> T) -> T {
    let value = error.clone_ref(py).into_value(py).into_any();
    let traceback = error.traceback(py).map(|it| it.into_any().unbind());
    let class = error.get_type(py).into_any().unbind();
    let former = Handled([Some(class), Some(value), traceback]).replace(py);
    let restored = Restored(py, Some(former));
    let result = call();
    drop(restored);
    result
}

/// What this thread handles: the class, the exception and its traceback.
struct Handled([Option<Py<PyAny>>; 3]);

impl Handled {
    /// Lets the thread handle this; what it has handled before.
    fn replace(self, py: Python<'_>) -> Self {
        let mut former = [std::ptr::null_mut(); 3];
        let [class, value, traceback] = &mut former;
        let given = self
            .0
            .map(|part| part.map_or(std::ptr::null_mut(), Py::into_ptr));
        // SAFETY: this thread is attached, as `py` shows. The first call writes three references of
        // ours to where the pointers lead, each null or an object; the second takes over those that
        // it is given, and accepts null.
        unsafe {
            ffi::PyErr_GetExcInfo(class, value, traceback);
            ffi::PyErr_SetExcInfo(given[0], given[1], given[2]);
        }
        // SAFETY: what the first call has written, which nobody else releases.
        Self(
            former.map(|part| unsafe { Bound::from_owned_ptr_or_opt(py, part).map(Bound::unbind) }),
        )
    }
}

/// Sets what was handled before, also if the call unwinds.
struct Restored<'py>(Python<'py>, Option<Handled>);

impl Drop for Restored<'_> {
    fn drop(&mut self) {
        if let Some(former) = self.1.take() {
            drop(former.replace(self.0));
        }
    }
}
