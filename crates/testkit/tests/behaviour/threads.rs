//! A server on several threads of its own.

use std::collections::HashSet;
use std::num::NonZero;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use longwire::{Error, Server, Socket};
use tokio::net::TcpListener;

use crate::support::{Raw, TestServer, echo, soon};

const THREE: NonZero<usize> = NonZero::new(3).unwrap();

#[tokio::test]
async fn clients_are_divided_among_threads_and_a_socket_stays_on_its_own() {
    let seen = Arc::new(Mutex::new(HashSet::new()));
    let route = {
        let seen = seen.clone();
        move |mut socket: Socket| {
            let seen = seen.clone();
            async move {
                let own = std::thread::current().id();
                seen.lock().unwrap().insert(own);
                while let Some(message) = socket.next().await {
                    assert_eq!(std::thread::current().id(), own);
                    socket.send(message?).await?;
                }
                Ok(())
            }
        }
    };
    let server = Server::new().route("/", route).threads(THREE);
    let server = TestServer::start(server).await;
    let mut sockets = Vec::new();
    // The kernel divides by a hash: sooner or later each has had one.
    while seen.lock().unwrap().len() < 3 {
        let mut socket = server.connect().await;
        for text in ["one", "two"] {
            socket.send(text).await.unwrap();
            let back = soon(socket.next()).await.unwrap().unwrap();
            assert_eq!(back.as_text(), Some(text));
        }
        sockets.push(socket);
        assert!(sockets.len() < 1000, "one thread gets nothing");
    }
    assert_eq!(server.handle.open_sockets(), sockets.len());
}

#[tokio::test]
async fn a_shutdown_reaches_the_sockets_of_all_threads() {
    let server = Server::new().route("/", echo).threads(THREE);
    let server = TestServer::start(server).await;
    let mut polite = Vec::new();
    for _ in 0..10 {
        polite.push(server.connect().await);
    }
    let mut mute = Raw::connect(server.addr, "/").await;
    while server.handle.open_sockets() < 11 {
        tokio::task::yield_now().await;
    }
    let shutdown = server.handle.shutdown(Duration::from_millis(300));
    let ends = futures_util::future::join_all(polite.iter_mut().map(Socket::next));
    let (report, ends) = soon(async { tokio::join!(shutdown, ends) }).await;
    assert!(ends.iter().all(Option::is_none));
    assert_eq!(report.open, 11);
    assert_eq!(report.unanswered, [Some(mute.stream.local_addr().unwrap())]);
    assert_eq!(mute.read_close().await, 1001);
    assert!(mute.is_at_end().await);
    assert!(longwire::connect(server.url("/")).await.is_err());
}

#[tokio::test]
async fn a_server_that_is_dropped_ends_its_threads() {
    let server = Server::new().route("/", echo).threads(THREE);
    let server = TestServer::start(server).await;
    let mut raw = Raw::connect(server.addr, "/").await;
    let url = server.url("/");
    drop(server);
    assert!(raw.is_at_end().await);
    // The threads end by themselves.
    let gone = async { while longwire::connect(&url).await.is_ok() {} };
    soon(gone).await;
}

#[tokio::test]
async fn an_address_in_use_is_an_error_on_any_number_of_threads() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let on_threads = TestServer::start(Server::new().threads(THREE)).await;
    for taken in [listener.local_addr().unwrap(), on_threads.addr] {
        let server = Server::new().route("/", echo).threads(THREE);
        match server.bind(taken).await {
            Err(Error::Io(error)) => assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse),
            other => panic!("{other:?}"),
        }
    }
}
