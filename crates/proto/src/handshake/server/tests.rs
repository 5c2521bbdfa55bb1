use super::*;
use crate::deflate::Compression;

fn off() -> CompressionConfig {
    CompressionConfig::default().mode(Compression::Off)
}
use ::http::request::Builder;

fn sample() -> Builder {
    Request::builder()
        .uri("/chat")
        .header("Host", "example.com:8000")
        .header("Upgrade", "websocket")
        .header("Connection", "Upgrade")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
        .header("Sec-WebSocket-Version", "13")
}

fn read(builder: Builder) -> Result<Offer, RequestError> {
    Offer::read(&builder.body(()).unwrap())
}

/// The sample with one header replaced, or removed where `value` is `None`.
fn with(name: &str, value: Option<&str>) -> Result<Offer, RequestError> {
    let mut request = sample().body(()).unwrap();
    let name: HeaderName = name.parse().unwrap();
    request.headers_mut().remove(&name);
    if let Some(value) = value {
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    Offer::read(&request)
}

//= rfc6455#4.2.2-9, rfc6455#4.2.2-10, rfc6455#4.2.2-11, rfc6455#4.2.2-12 test
#[test]
fn the_sample_handshake_of_the_documents_is_accepted_as_they_print_it() {
    let offer = read(sample()).unwrap();
    let response = offer.accept(None, &off()).unwrap().0;
    assert_eq!(response.status(), 101);
    let headers = response.headers();
    assert_eq!(headers["upgrade"], "websocket");
    assert_eq!(headers["connection"], "Upgrade");
    assert_eq!(
        headers["sec-websocket-accept"],
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    );
    assert_eq!(headers.len(), 3, "no subprotocol, no extension");
}

//= rfc6455#4.2.1-5, rfc6455#4.2.1-6, rfc6455#4.3-1 test
#[test]
fn upgrade_and_connection_are_token_lists_in_any_case() {
    assert!(with("upgrade", Some("h2c, WebSocket")).is_ok());
    assert!(with("connection", Some("keep-alive,UPGRADE")).is_ok());
    for (name, value) in [
        ("upgrade", Some("websockets")),
        ("upgrade", None),
        ("connection", Some("keep-alive")),
        ("connection", None),
    ] {
        let error = with(name, value).unwrap_err();
        assert!(matches!(error, RequestError::Token { .. }), "{error}");
        assert_eq!(error.status(), 400);
    }
}

//= rfc6455#4.2.1-1, rfc6455#4.2.1-2 test
#[test]
fn another_method_is_answered_by_405_with_the_one_allowed() {
    let error = read(sample().method("POST")).unwrap_err();
    let response = error.response();
    assert_eq!(response.status(), 405);
    assert_eq!(response.headers()["allow"], "GET");
    assert_eq!(
        response.body(),
        "expected the method GET in a WebSocket handshake, got POST\n"
    );
}

//= rfc6455#4.2.1-3 test
#[test]
fn http_before_1_1_is_answered_by_400() {
    let error = read(sample().version(Version::HTTP_10)).unwrap_err();
    assert_eq!(error, RequestError::HttpVersion(Version::HTTP_10));
    assert_eq!(error.status(), 400);
}

//= rfc6455#4.2.1-8, rfc6455#4.2.2-5, rfc6455#4.4-2 test
#[test]
fn another_version_is_answered_by_426_with_version_13() {
    for version in ["12", "14", "8", "013", "13, 8", "+13", "abc", ""] {
        let error = with("sec-websocket-version", Some(version)).unwrap_err();
        let response = error.response();
        assert_eq!(response.status(), 426, "{version}");
        assert_eq!(response.headers()["sec-websocket-version"], "13");
        assert_eq!(response.headers()["upgrade"], "websocket");
    }
}

//= rfc6455#4.2.1-4, rfc6455#4.2.1-7, rfc6455#4.2.1-8 test
#[test]
fn a_header_that_must_be_there_once_is_neither_missing_nor_repeated() {
    for name in ["host", "sec-websocket-key", "sec-websocket-version"] {
        let missing = with(name, None).unwrap_err();
        assert_eq!(missing, RequestError::Missing(name.parse().unwrap()));
        let twice = read(sample().header(name, "13")).unwrap_err();
        assert_eq!(twice, RequestError::Repeated(name.parse().unwrap(), 2));
        assert_eq!(
            (missing.status(), twice.status()),
            (400.try_into().unwrap(), 400.try_into().unwrap())
        );
    }
}

//= rfc6455#4.2.1-7 test
#[test]
fn a_key_of_another_length_is_answered_by_400() {
    for key in ["", "AQIDBA==", "dGhlIHNhbXBsZSBub25jZWVl", "not base64!"] {
        let error = with("sec-websocket-key", Some(key)).unwrap_err();
        assert_eq!(error, RequestError::Key(key.to_owned()));
        assert_eq!(error.status(), 400);
    }
}

//= rfc6455#4.2.1-10, rfc6455#4.2.2-7, rfc6455#4.2.2-13 test
#[test]
fn the_subprotocol_is_chosen_in_the_servers_order_among_the_clients_offers() {
    let offer = read(
        sample()
            .header("Sec-WebSocket-Protocol", "soap, wamp")
            .header("Sec-WebSocket-Protocol", "chat"),
    )
    .unwrap();
    assert_eq!(offer.subprotocols(), ["soap", "wamp", "chat"]);
    assert_eq!(offer.select_subprotocol(&["chat", "soap"]), Some("chat"));
    assert_eq!(offer.select_subprotocol(&["CHAT", "mqtt"]), None);
    let response = offer.accept(Some("wamp"), &off()).unwrap().0;
    assert_eq!(response.headers()["sec-websocket-protocol"], "wamp");
    assert!(offer.accept(Some("mqtt"), &off()).is_err());
}

//= rfc6455#4.3-1 test
#[test]
fn a_malformed_or_repeated_subprotocol_is_answered_by_400() {
    for value in ["a b", "a, a", "caf\u{e9}", "a/b", "{json}"] {
        let request = sample().header("Sec-WebSocket-Protocol", value.as_bytes());
        assert_eq!(read(request).unwrap_err().status(), 400, "{value}");
    }
}

//= rfc6455#4.2.1-11, rfc6455#4.2.2-8, rfc6455#5.8-1, rfc6455#9.1-1, rfc6455#9.1-5 test
//= rfc6455#9.1-7 test
#[test]
fn extensions_are_read_and_none_is_accepted() {
    let value = r#"permessage-deflate; client_max_window_bits; server_max_window_bits="10", x-foo"#;
    let offer = read(sample().header("Sec-WebSocket-Extensions", value)).unwrap();
    assert_eq!(offer.extensions().len(), 2);
    let response = offer.accept(None, &off()).unwrap().0;
    assert!(!response.headers().contains_key("sec-websocket-extensions"));
    let bad = sample().header("Sec-WebSocket-Extensions", "x; =");
    assert_eq!(read(bad).unwrap_err().status(), 400);
}

#[test]
fn a_head_above_the_limits_is_answered_by_431_that_names_the_limit() {
    let limits = Limits::default();
    let mut many = sample();
    for i in 0..96 {
        many = many.header(format!("x-{i}"), "1");
    }
    let error = check_head(&many.body(()).unwrap(), &limits).unwrap_err();
    assert_eq!(
        (error.status().as_u16(), error.to_string().as_str()),
        (
            431,
            "expected at most 100 for the limit header_fields, got 101"
        )
    );
    let long = sample().header("x", "v".repeat(16 << 10));
    let error = check_head(&long.body(()).unwrap(), &limits).unwrap_err();
    assert!(matches!(
        error,
        RequestError::LimitExceeded {
            limit: Limit::HeaderBytes,
            max: 16384,
            ..
        }
    ));
    assert!(check_head(&sample().body(()).unwrap(), &limits).is_ok());
}

//= rfc7692#5-2, rfc7692#5-3, rfc7692#5-4 test
#[test]
fn compression_is_accepted_where_it_is_offered_and_wanted() {
    let request = Request::builder()
        .method("CONNECT")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-extensions", "mux; a=1")
        .header(
            "sec-websocket-extensions",
            "permessage-deflate; x, permessage-deflate; server_max_window_bits=10",
        )
        .body(())
        .unwrap();
    let offer = Offer::read_extended(&request, Some("websocket")).unwrap();
    let (response, agreement) = offer.accept(None, &CompressionConfig::default()).unwrap();
    assert_eq!(
        response.headers()["sec-websocket-extensions"],
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
         server_max_window_bits=10"
    );
    assert_eq!(agreement.unwrap().server_max_window_bits, 10);
    let (response, agreement) = offer.accept(None, &off()).unwrap();
    assert!(response.headers().is_empty());
    assert_eq!(agreement, None);
}

//= rfc8441#4-1, rfc8441#4-2, rfc8441#4-3, rfc8441#5-1, rfc8441#5-4, rfc8441#5-5, rfc8441#5-6 test
#[test]
fn an_extended_connect_is_answered_with_200_and_without_a_key() {
    let request = |method: &str, version: &str| {
        Request::builder()
            .method(method)
            .header("sec-websocket-version", version)
            .header("sec-websocket-protocol", "chat")
            .body(())
            .unwrap()
    };
    let offer = Offer::read_extended(&request("CONNECT", "13"), Some("websocket")).unwrap();
    let (response, _) = offer.accept(Some("chat"), &off()).unwrap();
    assert_eq!(response.status(), 200);
    let names: Vec<&str> = response.headers().keys().map(HeaderName::as_str).collect();
    assert_eq!(names, ["sec-websocket-protocol"]);
    for (method, protocol, version, status) in [
        ("GET", Some("websocket"), "13", 405),
        ("CONNECT", None, "13", 501),
        ("CONNECT", Some("connect-udp"), "13", 501),
        ("CONNECT", Some("websocket"), "8", 400),
    ] {
        let error = Offer::read_extended(&request(method, version), protocol).unwrap_err();
        assert_eq!(error.status(), status);
        assert!(!error.response().headers().contains_key("upgrade"));
    }
}
