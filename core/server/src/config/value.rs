//! A setting's value before anyone knows whether it is any good.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// A value as a file, a flag or a program gave it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Python's `None`.
    None,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// Text.
    Str(String),
    /// A list or a tuple.
    List(Vec<Self>),
    /// A dictionary with text as its keys, in its order.
    Dict(Vec<(String, Self)>),
    /// Anything else: a function, a class, an object.
    Object(Object),
}

impl FromIterator<Self> for Value {
    fn from_iter<I: IntoIterator<Item = Self>>(items: I) -> Self {
        Self::List(items.into_iter().collect())
    }
}

/// An object of the language the configuration is written in. This crate passes it on unopened.
#[derive(Clone)]
pub struct Object {
    /// The object itself, for whoever knows what it is.
    pub handle: Arc<dyn Any + Send + Sync>,
    /// How it is shown.
    pub shown: String,
}

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.handle, &other.handle)
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// The value as Python would write it.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Bool(true) => f.write_str("True"),
            Self::Bool(false) => f.write_str("False"),
            Self::Int(number) => write!(f, "{number}"),
            Self::Float(number) => write!(f, "{number:?}"),
            Self::Str(text) => write_quoted(f, text),
            Self::List(items) => {
                write_joined(f, '[', items.iter(), ']', |f, item| write!(f, "{item}"))
            }
            Self::Dict(items) => write_joined(f, '{', items.iter(), '}', |f, (key, value)| {
                write_quoted(f, key)?;
                write!(f, ": {value}")
            }),
            Self::Object(object) => f.write_str(&object.shown),
        }
    }
}

fn write_quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    write!(f, "{quote}")?;
    for character in text.chars() {
        match character {
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            '\\' => f.write_str("\\\\")?,
            c if c == quote => write!(f, "\\{c}")?,
            c if c.is_control() => write!(f, "\\x{:02x}", u32::from(c))?,
            c => write!(f, "{c}")?,
        }
    }
    write!(f, "{quote}")
}

fn write_joined<T>(
    f: &mut fmt::Formatter<'_>,
    open: char,
    items: impl Iterator<Item = T>,
    close: char,
    mut each: impl FnMut(&mut fmt::Formatter<'_>, T) -> fmt::Result,
) -> fmt::Result {
    write!(f, "{open}")?;
    for (index, item) in items.enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        each(f, item)?;
    }
    write!(f, "{close}")
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Str(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Str(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_as_python_writes_them() {
        let value = Value::Dict(vec![
            (
                "a".into(),
                Value::List(vec![Value::None, true.into(), 3.into(), Value::Float(0.5)]),
            ),
            ("it's".into(), "tab\tquote'\"".into()),
        ]);
        assert_eq!(
            value.to_string(),
            "{'a': [None, True, 3, 0.5], \"it's\": 'tab\\tquote\\'\"'}"
        );
    }
}
