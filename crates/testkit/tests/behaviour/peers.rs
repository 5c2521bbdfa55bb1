//! Longwire against implementations that we did not write, in both directions.

use longwire::server::Route;
use longwire::{ClientBuilder, ClosedBy, Error, Event, Limits, Message, Server, Socket};
use longwire_testkit::peers::{Peer, PeerServer};
use serde_json::{Value, json};

use crate::support::{TestServer, echo, soon};

const SIZES: [usize; 7] = [0, 1, 125, 126, 65_535, 65_536, 16 << 20];

/// The codes that either end may send; a server may not send 1010.
const CODES: [u16; 15] = [
    1000, 1001, 1002, 1003, 1007, 1008, 1009, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
];

/// Closes as the query says.
async fn close(mut socket: Socket) -> longwire::Result<()> {
    let query = socket.uri().query().unwrap_or_default().to_owned();
    let (code, reason) = query.split_once('/').unwrap_or((&query, ""));
    let code: u16 = code.parse().unwrap();
    let closed = socket.close(code, reason.to_owned()).await?;
    assert!(closed.clean, "{closed}");
    Ok(())
}

async fn our_server() -> TestServer {
    let server = Server::new()
        .route("/echo", echo)
        .route("/close", close)
        .route("/chat", Route::new(echo).subprotocols(["v2", "v1"]))
        .route(
            "/refuse",
            Route::new(echo).on_upgrade(|_| async { Err(longwire::server::Refuse::status(401)) }),
        );
    TestServer::start(server).await
}

/// Runs scenarios of each foreign client against our server.
async fn clients(scenarios: &[(&str, Value)]) {
    for peer in [Peer::Ws, Peer::Websockets] {
        if !peer.is_here() {
            continue;
        }
        let server = our_server().await;
        for (scenario, parameters) in scenarios {
            let result = peer.run_client(&server.url(""), scenario, parameters).await;
            if let Err(error) = result {
                panic!("{error}");
            }
        }
    }
}

/// A server of each foreign package.
async fn servers() -> Vec<(Peer, PeerServer)> {
    let mut servers = Vec::new();
    for peer in [Peer::Ws, Peer::Websockets] {
        if peer.is_here() {
            servers.push((peer, PeerServer::start(peer).await.unwrap()));
        }
    }
    servers
}

#[tokio::test]
async fn foreign_clients_get_back_what_they_send_in_all_sizes() {
    clients(&[("echo", json!({}))]).await;
}

#[tokio::test]
async fn foreign_clients_may_send_in_fragments_with_pings_in_between() {
    clients(&[("fragments", json!({})), ("ping", json!({}))]).await;
}

#[tokio::test]
async fn foreign_clients_may_close_with_every_code() {
    clients(&[("close", json!({}))]).await;
}

#[tokio::test]
async fn foreign_clients_are_told_our_code_and_reason() {
    let scenarios: Vec<_> = CODES
        .iter()
        .map(|code| {
            let path = format!("/close?{code}/r-{code}");
            let reason = format!("r-{code}");
            (
                "closed",
                json!({"path": path, "code": code, "reason": reason}),
            )
        })
        .collect();
    clients(&scenarios).await;
}

#[tokio::test]
async fn foreign_clients_agree_with_us_on_subprotocols_and_refusals() {
    let subprotocol = |offered: Value, expected| {
        let parameters = json!({"path": "/chat", "offered": offered, "expected": expected});
        ("subprotocol", parameters)
    };
    let refused = |path, origin: Option<&str>, status| {
        let parameters = json!({"path": path, "origin": origin, "status": status});
        ("refused", parameters)
    };
    clients(&[
        subprotocol(json!(["v1", "v2"]), "v2"),
        subprotocol(json!(["v1"]), "v1"),
        refused("/refuse", None, 401),
        refused("/nowhere", None, 404),
        refused("/echo", Some("http://evil.example"), 403),
    ])
    .await;
}

#[tokio::test]
async fn foreign_servers_return_what_our_client_sends_in_all_sizes() {
    for (peer, server) in servers().await {
        let client = ClientBuilder::new().limits(Limits::default());
        let mut socket = client.connect(server.url("/echo")).await.unwrap();
        for size in SIZES {
            for message in [
                Message::from("x".repeat(size)),
                Message::from(vec![0xfe; size]),
            ] {
                socket.send(message.clone()).await.unwrap();
                let echo = soon(socket.next()).await.unwrap().unwrap();
                assert!(echo == message, "{peer}: {size} bytes came back changed");
            }
        }
        let closed = socket.close(1000, "").await.unwrap();
        assert!(closed.clean && closed.code == 1000, "{peer}: {closed}");
    }
}

