//! JSON whose numbers are what they say, however many digits they have.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

/// Digits that a double keeps.
const SURE_DIGITS: usize = 15;

/// The value of a text; `None` where it is no JSON. A number that no integer and
/// no double is stands in it as text.
pub(super) fn parse(text: &str) -> Option<Value> {
    // This also bounds the depth.
    let value: Value = serde_json::from_str(text).ok()?;
    let is_in_number = |char: char| char.is_ascii_digit() || "+-.eE".contains(char);
    let mut runs = text.split(|char| !is_in_number(char));
    if runs.all(|run| run.len() <= SURE_DIGITS) {
        return Some(value);
    }
    exact(text)
}

fn exact(text: &str) -> Option<Value> {
    let text = text.trim();
    match text.as_bytes().first()? {
        b'{' => {
            let fields: BTreeMap<String, Box<RawValue>> = serde_json::from_str(text).ok()?;
            let fields = fields
                .into_iter()
                .map(|(name, value)| Some((name, exact(value.get())?)));
            Some(Value::Object(fields.collect::<Option<_>>()?))
        }
        b'[' => {
            let elements: Vec<Box<RawValue>> = serde_json::from_str(text).ok()?;
            let elements = elements.iter().map(|element| exact(element.get()));
            Some(Value::Array(elements.collect::<Option<_>>()?))
        }
        _ => {
            let value: Value = serde_json::from_str(text).ok()?;
            let is_inexact = value.is_number() && decimal(&value.to_string()) != decimal(text);
            Some(if is_inexact {
                Value::from(format!("{text} (a number)"))
            } else {
                value
            })
        }
    }
}

/// A number of JSON as its sign, its digits and the power of ten of the last one;
/// `None` for the power where it is beyond all use.
fn decimal(text: &str) -> (bool, String, Option<i64>) {
    let (is_negative, text) = match text.strip_prefix('-') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return (false, String::new(), Some(0));
    }
    let zeros = digits.len() - digits.trim_end_matches('0').len();
    let exponent: Option<i64> = exponent.parse().ok();
    let power = exponent.and_then(|exponent| {
        exponent.checked_add(i64::try_from(zeros).ok()? - i64::try_from(fraction.len()).ok()?)
    });
    (is_negative, significant.to_owned(), power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_same_where_they_say_the_same() {
        let is_same = |one: &str, other: &str| parse(one).unwrap() == parse(other).unwrap();
        for (one, other) in [
            ("12345678901234567890124", "12345678901234567890123"),
            ("0.10000000000000000001", "0.1"),
            ("[{\"a\":1e-400}]", "[{\"a\":0}]"),
            ("9007199254740993", "9007199254740992"),
        ] {
            assert!(!is_same(one, other), "{one} {other}");
            assert!(is_same(one, one));
        }
        for (one, other) in [
            (
                "{\"a\":100000000000000000000,\"b\":1}",
                "{\"b\":1,\"a\":100000000000000000000}",
            ),
            ("1.00000000000000000000", "1.0"),
            ("0.1000000000000000000", "0.1"),
        ] {
            assert!(is_same(one, other), "{one} {other}");
        }
        assert_eq!(parse("{\"a\""), None);
        assert_eq!(parse(&format!("{}1", "[".repeat(100_000))), None);
    }
}
