//! Heads without what only the two ends should know.

use percent_encoding::percent_decode_str;

use crate::wire::Head;

/// What stands where a secret was.
pub(super) const REDACTED: &str = "(redacted)";

/// Fields whose whole value is a secret.
const FIELDS: [&str; 4] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
];

/// Fields that have such a word and carry none.
const HARMLESS: [&str; 2] = ["www-authenticate", "proxy-authenticate"];

/// What is in the names of fields and of query parameters that carry one.
const WORDS: [&str; 14] = [
    "token",
    "secret",
    "passw",
    "pwd",
    "api-key",
    "apikey",
    "api_key",
    "auth",
    "jwt",
    "session",
    "credential",
    "signature",
    "csrf",
    "xsrf",
];

/// Whole parts of such names: within other words they mean something else.
const PARTS: [&str; 6] = ["sid", "pass", "sig", "sign", "cred", "otp"];

/// The same of query parameters alone.
const PARAMETER_PARTS: [&str; 3] = ["key", "ticket", "code"];

/// The subprotocols of a request: where no field can be sent, they carry one.
const SUBPROTOCOLS: &str = "sec-websocket-protocol";

/// A head whose credentials and cookies are left out, and the subprotocols that
/// the server did not agree on.
pub(super) fn head(head: &Head, agreed: Option<&str>) -> Head {
    let first_line = head
        .first_line
        .split(' ')
        .map(target)
        .collect::<Vec<_>>()
        .join(" ");
    let fields = head.fields.iter().map(|(name, value)| {
        let lower = name.to_ascii_lowercase();
        let is_harmless = HARMLESS.contains(&lower.as_str());
        let is_secret = FIELDS.contains(&lower.as_str()) || has_word(&lower, &[]);
        let value = if lower == SUBPROTOCOLS {
            subprotocols(value, agreed)
        } else if is_secret && !is_harmless {
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

/// A URL or a request's target whose query and fragment carry no secret.
pub(super) fn target(text: &str) -> String {
    let (rest, fragment) = match text.split_once('#') {
        Some((rest, fragment)) => (rest, format!("#{}", parameters(fragment))),
        None => (text, String::new()),
    };
    match rest.split_once('?') {
        Some((path, query)) => format!("{path}?{}{fragment}", parameters(query)),
        None => format!("{rest}{fragment}"),
    }
}

fn parameters(query: &str) -> String {
    let parameters = query.split('&').map(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let lower = percent_decode_str(name)
            .decode_utf8_lossy()
            .to_ascii_lowercase();
        if has_word(&lower, &PARAMETER_PARTS) && !value.is_empty() {
            format!("{name}={REDACTED}")
        } else {
            parameter.to_owned()
        }
    });
    parameters.collect::<Vec<_>>().join("&")
}

fn subprotocols(offered: &str, agreed: Option<&str>) -> String {
    let names = offered.split(',').map(str::trim);
    let names = names.map(|name| match agreed {
        Some(agreed) if agreed.trim() == name => name,
        _ => REDACTED,
    });
    names.collect::<Vec<_>>().join(", ")
}

fn has_word(name: &str, more: &[&str]) -> bool {
    let mut parts = name.split(|char: char| !char.is_ascii_alphanumeric());
    WORDS.iter().any(|word| name.contains(word))
        || parts.any(|part| PARTS.contains(&part) || more.contains(&part))
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
        let after = head(&before, None);
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

    #[test]
    fn the_usual_names_of_secrets_are_known_and_other_words_are_not_taken_for_them() {
        for (before, after) in [
            (
                "/?jwt=a&sid=b&code=c&room=1",
                "/?jwt=(redacted)&sid=(redacted)&code=(redacted)&room=1",
            ),
            (
                "/?session=a&pass=b&pwd=c",
                "/?session=(redacted)&pass=(redacted)&pwd=(redacted)",
            ),
            (
                "/?%74oken=a&credential=b",
                "/?%74oken=(redacted)&credential=(redacted)",
            ),
            (
                "http://x/#access_token=a&b=c",
                "http://x/#access_token=(redacted)&b=c",
            ),
            (
                "/?inside=a&design=b&bypass=c&encode=d",
                "/?inside=a&design=b&bypass=c&encode=d",
            ),
        ] {
            assert_eq!(target(before), after);
        }
        let value = |name: &str, value: &str, agreed| {
            let before = Head {
                first_line: String::new(),
                fields: vec![(name.to_owned(), value.to_owned())],
            };
            head(&before, agreed).fields.remove(0).1
        };
        for name in [
            "X-Auth",
            "X-Session-Id",
            "X-CSRF",
            "X-Amz-Signature",
            "X-Access-Jwt",
        ] {
            assert_eq!(value(name, "s", None), REDACTED, "{name}");
        }
        for name in [
            "Accept-Encoding",
            "WWW-Authenticate",
            "Sec-WebSocket-Accept",
        ] {
            assert_eq!(value(name, "s", None), "s", "{name}");
        }
        let name = "Sec-WebSocket-Protocol";
        assert_eq!(
            value(name, "chat, s3cret", Some("chat")),
            "chat, (redacted)"
        );
        assert_eq!(value(name, "s3cret", None), REDACTED);
    }
}
