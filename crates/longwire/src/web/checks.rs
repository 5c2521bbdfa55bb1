//! What is checked before anything is sent: URLs, ports, subprotocols, close codes
//! and reasons.

use longwire_proto::handshake::client::check_subprotocols;
use longwire_proto::{CloseCode, CloseFrame, Role};
use url::Url;

use super::exception::DomException;

/// The ports that Fetch, section 2.9, lets nothing connect to.
const BAD_PORTS: [u16; 83] = [
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101,
    102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427,
    465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990,
    993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667,
    6668, 6669, 6679, 6697, 10080,
];

//= whatwg#interface-definition-1, whatwg#interface-definition-2, whatwg#interface-definition-3, whatwg#interface-definition-4
/// The URL record of a WebSocket (section 3.1, "obtain a URL record").
pub(super) fn url_record(url: &str, base: Option<&Url>) -> Result<Url, DomException> {
    let parsed = Url::options().base_url(base).parse(url);
    let mut record = parsed
        .map_err(|error| DomException::syntax(format!("expected a URL, got {url:?}: {error}")))?;
    let scheme = match record.scheme() {
        "http" => Some("ws"),
        "https" => Some("wss"),
        "ws" | "wss" => None,
        other => {
            return Err(DomException::syntax(format!(
                "expected a URL with the scheme ws, wss, http or https, got {other:?}"
            )));
        }
    };
    if let Some(scheme) = scheme {
        // From one special scheme to another: this cannot fail.
        let _ = record.set_scheme(scheme);
    }
    if let Some(fragment) = record.fragment() {
        return Err(DomException::syntax(format!(
            "expected a URL without a fragment, got {fragment:?}"
        )));
    }
    Ok(record)
}

//= whatwg#interface-definition-5
/// Whether the subprotocols can be offered (RFC 6455 section 4.1).
pub(super) fn check_protocols(protocols: &[String]) -> Result<(), DomException> {
    check_subprotocols(protocols).map_err(|error| DomException::syntax(error.to_string()))
}

//= whatwg#websocket-connections-1
/// Whether Fetch blocks this port.
pub(super) fn is_bad_port(port: u16) -> bool {
    BAD_PORTS.binary_search(&port).is_ok()
}

//= whatwg#interface-definition-8, whatwg#interface-definition-9, whatwg#interface-definition-12
/// The Close frame of a code and a reason, if both can be sent; `None` where it has
/// no body.
pub(super) fn close_frame(
    code: Option<u16>,
    reason: &str,
) -> Result<Option<CloseFrame>, DomException> {
    if let Some(code) = code
        && code != 1000
        && !(3000..=4999).contains(&code)
    {
        return Err(DomException::invalid_access(format!(
            "expected 1000 or a close code from 3000 to 4999, got {code}"
        )));
    }
    if reason.len() > CloseFrame::MAX_REASON {
        return Err(DomException::syntax(format!(
            "expected a reason of at most {} bytes in UTF-8, got {}",
            CloseFrame::MAX_REASON,
            reason.len()
        )));
    }
    let code = match code {
        Some(code) => CloseCode::from(code),
        None if reason.is_empty() => return Ok(None),
        None => CloseCode::NORMAL,
    };
    // What has passed is what a client may send.
    Ok(CloseFrame::new(Role::Client, code, reason).ok())
}

#[cfg(test)]
mod tests {
    use super::super::exception::ExceptionName;
    use super::*;

    fn refused(url: &str, base: Option<&str>) -> bool {
        let base = base.map(|base| Url::parse(base).unwrap());
        let result = url_record(url, base.as_ref());
        result.is_err_and(|error| error.name() == ExceptionName::SyntaxError)
    }

