//! How a standard `WebSocket` ends when its program lets go of it or fails it.

use std::sync::{Arc, Mutex};

use longwire::web::{Event, ReadyState, WebSocket};
use longwire_proto::Opcode;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

use crate::support::{Raw, TestServer, echo, read_head, soon};
use crate::web::{fails, next};

//= whatwg#garbage-collection-1 test
#[tokio::test]
async fn a_socket_that_is_let_go_of_closes_without_a_code() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let socket = WebSocket::new(&url).unwrap();
    let mut raw = Raw::accept(&listener).await;
    assert_eq!(next(&socket).await, Event::Open);
    socket.send("last").unwrap();
    drop(socket);
    assert_eq!(raw.read().await, Some((0x81, b"last".to_vec())));
    assert_eq!(raw.read().await, Some((0x88, vec![])));
    raw.send(Opcode::Close, b"").await;
    drop(raw);
    // And one that is still connecting is given up.
    let socket = WebSocket::new(&url).unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    read_head(&mut stream).await;
    drop(socket);
    assert_eq!(soon(stream.read(&mut [0])).await.unwrap(), 0);
}

//= whatwg#garbage-collection-2 test
#[tokio::test]
async fn a_socket_whose_program_goes_away_closes_with_1001() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let socket = WebSocket::new(&url).unwrap();
    let mut raw = Raw::accept(&listener).await;
    assert_eq!(next(&socket).await, Event::Open);
    socket.make_disappear();
    assert_eq!(socket.ready_state(), ReadyState::Closing);
    assert_eq!(raw.read().await, Some((0x88, vec![0x03, 0xe9])));
}

#[tokio::test]
async fn a_socket_that_is_failed_tells_the_program_and_drops_the_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let socket = WebSocket::new(&url).unwrap();
    let mut raw = Raw::accept(&listener).await;
    assert_eq!(next(&socket).await, Event::Open);
    socket.fail();
    fails(&socket).await;
    assert_eq!(raw.read().await, None);
    // One that is being opened too.
    let socket = WebSocket::new(&url).unwrap();
    socket.fail();
    fails(&socket).await;
}

#[tokio::test]
async fn handlers_that_are_taken_away_are_not_called() {
    let server = TestServer::with(echo).await;
    let socket = WebSocket::new(&server.url("/")).unwrap();
    let called = Arc::new(Mutex::new(0));
    let counting = called.clone();
    socket.set_onopen(move |_| *counting.lock().unwrap() += 1);
    socket.clear_handlers();
    assert_eq!(next(&socket).await, Event::Open);
    assert_eq!(
        (Arc::strong_count(&called), *called.lock().unwrap()),
        (1, 0)
    );
}
