//! The parts of HTTP's header grammar that the opening handshake is made of
//! (RFC 9110 section 5.6): tokens and lists here, extension lists in
//! [`extension`]. Requests and responses themselves are the `http` crate's.

pub mod extension;

use ::http::HeaderMap;
use ::http::header::HeaderName;

/// A header's value does not follow its grammar.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// The value has bytes that no such header can have.
    #[error("expected visible ASCII in {name}, got other bytes")]
    NotAscii {
        /// The header.
        name: HeaderName,
    },
    /// An element of the list is not a token.
    #[error("expected a list of tokens in {name}, got {element:?}")]
    NotAToken {
        /// The header.
        name: HeaderName,
        /// The element, at most 64 characters of it.
        element: String,
    },
    /// An extension list breaks its grammar.
    #[error("expected a list of extensions in {name}, got {rest:?} where {expected} should be")]
    Extension {
        /// The header.
        name: HeaderName,
        /// What should have been there.
        expected: &'static str,
        /// What was there, at most 64 characters of it.
        rest: String,
    },
}

/// Whether `byte` may be part of a token (RFC 9110 section 5.6.2).
pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether `text` is a token (RFC 9110 section 5.6.2): at least one byte, and
/// none of the separators.
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

//= rfc6455#4.3-1
/// The elements of a comma-separated list over all fields of this name, in
/// order. Empty elements are skipped, as RFC 9110 section 5.6.1.2 has it.
pub(crate) fn list<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> Result<Vec<&'h str>, HeaderError> {
    let mut elements = Vec::new();
    for value in headers.get_all(name) {
        let text = value
            .to_str()
            .map_err(|_| HeaderError::NotAscii { name: name.clone() })?;
        for element in text.split(',').map(trim).filter(|e| !e.is_empty()) {
            if !is_token(element) {
                return Err(HeaderError::NotAToken {
                    name: name.clone(),
                    element: shown(element),
                });
            }
            elements.push(element);
        }
    }
    Ok(elements)
}

//= rfc6455#4.1-40
/// Whether a list that need not be of tokens alone has this element, in any
/// case of letters. `Upgrade` may carry versions (`websocket, h2c/1`).
pub(crate) fn list_has(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> bool {
    headers.get_all(name).iter().any(|value| {
        // Most lists have one element.
        value.as_bytes().eq_ignore_ascii_case(wanted.as_bytes())
            || value.to_str().is_ok_and(|text| {
                let mut elements = text.split(',');
                elements.any(|element| trim(element).eq_ignore_ascii_case(wanted))
            })
    })
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// What an error shows of a peer's text.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::http::HeaderValue;
    use ::http::header::{CONNECTION, UPGRADE};

    fn headers(name: &HeaderName, values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn a_list_spans_fields_and_skips_empty_elements() {
        let headers = headers(&CONNECTION, &["keep-alive ,, Upgrade", ",\tx"]);
        let got = list(&headers, &CONNECTION).unwrap();
        assert_eq!(got, ["keep-alive", "Upgrade", "x"]);
    }

    #[test]
    fn an_element_with_a_separator_is_no_token() {
        let headers = headers(&CONNECTION, &["a, b c"]);
        let error = list(&headers, &CONNECTION).unwrap_err();
        assert!(matches!(error, HeaderError::NotAToken { element, .. } if element == "b c"));
    }

    #[test]
    fn an_element_is_found_in_any_case_but_only_whole() {
        let headers = headers(&UPGRADE, &["h2c/1", "WebSocket , foo"]);
        assert!(list_has(&headers, &UPGRADE, "websocket"));
        assert!(!list_has(&headers, &UPGRADE, "web"));
        assert!(!list_has(&headers, &CONNECTION, "websocket"));
    }
}
