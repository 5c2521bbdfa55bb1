//! Heads without what only the two ends should know.

use crate::wire::Head;

/// What stands where a secret was.
const REDACTED: &str = "(redacted)";

/// Fields whose whole value is a secret.
const FIELDS: [&str; 4] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
];

/// Parts of the names of other fields and of query parameters that carry one.
const WORDS: [&str; 7] = [
    "token", "secret", "password", "passwd", "api-key", "apikey", "api_key",
];

/// Query parameters that carry a secret, beside those of [`WORDS`].
const PARAMETERS: [&str; 5] = ["key", "auth", "ticket", "sig", "signature"];

/// A head whose credentials and cookies are left out.
pub(super) fn head(head: &Head) -> Head {
    let first_line = head
        .first_line
        .split(' ')
        .map(target)
        .collect::<Vec<_>>()
        .join(" ");
    let fields = head.fields.iter().map(|(name, value)| {
        let lower = name.to_ascii_lowercase();
        let is_secret = FIELDS.contains(&lower.as_str()) || has_word(&lower);
        let value = if is_secret {
            REDACTED.to_owned()
        } else {
            target(value)
        };
        (name.clone(), value)
    });
    Head {
        first_line,
        fields: fields.collect(),
    }
}

/// A URL or a request's target whose query carries no secret.
pub(super) fn target(text: &str) -> String {
    let Some((path, query)) = text.split_once('?') else {
        return text.to_owned();
    };
    let parameters = query.split('&').map(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let lower = name.to_ascii_lowercase();
        let is_secret = PARAMETERS.contains(&lower.as_str()) || has_word(&lower);
        if is_secret && !value.is_empty() {
            format!("{name}={REDACTED}")
        } else {
            parameter.to_owned()
        }
    });
    format!("{path}?{}", parameters.collect::<Vec<_>>().join("&"))
}

fn has_word(name: &str) -> bool {
    WORDS.iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_left_out_and_the_rest_stays() {
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let before = Head {
            first_line: "GET /chat?room=1&access_token=abc&key=d HTTP/1.1".to_owned(),
            fields: vec![
                field("Host", "example.com"),
                field("COOKIE", "session=1"),
                field("X-Api-Key", "k"),
                field("Authorization", "Basic abc"),
                field("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ],
        };
        let after = head(&before);
        assert_eq!(
            after.first_line,
            "GET /chat?room=1&access_token=(redacted)&key=(redacted) HTTP/1.1"
        );
        let values: Vec<&str> = after.fields.iter().map(|field| &field.1[..]).collect();
        assert_eq!(
            values,
            [
                "example.com",
                REDACTED,
                REDACTED,
                REDACTED,
                "dGhlIHNhbXBsZSBub25jZQ=="
            ]
        );
    }
}