    //= whatwg#interface-definition-1, whatwg#interface-definition-2, whatwg#interface-definition-3, whatwg#interface-definition-4 test
    #[test]
    fn a_url_is_one_of_a_websocket_once_its_scheme_is_mapped() {
        for (url, base, expected) in [
            ("ws://example.com", None, "ws://example.com/"),
            ("WSS://EXAMPLE.com:443/a?b", None, "wss://example.com/a?b"),
            ("http://example.com", None, "ws://example.com/"),
            ("https://example.com:444/", None, "wss://example.com:444/"),
            (
                "/chat",
                Some("https://example.com/page"),
                "wss://example.com/chat",
            ),
            ("//other", Some("http://example.com"), "ws://other/"),
            ("?x", Some("ws://example.com/a#top"), "ws://example.com/a?x"),
            ("", Some("https://example.com/a#top"), "wss://example.com/a"),
            ("ws://user:pw@h", None, "ws://user:pw@h/"),
        ] {
            let base = base.map(|base| Url::parse(base).unwrap());
            let record = url_record(url, base.as_ref()).unwrap();
            assert_eq!(record.as_str(), expected);
        }
        for url in [
            "example.com",
            "/chat",
            "",
            "ftp://h",
            "mailto:a@b",
            "ws://",
            "ws://h:99999",
            "ws://h/#",
            "ws://h/#a",
            "wss://h/?a#b",
            "about:blank",
            "ws://a b/",
            "foo://h",
        ] {
            assert!(refused(url, None), "{url}");
        }
        assert!(refused("#top", Some("https://example.com/")));
        assert!(refused("/chat", Some("about:blank")));
        assert!(refused("/chat", Some("ftp://example.com/")));
    }

    //= whatwg#interface-definition-5 test
    #[test]
    fn subprotocols_are_tokens_and_each_is_there_once() {
        let check = |protocols: &[&str]| {
            let protocols: Vec<String> = protocols.iter().map(ToString::to_string).collect();
            check_protocols(&protocols)
        };
        for good in [&[][..], &["chat"], &["a", "A"], &["!#$%&'*+-.^_`|~09az"]] {
            assert!(check(good).is_ok(), "{good:?}");
        }
        for bad in [
            "", " ", "a b", "a,b", "(", "é", "a\t", "a\0", "\u{7f}", "a/b", "\"",
        ] {
            let error = check(&[bad]).unwrap_err();
            assert_eq!(error.name(), ExceptionName::SyntaxError, "{bad:?}");
        }
        assert!(check(&["a", "b", "a"]).is_err());
    }

    //= whatwg#websocket-connections-1 test
    #[test]
    fn the_ports_of_other_services_are_bad() {
        assert!(BAD_PORTS.is_sorted());
        for port in [0, 1, 22, 25, 6000, 6667, 10080] {
            assert!(is_bad_port(port), "{port}");
        }
        for port in [80, 443, 3000, 8000, 8080, 9000, 65535] {
            assert!(!is_bad_port(port), "{port}");
        }
    }

    //= whatwg#interface-definition-8, whatwg#interface-definition-9, whatwg#interface-definition-12 test
    #[test]
    fn only_codes_and_reasons_that_a_program_may_send_make_a_frame() {
        for code in 0..=u16::MAX {
            let good = code == 1000 || (3000..5000).contains(&code);
            match close_frame(Some(code), "r") {
                Ok(frame) => {
                    let frame = frame.unwrap();
                    assert!(good && frame.code() == code && frame.reason() == "r");
                }
                Err(error) => {
                    assert!(!good, "{code}");
                    assert_eq!(error.name(), ExceptionName::InvalidAccessError);
                }
            }
        }
        assert_eq!(close_frame(None, ""), Ok(None));
        let frame = close_frame(None, "only a reason").unwrap().unwrap();
        assert_eq!(frame.code(), 1000);
        for (reason, good) in [
            ("x".repeat(123), true),
            ("x".repeat(124), false),
            ("é".repeat(61), true),
            ("é".repeat(62), false),
        ] {
            assert_eq!(close_frame(Some(1000), &reason).is_ok(), good, "{reason}");
        }
        // The code is judged first.
        let error = close_frame(Some(1), &"x".repeat(124)).unwrap_err();
        assert_eq!(error.name(), ExceptionName::InvalidAccessError);
    }
}
