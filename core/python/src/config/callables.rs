//! Callables that an operator names or hands over: imported, and counted what they take.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyModule, PyString};
use tricorn_server::config::{Kind, Settings, Value, declared};
use tricorn_server::error::Failure;

use super::value::to_python;
use crate::failure::failure;

/// What a callable is wanted for.
pub(super) struct Wanted<'a> {
    /// How messages call it.
    pub(super) title: String,
    /// Where it is given.
    pub(super) origin: String,
    /// What it is called with.
    pub(super) names: &'a [&'a str],
    /// Whether it may take so many positional arguments.
    pub(super) accepts: &'a dyn Fn(usize) -> bool,
}

/// A callable that is fit for what it is wanted for.
pub(super) struct Found<'py> {
    pub(super) callable: Bound<'py, PyAny>,
    /// How many positional arguments it takes.
    pub(super) arity: usize,
    /// Its name, as `module:function`.
    pub(super) described: String,
    /// Whether calling it only makes what somebody would have to await.
    pub(super) is_async: bool,
}

/// Imports a dotted name, and checks that the callable takes what it is given.
pub(super) fn find<'py>(
    loading: &Bound<'py, PyModule>,
    object: Bound<'py, PyAny>,
    wanted: &Wanted<'_>,
) -> Result<Found<'py>, Failure> {
    let py = loading.py();
    let Wanted { title, origin, .. } = wanted;
    let wrong = |error: PyErr| failure(py, &error).from_origin(format!("{title} in {origin}"));
    let refused = |what: String, mend: String| {
        Failure::operator(format!("{title}: {what}"))
            .from_origin(origin)
            .mend(mend)
    };
    let callable = if object.is_instance_of::<PyString>() {
        loading
            .call_method1(intern!(py, "import_dotted"), (&object,))
            .map_err(wrong)?
    } else {
        object
    };
    let signature = format!("({})", wanted.names.join(", "));
    if !callable.is_callable() {
        let shown = callable
            .repr()
            .map_or_else(|_| "?".to_owned(), |text| text.to_string());
        return Err(refused(
            format!("{shown} is not callable"),
            format!("give a function that takes {signature}"),
        ));
    }
    let describe = || -> PyResult<(Option<usize>, String, bool)> {
        let arity = loading.call_method1(intern!(py, "arity"), (&callable,))?;
        let described = loading.call_method1(intern!(py, "describe"), (&callable,))?;
        let is_async = loading.call_method1(intern!(py, "is_async"), (&callable,))?;
        Ok((arity.extract()?, described.extract()?, is_async.extract()?))
    };
    let (arity, described, is_async) = describe().map_err(wrong)?;
    let given = wanted.names.len();
    let arity = arity.unwrap_or(given);
    if !(wanted.accepts)(arity) {
        let what = format!("{described} takes {arity} positional arguments and is given {given}");
        return Err(refused(what, format!("let it take {signature}")));
    }
    Ok(Found {
        callable,
        arity,
        described,
        is_async,
    })
}

/// Looks at the settings that hold a callable.
pub(super) fn check_settings(
    loading: &Bound<'_, PyModule>,
    settings: &Settings,
) -> Result<(), Failure> {
    let py = loading.py();
    for setting in declared::all() {
        let (Kind::Callable(names), value) = (setting.kind, settings.value(setting.name)) else {
            continue;
        };
        if value == &Value::None {
            continue;
        }
        let source = settings.source(setting.name);
        let wanted = Wanted {
            title: format!("setting '{}'", setting.name),
            origin: source.to_string(),
            names,
            accepts: &|count| count == names.len(),
        };
        let object = to_python(py, value).map_err(|error| failure(py, &error))?;
        find(loading, object, &wanted).map_err(|refusal| refusal.exits_with(source.exit()))?;
    }
    Ok(())
}
