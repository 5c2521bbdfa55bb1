//! What an observer is told of a client's connections, and streams without a
//! handshake.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use longwire::client::Observer;
use longwire::error::Step;
use longwire::http::{HeaderMap, Request, StatusCode, Version};
use longwire::{ClientBuilder, Compression, Error, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::pki::Ca;
use crate::support::{TestServer, echo, request, soon};

/// Keeps all it is told.
#[derive(Default)]
struct Notes {
    steps: Mutex<Vec<Step>>,
    heads: Mutex<Vec<String>>,
    sent: Mutex<Vec<u8>>,
    received: Mutex<Vec<u8>>,
}

impl Observer for Notes {
    fn step(&self, step: Step, _: Duration) {
        self.steps.lock().unwrap().push(step);
    }

    fn request(&self, request: &Request<()>) {
        let line = format!("{} {}", request.method(), request.uri().path());
        self.heads.lock().unwrap().push(line);
    }

    fn response(&self, version: Version, status: StatusCode, _: &HeaderMap) {
        let line = format!("{version:?} {}", status.as_u16());
        self.heads.lock().unwrap().push(line);
    }

    fn sent(&self, bytes: &[u8]) {
        self.sent.lock().unwrap().extend_from_slice(bytes);
    }

    fn received(&self, bytes: &[u8]) {
        self.received.lock().unwrap().extend_from_slice(bytes);
    }
}

impl Notes {
    fn take_heads(&self) -> Vec<String> {
        std::mem::take(&mut self.heads.lock().unwrap())
    }
}

/// Says hello and closes.
async fn talk(client: &ClientBuilder, url: &str) {
    let mut socket = soon(client.connect(url)).await.unwrap();
    soon(socket.send("hello")).await.unwrap();
    let message = soon(socket.next()).await.unwrap().unwrap();
    assert_eq!(message.as_text(), Some("hello"));
    soon(socket.close(1000, "bye")).await.unwrap();
}

#[tokio::test]
async fn an_observer_sees_steps_heads_and_the_bytes_of_frames() {
    let server = TestServer::with(echo).await;
    let notes = Arc::new(Notes::default());
    let client = ClientBuilder::new()
        .compression(Compression::Off)
        .observer(notes.clone());
    talk(&client, &server.url("/")).await;
    let steps = notes.steps.lock().unwrap().clone();
    assert_eq!(steps, [Step::Resolve, Step::Connect, Step::Handshake]);
    assert_eq!(notes.take_heads(), ["GET /", "HTTP/1.1 101"]);
    let received = notes.received.lock().unwrap().clone();
    assert_eq!(received, b"\x81\x05hello\x88\x05\x03\xE8bye");
    let sent = notes.sent.lock().unwrap().clone();
    // Masked: a header, a key and the payload each.
    assert_eq!((sent.len(), &sent[..2]), (11 + 11, &[0x81, 0x85][..]));
    // A refusal is told too.
    let refused = soon(client.connect(server.url("/nowhere"))).await;
    assert!(matches!(refused, Err(Error::Refused(_))));
    assert_eq!(notes.take_heads(), ["GET /nowhere", "HTTP/1.1 404"]);
}

#[tokio::test]
async fn an_observer_sees_the_same_over_http2() {
    let ca = Ca::new();
    let server = Server::new().route("/echo", echo).tls(ca.server());
    let server = TestServer::start(server).await;
    let notes = Arc::new(Notes::default());
    let client = ClientBuilder::new()
        .tls(ca.client())
        .resolve("localhost", ["127.0.0.1".parse().unwrap()])
        .compression(Compression::Off)
        .observer(notes.clone());
    let url = format!("wss://localhost:{}/echo", server.addr.port());
    talk(&client, &url).await;
    let steps = notes.steps.lock().unwrap().clone();
    let way = [Step::Resolve, Step::Connect, Step::Tls];
    assert_eq!(steps[..3], way);
    assert_eq!(steps[3..], [Step::Handshake, Step::Handshake]);
    assert_eq!(notes.take_heads(), ["CONNECT /echo", "HTTP/2.0 200"]);
    let received = notes.received.lock().unwrap().clone();
    assert_eq!(received, b"\x81\x05hello\x88\x05\x03\xE8bye");
}

#[tokio::test]
async fn a_dialled_stream_has_said_nothing_and_can_become_a_socket() {
    let ca = Ca::new();
    let server = Server::new().route("/echo", echo).tls(ca.server());
    let server = TestServer::start(server).await;
    let client = ClientBuilder::new()
        .tls(ca.client())
        .resolve("localhost", ["127.0.0.1".parse().unwrap()]);
    let url = format!("wss://localhost:{}/echo", server.addr.port());
    // Bytes of one's own, over the client's TLS.
    let mut stream = soon(client.dial(&url)).await.unwrap();
    stream
        .write_all(request("/echo", &[]).as_bytes())
        .await
        .unwrap();
    stream.flush().await.unwrap();
    let mut start = [0; 12];
    soon(stream.read_exact(&mut start)).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 101");
    let stream = soon(client.dial(&url)).await.unwrap();
    let mut socket = soon(client.connect_over(&url, stream)).await.unwrap();
    socket.send("over it").await.unwrap();
    let message = soon(socket.next()).await.unwrap().unwrap();
    assert_eq!(message.as_text(), Some("over it"));
}
