//! From the JSON that the server passes to a plugin's own options. What is wrong is told with the
//! key that it stands under.

use serde::de::value::StringDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, Visitor,
};
use serde_json::map::IntoIter;
use serde_json::{Error as Wrong, Map, Value};

use crate::{Error, Result};

/// Reads a plugin's options.
///
/// # Errors
/// What is wrong with them, and the key.
pub(crate) fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T> {
    serde_json::from_slice(json).map_err(|why| {
        let what = plainly(&why);
        let text = match to_blame::<T>(json) {
            // An unknown key is named by serde itself.
            Some(key) if !what.contains(&format!("`{key}`")) => format!("{key}: {what}"),
            _ => what,
        };
        Error::new(format!("its options: {text}"))
    })
}

/// serde's words without the place in the text, which the operator has not written as JSON.
fn plainly(error: &Wrong) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// The key at which reading ends too early: read once more, with an eye on the keys.
fn to_blame<T: DeserializeOwned>(json: &[u8]) -> Option<String> {
    let options: Map<String, Value> = serde_json::from_slice(json).ok()?;
    let mut at = None;
    let watched = Watched {
        options,
        at: &mut at,
    };
    T::deserialize(watched).err().and(at)
}

/// Options, and where the key is noted that is being read.
struct Watched<'a> {
    options: Map<String, Value>,
    at: &'a mut Option<String>,
}

impl<'de> Deserializer<'de> for Watched<'_> {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, Wrong> {
        visitor.visit_map(Entries {
            left: self.options.into_iter(),
            value: Value::Null,
            at: self.at,
        })
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// The entries that are left to read.
struct Entries<'a> {
    left: IntoIter,
    value: Value,
    at: &'a mut Option<String>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> std::result::Result<Option<K::Value>, Wrong> {
        let Some((key, value)) = self.left.next() else {
            return Ok(None);
        };
        self.value = value;
        *self.at = Some(key.clone());
        let key: StringDeserializer<Wrong> = key.into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> std::result::Result<S::Value, Wrong> {
        let read = seed.deserialize(self.value.take())?;
        *self.at = None;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Limit {
        #[serde(rename = "most")]
        _most: u32,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Options {
        #[serde(rename = "age")]
        _age: u64,
        #[serde(default, rename = "name")]
        _name: Option<String>,
        #[serde(default, rename = "limits")]
        _limits: Vec<Limit>,
    }

    #[test]
    fn what_is_wrong_is_told_with_its_key() {
        let wrong = |json: &str| read::<Options>(json.as_bytes()).unwrap_err().to_string();
        for (json, text) in [
            (
                r#"{"age": -1}"#,
                "age: invalid value: integer `-1`, expected u64",
            ),
            (
                r#"{"age": 1, "name": 2}"#,
                "name: invalid type: integer `2`, expected a string",
            ),
            (
                r#"{"name": "x", "age": "x"}"#,
                "age: invalid type: string \"x\", expected u64",
            ),
            (
                r#"{"age": 1, "limits": [{"most": -1}]}"#,
                "limits: invalid value: integer `-1`",
            ),
            (
                r#"{"age": 1, "limits": [{"least": 1}]}"#,
                "limits: unknown field `least`",
            ),
            (r#"{"name": "x"}"#, "its options: missing field `age`"),
            (
                r#"{"age": 1, "nmae": "x"}"#,
                "its options: unknown field `nmae`",
            ),
        ] {
            assert!(wrong(json).contains(text), "{json}: {}", wrong(json));
        }
    }

    #[test]
    fn options_of_any_shape_are_read() {
        read::<Options>(br#"{"age": 1, "name": null}"#).unwrap();
        assert!(read::<Option<Options>>(b"{\"age\": 1}").unwrap().is_some());
        assert_eq!(read::<Map<String, Value>>(b"{\"a\": 1}").unwrap()["a"], 1);
        assert!(read::<()>(b"{}").is_err());
    }
}
