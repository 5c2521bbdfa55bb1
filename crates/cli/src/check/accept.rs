//! How the tester, playing the server, accepts a client's handshake (RFC 6455
//! section 4.2.2), and agrees to compression (RFC 7692 section 7.1).

use crate::wire::{Head, accept_for_key};

/// The smallest window that zlib has.
const LEAST_BITS: u8 = 9;

/// The largest window of DEFLATE.
const MOST_BITS: u8 = 15;

/// The answer that accepts a request (RFC 6455 section 4.2.2, step 5).
pub(crate) fn accepting(request: &Head) -> Head {
    let key = request.get("Sec-WebSocket-Key").unwrap_or_default();
    Head {
        first_line: "HTTP/1.1 101 Switching Protocols".to_owned(),
        fields: vec![
            ("Upgrade".to_owned(), "websocket".to_owned()),
            ("Connection".to_owned(), "Upgrade".to_owned()),
            ("Sec-WebSocket-Accept".to_owned(), accept_for_key(key)),
        ],
    }
}

/// Whether a request asks for a WebSocket (RFC 6455 section 4.1), and what is
/// wrong where it does not.
pub(crate) fn asks_for_a_websocket(request: &Head) -> Result<(), String> {
    let expected = |what: &str, got: Option<&str>| {
        let got = got.map_or_else(|| "none".to_owned(), |got| format!("{got:?}"));
        Err(format!(
            "expected a request for a WebSocket with {what}, got {got}"
        ))
    };
    if request.request().is_none_or(|(method, _)| method != "GET") {
        return expected("the method GET", Some(&request.first_line));
    }
    if !has_token(request, "Upgrade", "websocket") {
        return expected("Upgrade: websocket", request.get("Upgrade"));
    }
    if !has_token(request, "Connection", "upgrade") {
        return expected("Connection: Upgrade", request.get("Connection"));
    }
    if request.get("Sec-WebSocket-Key").is_none() {
        return expected("Sec-WebSocket-Key", None);
    }
    Ok(())
}

/// Whether a field that is a list has this token, in whatever case.
pub(crate) fn has_token(head: &Head, field: &str, token: &str) -> bool {
    head.all(field)
        .flat_map(|value| value.split(','))
        .any(|one| one.trim().eq_ignore_ascii_case(token))
}

/// The parameters of one offer of permessage-deflate.
pub(crate) struct Offer<'h>(Vec<(&'h str, Option<&'h str>)>);

impl<'h> Offer<'h> {
    /// The parameters of `permessage-deflate; a; b=1`; `None` for another
    /// extension.
    fn parse(element: &'h str) -> Option<Self> {
        let mut parts = element.split(';').map(str::trim);
        if parts.next()? != "permessage-deflate" {
            return None;
        }
        let parameter = |part: &'h str| match part.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim().trim_matches('"'))),
            None => (part, None),
        };
        Some(Self(parts.map(parameter).collect()))
    }

    /// All parameters in their order.
    pub(crate) fn parameters(&self) -> &[(&'h str, Option<&'h str>)] {
        &self.0
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(one, _)| *one == name)
    }

    fn bits(&self, name: &str) -> Option<u8> {
        let (_, value) = self.0.iter().find(|(one, _)| *one == name)?;
        value.and_then(|value| value.parse().ok())
    }
}

/// The client's offers of permessage-deflate, in its order.
pub(crate) fn offers(request: &Head) -> Vec<Offer<'_>> {
    request
        .all("Sec-WebSocket-Extensions")
        .flat_map(|value| value.split(','))
        .filter_map(|element| Offer::parse(element.trim()))
        .collect()
}

/// The answer to what a client offers, for a case that was written with the
/// tester as the client and asks for `wanted`: what is said there of the server
/// is true of the client here, and the other way round. `None` where the client
/// offers nothing that allows it.
pub(crate) fn agree(request: &Head, wanted: &str) -> Option<String> {
    let wanted = Offer::parse(wanted.split(',').next()?.trim())?;
    offers(request)
        .iter()
        .find_map(|offer| answer(offer, &wanted))
}

fn answer(offer: &Offer<'_>, wanted: &Offer<'_>) -> Option<String> {
    let mut answer = "permessage-deflate".to_owned();
    // Section 7.1.1.1: what the client asks for is agreed to, or all is declined.
    if wanted.has("client_no_context_takeover") || offer.has("server_no_context_takeover") {
        answer.push_str("; server_no_context_takeover");
    }
    if wanted.has("server_no_context_takeover") {
        answer.push_str("; client_no_context_takeover");
    }
    let own = [
        wanted.bits("client_max_window_bits"),
        offer.bits("server_max_window_bits"),
    ];
    if let Some(bits) = own.into_iter().flatten().min() {
        if !(LEAST_BITS..=MOST_BITS).contains(&bits) {
            return None;
        }
        answer += &["; server_max_window_bits=", &bits.to_string()].concat();
    }
    if let Some(bits) = wanted.bits("server_max_window_bits") {
        // Section 7.1.2.2: only where the client said that it can.
        if !offer.has("client_max_window_bits") {
            return None;
        }
        let most = offer.bits("client_max_window_bits").unwrap_or(MOST_BITS);
        let bits = bits.min(most);
        answer += &["; client_max_window_bits=", &bits.to_string()].concat();
    }
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(extensions: &[&str]) -> Head {
        let field = |value: &&str| ("sec-websocket-extensions".to_owned(), (*value).to_owned());
        Head {
            first_line: "GET / HTTP/1.1".to_owned(),
            fields: extensions.iter().map(field).collect(),
        }
    }

    #[test]
    fn a_case_about_the_server_is_one_about_the_client_here() {
        let plain = "permessage-deflate";
        let able = "permessage-deflate; client_max_window_bits";
        for (offered, wanted, expected) in [
            (&[plain][..], able, Some(plain)),
            (&[], able, None),
            (&["x-other"], able, None),
            (
                &[plain],
                "permessage-deflate; server_no_context_takeover",
                Some("permessage-deflate; client_no_context_takeover"),
            ),
            (
                &[plain],
                "permessage-deflate; server_max_window_bits=10",
                None,
            ),
            (
                &[able],
                "permessage-deflate; server_max_window_bits=10",
                Some("permessage-deflate; client_max_window_bits=10"),
            ),
            (
                &["permessage-deflate; client_max_window_bits=9"],
                "permessage-deflate; server_max_window_bits=10",
                Some("permessage-deflate; client_max_window_bits=9"),
            ),
            (
                &["permessage-deflate; server_no_context_takeover; server_max_window_bits=\"12\""],
                able,
                Some("permessage-deflate; server_no_context_takeover; server_max_window_bits=12"),
            ),
            (
                &[
                    "x-other, permessage-deflate; server_max_window_bits=8",
                    plain,
                ],
                able,
                Some(plain),
            ),
        ] {
            let got = agree(&request(offered), wanted);
            assert_eq!(got.as_deref(), expected, "{offered:?} {wanted}");
        }
    }
}
