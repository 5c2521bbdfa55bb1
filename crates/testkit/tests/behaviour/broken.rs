//! The echo server and the echo client that faults are built into, with no fault:
//! each against Longwire.

use std::sync::{Arc, Mutex};

use longwire::{ClientBuilder, Compression, Message, Result, Server, Socket};
use longwire_testkit::broken::client::{self, Ended, run_case};
use longwire_testkit::broken::server::{self, Server as BrokenServer};
use longwire_testkit::broken::{Fault, Plan};

use crate::support::{TestServer, soon};

const SIZES: [usize; 9] = [0, 1, 125, 126, 127, 65_535, 65_536, 200_000, 1 << 20];

/// A text and a binary message of each size.
fn messages() -> impl Iterator<Item = Message> {
    SIZES.into_iter().flat_map(|size| {
        let text = "aé€𝄞b".repeat(size / 11) + &"x".repeat(size % 11);
        let binary: Vec<u8> = (0..=250).cycle().take(size).collect();
        [Message::from(text), Message::from(binary)]
    })
}

/// Sends each message and expects it back, then closes.
async fn exchange(socket: &mut Socket, times: usize) {
    for message in (0..times).flat_map(|_| messages()) {
        soon(socket.send(message.clone())).await.unwrap();
        let back = soon(socket.next()).await.expect("an answer").unwrap();
        assert!(back == message, "{} bytes came back changed", message.len());
    }
    let closed = soon(socket.close(3000, "done")).await.unwrap();
    assert!(closed.clean && closed.code == 3000, "{closed}");
}

#[tokio::test]
async fn the_server_returns_what_our_client_sends_in_all_sizes() {
    let small = Compression::Dedicated {
        window_bits: 8,
        memory_level: 1,
    };
    for compression in [
        Compression::Off,
        Compression::Shared,
        Compression::DEDICATED,
        small,
    ] {
        for deflate in [false, true] {
            let options = server::Options {
                deflate,
                ..server::Options::default()
            };
            let server = BrokenServer::start("127.0.0.1:0", options).unwrap();
            let client = ClientBuilder::new().compression(compression);
            let mut socket = soon(client.connect(&server.url())).await.unwrap();
            exchange(&mut socket, 2).await;
        }
    }
}

#[tokio::test]
async fn the_client_returns_what_our_server_sends_in_all_sizes() {
    for compression in [Compression::Off, Compression::Shared] {
        let done = Arc::new(Mutex::new(0));
        let count = Arc::clone(&done);
        let server = Server::new().compression(compression).route(
            "/",
            move |mut socket: Socket| -> std::pin::Pin<Box<dyn Future<Output = Result<()>> + Send>> {
                let count = Arc::clone(&count);
                Box::pin(async move {
                    exchange(&mut socket, 1).await;
                    *count.lock().unwrap() += 1;
                    Ok(())
                })
            },
        );
        let server = TestServer::start(server).await;
        for extensions in [None, Some("permessage-deflate; client_max_window_bits")] {
            let options = client::Options {
                extensions: extensions.map(str::to_owned),
                ..client::Options::default()
            };
            let url = server.url("/");
            let ended = tokio::task::spawn_blocking(move || run_case(&url, &options));
            assert_eq!(ended.await.unwrap().unwrap(), Ended::Closed);
        }
        assert_eq!(*done.lock().unwrap(), 2);
    }
}

#[tokio::test]
async fn our_client_fails_what_a_broken_server_sends() {
    for (fault, told) in [
        (Fault::WrongAccept, "accept"),
        (Fault::NoUpgradeInResponse, "upgrade"),
        (Fault::NoConnectionInResponse, "connection"),
        (Fault::SubprotocolNotOffered, "subprotocol"),
        (Fault::Status200, "200"),
    ] {
        let options = server::Options {
            plan: Plan(Some(fault)),
            ..server::Options::default()
        };
        let server = BrokenServer::start("127.0.0.1:0", options).unwrap();
        let error = soon(longwire::connect(server.url())).await.unwrap_err();
        let error = error.to_string().to_lowercase();
        assert!(error.contains(told), "{fault}: {error}");
    }
    for fault in [
        Fault::MasksFrames,
        Fault::WritesRsv2,
        Fault::FalseRsv1,
        Fault::OwnContextDiverges,
        Fault::Writes126In7,
    ] {
        let options = server::Options {
            plan: Plan(Some(fault)),
            ..server::Options::default()
        };
        let server = BrokenServer::start("127.0.0.1:0", options).unwrap();
        let compression = if fault == Fault::Writes126In7 {
            Compression::Off
        } else {
            Compression::DEDICATED
        };
        let client = ClientBuilder::new().compression(compression);
        let mut socket = soon(client.connect(&server.url())).await.unwrap();
        let mut failed = false;
        for at in 0..3u8 {
            let message: Vec<u8> = (0..126).map(|byte: u8| byte.wrapping_mul(at + 3)).collect();
            if socket.send(message.clone()).await.is_err() {
                failed = true;
                break;
            }
            match soon(socket.next()).await {
                Some(Ok(Message::Binary(back))) if back == message => {}
                _ => failed = true,
            }
        }
        assert!(failed, "{fault}");
    }
}
