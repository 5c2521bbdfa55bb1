//! The grammar of `Sec-WebSocket-Extensions` (RFC 6455 section 9.1): a list of
//! extensions, each with parameters whose values may be quoted.

use std::fmt;

use ::http::HeaderMap;
use ::http::header::SEC_WEBSOCKET_EXTENSIONS;

use super::{HeaderError, is_token, is_token_byte, shown, trim};

/// An extension as one end offers or accepts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// Its registered name, such as `permessage-deflate`.
    pub name: String,
    /// Its parameters in the order given, repetitions included.
    pub params: Vec<ExtensionParam>,
}

/// A parameter of an extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtensionParam {
    /// The name.
    pub name: String,
    /// The value, unquoted, where there is one.
    pub value: Option<String>,
}

impl fmt::Display for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for param in &self.params {
            write!(f, "; {}", param.name)?;
            if let Some(value) = &param.value {
                write!(f, "={value}")?;
            }
        }
        Ok(())
    }
}

//= rfc6455#4.3-1, rfc6455#9.1-1, rfc6455#9.1-3
/// The extensions of all `Sec-WebSocket-Extensions` fields, in order.
pub fn parse_extensions(headers: &HeaderMap) -> Result<Vec<Extension>, HeaderError> {
    let mut extensions = Vec::new();
    for value in headers.get_all(SEC_WEBSOCKET_EXTENSIONS) {
        let text = value.to_str().map_err(|_| HeaderError::NotAscii {
            name: SEC_WEBSOCKET_EXTENSIONS,
        })?;
        parse_field(text, &mut extensions)?;
    }
    Ok(extensions)
}

fn parse_field(text: &str, extensions: &mut Vec<Extension>) -> Result<(), HeaderError> {
    let mut rest = trim(text);
    while !rest.is_empty() {
        // Empty elements of a list are skipped.
        if let Some(after) = rest.strip_prefix(',') {
            rest = trim(after);
            continue;
        }
        let name;
        (name, rest) = token(rest, "an extension's name")?;
        let mut extension = Extension {
            name: name.to_owned(),
            params: Vec::new(),
        };
        while let Some(after) = rest.strip_prefix(';') {
            let param;
            (param, rest) = parameter(trim(after))?;
            extension.params.push(param);
        }
        extensions.push(extension);
        if !rest.is_empty() && !rest.starts_with(',') {
            return Err(unexpected("a comma or a semicolon", rest));
        }
    }
    Ok(())
}

fn parameter(text: &str) -> Result<(ExtensionParam, &str), HeaderError> {
    let (name, rest) = token(text, "a parameter's name")?;
    let name = name.to_owned();
    let Some(after) = rest.strip_prefix('=') else {
        return Ok((ExtensionParam { name, value: None }, rest));
    };
    let after = trim(after);
    let (value, rest) = if let Some(quoted) = after.strip_prefix('"') {
        quoted_token(quoted, after)?
    } else {
        let (value, rest) = token(after, "a parameter's value")?;
        (value.to_owned(), rest)
    };
    let value = Some(value);
    Ok((ExtensionParam { name, value }, rest))
}

/// A token and what follows it, trimmed.
fn token<'t>(text: &'t str, expected: &'static str) -> Result<(&'t str, &'t str), HeaderError> {
    let end = text
        .bytes()
        .position(|byte| !is_token_byte(byte))
        .unwrap_or(text.len());
    if end == 0 {
        return Err(unexpected(expected, text));
    }
    let (token, rest) = text.split_at(end);
    Ok((token, trim(rest)))
}

//= rfc6455#9.1-2
/// A quoted string, whose content must be a token once unescaped. `text`
/// follows the opening quote; `whole` includes it, for the error.
fn quoted_token<'t>(text: &'t str, whole: &str) -> Result<(String, &'t str), HeaderError> {
    const EXPECTED: &str = "a quoted token";
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' if is_token(&value) => return Ok((value, trim(&text[at + 1..]))),
            '"' => break,
            '\\' => match chars.next() {
                Some((_, escaped)) => value.push(escaped),
                None => break,
            },
            char => value.push(char),
        }
    }
    Err(unexpected(EXPECTED, whole))
}

fn unexpected(expected: &'static str, rest: &str) -> HeaderError {
    HeaderError::Extension {
        name: SEC_WEBSOCKET_EXTENSIONS,
        expected,
        rest: shown(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::http::HeaderValue;

    fn parse(fields: &[&str]) -> Result<Vec<String>, HeaderError> {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(
                SEC_WEBSOCKET_EXTENSIONS,
                HeaderValue::from_str(field).unwrap(),
            );
        }
        let extensions = parse_extensions(&headers)?;
        Ok(extensions.iter().map(ToString::to_string).collect())
    }

    //= rfc6455#9.1-3 test
    #[test]
    fn extensions_with_parameters_are_read_over_several_fields() {
        let got = parse(&[
            "foo, bar; baz=2",
            " deflate-stream ; a;b=\"c\" ,, mux; max-channels = 4; flow-control ,",
        ]);
        assert_eq!(
            got.unwrap(),
            [
                "foo",
                "bar; baz=2",
                "deflate-stream; a; b=c",
                "mux; max-channels=4; flow-control",
            ]
        );
    }

    //= rfc6455#9.1-2 test
    #[test]
    fn a_quoted_value_is_unescaped_and_must_be_a_token() {
        assert_eq!(parse(&[r#"x; y="1\0""#]).unwrap(), ["x; y=10"]);
        for bad in [r#"x; y="""#, r#"x; y="1 0""#, r#"x; y="10"#, r#"x; y="10\"#] {
            assert!(parse(&[bad]).is_err(), "{bad}");
        }
    }

    //= rfc6455#9.1-1, rfc6455#4.3-1 test
    #[test]
    fn what_breaks_the_grammar_is_refused() {
        for bad in [
            "a b",
            "a;",
            "a;=1",
            "a; b=",
            "=",
            ";",
            "a; b c",
            "a; b=1 2",
            "a; b=\"1\"2",
        ] {
            assert!(parse(&[bad]).is_err(), "{bad}");
        }
    }
}
