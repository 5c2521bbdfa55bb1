//! Messages with placeholders: `{"text":"{{token}}","date":{{time}}}`.

use std::io::Write as _;

use super::chance::Chance;
use super::stamp::Stamp;

/// Most random words or bytes of one placeholder.
const MOST_RANDOM: usize = 16 << 20;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(Vec<u8>),
    Sequence,
    Connection,
    Time,
    Token,
    Words(usize),
    Bytes(usize),
}

/// A text with placeholders.
#[derive(Clone, Debug)]
pub(in crate::bench) struct Template {
    parts: Vec<Part>,
    binary: bool,
}

/// Why a text is no template.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::bench) enum TemplateError {
    #[error(
        "expected one of {{{{seq}}}}, {{{{connection}}}}, {{{{time}}}}, {{{{token}}}}, \
         {{{{words:N}}}} and {{{{bytes:N}}}} in the template, got {{{{{0}}}}}"
    )]
    Unknown(String),
    #[error("expected a number up to {MOST_RANDOM} behind the colon, got {{{{{0}}}}}")]
    Number(String),
    #[error("expected }}}} behind {{{{ in the template, got {0:?}")]
    Open(String),
}

impl Template {
    pub(in crate::bench) fn parse(text: &str, binary: bool) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("{{") {
            let Some((name, after)) = behind.split_once("}}") else {
                let shown = behind.chars().take(20).collect();
                return Err(TemplateError::Open(shown));
            };
            parts.push(Part::Literal(before.into()));
            parts.push(placeholder(name.trim())?);
            rest = after;
        }
        parts.push(Part::Literal(rest.into()));
        parts.retain(|part| *part != Part::Literal(Vec::new()));
        Ok(Self { parts, binary })
    }

    pub(in crate::bench) fn has_token(&self) -> bool {
        self.parts.contains(&Part::Token)
    }

    /// Whether two messages of it differ, so that one is not taken for the other.
    pub(in crate::bench) fn varies(&self) -> bool {
        let varies = |part: &Part| matches!(part, Part::Sequence | Part::Token);
        self.parts.iter().any(varies)
    }

    /// Appends the message that carries this stamp.
    pub(in crate::bench) fn render(&self, stamp: &Stamp, to: &mut Vec<u8>) {
        let mut chance = Chance::new(stamp.seed());
        for part in &self.parts {
            // A vector takes all that is written.
            let _ = match part {
                Part::Literal(bytes) => to.write_all(bytes),
                Part::Sequence => write!(to, "{}", stamp.sequence),
                Part::Connection => write!(to, "{}", stamp.connection),
                Part::Time => write!(to, "{}", stamp.unix_millis()),
                Part::Token => stamp.write_token(to),
                Part::Words(count) => {
                    words(&mut chance, *count, to);
                    Ok(())
                }
                Part::Bytes(count) if self.binary => {
                    chance.bytes(*count, to);
                    Ok(())
                }
                Part::Bytes(count) => hex(&mut chance, *count, to),
            };
        }
    }
}

fn placeholder(name: &str) -> Result<Part, TemplateError> {
    let (kind, number) = match name.split_once(':') {
        Some((kind, number)) => (kind.trim(), Some(number.trim())),
        None => (name, None),
    };
    let count = || {
        let number = number.and_then(|number| number.parse().ok());
        number
            .filter(|count| *count <= MOST_RANDOM)
            .ok_or_else(|| TemplateError::Number(name.to_owned()))
    };
    Ok(match (kind, number) {
        ("seq", None) => Part::Sequence,
        ("connection", None) => Part::Connection,
        ("time", None) => Part::Time,
        ("token", None) => Part::Token,
        ("words", _) => Part::Words(count()?),
        ("bytes", _) => Part::Bytes(count()?),
        _ => return Err(TemplateError::Unknown(name.to_owned())),
    })
}

fn words(chance: &mut Chance, count: usize, to: &mut Vec<u8>) {
    for index in 0..count {
        if index > 0 {
            to.push(b' ');
        }
        to.extend_from_slice(chance.word().as_bytes());
    }
}

fn hex(chance: &mut Chance, count: usize, to: &mut Vec<u8>) -> std::io::Result<()> {
    let mut bytes = Vec::with_capacity(count);
    chance.bytes(count, &mut bytes);
    bytes.iter().try_for_each(|byte| write!(to, "{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &str, binary: bool, sequence: u64) -> Vec<u8> {
        let stamp = Stamp::new(7, 3, sequence, 5_000_000, 1_000);
        let mut bytes = Vec::new();
        Template::parse(text, binary)
            .unwrap()
            .render(&stamp, &mut bytes);
        bytes
    }

    #[test]
    fn placeholders_are_filled_in_and_all_else_stays() {
        let text = r#"{"a":{"n":{{seq}},"c":{{ connection }}},"t":{{time}},"k":"{{token}}"}"#;
        assert_eq!(
            String::from_utf8(rendered(text, false, 12)).unwrap(),
            r#"{"a":{"n":12,"c":3},"t":1005,"k":"lw00000007.000000000c.0000004c4b40"}"#
        );
    }

    #[test]
    fn what_is_random_is_the_same_for_the_same_message_alone() {
        for (text, binary, length) in [("{{bytes:5}}", true, 5), ("{{bytes:5}}", false, 10)] {
            let one = rendered(text, binary, 1);
            assert_eq!(one.len(), length);
            assert_eq!(one, rendered(text, binary, 1));
            assert_ne!(one, rendered(text, binary, 2));
        }
        let words = String::from_utf8(rendered("{{words:40}}", false, 1)).unwrap();
        assert_eq!(words.split(' ').count(), 40);
    }

    #[test]
    fn what_is_no_placeholder_is_told_what_there_is() {
        let error = |text| Template::parse(text, false).unwrap_err().to_string();
        assert!(error("{{sequence}}").contains("{{seq}}, {{connection}}"));
        assert!(error("{{sequence}}").ends_with("got {{sequence}}"));
        assert!(error("{{words}}").contains("expected a number"));
        assert!(error("{{bytes:-1}}").contains("expected a number"));
        assert!(error("{{bytes:99999999999}}").contains("expected a number"));
        assert!(error("a {{seq").contains("expected }}"));
    }
}
