//! permessage-deflate with every option that the foreign packages have: a
//! thousand mixed messages each, from empty to 1 MiB, text and binary, random
//! and not, some in fragments. Nothing is lost, changed or reordered.

use std::collections::VecDeque;

use longwire::{ClientBuilder, Compression, Message, MessageKind, Receiver, Sender, Server};
use longwire_testkit::peers::{Peer, PeerServer, require, run_client};
use rand::rngs::StdRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Semaphore;

use crate::support::{TestServer, echo, soon};

const MODES: [Compression; 5] = [
    Compression::Shared,
    Compression::DEDICATED,
    Compression::Off,
    Compression::Dedicated {
        window_bits: 10,
        memory_level: 3,
    },
    Compression::Dedicated {
        window_bits: 8,
        memory_level: 9,
    },
];

/// Foreign clients work in so many processes at once.
const PROCESSES: usize = 2;

async fn foreign_clients_exchange(peer: Peer, parameters: Value, runs: usize) {
    let mut servers = Vec::new();
    for mode in MODES {
        let server = Server::new().route("/echo", echo).compression(mode);
        servers.push(TestServer::start(server.compression_threshold(0)).await);
    }
    let ports: Vec<u16> = servers.iter().map(|server| server.addr.port()).collect();
    let agreed: Vec<bool> = MODES.map(|mode| mode != Compression::Off).into();
    let part = |part: usize| {
        let mut parameters = parameters.clone();
        parameters["ports"] = json!(ports);
        parameters["agreed"] = json!(agreed);
        parameters["of"] = json!(PROCESSES);
        parameters["part"] = json!(part);
        async move { run_client(peer, "ws://127.0.0.1", "mixed", &parameters).await }
    };
    let done = futures_util::future::join_all((0..PROCESSES).map(part)).await;
    let steps: usize = done.into_iter().map(|steps| steps.unwrap().len()).sum();
    assert_eq!(steps, runs, "{peer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ws_as_a_client_exchanges_a_thousand_messages_with_every_option() {
    if let Some(peer) = require(Peer::Node) {
        foreign_clients_exchange(peer, json!({}), 65).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn websockets_as_a_client_exchanges_a_thousand_messages_with_every_option() {
    if let Some(peer) = require(Peer::Python) {
        foreign_clients_exchange(peer, json!({}), 49).await;
    }
}

/// A thousand messages, and in how many fragments each is sent.
fn messages(seed: u64) -> impl Iterator<Item = (Message, usize)> {
    const WORDS: [&str; 8] = [
        "alpha",
        "beta",
        "gämma",
        "δέλτα",
        "{\"key\": ",
        "true, ",
        "𝄞",
        "0.125",
    ];
    let mut random = StdRng::seed_from_u64(seed);
    (0..1000).map(move |i| {
        let size = match random.random_range(0..1000) {
            _ if i == 500 => 1 << 20,
            0..20 => 0,
            20..720 => random.random_range(0..300),
            720..940 => random.random_range(0..4096),
            940..995 => random.random_range(0..32_768),
            _ => random.random_range(65_536..200_000),
        };
        let message = if random.random_bool(0.3) {
            let mut bytes = vec![0; size];
            random.fill_bytes(&mut bytes);
            Message::from(bytes)
        } else {
            let mut text = String::new();
            while text.len() + 10 < size {
                text.push_str(WORDS[random.random_range(0..WORDS.len())]);
            }
            if random.random_bool(0.5) {
                Message::from(text)
            } else {
                Message::from(text.into_bytes())
            }
        };
        let fragments = if random.random_bool(0.1) {
            random.random_range(1..6)
        } else {
            1
        };
        (message, fragments)
    })
}

async fn send(sender: &Sender, message: Message, fragments: usize) {
    if fragments == 1 {
        return sender.send(message).await.unwrap();
    }
    let kind = if message.is_text() {
        MessageKind::Text
    } else {
        MessageKind::Binary
    };
    let mut writer = sender.writer(kind);
    let bytes = message.as_bytes();
    for part in bytes.chunks(bytes.len().div_ceil(fragments).max(1)) {
        writer.write_all(part).await.unwrap();
        writer.flush().await.unwrap();
    }
    writer.finish().await.unwrap();
}

/// Sends them all, at most 16 on the way, and expects each back in order.
async fn exchange(sender: Sender, mut receiver: Receiver, seed: u64, told: &str) {
    let window = std::sync::Arc::new(Semaphore::new(16));
    let free = window.clone();
    let sending = tokio::spawn(async move {
        for (message, fragments) in messages(seed) {
            free.acquire().await.unwrap().forget();
            send(&sender, message, fragments).await;
        }
    });
    let mut expected: VecDeque<Message> = messages(seed).map(|(message, _)| message).collect();
    while let Some(message) = expected.pop_front() {
        let at = 999 - expected.len();
        let back = match soon(receiver.next()).await {
            Some(Ok(back)) => back,
            other => panic!("{told}: message {at}: {other:?}"),
        };
        let same = back == message;
        assert!(
            same,
            "{told}: message {at} of {} bytes changed",
            message.len()
        );
        window.add_permits(1);
    }
    sending.await.unwrap();
}

/// Our client against a server with each option set, its modes in turn.
async fn our_client_exchanges(peer: Peer, sets: Vec<Value>) {
    let runs = sets.into_iter().enumerate().map(|(i, set)| async move {
        let mode = MODES[i % MODES.len()];
        let arguments = [set.to_string()];
        let arguments = arguments.each_ref().map(String::as_str);
        let server = PeerServer::start_program(peer, "server", &arguments)
            .await
            .unwrap();
        let client = ClientBuilder::new()
            .compression(mode)
            .compression_threshold(0);
        let socket = client.connect(server.url("/echo")).await;
        let told = format!("{peer} with {set}, and our {mode:?}");
        let socket = socket.unwrap_or_else(|error| panic!("{told}: {error}"));
        let wanted = mode != Compression::Off && set != json!(false);
        assert_eq!(socket.compression().is_some(), wanted, "{told}");
        let (sender, receiver) = socket.split();
        exchange(sender, receiver, i as u64, &told).await;
        server.stop().await.unwrap();
    });
    let mut runs: Vec<_> = runs.map(Box::pin).collect();
    while !runs.is_empty() {
        let some = runs.split_off(runs.len().saturating_sub(PROCESSES));
        futures_util::future::join_all(some).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_client_exchanges_a_thousand_messages_with_ws_with_every_option() {
    let Some(peer) = require(Peer::Node) else {
        return;
    };
    let mut sets = vec![json!(false)];
    for (server_alone, client_alone) in [(false, false), (false, true), (true, false), (true, true)]
    {
        for server_bits in [None, Some(8), Some(9), Some(15)] {
            for client_bits in [None, Some(8), Some(9), Some(15)] {
                // `false` would refuse what is offered, and the handshake with it.
                let mut set = json!({"threshold": 0});
                if server_alone {
                    set["serverNoContextTakeover"] = json!(true);
                }
                if client_alone {
                    set["clientNoContextTakeover"] = json!(true);
                }
                if let Some(bits) = server_bits {
                    set["serverMaxWindowBits"] = json!(bits);
                }
                if let Some(bits) = client_bits {
                    set["clientMaxWindowBits"] = json!(bits);
                }
                sets.push(set);
            }
        }
    }
    our_client_exchanges(peer, sets).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_client_exchanges_a_thousand_messages_with_websockets_with_every_option() {
    let Some(peer) = require(Peer::Python) else {
        return;
    };
    let mut sets = vec![json!(false)];
    for (server_alone, client_alone) in [(false, false), (false, true), (true, false), (true, true)]
    {
        for server_bits in [None, Some(9), Some(15)] {
            for client_bits in [None, Some(9), Some(15)] {
                sets.push(json!({
                    "server_no_context_takeover": server_alone,
                    "client_no_context_takeover": client_alone,
                    "server_max_window_bits": server_bits,
                    "client_max_window_bits": client_bits,
                }));
            }
        }
    }
    our_client_exchanges(peer, sets).await;
}
