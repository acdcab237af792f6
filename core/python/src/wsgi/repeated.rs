//! Fields that come more than once: their values are gathered, and joined once at the end. Joining
//! them one by one would copy what has grown so far for each.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

/// What separates the values of Cookie fields (RFC 6265 section 5.4).
const BETWEEN_COOKIES: &str = "; ";

/// What separates the values of all others (RFC 9110 section 5.3), as gunicorn writes it.
const BETWEEN_VALUES: &str = ",";

/// The values of repeated fields, by their keys in `environ`. Costs nothing while there are none.
#[derive(Default)]
pub(super) struct Repeated<'py>(Option<Bound<'py, PyDict>>);

impl<'py> Repeated<'py> {
    /// Sets an entry of `environ`, or keeps its value if there is one of this key already.
    pub(super) fn set(
        &mut self,
        environ: &Bound<'py, PyDict>,
        key: &Bound<'py, PyString>,
        value: &Bound<'py, PyAny>,
    ) -> PyResult<()> {
        match environ.get_item(key)? {
            Some(first) => self.keep(key, &first, value),
            None => environ.set_item(key, value),
        }
    }

    #[cold]
    fn keep(
        &mut self,
        key: &Bound<'py, PyString>,
        first: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
    ) -> PyResult<()> {
        let lists = self.0.get_or_insert_with(|| PyDict::new(key.py()));
        match lists.get_item(key)? {
            Some(list) => list.cast::<PyList>()?.append(value),
            None => lists.set_item(key, PyList::new(key.py(), [first, value])?),
        }
    }

    /// Puts the joined values into `environ`.
    pub(super) fn join_into(self, environ: &Bound<'py, PyDict>) -> PyResult<()> {
        let Some(lists) = self.0 else { return Ok(()) };
        for (key, list) in lists {
            let is_cookie = key.cast::<PyString>()?.to_str()? == "HTTP_COOKIE";
            let separator = if is_cookie {
                BETWEEN_COOKIES
            } else {
                BETWEEN_VALUES
            };
            let separator = PyString::new(key.py(), separator);
            environ.set_item(key, separator.call_method1("join", (list,))?)?;
        }
        Ok(())
    }
}
