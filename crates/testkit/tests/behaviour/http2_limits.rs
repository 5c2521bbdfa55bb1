//! What a client that speaks HTTP/2 and means no good can make a server hold.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::ext::Protocol;
use http::{Request, Response, StatusCode, Version};
use hyper::body::Frame;
use longwire::server::Body;
use longwire::{Server, Socket};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::support::{TestServer, echo, sink, soon};

const SHORT: Duration = Duration::from_millis(200);

/// A body without end, which tells when it is dropped.
struct Endless(mpsc::Sender<()>);

impl hyper::body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let frame = Frame::data(Bytes::from_static(&[1; 1024]));
        Poll::Ready(Some(Ok(frame)))
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        let _ = self.0.try_send(());
    }
}

/// An HTTP/2 connection without TLS, and what drives it.
async fn http2(
    addr: SocketAddr,
    window: u32,
) -> (SendRequest<Bytes>, JoinHandle<Result<(), h2::Error>>) {
    let io = TcpStream::connect(addr).await.unwrap();
    let (requests, connection) = h2::client::Builder::new()
        .initial_window_size(window)
        .handshake(io)
        .await
        .unwrap();
    (requests, tokio::spawn(connection))
}

/// What an observer is told of requests for sockets.
#[derive(Default)]
struct Told(std::sync::Mutex<Vec<String>>);

impl longwire::server::Observer for Told {
    fn turned_away(&self, why: longwire::server::TurnedAway) {
        self.0.lock().unwrap().push(format!("{why:?}"));
    }

    fn handshake(&self, status: StatusCode, _: Duration) {
        self.0.lock().unwrap().push(status.to_string());
    }
}

#[tokio::test]
async fn a_socket_over_the_caps_is_told_of_once() {
    let told = std::sync::Arc::new(Told::default());
    let server = Server::new().route("/", echo).observer(told.clone());
    let server = TestServer::start(server.max_connections(2)).await;
    let (mut requests, _connection) = http2(server.addr, 1 << 16).await;
    let first = open(&mut requests, server.addr, "/").await;
    let second = open(&mut requests, server.addr, "/").await;
    assert_eq!(
        (first.0.status(), second.0.status().as_u16()),
        (StatusCode::OK, 503)
    );
    assert_eq!(*told.0.lock().unwrap(), ["200 OK", "MaxConnections"]);
}

/// The answer to an opening handshake, and what holds its stream.
async fn open(
    requests: &mut SendRequest<Bytes>,
    addr: SocketAddr,
    path: &str,
) -> (Response<h2::RecvStream>, h2::SendStream<Bytes>) {
    while !requests.is_extended_connect_protocol_enabled() {
        tokio::task::yield_now().await;
    }
    let mut request = Request::builder()
        .method("CONNECT")
        .uri(format!("http://{addr}{path}"))
        .version(Version::HTTP_2)
        .header("sec-websocket-version", "13")
        .body(())
        .unwrap();
    let protocol = Protocol::from_static("websocket");
    request.extensions_mut().insert(protocol);
    let (response, sending) = requests.send_request(request, false).unwrap();
    (soon(response).await.unwrap(), sending)
}

#[tokio::test]
async fn an_http2_connection_on_which_nothing_happens_is_dropped() {
    let server = Server::new().handshake_timeout(SHORT).route("/", sink);
    let server = TestServer::start(server).await;
    for settings in [&b""[..], &[0, 0, 0, 4, 0, 0, 0, 0, 0]] {
        let mut stream = TcpStream::connect(server.addr).await.unwrap();
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        // In two parts, as a network may have it.
        stream.write_all(&preface[..5]).await.unwrap();
        stream.flush().await.unwrap();
        stream.write_all(&preface[5..]).await.unwrap();
        stream.write_all(settings).await.unwrap();
        let mut all = Vec::new();
        let _ = soon(stream.read_to_end(&mut all)).await;
        // Settings come first: HTTP/2 it was.
        assert_eq!(all[3], 4, "{all:x?}");
    }
}

#[tokio::test]
async fn a_response_of_which_the_client_takes_nothing_is_given_up() {
    let (held, mut given_up) = mpsc::channel(1);
    let server = Server::new()
        .handshake_timeout(SHORT)
        .write_timeout(SHORT)
        .route("/", echo)
        .page("/page", move |_| {
            let held = held.clone();
            async move { Response::new(Body::new(Endless(held))) }
        });
    let server = TestServer::start(server).await;
    let (mut requests, running) = http2(server.addr, 0).await;
    // A socket beside it, so that the connection stays.
    let (opened, sending) = open(&mut requests, server.addr, "/").await;
    assert_eq!(opened.status(), StatusCode::OK);
    let page = Request::get(format!("http://{}/page", server.addr));
    let (response, _) = requests.send_request(page.body(()).unwrap(), true).unwrap();
    let response = soon(response).await.unwrap();
    soon(given_up.recv()).await.unwrap();
    assert!(!running.is_finished(), "the socket's connection is left");
    drop((opened, sending, response));
    // Without the socket, nothing keeps it.
    let _ = soon(running).await.unwrap();
}

#[tokio::test]
async fn a_response_that_a_client_takes_slowly_arrives_whole() {
    const SIZE: usize = 1 << 20;
    let server = Server::new()
        .handshake_timeout(SHORT)
        .page("/page", |_| async {
            Response::new(Body::from(vec![1; SIZE]))
        });
    let server = TestServer::start(server).await;
    let (mut requests, _running) = http2(server.addr, 64 << 10).await;
    let page = Request::get(format!("http://{}/page", server.addr));
    let (response, _) = requests.send_request(page.body(()).unwrap(), true).unwrap();
    let mut body = soon(response).await.unwrap().into_body();
    let mut size = 0;
    let mut pause = tokio::time::interval(SHORT / 4);
    while let Some(data) = soon(body.data()).await {
        let data = data.unwrap();
        let before = size;
        size += data.len();
        body.flow_control().release_capacity(data.len()).unwrap();
        // Ten times as long as a connection may be quiet, in all.
        if before >> 15 != size >> 15 {
            pause.tick().await;
        }
    }
    assert_eq!(size, SIZE);
}

#[tokio::test]
async fn sockets_over_http2_count_as_connections() {
    let server =
        Server::new()
            .max_connections_per_address(4)
            .route("/", |mut socket: Socket| async move {
                while socket.next().await.is_some() {}
                Ok(())
            });
    let server = TestServer::start(server).await;
    let (mut requests, _running) = http2(server.addr, 1 << 16).await;
    let mut opened = Vec::new();
    for _ in 0..3 {
        let (response, sending) = open(&mut requests, server.addr, "/").await;
        assert_eq!(response.status(), StatusCode::OK);
        opened.push((response, sending));
    }
    let (response, _) = open(&mut requests, server.addr, "/").await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["retry-after"], "1");
    // A socket that has ended makes room.
    drop(opened.pop());
    soon(async {
        while server.handle.open_sockets() > 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let (response, _sending) = open(&mut requests, server.addr, "/").await;
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_server_may_leave_http2_alone() {
    let server = TestServer::start(Server::new().http2(false).route("/", echo)).await;
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    stream.write_all(preface).await.unwrap();
    let mut all = Vec::new();
    let _ = soon(stream.read_to_end(&mut all)).await;
    assert!(!all.starts_with(&[0, 0]), "{all:x?}");
}
