//! The foreign programs against each other: what they say of Longwire can be
//! believed.

use longwire_testkit::peers::{Peer, PeerError, PeerServer, run_client};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use super::{CODES, Case, closes, pass, peers, servers};
use crate::support::soon;

/// Every scenario of a client, at every path of a server.
fn scenarios() -> Vec<Case> {
    let closes = closes(CODES.into_iter().chain([1005]));
    let fragments = json!({"path": "/fragment/1000", "fragment": 1000});
    let offered = json!({"path": "/subprotocol", "offered": ["a", "b"], "expected": "b"});
    let report = json!({"path": "/report", "headers": {"x-mine": "yes", "origin": "null"}});
    let refused = |status| {
        let path = format!("/refuse/{status}");
        ("handshake", json!({"path": path, "status": status}), 1)
    };
    vec![
        ("echo", json!({}), 14),
        ("fragments", json!({}), 10),
        ("fragmented", fragments, 8),
        ("ping", json!({}), 4),
        ("pinged", json!({"path": "/ping/50", "count": 50}), 50),
        ("close", json!({}), 49),
        ("closed", closes, 17),
        ("vanished", json!({"path": "/vanish"}), 1),
        ("subprotocol", offered, 1),
        ("report", report, 1),
        (
            "handshake",
            json!({"status": 101, "origin": "http://example.com"}),
            1,
        ),
        refused(403),
        refused(503),
    ]
}

#[tokio::test]
async fn each_foreign_client_passes_every_scenario_with_the_other_package_as_server() {
    for server in servers().await {
        for client in peers().filter(|client| *client != server.peer()) {
            let told = pass(client, &server.url(""), &scenarios()).await;
            let refusal = &told[told.len() - 1][0];
            assert_eq!(refusal["headers"]["x-why"], "because", "{refusal}");
            assert_eq!(refusal["body"], "not for you\n", "{refusal}");
        }
    }
}

#[tokio::test]
async fn a_scenario_that_finds_something_wrong_fails_and_says_what() {
    let wrong: [(&str, Value, [&str; 2]); 6] = [
        // The server answers with a report instead.
        (
            "echo",
            json!({"path": "/report", "sizes": [5]}),
            ["length", "5"],
        ),
        ("pinged", json!({"path": "/ping/3", "count": 4}), ["3", "4"]),
        (
            "closed",
            json!({"closes": [{"path": "/close/4000/why", "code": 4001, "reason": "why"}]}),
            ["4000", "4001"],
        ),
        ("vanished", json!({"path": "/close/1000"}), ["1000", "1006"]),
        (
            "subprotocol",
            json!({"path": "/subprotocol", "offered": ["a", "b"], "expected": "a"}),
            ["a", "b"],
        ),
        ("handshake", json!({"status": 403}), ["101", "403"]),
    ];
    for server in servers().await {
        for (scenario, parameters, told) in &wrong {
            let peer = server.peer();
            let result = run_client(peer, &server.url(""), scenario, parameters).await;
            let Err(PeerError::Failed { stderr, .. }) = result else {
                panic!("{peer}: {scenario} {parameters}: expected a failure, got {result:?}");
            };
            for part in told {
                assert!(stderr.contains(part), "expected {part:?} in: {stderr}");
            }
        }
    }
}

#[tokio::test]
async fn a_foreign_server_ends_with_its_stdin_and_when_it_is_dropped() {
    for peer in peers() {
        let server = PeerServer::start(peer).await.unwrap();
        assert!(server.stop().await.unwrap().success(), "{peer}");
        assert!(has_ended_when_dropped(peer).await, "{peer}");
    }
}

/// Whether a connection to the server ends when its handle is dropped.
async fn has_ended_when_dropped(peer: Peer) -> bool {
    let server = PeerServer::start(peer).await.unwrap();
    let url = server.url("");
    let addr = url.strip_prefix("ws://").unwrap();
    let mut stream = TcpStream::connect(addr).await.unwrap();
    drop(server);
    matches!(soon(stream.read(&mut [0])).await, Ok(0) | Err(_))
}
