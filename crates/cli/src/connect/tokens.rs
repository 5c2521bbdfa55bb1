//! JSON (RFC 8259) token by token, so that it is shown with the order and the
//! digits it came with. It is lenient: what is being typed is JSON in part.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Open,
    Close,
    Comma,
    Colon,
    /// A string in front of a colon.
    Key,
    String,
    /// A string without an end.
    Unfinished,
    Number,
    /// `true`, `false`, `null`, or another word.
    Word,
    Space,
    Other,
}

/// A token and where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    pub(super) start: usize,
}

/// The tokens of a text: together they are the text.
pub(super) fn tokens(text: &str) -> impl Iterator<Item = Token<'_>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = text.get(start..)?;
        let (kind, len) = first(rest)?;
        let (token, behind) = rest.split_at_checked(len)?;
        let is_key = kind == Kind::String && behind.trim_start().starts_with(':');
        let token = Token {
            kind: if is_key { Kind::Key } else { kind },
            text: token,
            start,
        };
        start += len;
        Some(token)
    })
}

/// The first token of a text, and its length in bytes.
fn first(text: &str) -> Option<(Kind, usize)> {
    let char = text.chars().next()?;
    let run = |belongs: fn(char) -> bool| {
        text.find(|char| !belongs(char))
            .unwrap_or(text.len())
            .max(char.len_utf8())
    };
    Some(match char {
        '{' | '[' => (Kind::Open, 1),
        '}' | ']' => (Kind::Close, 1),
        ',' => (Kind::Comma, 1),
        ':' => (Kind::Colon, 1),
        '"' => string(text),
        '-' | '0'..='9' => {
            let belongs = |char: char| char.is_ascii_digit() || "+-.eE".contains(char);
            (Kind::Number, run(belongs))
        }
        _ if char.is_whitespace() => (Kind::Space, run(char::is_whitespace)),
        _ if char.is_alphabetic() => (Kind::Word, run(char::is_alphanumeric)),
        _ => (Kind::Other, char.len_utf8()),
    })
}

fn string(text: &str) -> (Kind, usize) {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return (Kind::String, at + 1),
            _ => {}
        }
    }
    (Kind::Unfinished, text.len())
}

/// Whether a text is a JSON object or array: what is worth lines of its own.
pub(super) fn is_container(text: &str) -> bool {
    text.trim_start().starts_with(['{', '[']) && is_json(text)
}

/// Whether a text is JSON, nested no deeper than 128 levels.
pub(super) fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// Whether a text begins a JSON object or array and does not end it.
pub(super) fn is_unfinished(text: &str) -> bool {
    if !text.trim_start().starts_with(['{', '[']) {
        return false;
    }
    let mut depth = 0_usize;
    for token in tokens(text) {
        match token.kind {
            Kind::Open => depth += 1,
            // A value that ends too often is not waited for.
            Kind::Close if depth <= 1 => return false,
            Kind::Close => depth -= 1,
            Kind::Unfinished => return true,
            _ => {}
        }
    }
    depth > 0
}

/// The members of a JSON object, or the items of an array, as they are written.
/// A key is still escaped.
pub(super) fn members(json: &str) -> Vec<(Option<&str>, &str)> {
    let mut members = Vec::new();
    let (mut depth, mut key, mut start) = (0_usize, None, None);
    for token in tokens(json) {
        match token.kind {
            Kind::Close | Kind::Comma if depth == 1 => {
                if let Some(value) = start.take().and_then(|start| json.get(start..token.start)) {
                    members.push((key.take(), value.trim_end()));
                }
            }
            Kind::Key if depth == 1 => key = Some(token.text),
            Kind::Colon | Kind::Space => {}
            _ if depth == 1 && start.is_none() => start = Some(token.start),
            _ => {}
        }
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_the_text_whatever_it_is() {
        for text in [
            r#"{"a": [1, -2.5e+9, "x\"y", true, null]}"#,
            r#"{"a": "unfin\"#,
            "héllo 𝄞, } ] 12abc -",
            "",
        ] {
            let joined: String = tokens(text).map(|token| token.text).collect();
            assert_eq!(joined, text);
            assert!(tokens(text).all(|token| text[token.start..].starts_with(token.text)));
        }
        let kinds: Vec<_> = tokens(r#"{"a":"b"}"#).map(|token| token.kind).collect();
        let expected = [
            Kind::Open,
            Kind::Key,
            Kind::Colon,
            Kind::String,
            Kind::Close,
        ];
        assert_eq!(kinds, expected);
    }

    #[test]
    fn a_value_goes_on_until_its_brackets_and_strings_are_closed() {
        for unfinished in ["{", "[1,", r#"{"a": "}"#, r#"{"a": {"b": 1}"#, " [\n"] {
            assert!(is_unfinished(unfinished), "{unfinished}");
        }
        for finished in ["{}", "[1]]", "hello {", "", "\"", r#"{"a": "}"}"#, "} {"] {
            assert!(!is_unfinished(finished), "{finished}");
        }
    }

    #[test]
    fn members_are_as_they_are_written() {
        let object = r#" { "a" : 1.50 , "b":[1, {"c": 2}],"d":"x,y" } "#;
        assert_eq!(
            members(object),
            [
                (Some("\"a\""), "1.50"),
                (Some("\"b\""), r#"[1, {"c": 2}]"#),
                (Some("\"d\""), "\"x,y\"")
            ]
        );
        assert_eq!(members("[1, [2, 3], {}]").len(), 3);
        assert_eq!(members("[]"), []);
        assert_eq!(members("7"), []);
    }
}
