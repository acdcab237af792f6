//! What an access line holds.

use std::collections::BTreeMap;

use serde_json::Value;
use tricorn_hooks::{AccessRecord, Error, Result};

use super::line::{Object, end};

/// The fields there are, in the order of a line.
pub(crate) const NAMES: [&str; 15] = [
    "time",
    "client",
    "user",
    "request",
    "method",
    "path",
    "query",
    "protocol",
    "status",
    "bytes",
    "duration_us",
    "referer",
    "user_agent",
    "pid",
    "end",
];

/// Some of the fields, and what is added to them.
pub(crate) struct Fields {
    names: Vec<&'static str>,
    headers: Vec<String>,
    /// `"service":"shop"`: the same in every line, and so written once.
    constant: Vec<u8>,
}

impl Fields {
    pub(crate) fn all(headers: &[String], fields: &BTreeMap<String, Value>) -> Self {
        Self {
            names: NAMES.to_vec(),
            headers: headers.iter().map(|name| name.to_lowercase()).collect(),
            constant: constant(fields),
        }
    }

    /// Those that a list names, in its order.
    pub(crate) fn named(
        list: &str,
        headers: &[String],
        fields: &BTreeMap<String, Value>,
    ) -> Result<Self> {
        let names = list.split(',').map(str::trim).map(|name| {
            let known = NAMES.into_iter().find(|known| *known == name);
            known.ok_or_else(|| {
                let all = NAMES.join(", ");
                Error::new(format!("there is no field '{name}'; there are {all}"))
            })
        });
        Ok(Self {
            names: names.collect::<Result<_>>()?,
            ..Self::all(headers, fields)
        })
    }

    /// What every line holds.
    pub(crate) fn constant(&self) -> &[u8] {
        &self.constant
    }

    /// Appends the object for a record.
    pub(crate) fn write(&self, record: &AccessRecord<'_>, line: &mut Vec<u8>) {
        let mut object = Object::begin(line);
        for name in &self.names {
            field(name, record, &mut object);
        }
        for name in &self.headers {
            object.optional(name, record.request_header(name).unwrap_or_default());
        }
        object.raw(&self.constant);
        object.end();
    }
}

fn constant(fields: &BTreeMap<String, Value>) -> Vec<u8> {
    let members = fields
        .iter()
        .map(|(name, value)| format!("{}:{value}", Value::from(name.as_str())));
    members.collect::<Vec<_>>().join(",").into_bytes()
}

fn field(name: &str, record: &AccessRecord<'_>, object: &mut Object<'_>) {
    match name {
        "time" => object.time(name, record.time()),
        "client" => object.optional(name, record.client()),
        "user" => object.optional(name, record.user()),
        "request" => object.optional(name, record.request_line()),
        "method" => object.optional(name, record.method()),
        "path" => object.optional(name, record.path()),
        // One that is empty is there all the same, unless there was no head.
        "query" if record.method().is_empty() => object.optional(name, b""),
        "query" => object.text(name, record.query()),
        "protocol" => object.optional(name, record.protocol()),
        "status" if record.status() == 0 => object.optional(name, b""),
        "status" => object.number(name, record.status().into()),
        "bytes" => object.number(name, record.sent()),
        "duration_us" => {
            let micros = u64::try_from(record.duration().as_micros());
            object.number(name, micros.unwrap_or(u64::MAX));
        }
        "referer" => object.optional(name, record.referer()),
        "user_agent" => object.optional(name, record.user_agent()),
        "pid" => object.number(name, u64::try_from(record.pid()).unwrap_or(0)),
        _ => object.text(name, end(record.end()).as_bytes()),
    }
}
