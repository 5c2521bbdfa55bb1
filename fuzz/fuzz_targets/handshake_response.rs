//! A response of any headers to the client's half of the handshake. The first
//! two bytes are the status; each line after them is a field, its name by the
//! first byte.

#![no_main]

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use libfuzzer_sys::fuzz_target;
use longwire_proto::CompressionConfig;
use longwire_proto::handshake::accept_for_key;
use longwire_proto::handshake::client::Handshake;

const NAMES: [&str; 6] = [
    "upgrade",
    "connection",
    "sec-websocket-accept",
    "sec-websocket-protocol",
    "sec-websocket-extensions",
    "set-cookie",
];

fn request(handshake: &Handshake) -> Request<()> {
    let host = HeaderValue::from_static("example.com");
    handshake
        .request("/".parse().expect("a target"), host, &HeaderMap::new())
        .expect("nothing is forbidden")
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&status, lines)) = bytes.split_first_chunk::<2>() else {
        return;
    };
    let status = u16::from_be_bytes(status);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SWITCHING_PROTOCOLS);
    let offered = vec!["chat".to_owned(), "superchat".to_owned()];
    let handshake = Handshake::new([7; 16], offered, CompressionConfig::default()).expect("tokens");
    let request = request(&handshake);
    let key = &request.headers()["sec-websocket-key"];
    let accept = accept_for_key(key.to_str().expect("base64"));

    let mut response = Response::new(());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert("upgrade", HeaderValue::from_static("websocket"));
    headers.insert("connection", HeaderValue::from_static("Upgrade"));
    headers.insert("sec-websocket-accept", accept.parse().expect("base64"));
    for line in lines.split(|&byte| byte == b'\n') {
        let Some((&first, value)) = line.split_first() else {
            continue;
        };
        let name = HeaderName::from_static(NAMES[usize::from(first & 7) % NAMES.len()]);
        let Ok(value) = HeaderValue::from_bytes(value) else {
            continue;
        };
        if first & 8 == 0 {
            headers.insert(name, value);
        } else {
            headers.append(name, value);
        }
    }
    match handshake.verify(&response) {
        Ok(subprotocol) => {
            assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
            assert_eq!(response.headers()["sec-websocket-accept"], accept.as_str());
            let named = subprotocol.subprotocol.as_deref();
            assert!(matches!(named, None | Some("chat" | "superchat")));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