#[tokio::test]
async fn foreign_servers_may_send_in_fragments() {
    for (peer, server) in servers().await {
        for size in [1, 7, 1000] {
            let url = server.url(&format!("/fragment/{size}"));
            let mut socket = longwire::connect(url).await.unwrap();
            let text = "κόσμε 𝄞 ".repeat(100);
            for message in [
                Message::from(text.as_str()),
                Message::from(vec![0xfe; 3000]),
            ] {
                socket.send(message.clone()).await.unwrap();
                let got = soon(socket.next()).await.unwrap().unwrap();
                assert!(got == message, "{peer}, fragments of {size}");
            }
        }
    }
}

#[tokio::test]
async fn foreign_servers_get_the_pongs_for_their_pings_and_answer_ours() {
    for (peer, server) in servers().await {
        let mut socket = longwire::connect(server.url("/ping/50")).await.unwrap();
        let message = soon(socket.next()).await.unwrap().unwrap();
        assert_eq!(message.as_text(), Some("pongs: 50"), "{peer}");
        socket.ping(&b"ours"[..]).await.unwrap();
        let event = soon(socket.next_event()).await.unwrap().unwrap();
        assert_eq!(event, Event::Pong("ours".into()), "{peer}");
    }
}

#[tokio::test]
async fn foreign_servers_close_with_every_code_and_are_told_ours() {
    for (peer, server) in servers().await {
        for code in CODES {
            let url = server.url(&format!("/close/{code}/r-{code}"));
            let mut socket = longwire::connect(url).await.unwrap();
            assert!(soon(socket.next()).await.is_none(), "{peer}");
            let closed = socket.closed().unwrap();
            assert_eq!(closed.code, code, "{peer}");
            assert_eq!(closed.reason, format!("r-{code}"), "{peer}");
            assert!(
                closed.clean && closed.by == ClosedBy::Peer,
                "{peer}: {closed}"
            );

            let mut socket = longwire::connect(server.url("/echo")).await.unwrap();
            let closed = socket.close(code, "ours").await.unwrap();
            assert!(closed.clean && closed.code == code, "{peer}: {closed}");
        }
        let mut socket = longwire::connect(server.url("/close/none")).await.unwrap();
        assert!(soon(socket.next()).await.is_none());
        let expected = if peer == Peer::Ws { 1005 } else { 1000 };
        assert_eq!(socket.closed().unwrap().code, expected, "{peer}");
    }
}

#[tokio::test]
async fn foreign_servers_see_our_headers_and_choose_a_subprotocol() {
    for (peer, server) in servers().await {
        let client = ClientBuilder::new()
            .origin("http://example.com")
            .header("X-Mine", "yes");
        let mut socket = client.connect(server.url("/report")).await.unwrap();
        let message = soon(socket.next()).await.unwrap().unwrap();
        let report: Value = serde_json::from_str(message.as_text().unwrap()).unwrap();
        assert_eq!(report["path"], "/report", "{peer}");
        assert_eq!(report["headers"]["origin"], "http://example.com", "{peer}");
        assert_eq!(report["headers"]["x-mine"], "yes", "{peer}");
        let client = ClientBuilder::new().subprotocol("a").subprotocol("b");
        let mut socket = client.connect(server.url("/subprotocol")).await.unwrap();
        assert_eq!(socket.subprotocol(), Some("b"), "{peer}");
        let message = soon(socket.next()).await.unwrap().unwrap();
        assert_eq!(message.as_text(), Some("b"), "{peer}");
    }
}

#[tokio::test]
async fn foreign_servers_refusals_and_ends_are_told_as_they_are() {
    for (peer, server) in servers().await {
        for status in [400, 401, 403, 404, 503] {
            let url = server.url(&format!("/refuse/{status}"));
            let Err(Error::Refused(refusal)) = longwire::connect(url).await else {
                panic!("{peer}: expected a refusal");
            };
            assert_eq!(refusal.status, status, "{peer}");
            assert_eq!(refusal.headers["x-why"], "because", "{peer}");
            assert_eq!(refusal.body.trim_ascii(), b"not for you", "{peer}");
        }
        let mut socket = longwire::connect(server.url("/vanish")).await.unwrap();
        socket.send("go").await.unwrap();
        let end = soon(socket.next()).await.unwrap().unwrap_err();
        assert!(matches!(end, Error::Closed(_)), "{peer}: {end}");
        let closed = socket.closed().unwrap();
        assert_eq!(
            (closed.code.get(), closed.by),
            (1006, ClosedBy::Lost),
            "{peer}"
        );
    }
}
