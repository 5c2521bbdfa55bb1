//! The head of a request as the first read brought it (RFC 9112 section 3).
//!
//! Most handshakes come whole in one segment, and need no HTTP connection around them.
//! What does not is hyper's to read, and to answer where it is wrong.

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};

/// Fields for which there is room.
const FIELDS: usize = 64;

/// What announces a body, or makes the client wait for leave to send one.
const OF_A_BODY: [HeaderName; 3] = [CONTENT_LENGTH, TRANSFER_ENCODING, EXPECT];

/// Reads the head of a GET of HTTP/1.1 without a body, and says how long it is. `None`
/// where it is not whole, is longer than `limit`, or is anything else.
pub(super) fn read_head(bytes: &Bytes, limit: usize) -> Option<(Request<()>, usize)> {
    let mut fields = [const { MaybeUninit::uninit() }; FIELDS];
    let mut parsed = httparse::Request::new(&mut []);
    let status = parsed.parse_with_uninit_headers(bytes, &mut fields).ok()?;
    let httparse::Status::Complete(len) = status else {
        return None;
    };
    if len > limit || parsed.method != Some("GET") || parsed.version != Some(1) {
        return None;
    }
    let mut headers = HeaderMap::with_capacity(parsed.headers.len());
    for field in &*parsed.headers {
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        if OF_A_BODY.contains(&name) {
            return None;
        }
        let value = HeaderValue::from_maybe_shared(bytes.slice_ref(field.value)).ok()?;
        headers.append(name, value);
    }
    let mut request = Request::new(());
    *request.method_mut() = Method::GET;
    *request.version_mut() = Version::HTTP_11;
    // A copy, which does not keep the bytes.
    *request.uri_mut() = Uri::try_from(parsed.path?).ok()?;
    *request.headers_mut() = headers;
    Some((request, len))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "GET /chat?x=1 HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\
                        X-Empty:\r\nX-Twice: a\r\nx-twice: \u{e4} \r\n\r\n";

    fn read(text: &str) -> Option<(Request<()>, usize)> {
        read_head(&Bytes::copy_from_slice(text.as_bytes()), 1000)
    }

    #[test]
    fn a_whole_head_is_read_and_what_is_behind_it_left() {
        let (request, len) = read(&format!("{HEAD}more")).unwrap();
        assert_eq!(len, HEAD.len());
        assert_eq!(request.uri(), "/chat?x=1");
        let fields: Vec<_> = request
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        let expected: [(&str, &[u8]); 5] = [
            ("host", b"h"),
            ("upgrade", b"websocket"),
            ("x-empty", b""),
            ("x-twice", b"a"),
            ("x-twice", "\u{e4}".as_bytes()),
        ];
        assert_eq!(fields, expected);
    }

    #[test]
    fn a_head_that_breaks_off_is_not_read() {
        for end in 0..HEAD.len() {
            assert!(!HEAD.is_char_boundary(end) || read(&HEAD[..end]).is_none());
        }
    }

    #[test]
    fn what_is_no_plain_get_is_left_to_hyper() {
        let long = format!("/{}", "x".repeat(1000));
        let many = "\r\nX: 1".repeat(FIELDS);
        for (from, to) in [
            ("GET", "HEAD"),
            ("HTTP/1.1", "HTTP/1.0"),
            ("HTTP/1.1", "HTTP/2.0"),
            ("Host: h", "Content-Length: 0"),
            ("Host: h", "content-length: 5"),
            ("Host: h", "Transfer-Encoding: chunked"),
            ("Host: h", "Expect: 100-continue"),
            ("Host: h", "Host : h"),
            ("Host: h", "Host: h\r\n folded"),
            ("Host: h", "Host: h\0"),
            ("Host: h", "no field"),
            ("/chat", "chat "),
            ("/chat", &long),
            ("\r\nX-Empty:", &many),
        ] {
            let text = HEAD.replacen(from, to, 1);
            assert_ne!(text, HEAD);
            assert!(read(&text).is_none(), "{text:?}");
        }
    }
}
