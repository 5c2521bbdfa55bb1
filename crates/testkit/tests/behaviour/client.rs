//! What the client makes of servers that misbehave.

use std::time::Duration;

use longwire::error::{Fault, Step};
use longwire::{ClientBuilder, Error, Limits, Socket};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::{Raw, TestServer, accept_response, echo, read_head, soon};

/// Connects to a server that answers with what `respond` makes of the request.
async fn against(
    client: &ClientBuilder,
    respond: impl Fn(&str) -> String + Send + 'static,
) -> Result<Socket, Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/chat?a=b", listener.local_addr().unwrap());
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = read_head(&mut stream).await;
        // A client that has seen enough may hang up first.
        let _ = stream.write_all(respond(&head).as_bytes()).await;
        let _ = stream.shutdown().await;
        head
    };
    let (result, head) = soon(async { tokio::join!(client.connect(&url), server) }).await;
    assert!(head.starts_with("GET /chat?a=b HTTP/1.1\r\n"), "{head}");
    result
}

//= rfc6455#4.1-9, rfc6455#4.1-17, rfc6455#4.1-23 test
#[tokio::test]
async fn the_request_is_what_the_rfc_asks_for_with_what_the_program_adds() {
    let client = ClientBuilder::new()
        .subprotocol("chat")
        .subprotocol("soap")
        .origin("http://example.com")
        .header("Cookie", "a=1")
        .header("Cookie", "b=2");
    let (seen, saw) = std::sync::mpsc::channel();
    let result = against(&client, move |head| {
        seen.send(head.to_owned()).unwrap();
        accept_response(head, "Sec-WebSocket-Protocol: soap\r\nX-Server: yes\r\n")
    });
    let socket = result.await.unwrap();
    assert_eq!(socket.subprotocol(), Some("soap"));
    assert_eq!(socket.response_headers()["x-server"], "yes");
    let head = saw.recv().unwrap();
    for line in [
        "upgrade: websocket",
        "connection: Upgrade",
        "sec-websocket-version: 13",
        "sec-websocket-protocol: chat, soap",
        "sec-websocket-extensions: permessage-deflate; client_max_window_bits",
        "origin: http://example.com",
        "cookie: a=1",
        "cookie: b=2",
    ] {
        assert!(
            head.contains(&format!("\r\n{line}\r\n")),
            "{line} in {head}"
        );
    }
}

#[tokio::test]
async fn a_client_without_compression_offers_none() {
    let (seen, saw) = std::sync::mpsc::channel();
    let client = ClientBuilder::new().compression(longwire::Compression::Off);
    let result = against(&client, move |head| {
        seen.send(head.to_owned()).unwrap();
        accept_response(head, "")
    });
    assert_eq!(result.await.unwrap().compression(), None);
    assert!(!saw.recv().unwrap().contains("extensions"));
}

//= rfc6455#4.1-16 test
#[tokio::test]
async fn each_handshake_has_a_fresh_random_key_of_16_bytes() {
    let mut keys = std::collections::HashSet::new();
    for _ in 0..5 {
        let (seen, saw) = std::sync::mpsc::channel();
        let client = ClientBuilder::new();
        let result = against(&client, move |head| {
            seen.send(head.to_owned()).unwrap();
            accept_response(head, "")
        });
        result.await.unwrap();
        let head = saw.recv().unwrap();
        let key = head
            .lines()
            .find_map(|l| l.strip_prefix("sec-websocket-key: "));
        let key = key.unwrap().to_owned();
        assert_eq!(key.len(), 24, "16 bytes in base64");
        assert!(keys.insert(key));
    }
}

//= rfc6455#4.1-25, rfc6455#4.1-26 test
#[tokio::test]
async fn a_refusal_is_told_with_its_status_headers_and_body() {
    for (status, retry) in [
        (401, false),
        (403, false),
        (302, false),
        (503, true),
        (200, false),
    ] {
        let client = ClientBuilder::new();
        let result = against(&client, move |_| {
            format!(
                "HTTP/1.1 {status} Because\r\nX-Why: because\r\nContent-Type: text/plain\r\n\
                 Content-Length: 11\r\n\r\nnot for you"
            )
        });
        let error = result.await.unwrap_err();
        assert_eq!(
            (error.fault(), error.is_worth_retrying()),
            (Fault::Peer, retry)
        );
        assert!(error.to_string().contains("not for you"), "{error}");
        let Error::Refused(refusal) = error else {
            panic!("{error}");
        };
        assert_eq!(refusal.status, status);
        assert_eq!(refusal.headers["x-why"], "because");
        assert_eq!(refusal.body, b"not for you");
    }
}

