//! `--filter` and `--exit-on`: paths into JSON messages.

use serde_json::Value;

use super::tokens::{is_json, members};

/// A path, and what its end is compared with.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Filter {
    path: Vec<Step>,
    comparison: Option<(Comparison, Value)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// `.name` or `["name"]`
    Key(String),
    /// `[0]`; from the end where negative.
    Index(i64),
    /// `[]`: each item, or each member's value.
    Each,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
}

/// Why a text is no filter.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a filter such as .user.name, .items[0].id or '.type == \"trade\"', got {0:?}: {1}"
)]
pub(super) struct FilterError(String, &'static str);

/// Values that a path may find in a message; those behind them are left out.
const MOST_VALUES: usize = 10_000;

impl Filter {
    pub(super) fn parse(text: &str) -> Result<Self, FilterError> {
        let error = |reason| FilterError(text.to_owned(), reason);
        let (path, rest) = path(text.trim()).map_err(error)?;
        let rest = rest.trim_start();
        let comparison = [("==", Comparison::Equal), ("!=", Comparison::NotEqual)]
            .into_iter()
            .find_map(|(sign, comparison)| Some((rest.strip_prefix(sign)?, comparison)));
        let comparison = match comparison {
            None if rest.is_empty() => None,
            None => return Err(error("a path, then ==, != or nothing, is expected")),
            Some((value, comparison)) => {
                let value = serde_json::from_str(value)
                    .map_err(|_| error("a JSON value is expected behind == and !="))?;
                Some((comparison, value))
            }
        };
        Ok(Self { path, comparison })
    }

    /// What of a message passes: the values found, or all of it where it is
    /// compared. Nothing of what is no JSON.
    pub(super) fn apply<'a>(&self, message: &'a str) -> Vec<&'a str> {
        let found = self.find(message);
        let Some((comparison, value)) = &self.comparison else {
            return found;
        };
        let expected = *comparison == Comparison::Equal;
        let passes = found.iter().any(|found| {
            serde_json::from_str(found).is_ok_and(|found| is_same(&found, value)) == expected
        });
        if passes { vec![message] } else { Vec::new() }
    }

    /// Whether a message has it, and it is neither null nor false.
    pub(super) fn holds(&self, message: &str) -> bool {
        let found = self.apply(message);
        found
            .iter()
            .any(|value| !matches!(*value, "null" | "false"))
    }

    /// Whether it lets whole messages pass.
    pub(super) fn compares(&self) -> bool {
        self.comparison.is_some()
    }

    fn find<'a>(&self, message: &'a str) -> Vec<&'a str> {
        if !is_json(message) {
            return Vec::new();
        }
        let mut found = vec![message.trim()];
        for step in &self.path {
            found = found
                .into_iter()
                .flat_map(|json| step.take(json))
                .take(MOST_VALUES)
                .collect();
        }
        found
    }
}

impl Step {
    fn take<'a>(&self, json: &'a str) -> Vec<&'a str> {
        let members = members(json);
        let is_object = json.starts_with('{');
        match self {
            Self::Each => members.into_iter().map(|(_, value)| value).collect(),
            Self::Key(name) => {
                // The last of several counts, as with most readers of JSON.
                let value = members.into_iter().rev().find(|(key, _)| {
                    key.and_then(|key| serde_json::from_str::<String>(key).ok())
                        .as_ref()
                        == Some(name)
                });
                value.map(|(_, value)| value).into_iter().collect()
            }
            Self::Index(_) if is_object => Vec::new(),
            Self::Index(index) => {
                let from_end = usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX);
                let at = if *index < 0 {
                    members.len().checked_sub(from_end)
                } else {
                    Some(from_end)
                };
                at.and_then(|at| members.get(at))
                    .map(|(_, value)| *value)
                    .into_iter()
                    .collect()
            }
        }
    }
}

/// Equal as JSON: `1` and `1.0` are.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) if one != other => {
            !(one.is_i64() && other.is_i64()) && one.as_f64() == other.as_f64()
        }
        _ => one == other,
    }
}

