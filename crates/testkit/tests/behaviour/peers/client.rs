//! Our client of foreign servers.

use longwire::{ClientBuilder, Closed, ClosedBy, Error, Event, Message, Socket};
use longwire_testkit::peers::PeerServer;
use serde_json::Value;

use super::{CODES, SIZES, binary, servers, text};
use crate::support::soon;

async fn open(server: &PeerServer, path: &str) -> Socket {
    longwire::connect(server.url(path)).await.unwrap()
}

async fn next(socket: &mut Socket) -> Message {
    soon(socket.next()).await.expect("a message").unwrap()
}

/// How the connection ended, where the peer closed it.
async fn end(mut socket: Socket) -> Closed {
    let message = soon(socket.next()).await;
    assert!(message.is_none(), "expected the end, got {message:?}");
    socket.closed().unwrap()
}

/// Sends a text and a binary message of each size, and expects them back.
async fn all_come_back(server: &PeerServer, path: &str, sizes: &[usize]) {
    let peer = server.peer();
    let mut socket = open(server, path).await;
    for &size in sizes {
        for message in [Message::from(text(size)), Message::from(binary(size))] {
            socket.send(message.clone()).await.unwrap();
            let back = next(&mut socket).await;
            let same = back == message;
            assert!(same, "{peer}: {size} bytes came back changed at {path}");
        }
    }
    let closed = soon(socket.close(1000, "done")).await.unwrap();
    assert!(closed.clean && closed.code == 1000, "{peer}: {closed}");
}

#[tokio::test]
async fn foreign_servers_return_what_our_client_sends_in_all_sizes() {
    for server in servers().await {
        all_come_back(&server, "/echo", &SIZES).await;
    }
}

#[tokio::test]
async fn foreign_servers_may_send_in_fragments() {
    // Fragments of one and seven bytes part characters.
    let cases: [(usize, &[usize]); 4] = [
        (1, &[0, 1, 1000]),
        (7, &[0, 6, 7, 8, 3000]),
        (1000, &[0, 1000, 70_000]),
        (65_536, &[1 << 20]),
    ];
    for server in servers().await {
        for (fragment, sizes) in cases {
            all_come_back(&server, &format!("/fragment/{fragment}"), sizes).await;
        }
    }
}

#[tokio::test]
async fn foreign_servers_get_every_pong_in_order_and_answer_our_pings() {
    for server in servers().await {
        let peer = server.peer();
        let mut socket = open(&server, "/ping/50").await;
        assert_eq!(
            next(&mut socket).await.as_text(),
            Some("pongs: 50"),
            "{peer}"
        );
        for payload in [vec![], b"one".to_vec(), vec![0xff; 125]] {
            socket.ping(payload.clone()).await.unwrap();
            let event = soon(socket.next_event()).await.unwrap().unwrap();
            assert_eq!(event, Event::Pong(payload.into()), "{peer}");
        }
    }
}

#[tokio::test]
async fn foreign_servers_may_close_with_every_code_and_without_one() {
    for server in servers().await {
        let peer = server.peer();
        for code in CODES.into_iter().chain([1005]) {
            for reason in ["", "gr%C3%BCn"] {
                let socket = open(&server, &format!("/close/{code}/{reason}")).await;
                let closed = end(socket).await;
                let expected = if reason.is_empty() || code == 1005 {
                    ""
                } else {
                    "grün"
                };
                assert_eq!(
                    (closed.code.get(), &*closed.reason),
                    (code, expected),
                    "{peer}"
                );
                assert!(
                    closed.clean && closed.by == ClosedBy::Peer,
                    "{peer}: {closed}"
                );
            }
        }
    }
}

#[tokio::test]
async fn foreign_servers_are_told_our_code_and_reason() {
    for server in servers().await {
        let peer = server.peer();
        for code in CODES {
            for reason in ["", "grün", &"r".repeat(123)] {
                let mut socket = open(&server, "/echo").await;
                let closed = soon(socket.close(code, reason)).await.unwrap();
                // They send back what they were told.
                assert_eq!(
                    (closed.code.get(), &*closed.reason),
                    (code, reason),
                    "{peer}"
                );
                assert!(
                    closed.clean && closed.by == ClosedBy::Local,
                    "{peer}: {closed}"
                );
            }
        }
    }
}

#[tokio::test]
async fn foreign_servers_see_our_headers_and_choose_a_subprotocol() {
    for server in servers().await {
        let peer = server.peer();
        let client = ClientBuilder::new()
            .origin("http://example.com")
            .header("X-Mine", "yes");
        let mut socket = client.connect(server.url("/report?a=b")).await.unwrap();
        let message = next(&mut socket).await;
        let report: Value = serde_json::from_str(message.as_text().unwrap()).unwrap();
        assert_eq!(report["path"], "/report?a=b", "{peer}");
        let headers = &report["headers"];
        assert_eq!(headers["origin"], "http://example.com", "{peer}");
        assert_eq!(headers["x-mine"], "yes", "{peer}");
        assert_eq!(headers["sec-websocket-version"], "13", "{peer}");

        let client = ClientBuilder::new().subprotocol("a").subprotocol("b");
        let mut socket = client.connect(server.url("/subprotocol")).await.unwrap();
        assert_eq!(socket.subprotocol(), Some("b"), "{peer}");
        assert_eq!(next(&mut socket).await.as_text(), Some("b"), "{peer}");
    }
}

#[tokio::test]
async fn a_foreign_servers_refusal_is_told_with_its_status_headers_and_body() {
    for server in servers().await {
        let peer = server.peer();
        for status in [302, 400, 401, 403, 404, 426, 503] {
            let url = server.url(&format!("/refuse/{status}"));
            let Err(Error::Refused(refusal)) = longwire::connect(url).await else {
                panic!("{peer}: expected a refusal with {status}");
            };
            assert_eq!(refusal.status, status, "{peer}");
            assert_eq!(refusal.headers["x-why"], "because", "{peer}");
            assert_eq!(refusal.body, b"not for you\n", "{peer}");
        }
    }
}

#[tokio::test]
async fn a_foreign_server_that_vanishes_leaves_1006_and_an_error() {
    for server in servers().await {
        let peer = server.peer();
        let mut socket = open(&server, "/vanish").await;
        socket.send("go").await.unwrap();
        let error = soon(socket.next()).await.unwrap().unwrap_err();
        assert!(matches!(error, Error::Closed(_)), "{peer}: {error}");
        let closed = socket.closed().unwrap();
        assert_eq!(
            (closed.code.get(), &closed.by),
            (1006, &ClosedBy::Lost),
            "{peer}"
        );
        assert!(!closed.clean, "{peer}: {closed}");
    }
}