#[tokio::test]
async fn at_most_64_kib_of_a_refusals_body_are_kept() {
    let client = ClientBuilder::new();
    let result = against(&client, |_| {
        let body = "x".repeat(1 << 20);
        format!(
            "HTTP/1.1 500 Oh\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    });
    let Err(Error::Refused(refusal)) = result.await else {
        panic!("expected a refusal");
    };
    assert_eq!(refusal.body.len(), 64 << 10);
}

//= rfc6455#4.1-27, rfc6455#4.1-28, rfc6455#4.1-29, rfc6455#4.1-30, rfc6455#4.1-31 test
//= rfc6455#4.1-32 test
//= rfc6455#7.2.1-3 test
#[tokio::test]
async fn an_answer_that_breaks_the_protocol_fails_the_connection() {
    let cases: [(&str, &str); 8] = [
        ("Upgrade: websocket", "Upgrade: h2c"),
        ("Upgrade: websocket\r\n", ""),
        ("Connection: Upgrade", "Connection: close"),
        ("Sec-WebSocket-Accept: ", "Sec-WebSocket-Accept: x"),
        ("Sec-WebSocket-Accept", "X-Accept"),
        ("\r\n\r\n", "\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"),
        (
            "\r\n\r\n",
            "\r\nSec-WebSocket-Extensions: x-webkit-deflate-frame\r\n\r\n",
        ),
        (
            "\r\n\r\n",
            "\r\nSec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat\r\n\r\n",
        ),
    ];
    let client = ClientBuilder::new().subprotocol("chat");
    for (good, bad) in cases {
        let result = against(&client, move |head| {
            accept_response(head, "").replace(good, bad)
        });
        let error = result.await.unwrap_err();
        assert_eq!(error.fault(), Fault::Peer, "{bad}: {error}");
        assert!(matches!(error, Error::Handshake(_)), "{bad}: {error}");
    }
}

//= rfc6455#4.1-32 test
#[tokio::test]
async fn what_is_no_http_is_told_as_such() {
    let client = ClientBuilder::new();
    for answer in ["", "SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 101 Switching"] {
        let error = against(&client, move |_| answer.to_owned())
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Http(_)), "{answer:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_response_head_without_end_is_cut_off_at_the_limit() {
    for limits in [Limits::default(), Limits::default().header_bytes(1000)] {
        let client = ClientBuilder::new().limits(limits);
        let result = against(&client, |_| {
            format!("HTTP/1.1 101 Fine\r\nX-Long: {}", "x".repeat(1 << 20))
        });
        assert!(matches!(result.await, Err(Error::Http(_))));
    }
    let client = ClientBuilder::new();
    let result = against(&client, |head| {
        accept_response(head, &"X-Many: 1\r\n".repeat(200))
    });
    assert!(matches!(result.await, Err(Error::Http(_))));
}

//= rfc6455#4.1-24, rfc6455#4.2.2-14 test
//= rfc6455#4.1-33 test
#[tokio::test]
async fn frames_right_behind_the_response_are_not_lost() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = read_head(&mut stream).await;
        let mut answer = accept_response(&head, "").into_bytes();
        answer.extend_from_slice(b"\x81\x05first\x81\x06second\x88\x02\x03\xe8");
        stream.write_all(&answer).await.unwrap();
        stream
    };
    let (socket, _stream) = tokio::join!(longwire::connect(url), server);
    let mut socket = socket.unwrap();
    for expected in ["first", "second"] {
        let message = soon(socket.next()).await.unwrap().unwrap();
        assert_eq!(message.as_text(), Some(expected));
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up_after_the_handshake_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let timeout = Duration::from_millis(50);
    let client = ClientBuilder::new().handshake_timeout(timeout);
    let error = soon(client.connect(url)).await.unwrap_err();
    assert!(error.is_worth_retrying());
    assert!(
        matches!(error, Error::Timeout { step: Step::Handshake, after } if after == timeout),
        "{error}"
    );
}

//= rfc6455#4.1-5, rfc6455#4.1-6 test
#[tokio::test]
async fn nobody_there_is_the_networks_fault_and_worth_another_try() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    let error = longwire::connect(format!("ws://{addr}")).await.unwrap_err();
    assert!(matches!(error, Error::Connect { .. }));
    assert_eq!(error.fault(), Fault::Network);
    assert!(error.is_worth_retrying());
    assert!(error.to_string().contains(&addr.to_string()), "{error}");
}

//= rfc6455#4.1-1, rfc6455#4.1-20, rfc6455#4.1-21 test
#[tokio::test]
async fn what_cannot_work_is_told_before_anything_is_sent() {
    for (client, url, told) in [
        (ClientBuilder::new(), "http://127.0.0.1/", "scheme"),
        (ClientBuilder::new(), "127.0.0.1:80", "ws"),
        (ClientBuilder::new(), "ws://127.0.0.1:1/#x", "fragment"),
    ] {
        let error = client.connect(url).await.unwrap_err();
        assert_eq!(error.fault(), Fault::Caller, "{url}");
        assert!(error.to_string().contains(told), "{error}");
    }
    let server = TestServer::with(echo).await;
    for client in [
        ClientBuilder::new().subprotocol("a b"),
        ClientBuilder::new().subprotocol("a").subprotocol("a"),
        ClientBuilder::new().header("Host", "elsewhere"),
        ClientBuilder::new().header("Sec-WebSocket-Key", "mine"),
        ClientBuilder::new().header("a b", "c"),
        ClientBuilder::new().header("X", "line\r\nInjected: yes"),
    ] {
        let error = client.connect(server.url("/")).await.unwrap_err();
        assert_eq!(error.fault(), Fault::Caller, "{error}");
    }
}

//= rfc6455#5.1-5, rfc6455#5.1-6 test
#[tokio::test]
async fn a_masked_frame_from_the_server_fails_the_connection_with_1002() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let (socket, mut raw) = tokio::join!(longwire::connect(url), Raw::accept(&listener));
    let mut socket = socket.unwrap();
    raw.write(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58")
        .await;
    assert_eq!(raw.read_close().await, 1002);
    drop(raw);
    let error = soon(socket.next()).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("masked"), "{error}");
    assert_eq!(error.fault(), Fault::Peer);
}