/// The path at the front of a text, and what is behind it.
fn path(text: &str) -> Result<(Vec<Step>, &str), &'static str> {
    let mut rest = text
        .strip_prefix('.')
        .ok_or("it does not begin with a dot")?;
    let mut steps = Vec::new();
    let mut is_name_next = true;
    loop {
        if let Some(behind) = rest.strip_prefix('[') {
            let (step, behind) = bracket(behind)?;
            steps.push(step);
            rest = behind;
        } else if is_name_next {
            let ends = |char: char| !(char.is_alphanumeric() || char == '_' || char == '-');
            let (name, behind) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
            if !name.is_empty() {
                steps.push(Step::Key(name.to_owned()));
            } else if !steps.is_empty() {
                return Err("a name is expected behind the dot");
            }
            rest = behind;
        }
        is_name_next = false;
        if rest.starts_with('[') {
            continue;
        }
        match rest.strip_prefix('.') {
            Some(behind) if !steps.is_empty() => {
                rest = behind;
                is_name_next = true;
            }
            Some(_) => return Err("a name is expected behind the dot"),
            None => return Ok((steps, rest)),
        }
    }
}

/// What is in brackets, and what is behind them.
fn bracket(text: &str) -> Result<(Step, &str), &'static str> {
    const EXPECTED: &str = "a number, a name in quotes or nothing is expected in brackets";
    if let Some(rest) = text.strip_prefix(']') {
        return Ok((Step::Each, rest));
    }
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let value = values.next().and_then(Result::ok).ok_or(EXPECTED)?;
    let rest = text.get(values.byte_offset()..).unwrap_or_default();
    let rest = rest
        .trim_start()
        .strip_prefix(']')
        .ok_or("a bracket is not closed")?;
    let step = match value {
        Value::String(name) => Step::Key(name),
        Value::Number(index) => Step::Index(index.as_i64().ok_or(EXPECTED)?),
        _ => return Err(EXPECTED),
    };
    Ok((step, rest))
}

/// What ends a session: `--exit-on`.
#[derive(Clone, Debug)]
pub(super) enum Pattern {
    Text(String),
    Filter(Filter),
}

impl Pattern {
    pub(super) fn parse(text: &str) -> Result<Self, FilterError> {
        Ok(if text.starts_with('.') {
            Self::Filter(Filter::parse(text)?)
        } else {
            Self::Text(text.to_owned())
        })
    }

    /// Whether a text message is what was waited for.
    pub(super) fn is_in(&self, message: &str) -> bool {
        match self {
            Self::Text(text) => message.contains(text),
            Self::Filter(filter) => filter.holds(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = r#"{"type": "trade", "id": 12345678901234567890,
        "items": [{"id": 1, "n": 1.50}, {"id": 2}], "a key": {"b": null}, "ok": false}"#;

    #[test]
    fn a_path_finds_what_is_there_as_it_is_written() {
        let cases: [(&str, &[&str]); 12] = [
            (".type", &["\"trade\""]),
            (".id", &["12345678901234567890"]),
            (".items[0].n", &["1.50"]),
            (".items[-1].id", &["2"]),
            (".items[].id", &["1", "2"]),
            (".items[7]", &[]),
            (".[\"a key\"].b", &["null"]),
            (".[\"a key\"][\"b\"]", &["null"]),
            (".type.x", &[]),
            (".nothing", &[]),
            (".[0]", &[]),
            (" .ok ", &["false"]),
        ];
        for (text, expected) in cases {
            assert_eq!(
                Filter::parse(text).unwrap().apply(MESSAGE),
                expected,
                "{text}"
            );
        }
        let all = Filter::parse(".").unwrap();
        assert_eq!(all.apply("[1]"), ["[1]"]);
        assert!(all.apply("no JSON").is_empty());
    }

    #[test]
    fn a_comparison_lets_whole_messages_pass() {
        for (text, passes) in [
            (".type == \"trade\"", true),
            (".type != \"trade\"", false),
            (".items[].id == 2", true),
            (".items[0].n == 1.5", true),
            (".items[].id == 3", false),
            (".nothing == 1", false),
            (".nothing != 1", false),
            (".ok==false", true),
        ] {
            let filter = Filter::parse(text).unwrap();
            assert_eq!(filter.apply(MESSAGE) == [MESSAGE], passes, "{text}");
        }
        assert!(!Filter::parse(".ok").unwrap().holds(MESSAGE));
        assert!(Filter::parse(".ok == false").unwrap().holds(MESSAGE));
    }

    #[test]
    fn what_is_no_filter_is_told() {
        for bad in [
            "", "type", "..a", ".a.", ".a[", ".a[x]", ".a[1.5]", ".a = 1", ".a == x", ".a b",
        ] {
            let error = Filter::parse(bad).unwrap_err().to_string();
            assert!(
                error.starts_with("expected a filter such as"),
                "{bad}: {error}"
            );
        }
    }
}
