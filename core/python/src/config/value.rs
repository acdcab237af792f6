//! Values between Python and the settings.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use tricorn_server::config::{Kind, Object, Value, declared};
use tricorn_server::secrets::without_secrets;

/// The longest that an object is shown.
const SHOWN: usize = 80;

/// What a setting is given, as a value: lists are taken from whatever can be gone through.
pub(super) fn setting_value(name: &str, object: &Bound<'_, PyAny>) -> Value {
    let value = to_value(object);
    let is_list = declared::find(name).is_some_and(|setting| setting.kind == Kind::List);
    match object.try_iter() {
        Ok(items) if is_list && matches!(value, Value::Object(_)) => {
            let items: PyResult<Vec<_>> = items.map(|item| Ok(to_value(&item?))).collect();
            items.map_or(value, Value::List)
        }
        _ => value,
    }
}

/// A Python object as a value. What is no plain value is passed on unopened.
pub(super) fn to_value(object: &Bound<'_, PyAny>) -> Value {
    if object.is_none() {
        return Value::None;
    }
    if let Ok(truth) = object.cast_exact::<PyBool>() {
        return Value::Bool(truth.is_true());
    }
    if object.is_instance_of::<PyInt>() {
        return object.extract().map_or_else(|_| opaque(object), Value::Int);
    }
    if let Ok(number) = object.cast_exact::<PyFloat>() {
        return Value::Float(number.value());
    }
    if let Ok(text) = object.cast::<PyString>() {
        return Value::Str(text.to_string_lossy().into_owned());
    }
    if let Ok(list) = object.cast::<PyList>() {
        return Value::List(list.iter().map(|item| to_value(&item)).collect());
    }
    if let Ok(tuple) = object.cast::<PyTuple>() {
        return Value::List(tuple.iter().map(|item| to_value(&item)).collect());
    }
    if let Ok(dict) = object.cast::<PyDict>() {
        let items: Option<Vec<_>> = dict
            .iter()
            .map(|(key, value)| Some((key.extract().ok()?, to_value(&value))))
            .collect();
        return items.map_or_else(|| opaque(object), Value::Dict);
    }
    opaque(object)
}

fn opaque(object: &Bound<'_, PyAny>) -> Value {
    let shown = object.repr().map_or_else(
        |_| "?".to_owned(),
        |text| without_secrets(&text.to_string_lossy()),
    );
    let shown = if shown.chars().count() > SHOWN {
        shown.chars().take(SHOWN).chain("...".chars()).collect()
    } else {
        shown
    };
    Value::Object(Object {
        handle: Arc::new(object.clone().unbind()),
        shown,
    })
}

/// A value as the Python object it came from, or one that is equal.
pub(crate) fn to_python<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::None => py.None().into_bound(py),
        Value::Bool(truth) => PyBool::new(py, *truth).to_owned().into_any(),
        Value::Int(number) => number.into_pyobject(py)?.into_any(),
        Value::Float(number) => PyFloat::new(py, *number).into_any(),
        Value::Str(text) => PyString::new(py, text).into_any(),
        Value::List(items) => {
            let list = PyList::empty(py);
            for item in items {
                list.append(to_python(py, item)?)?;
            }
            list.into_any()
        }
        Value::Dict(items) => {
            let dict = PyDict::new(py);
            for (key, value) in items {
                dict.set_item(key, to_python(py, value)?)?;
            }
            dict.into_any()
        }
        Value::Object(object) => match object.handle.downcast_ref::<Py<PyAny>>() {
            Some(object) => object.bind(py).clone(),
            None => py.None().into_bound(py),
        },
    })
}
