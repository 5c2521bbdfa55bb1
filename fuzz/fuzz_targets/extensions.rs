//! Any `Sec-WebSocket-Extensions` fields, one a line: what is read can be
//! written, and reads the same again.

#![no_main]

use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use longwire_proto::http::extension::parse_extensions;

const NAME: &str = "sec-websocket-extensions";

fuzz_target!(|bytes: &[u8]| {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|&byte| byte == b'\n') {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(NAME, value);
        }
    }
    if let Ok(extensions) = parse_extensions(&headers) {
        let written: Vec<String> = extensions.iter().map(ToString::to_string).collect();
        let value = written.join(", ").parse().expect("tokens and signs");
        headers.insert(NAME, value);
        assert_eq!(parse_extensions(&headers), Ok(extensions));
    }
});
