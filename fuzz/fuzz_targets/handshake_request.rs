//! A request of any headers to the server's half of the handshake. Each line of
//! the input is a field, its name by the first byte.

#![no_main]

use http::{HeaderMap, HeaderName, HeaderValue, Request};
use libfuzzer_sys::fuzz_target;
use longwire_proto::Limits;
use longwire_proto::handshake::server::{Offer, check_head, is_upgrade};

const NAMES: [&str; 8] = [
    "host",
    "upgrade",
    "connection",
    "sec-websocket-key",
    "sec-websocket-version",
    "sec-websocket-protocol",
    "sec-websocket-extensions",
    "origin",
];

/// What a valid request has; the input is added to it or takes its place.
const VALID: [(&str, &str); 5] = [
    ("host", "example.com"),
    ("upgrade", "websocket"),
    ("connection", "Upgrade"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("sec-websocket-version", "13"),
];

fn headers(bytes: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in VALID {
        headers.insert(name, HeaderValue::from_static(value));
    }
    for line in bytes.split(|&byte| byte == b'\n') {
        let Some((&first, value)) = line.split_first() else {
            continue;
        };
        let name = HeaderName::from_static(NAMES[usize::from(first & 7)]);
        let Ok(value) = HeaderValue::from_bytes(value) else {
            continue;
        };
        if first & 8 == 0 {
            headers.insert(name, value);
        } else {
            headers.append(name, value);
        }
    }
    headers
}

fuzz_target!(|bytes: &[u8]| {
    let mut request = Request::new(());
    *request.headers_mut() = headers(bytes);
    let _ = check_head(&request, &Limits::default());
    match Offer::read(&request) {
        Ok(offer) => {
            assert!(is_upgrade(&request));
            for name in offer.subprotocols() {
                let ours = [name];
                let chosen = offer.select_subprotocol(&ours);
                let compression = longwire_proto::CompressionConfig::default();
                let (response, _) = offer.accept(chosen, &compression).expect("it was offered");
                assert_eq!(response.headers()["sec-websocket-protocol"], name.as_str());
            }
        }
        Err(error) => assert!(error.response().status().is_client_error()),
    }
});
