//! Requests that two readers may read differently (RFC 9112 sections 2.2, 5.1,
//! 6.3 and 11.2): what a proxy in front takes for one thing, the server must not
//! take for another.

use crate::check::case::Case;
use crate::check::outcome::{Level, Outcome};
use crate::check::server::Server;
use crate::check::session::Heard;
use crate::wire::{Frame, Opcode};

use super::opening::{is_refused, remove, set};

/// The text of a frame that a proxy takes for a body.
const SMUGGLED: &[u8] = b"smuggled";

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = bodies();
    cases.extend(SHAPES.iter().map(|shape| {
        let (name, section, level, sent, from, to) = *shape;
        Case::server(format!("smuggling.{name}"), section, move |server| {
            Box::pin(async move {
                let text = String::from_utf8_lossy(&server.request().encode()).into_owned();
                is_refused(server, text.replacen(from, to, 1).as_bytes()).await
            })
        })
        .level(level)
        .sent(sent)
        .expected("a status of 400 or above, or the end of the stream")
    }));
    cases.push(second_request());
    cases.push(
        Case::server("smuggling.bare-line-feeds", "RFC 9112 2.2", |server| {
            Box::pin(async move {
                let text = String::from_utf8_lossy(&server.request().encode()).into_owned();
                is_refused(server, text.replace("\r\n", "\n").as_bytes()).await
            })
        })
        .level(Level::Info)
        .sent("lines that end in a line feed alone, which a server may take")
        .expected("a status of 400 or above, or the end of the stream"),
    );
    cases
}

/// A shape: its name, section and weight, what is sent, and the change that makes it
/// of a good request's text.
type Shape = (
    &'static str,
    &'static str,
    Level,
    &'static str,
    &'static str,
    &'static str,
);

const SHAPES: &[Shape] = &[
    (
        "space-before-colon",
        "RFC 9112 5.1",
        Level::Must,
        "a space between a field's name and the colon",
        "Upgrade: websocket",
        "Upgrade : websocket",
    ),
    (
        "folded-field",
        "RFC 9112 5.2",
        Level::Info,
        "a field folded over two lines",
        "Upgrade: websocket",
        "Upgrade:\r\n websocket",
    ),
    (
        "line-starts-with-space",
        "RFC 9112 2.2",
        Level::Must,
        "a space before the first field",
        "HTTP/1.1\r\nHost",
        "HTTP/1.1\r\n Host",
    ),
    (
        "bare-cr-in-value",
        "RFC 9112 2.2",
        Level::Should,
        "a carriage return alone within a value",
        "Upgrade: websocket",
        "X-Check: a\rb\r\nUpgrade: websocket",
    ),
    (
        "nul-in-value",
        "RFC 9110 5.5",
        Level::Should,
        "a NUL within a value",
        "Upgrade: websocket",
        "X-Check: a\0b\r\nUpgrade: websocket",
    ),
    (
        "field-without-colon",
        "RFC 6455 4.2.1",
        Level::Must,
        "a field line without a colon",
        "Upgrade: websocket",
        "X-Check\r\nUpgrade: websocket",
    ),
    (
        "name-with-space",
        "RFC 6455 4.2.1",
        Level::Must,
        "a space within a field's name",
        "Upgrade: websocket",
        "X Check: a\r\nUpgrade: websocket",
    ),
    (
        "two-content-lengths",
        "RFC 9112 6.3",
        Level::Must,
        "two Content-Length fields that differ",
        "Upgrade: websocket",
        "Content-Length: 0\r\nContent-Length: 5\r\nUpgrade: websocket",
    ),
    (
        "content-length-word",
        "RFC 9112 6.3",
        Level::Must,
        "a Content-Length that is no number",
        "Upgrade: websocket",
        "Content-Length: five\r\nUpgrade: websocket",
    ),
    (
        "content-length-signed",
        "RFC 9112 6.3",
        Level::Must,
        "Content-Length: +0",
        "Upgrade: websocket",
        "Content-Length: +0\r\nUpgrade: websocket",
    ),
    (
        "length-and-chunked",
        "RFC 9112 6.3",
        Level::Should,
        "Content-Length and Transfer-Encoding: chunked, with an empty body",
        "Upgrade: websocket",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\nUpgrade: websocket",
    ),
    (
        "unknown-transfer-coding",
        "RFC 9112 6.1",
        Level::Should,
        "Transfer-Encoding: xchunked",
        "Upgrade: websocket",
        "Transfer-Encoding: xchunked\r\nUpgrade: websocket",
    ),
    (
        "space-in-target",
        "RFC 6455 4.2.1",
        Level::Must,
        "a space within the request target",
        " HTTP/1.1",
        " x HTTP/1.1",
    ),
    (
        "no-version",
        "RFC 6455 4.2.1",
        Level::Must,
        "a request line without a version",
        " HTTP/1.1",
        "",
    ),
];

