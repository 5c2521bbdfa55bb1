use super::*;
use crate::deflate::Compression;
use ::http::response::Builder;

/// The nonce of the RFC's sample key.
const NONCE: [u8; 16] = *b"the sample nonce";

fn handshake(subprotocols: &[&str]) -> Handshake {
    let names = subprotocols.iter().map(ToString::to_string).collect();
    Handshake::new(NONCE, names, off()).unwrap()
}

fn off() -> CompressionConfig {
    CompressionConfig::default().mode(Compression::Off)
}

fn accepted() -> Builder {
    Response::builder()
        .status(101)
        .header("Upgrade", "websocket")
        .header("Connection", "Upgrade")
        .header("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
}

fn verify(handshake: &Handshake, builder: Builder) -> Result<Option<String>, ResponseError> {
    handshake
        .verify(&builder.body(()).unwrap())
        .map(|agreed| agreed.subprotocol)
}

/// The accepted response with one header replaced, or removed.
fn with(name: &str, value: Option<&str>) -> Result<Option<String>, ResponseError> {
    let mut response = accepted().body(()).unwrap();
    let name: HeaderName = name.parse().unwrap();
    response.headers_mut().remove(&name);
    if let Some(value) = value {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    handshake(&["chat", "soap"])
        .verify(&response)
        .map(|agreed| agreed.subprotocol)
}

//= rfc6455#4.1-10, rfc6455#4.1-11, rfc6455#4.1-12, rfc6455#4.1-13, rfc6455#4.1-14 test
//= rfc6455#4.1-15, rfc6455#4.1-18, rfc6455#4.1-19, rfc6455#4.1-23 test
#[test]
fn the_request_has_what_the_rfc_requires_and_what_the_program_adds() {
    let mut further = HeaderMap::new();
    further.insert("origin", HeaderValue::from_static("http://example.com"));
    let request = handshake(&["chat", "superchat"])
        .request(
            "/chat?a=b".parse().unwrap(),
            HeaderValue::from_static("example.com:8000"),
            &further,
        )
        .unwrap();
    assert_eq!(
        (request.method(), request.uri().to_string().as_str()),
        (&Method::GET, "/chat?a=b")
    );
    let headers = request.headers();
    for (name, value) in [
        ("host", "example.com:8000"),
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-version", "13"),
        ("sec-websocket-protocol", "chat, superchat"),
        ("origin", "http://example.com"),
    ] {
        assert_eq!(headers[name], value);
    }
    assert_eq!(headers.len(), 7, "no extension is offered");
}

#[test]
fn a_program_may_not_set_the_handshakes_own_headers() {
    for name in OURS {
        let mut further = HeaderMap::new();
        further.insert(name.clone(), HeaderValue::from_static("x"));
        let error = handshake(&[])
            .request(
                "/".parse().unwrap(),
                HeaderValue::from_static("h"),
                &further,
            )
            .unwrap_err();
        assert_eq!(error, OfferError::ReservedHeader(name));
    }
}

//= rfc6455#4.1-20, rfc6455#4.1-21 test
#[test]
fn an_offered_subprotocol_is_a_token_and_offered_once() {
    for bad in ["", "a b", "a,b", "\u{e9}"] {
        let error = Handshake::new(NONCE, vec![bad.to_owned()], off()).unwrap_err();
        assert_eq!(error, OfferError::Subprotocol(bad.to_owned()));
    }
    let error = Handshake::new(NONCE, vec!["a".into(), "a".into()], off()).unwrap_err();
    assert_eq!(error, OfferError::RepeatedSubprotocol("a".into()));
}

#[test]
fn a_response_that_follows_the_rfc_opens_the_connection() {
    assert_eq!(verify(&handshake(&[]), accepted()), Ok(None));
    assert_eq!(with("upgrade", Some("WebSocket")), Ok(None));
    assert_eq!(with("connection", Some("keep-alive, UPGRADE")), Ok(None));
    assert_eq!(
        with("sec-websocket-protocol", Some("soap")),
        Ok(Some("soap".to_owned()))
    );
}

//= rfc6455#4.1-27, rfc6455#4.1-28, rfc6455#4.1-29, rfc6455#4.1-30, rfc6455#4.1-31 test
//= rfc6455#4.1-32 test
#[test]
fn a_response_that_breaks_the_rfc_fails_the_connection() {
    let cases = [
        ("upgrade", None),
        ("upgrade", Some("h2c")),
        ("upgrade", Some("websocket, h2c")),
        ("connection", None),
        ("connection", Some("close")),
        ("sec-websocket-accept", None),
        ("sec-websocket-accept", Some("")),
        ("sec-websocket-accept", Some("S3PPLMBITXAQ9KYGZZHZRBK+XOO=")),
        ("sec-websocket-accept", Some("s3pPLMBiTxaQ9kYGzzhZRbK+xO0=")),
        ("sec-websocket-extensions", Some("permessage-deflate")),
        ("sec-websocket-extensions", Some("")),
        ("sec-websocket-protocol", Some("mqtt")),
        ("sec-websocket-protocol", Some("Chat")),
        ("sec-websocket-protocol", Some("chat, soap")),
        ("sec-websocket-protocol", Some("")),
    ];
    for (name, value) in cases {
        assert!(with(name, value).is_err(), "{name}: {value:?}");
    }
    for name in ["sec-websocket-accept", "upgrade"] {
        assert!(verify(&handshake(&[]), accepted().header(name, "x")).is_err());
    }
}

//= rfc6455#4.1-25 test
#[test]
fn another_status_is_told_as_it_is() {
    for status in [100, 200, 204, 301, 401, 403, 426, 500] {
        let error = verify(&handshake(&[]), accepted().status(status)).unwrap_err();
        assert_eq!(
            error,
            ResponseError::Status(StatusCode::from_u16(status).unwrap())
        );
    }
}

#[test]
fn a_subprotocol_is_refused_where_none_was_offered() {
    let response = accepted().header("Sec-WebSocket-Protocol", "chat");
    let error = verify(&handshake(&[]), response).unwrap_err();
    assert!(matches!(error, ResponseError::Subprotocol { .. }));
}

//= rfc7692#5-1, rfc7692#5-5, rfc7692#5-6 test
#[test]
fn an_extension_in_the_response_answers_the_offer_or_fails_the_connection() {
    let handshake = Handshake::new(NONCE, Vec::new(), CompressionConfig::default()).unwrap();
    let request = handshake
        .request(
            "/".parse().unwrap(),
            HeaderValue::from_static("h"),
            &HeaderMap::new(),
        )
        .unwrap();
    assert_eq!(
        request.headers()["sec-websocket-extensions"],
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
         client_max_window_bits"
    );
    let verdict = |value: &str| {
        let response = accepted().header("Sec-WebSocket-Extensions", value);
        handshake.verify(&response.body(()).unwrap())
    };
    let agreed = verdict("permessage-deflate; server_no_context_takeover").unwrap();
    assert!(agreed.compression.is_some());
    let none = handshake.verify(&accepted().body(()).unwrap()).unwrap();
    assert_eq!(none.compression, None);
    let good = "permessage-deflate; server_no_context_takeover";
    for bad in [
        "x-webkit-deflate-frame",
        "permessage-deflate",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; server_no_context_takeover; mux",
        &format!("{good}, {good}"),
        &format!("{good}, mux"),
        "permessage-deflate; =",
        "",
    ] {
        assert!(verdict(bad).is_err(), "{bad}");
    }
}

//= rfc8441#5-1, rfc8441#5-2, rfc8441#5-3, rfc8441#5-4, rfc8441#5-5 test
#[test]
fn an_extended_request_has_no_headers_of_http_1() {
    let request = handshake(&["chat"])
        .extended_request(
            "https://example.com/chat?a".parse().unwrap(),
            &HeaderMap::new(),
        )
        .unwrap();
    assert_eq!(request.method(), Method::CONNECT);
    assert_eq!(request.uri().to_string(), "https://example.com/chat?a");
    let names: Vec<&str> = request.headers().keys().map(HeaderName::as_str).collect();
    assert_eq!(names, ["sec-websocket-version", "sec-websocket-protocol"]);
}

//= rfc8441#5-6 test
#[test]
fn any_status_of_success_answers_an_extended_request() {
    let handshake = handshake(&["chat"]);
    let answer = |status: u16| {
        Response::builder()
            .status(status)
            .header("sec-websocket-protocol", "chat")
            .body(())
            .unwrap()
    };
    let agreed = handshake.verify_extended(&answer(200)).unwrap();
    assert_eq!(agreed.subprotocol.as_deref(), Some("chat"));
    for status in [101, 301, 404, 501] {
        assert!(handshake.verify_extended(&answer(status)).is_err());
    }
}
