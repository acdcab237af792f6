//! Checking values that are words out of a few.

use super::check::{Refusal, comma_list, refuse, strings, truth};
use super::setting::Switch;
use super::value::Value;

pub(super) fn choice(value: Value, words: &[&str]) -> Result<Value, Refusal> {
    let given = match &value {
        Value::None => words[0].to_owned(),
        Value::Str(word) => word.trim().to_ascii_lowercase(),
        _ => String::new(),
    };
    if words.contains(&given.as_str()) {
        return Ok(Value::Str(given));
    }
    refuse(
        format!("{value} is not one of {}", words.join(", ")),
        format!("give one of {}", words.join(", ")),
    )
}

/// The first form is what true means.
pub(super) fn report(value: Value, forms: &[&str]) -> Result<Value, Refusal> {
    let given = match &value {
        Value::Str(word) => word.trim().to_ascii_lowercase(),
        _ => String::new(),
    };
    match forms.iter().position(|form| *form == given) {
        Some(0) => Ok(Value::Bool(true)),
        Some(_) => Ok(Value::Str(given)),
        None => truth(value).map_err(|refusal| Refusal {
            what: format!("{}, nor one of {}", refusal.what, forms.join(", ")),
            ..refusal
        }),
    }
}

pub(super) fn switched(value: Value, switch: &Switch) -> Result<Value, Refusal> {
    let (off, on) = (switch.words[0], switch.on);
    match &value {
        Value::None | Value::Bool(false) | Value::Int(0) => Ok(off.into()),
        Value::Bool(true) | Value::Int(1) => Ok(on.into()),
        Value::Str(word) => match word.trim().to_ascii_lowercase().as_str() {
            "" | "0" | "false" | "none" => Ok(off.into()),
            "1" | "true" => Ok(on.into()),
            _ => choice(value, switch.words),
        },
        _ => choice(value, switch.words),
    }
}

pub(super) fn some_of(value: Value, words: &[&str]) -> Result<Value, Refusal> {
    let items = comma_list(value)?;
    let other = strings(&items)
        .find(|word| !words.contains(word))
        .map(str::to_owned);
    match other {
        None => Ok(items),
        Some(other) => refuse(
            format!("'{other}' is not one of {}", words.join(", ")),
            format!("give some of {}", words.join(", ")),
        ),
    }
}

/// Words of the list's, each once, in the order they are given in.
pub(super) fn ranking(value: Value, words: &'static [&str]) -> Result<Value, Refusal> {
    let items = comma_list(value)?;
    let items = strings(&items).map(|word| word.to_ascii_lowercase().into());
    let items = some_of(Value::List(items.collect()), words)?;
    let given: Vec<&str> = strings(&items).collect();
    match given
        .iter()
        .enumerate()
        .find(|(at, word)| given[..*at].contains(word))
    {
        Some((_, word)) => refuse(format!("'{word}' stands there twice"), "name each once"),
        None if given.is_empty() => Ok(Value::List(vec![words[0].into()])),
        None => Ok(items),
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::tests::{checked, list_of};
    use super::*;

    #[test]
    fn words_are_one_of_those_there_are() {
        assert_eq!(checked("header_map", "REFUSE"), Ok("'refuse'".into()));
        assert!(
            checked("header_map", "keep")
                .unwrap_err()
                .contains("drop, refuse, dangerous")
        );
        assert_eq!(checked("proxy_protocol", true), Ok("'auto'".into()));
        assert_eq!(checked("proxy_protocol", "none"), Ok("'off'".into()));
        assert!(checked("proxy_protocol", "v3").is_err());
    }

    #[test]
    fn nothing_stands_for_the_first_word() {
        assert_eq!(checked("asgi_loop", Value::None), Ok("'auto'".into()));
        assert_eq!(checked("http2_cleartext", Value::None), Ok("'off'".into()));
        assert_eq!(checked("http_protocols", " "), Ok("['h1']".into()));
        assert!(checked("asgi_loop", 5).is_err());
    }

    #[test]
    fn true_stands_for_the_word_that_it_is_declared_for() {
        assert_eq!(
            checked("http2_cleartext", true),
            Ok("'prior-knowledge'".into())
        );
        assert_eq!(checked("http2_cleartext", "Both"), Ok("'both'".into()));
        assert!(checked("http2_cleartext", "h2c").is_err());
    }

    #[test]
    fn a_ranking_keeps_its_order_and_names_each_once() {
        assert_eq!(
            checked("http_protocols", "H2, h1"),
            Ok("['h2', 'h1']".into())
        );
        assert_eq!(
            checked("http_protocols", list_of(&["h1"])),
            Ok("['h1']".into())
        );
        assert!(
            checked("http_protocols", "h1,h3")
                .unwrap_err()
                .contains("'h3'")
        );
        assert!(
            checked("http_protocols", "h1,h2,h1")
                .unwrap_err()
                .contains("twice")
        );
    }
}