//= rfc6455#5.3-3, rfc6455#5.3-4 test
#[tokio::test]
async fn masking_keys_never_repeat_and_differ_between_connections() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let mut keys = Vec::new();
    for _ in 0..2 {
        let (socket, mut raw) = tokio::join!(longwire::connect(&url), Raw::accept(&listener));
        let mut socket = socket.unwrap();
        for _ in 0..500 {
            socket.send("x").await.unwrap();
            let mut frame = [0; 7];
            soon(raw.stream.read_exact(&mut frame)).await.unwrap();
            assert_eq!(frame[..2], [0x81, 0x81]);
            keys.push(u32::from_be_bytes([frame[2], frame[3], frame[4], frame[5]]));
        }
    }
    // Of 1000 random keys of 32 bits, two are the same once in 8,600 runs; a
    // generator that repeats, counts or starts alike has many.
    let differences: std::collections::HashSet<u32> = keys
        .windows(2)
        .map(|pair| pair[1].wrapping_sub(pair[0]))
        .collect();
    let distinct: std::collections::HashSet<u32> = keys.iter().copied().collect();
    assert!(
        distinct.len() >= 998,
        "{} distinct keys of 1000",
        distinct.len()
    );
    assert!(
        differences.len() >= 990,
        "{} distinct steps",
        differences.len()
    );
}

#[tokio::test(start_paused = true)]
async fn a_refusal_whose_body_never_ends_is_told_with_its_status() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        crate::support::read_head(&mut stream).await;
        let answer =
            "HTTP/1.1 401 No\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\nwho";
        stream.write_all(answer.as_bytes()).await.unwrap();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        result = longwire::connect(url) => {
            let Err(Error::Refused(refusal)) = result else {
                panic!("expected a refusal, got {result:?}");
            };
            assert_eq!((refusal.status.as_u16(), refusal.body), (401, b"who".to_vec()));
        }
        () = server => {}
    }
}
