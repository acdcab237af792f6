//! Numbers of bytes, as people write them.

use super::value::Value;

/// Units, the longer spellings first. Binary, whichever spelling: `300M` is 300 MiB.
const UNITS: [(&str, u64); 4] = [
    ("t", 1 << 40),
    ("g", 1 << 30),
    ("m", 1 << 20),
    ("k", 1 << 10),
];

/// A checked number of bytes.
pub(super) fn check(value: Value) -> Result<Value, String> {
    let bytes = match &value {
        Value::None => Some(0),
        Value::Int(number) => u64::try_from(*number).ok(),
        Value::Str(text) => parse(text),
        _ => None,
    };
    bytes
        .and_then(|bytes| i64::try_from(bytes).ok())
        .map(Value::Int)
        .ok_or_else(|| format!("{value} is not a number of bytes"))
}

fn parse(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase().replace('_', "");
    let text = text.trim_end_matches('b').trim_end_matches('i');
    let unit = UNITS.iter().find(|(unit, _)| text.ends_with(unit));
    let (number, scale) = match unit {
        Some((unit, scale)) => (text.strip_suffix(unit)?.trim(), *scale),
        None => (text, 1),
    };
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(scale);
    }
    let fraction = number.parse::<f64>().ok()?;
    let bytes = fraction * scale as f64;
    // Sizes of memory stay far below what a double counts exactly.
    (0.0..9e15).contains(&bytes).then_some(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_numbers_with_or_without_a_unit() {
        for (text, bytes) in [
            ("0", 0),
            ("1000", 1000),
            ("300M", 300 << 20),
            ("300MiB", 300 << 20),
            ("1.5 G", 3 << 29),
            ("64kb", 64 << 10),
        ] {
            assert_eq!(check(text.into()), Ok(Value::Int(bytes)), "{text}");
        }
        for text in ["", "many", "-1", "M", "1Q", "nan", "1e300", "99999999999T"] {
            assert!(check(text.into()).is_err(), "{text}");
        }
    }
}
