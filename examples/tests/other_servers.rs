//! The examples that put a WebSocket into other people's servers, run.

use longwire::http::StatusCode;
use longwire::{ClientBuilder, Error};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

#[path = "../axum.rs"]
mod axum_example;

#[path = "../hyper.rs"]
mod hyper_example;

#[path = "../tower.rs"]
mod tower_example;

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr.to_string())
}

/// What each of the servers does with a socket.
async fn talks(addr: &str) {
    let url = format!("ws://{addr}/chat");
    let mut socket = longwire::connect(&url).await.unwrap();
    for size in [0, 5, 70_000, 1 << 20] {
        let text = "x".repeat(size);
        socket.send(text.clone()).await.unwrap();
        let back = socket.next().await.unwrap().unwrap();
        assert!(back.as_text() == Some(&text), "{size} bytes");
    }
    let closed = socket.close(4000, "done").await.unwrap();
    assert!(closed.clean && closed.code == 4000, "{closed}");

    // A page of another site is refused, one of its own is not.
    let evil = ClientBuilder::new().origin("http://evil.example");
    let error = evil.connect(&url).await.unwrap_err();
    assert!(matches!(error, Error::Refused(r) if r.status == StatusCode::FORBIDDEN));
    let own = ClientBuilder::new().origin(format!("http://{addr}"));
    own.connect(&url).await.unwrap();

    // What is no handshake is told so.
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let request = format!("GET /chat HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    assert!(response.starts_with("HTTP/1.1 400 "), "{response}");
    assert!(response.contains("\"websocket\""), "{response}");
}

#[tokio::test]
async fn an_axum_application_has_a_websocket() {
    let (listener, addr) = listener().await;
    let serving = tokio::spawn(axum_example::serve(listener));
    talks(&addr).await;
    let client = ClientBuilder::new().subprotocol("chat");
    let socket = client.connect(format!("ws://{addr}/chat")).await.unwrap();
    assert_eq!(socket.subprotocol(), Some("chat"));
    serving.abort();
}

#[tokio::test]
async fn a_hyper_server_has_a_websocket() {
    let (listener, addr) = listener().await;
    let serving = tokio::spawn(hyper_example::serve(listener));
    talks(&addr).await;
    serving.abort();
}

#[tokio::test]
async fn a_tower_service_is_a_websocket() {
    let (listener, addr) = listener().await;
    let serving = tokio::spawn(tower_example::serve(listener));
    talks(&addr).await;
    serving.abort();
}
