//! Longwire against implementations that we did not write, in both directions.
//!
//! `foreign` proves the foreign programs against each other; in `server` they
//! are clients of ours, in `client` ours is theirs.

mod foreign;

mod server;

mod client;

mod compression;

use longwire_testkit::peers::{Peer, PeerServer, require, run_client};
use serde_json::{Value, json};

/// Payload lengths at which a frame's header changes its shape, and the most
/// that a message may have by default.
const SIZES: [usize; 7] = [0, 1, 125, 126, 65_535, 65_536, 16 << 20];

/// The codes that a Close frame may carry; 1010 is the client's alone.
const CODES: [u16; 16] = [
    1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
];

/// A text of so many bytes, most of its characters longer than one, in which
/// no part is like another at the same place of a frame.
fn text(size: usize) -> String {
    let unit = "aé€𝄞b";
    unit.repeat(size / unit.len()) + &"x".repeat(size % unit.len())
}

/// So many bytes, likewise.
fn binary(size: usize) -> Vec<u8> {
    (0..=250).cycle().take(size).collect()
}

/// The peers that are installed.
fn peers() -> impl Iterator<Item = Peer> {
    Peer::ALL.into_iter().filter_map(require)
}

/// A server of each peer that is installed.
async fn servers() -> Vec<PeerServer> {
    let mut servers = Vec::new();
    for peer in peers() {
        servers.push(PeerServer::start(peer).await.unwrap());
    }
    servers
}

/// A client's scenario, and how many steps it has.
type Case = (&'static str, Value, usize);

/// Runs a client through scenarios, each in full.
async fn pass(peer: Peer, url: &str, cases: &[Case]) -> Vec<Vec<Value>> {
    let mut told = Vec::new();
    for (scenario, parameters, expected) in cases {
        let steps = run_client(peer, url, scenario, parameters).await;
        let steps = steps.unwrap_or_else(|error| panic!("{error}"));
        let got = steps.len();
        assert_eq!(got, *expected, "{peer}: steps of {scenario} {parameters}");
        told.push(steps);
    }
    told
}

/// The parameters of `closed`: the server is asked for every close at
/// `/close/CODE/REASON`.
fn closes(codes: impl IntoIterator<Item = u16>) -> Value {
    let close = |code| {
        let reason = if code == 1005 { "" } else { "because of thät" };
        let path = format!("/close/{code}/because%20of%20th%C3%A4t");
        json!({"path": path, "code": code, "reason": reason})
    };
    json!({"closes": codes.into_iter().map(close).collect::<Vec<_>>()})
}