/// Requests with a body that looks like a frame.
fn bodies() -> Vec<Case> {
    let body = |name: &str, sent: &'static str, chunked: bool| {
        Case::server(format!("smuggling.{name}"), "RFC 9110 7.8", move |server| {
            Box::pin(async move {
                let frame = Frame::new(Opcode::TEXT, SMUGGLED)
                    .masked([1, 2, 3, 4])
                    .encode();
                let mut request = server.request();
                remove(&mut request, "Content-Length");
                let mut bytes;
                if chunked {
                    set(&mut request, "Transfer-Encoding", "chunked");
                    bytes = request.encode();
                    bytes.extend_from_slice(format!("{:x}\r\n", frame.len()).as_bytes());
                    bytes.extend_from_slice(&frame);
                    bytes.extend_from_slice(b"\r\n0\r\n\r\n");
                } else {
                    set(&mut request, "Content-Length", &frame.len().to_string());
                    bytes = request.encode();
                    bytes.extend_from_slice(&frame);
                }
                is_no_frame(server, &bytes).await
            })
        })
        .sent(sent)
        .expected("a refusal, or 101 and a body that is not taken for a frame")
    };
    vec![
        body(
            "body-with-length",
            "a request whose body is a frame, with its Content-Length",
            false,
        ),
        body(
            "body-in-chunks",
            "a request whose chunked body is a frame",
            true,
        ),
    ]
}

async fn is_no_frame(server: &Server, bytes: &[u8]) -> Outcome {
    let Ok(asked) = server.ask(bytes).await else {
        return Outcome::Pass;
    };
    if asked.head.status() != Some(101) {
        server.keep_log(asked.log);
        return Outcome::Pass;
    }
    let mut session = server.session(asked);
    let heard = session.hear().await;
    server.keep_log(session.log);
    match heard {
        Heard::Item(item) if item.data == SMUGGLED => {
            Outcome::Fail("the body of the request was taken for a frame and echoed".to_owned())
        }
        _ => Outcome::Pass,
    }
}

/// Once the protocol has changed, nothing more is HTTP.
fn second_request() -> Case {
    Case::server("smuggling.second-request", "RFC 9110 7.8", |server| {
        Box::pin(async move {
            let mut bytes = server.request().encode();
            let second = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", server.host);
            bytes.extend_from_slice(second.as_bytes());
            let asked = match server.ask(&bytes).await {
                Ok(asked) => asked,
                Err(unopened) => return Outcome::Lenient(format!("no 101: {unopened}")),
            };
            if asked.head.status() != Some(101) {
                let got = asked.head.first_line.clone();
                server.keep_log(asked.log);
                return Outcome::Lenient(format!("expected 101, got {got}"));
            }
            let mut session = server.session(asked);
            // "GE" is a frame with a reserved opcode.
            let outcome = session.fails_with(&[1002]).await;
            server.keep_log(session.log);
            outcome
        })
    })
    .sent("a good request and, in the same write, a second one for /")
    .expected("101, then the connection fails with 1002: the second is no frame")
}
