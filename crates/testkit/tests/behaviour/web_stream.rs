//! The standard's `WebSocketStream`, in Rust.

use std::time::Duration;

use longwire::server::Route;
use longwire::web::{
    AbortController, CloseInfo, Data, DomException, ExceptionName, Settings, StreamError,
    WebSocketConnection, WebSocketError, WebSocketStream, WebSocketStreamOptions,
};
use longwire::{ClientBuilder, Compression, Message, Server, Socket};
use longwire_proto::Opcode;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::pki::Ca;
use crate::support::{Raw, TestServer, echo, read_head, soon};

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    (listener, url)
}

/// A stream to a server by hand.
async fn joined() -> (WebSocketStream, WebSocketConnection, Raw) {
    let (listener, url) = listener().await;
    let stream = WebSocketStream::new(&url).unwrap();
    let raw = Raw::accept(&listener).await;
    let connection = soon(stream.opened()).await.unwrap();
    (stream, connection, raw)
}

fn info(close_code: Option<u16>, reason: &str) -> CloseInfo {
    CloseInfo {
        close_code,
        reason: reason.to_owned(),
    }
}

fn code_of(error: StreamError) -> (Option<u16>, String) {
    match error {
        StreamError::WebSocket(error) => (error.close_code(), error.reason().to_owned()),
        other => panic!("expected a WebSocketError, got {other:?}"),
    }
}

fn name_of(error: StreamError) -> ExceptionName {
    match error {
        StreamError::Dom(error) => error.name(),
        other => panic!("expected a DOMException, got {other:?}"),
    }
}

//= whatwg#websocketstream-1, whatwg#websocketstream-4, whatwg#websocketstream-8 test
#[tokio::test]
async fn messages_go_both_ways_over_the_streams_of_an_opened_connection() {
    let server = TestServer::with(Route::new(echo).subprotocols(["chat"])).await;
    let options = WebSocketStreamOptions::new().protocols(["chat", "other"]);
    let url = server.url("/").replace("ws:", "http:");
    let stream = WebSocketStream::with_options(&url, options).unwrap();
    assert_eq!(stream.url(), server.url("/"));
    let connection = soon(stream.opened()).await.unwrap();
    assert_eq!(connection.protocol, "chat");
    assert!(connection.extensions.starts_with("permessage-deflate"));
    let messages = [Data::from("one"), vec![2; 100_000].into(), "".into()];
    for message in &messages {
        soon(connection.writable.write(message.clone()))
            .await
            .unwrap();
    }
    // Asked for again, it is the same.
    let again = soon(stream.opened()).await.unwrap();
    for message in messages {
        assert_eq!(soon(again.readable.read()).await.unwrap(), Some(message));
    }
    stream.close(&info(Some(4000), "done")).unwrap();
    assert_eq!(soon(stream.closed()).await, Ok(info(Some(4000), "done")));
    assert_eq!(soon(connection.readable.read()).await, Ok(None));
    let late = connection.writable.write("late").await.unwrap_err();
    assert_eq!(name_of(late), ExceptionName::InvalidStateError);

    for bad in ["ftp://h", "ws://h/#", "/relative"] {
        let error = WebSocketStream::new(bad).unwrap_err();
        assert_eq!(error.name(), ExceptionName::SyntaxError, "{bad}");
    }
    let twice = WebSocketStreamOptions::new().protocols(["a", "a"]);
    assert!(WebSocketStream::with_options("ws://h", twice).is_err());
}

//= whatwg#websocketstream-2, whatwg#websocketstream-3 test
#[tokio::test]
async fn a_signal_gives_up_a_connection_until_it_is_established() {
    let (listener, url) = listener().await;
    let with = |controller: &AbortController| {
        let options = WebSocketStreamOptions::new().signal(controller.signal());
        WebSocketStream::with_options(&url, options).unwrap()
    };
    // Before: nobody is connected to.
    let before = AbortController::new();
    before.abort();
    let stream = with(&before);
    let error = soon(stream.opened()).await.unwrap_err();
    assert_eq!(name_of(error), ExceptionName::AbortError);
    assert!(
        timeout(Duration::from_millis(50), listener.accept())
            .await
            .is_err()
    );

    // During, with a reason of the program's own.
    let during = AbortController::new();
    let stream = with(&during);
    let (mut peer, _) = listener.accept().await.unwrap();
    read_head(&mut peer).await;
    let reason = DomException::new(ExceptionName::InvalidStateError, "no longer needed");
    during.abort_with(reason.clone());
    during.abort();
    assert_eq!(
        soon(stream.opened()).await.unwrap_err(),
        reason.clone().into()
    );
    assert_eq!(soon(stream.closed()).await.unwrap_err(), reason.into());
    stream.close(&CloseInfo::default()).unwrap();

    // After: nothing happens.
    let after = AbortController::new();
    let stream = with(&after);
    let mut raw = Raw::accept(&listener).await;
    let connection = soon(stream.opened()).await.unwrap();
    after.abort();
    connection.writable.write("still here").await.unwrap();
    assert_eq!(raw.read().await, Some((0x81, b"still here".to_vec())));
}

//= whatwg#websocketstream-4, whatwg#websocketstream-5, whatwg#websocketstream-6 test
#[tokio::test]
async fn a_connection_that_is_never_established_rejects_both() {
    let (listener, url) = listener().await;
    // Given up by close().
    let stream = WebSocketStream::new(&url).unwrap();
    let (mut peer, _) = listener.accept().await.unwrap();
    read_head(&mut peer).await;
    stream.close(&info(Some(4000), "never mind")).unwrap();
    assert_eq!(
        code_of(soon(stream.opened()).await.unwrap_err()),
        (None, String::new())
    );
    assert_eq!(
        code_of(soon(stream.closed()).await.unwrap_err()),
        (Some(1006), String::new())
    );
    // Refused, and nobody there.
    let server = TestServer::with(echo).await;
    for url in [server.url("/nowhere"), "ws://host.invalid/".to_owned()] {
        let stream = WebSocketStream::new(&url).unwrap();
        assert_eq!(code_of(soon(stream.opened()).await.unwrap_err()).0, None);
        assert_eq!(
            code_of(soon(stream.closed()).await.unwrap_err()).0,
            Some(1006)
        );
    }
}

//= whatwg#websocketstream-5, whatwg#websocketstream-6, whatwg#websocketstream-8 test
#[tokio::test]
async fn messages_that_are_unread_when_the_server_closes_are_read_before_the_end() {
    let (stream, connection, mut raw) = joined().await;
    raw.send(Opcode::Text, b"one").await;
    raw.send(Opcode::Binary, b"two").await;
    raw.send(Opcode::Close, b"\x0f\xa0bye").await;
    assert_eq!(raw.read().await, Some((0x88, b"\x0f\xa0bye".to_vec())));
    drop(raw);
    assert_eq!(soon(stream.closed()).await, Ok(info(Some(4000), "bye")));
    let read = || soon(connection.readable.read());
    assert_eq!(read().await, Ok(Some("one".into())));
    assert_eq!(read().await, Ok(Some(b"two".to_vec().into())));
    assert_eq!(read().await, Ok(None));
    assert_eq!(read().await, Ok(None));
}

//= whatwg#websocketstream-5, whatwg#websocketstream-6, whatwg#websocketstream-8 test
#[tokio::test]
async fn what_arrives_after_close_is_not_told_however_much_it_is() {
    for reads_first in [false, true] {
        let (stream, connection, mut raw) = joined().await;
        raw.send(Opcode::Text, b"before").await;
        let before = soon(connection.readable.read()).await;
        assert_eq!(before, Ok(Some("before".into())));
        let reading = connection.clone();
        let reading =
            reads_first.then(|| tokio::spawn(async move { soon(reading.readable.read()).await }));
        tokio::task::yield_now().await;
        stream.close(&info(Some(4000), "done")).unwrap();
        assert_eq!(raw.read().await, Some((0x88, b"\x0f\xa0done".to_vec())));
        for _ in 0..64 {
            raw.send(Opcode::Binary, &[7; 16 << 10]).await;
        }
        raw.send(Opcode::Close, b"\x0f\xa0done").await;
        drop(raw);
        assert_eq!(soon(stream.closed()).await, Ok(info(Some(4000), "done")));
        if let Some(reading) = reading {
            assert_eq!(reading.await.unwrap(), Ok(None));
        }
        assert_eq!(soon(connection.readable.read()).await, Ok(None));
    }
}

//= whatwg#websocketstream-5, whatwg#websocketstream-9, whatwg#websocketstream-11 test
#[tokio::test]
async fn an_end_without_a_closing_handshake_is_an_error_to_all() {
    let (stream, connection, mut raw) = joined().await;
    raw.send(Opcode::Text, b"one").await;
    raw.write(b"\x81\x05Hel").await;
    drop(raw);
    let broken = (Some(1006), String::new());
    assert_eq!(code_of(soon(stream.closed()).await.unwrap_err()), broken);
    assert_eq!(
        soon(connection.readable.read()).await,
        Ok(Some("one".into()))
    );
    for _ in 0..2 {
        let error = soon(connection.readable.read()).await.unwrap_err();
        assert_eq!(code_of(error), broken);
    }
    let error = connection.writable.write("late").await.unwrap_err();
    assert_eq!(code_of(error), broken);
    assert_eq!(
        code_of(soon(connection.writable.close()).await.unwrap_err()),
        broken
    );
}

//= whatwg#websocketstream-6, whatwg#websocketstream-7, whatwg#websocketstream-12 test
#[tokio::test]
async fn each_way_to_end_it_sends_the_close_frame_that_it_should() {
    type Way = Box<dyn FnOnce(&WebSocketStream, &WebSocketConnection)>;
    let error = |code, reason| WebSocketError::new("why", code, reason).unwrap();
    let ways: Vec<(Way, &[u8])> = vec![
        (Box::new(|s, _| s.close(&info(None, "")).unwrap()), b""),
        (
            Box::new(|s, _| s.close(&info(Some(3000), "x")).unwrap()),
            b"\x0b\xb8x",
        ),
        (
            Box::new(|s, _| s.close(&info(None, "x")).unwrap()),
            b"\x03\xe8x",
        ),
        (Box::new(|_, c| c.readable.cancel(None)), b""),
        (Box::new(|_, c| c.writable.abort(None)), b""),
        (
            Box::new(move |_, c| c.readable.cancel(Some(&error(Some(4001), "r")))),
            b"\x0f\xa1r",
        ),
        (
            Box::new(move |_, c| c.writable.abort(Some(&error(None, "r")))),
            b"\x03\xe8r",
        ),
        (
            Box::new(|_, c| {
                let writable = c.writable.clone();
                tokio::spawn(async move { writable.close().await });
            }),
            b"",
        ),
    ];
    for (way, body) in ways {
        let (stream, connection, mut raw) = joined().await;
        raw.send(Opcode::Text, b"unread").await;
        connection.writable.write("before").await.unwrap();
        way(&stream, &connection);
        assert_eq!(raw.read().await, Some((0x81, b"before".to_vec())));
        assert_eq!(raw.read().await, Some((0x88, body.to_vec())));
        let late = connection.writable.write("late").await.unwrap_err();
        assert_eq!(name_of(late), ExceptionName::InvalidStateError);
        raw.send(Opcode::Close, b"\x03\xe8").await;
        drop(raw);
        assert_eq!(soon(stream.closed()).await, Ok(info(Some(1000), "")));
        stream.close(&info(Some(4000), "again")).unwrap();
    }
    let (stream, _, _raw) = joined().await;
    let refused = stream.close(&info(Some(1001), "")).unwrap_err();
    assert_eq!(refused.name(), ExceptionName::InvalidAccessError);
    let refused = stream.close(&info(None, &"x".repeat(124))).unwrap_err();
    assert_eq!(refused.name(), ExceptionName::SyntaxError);
}

//= whatwg#websocketerror-1, whatwg#websocketerror-2 test
#[test]
fn an_error_has_a_code_and_a_reason_that_can_be_sent() {
    let error = WebSocketError::new("m", None, "").unwrap();
    assert_eq!(
        (error.message(), error.close_code(), error.reason()),
        ("m", None, "")
    );
    assert_eq!(
        WebSocketError::new("", None, "r").unwrap().close_code(),
        Some(1000)
    );
    assert_eq!(
        WebSocketError::new("", Some(4999), "")
            .unwrap()
            .close_code(),
        Some(4999)
    );
    for code in [0, 999, 1001, 1005, 1006, 2999, 5000] {
        let error = WebSocketError::new("", Some(code), "").unwrap_err();
        assert_eq!(error.name(), ExceptionName::InvalidAccessError, "{code}");
    }
    let error = WebSocketError::new("", None, "é".repeat(62)).unwrap_err();
    assert_eq!(error.name(), ExceptionName::SyntaxError);
}

#[tokio::test]
async fn a_reader_that_is_cancelled_finds_the_close_behind_what_it_does_not_want() {
    let (stream, connection, mut raw) = joined().await;
    let many = raw.frame(true, Opcode::Binary, &[0; 1000]).repeat(1000);
    connection.readable.cancel(None);
    assert_eq!(raw.read().await, Some((0x88, vec![])));
    raw.write(&many).await;
    raw.send(Opcode::Close, b"").await;
    drop(raw);
    assert_eq!(soon(stream.closed()).await, Ok(info(Some(1005), "")));
    assert_eq!(soon(connection.readable.read()).await, Ok(None));
}

#[tokio::test]
async fn a_stream_that_is_let_go_of_closes_without_a_code() {
    let (stream, connection, mut raw) = joined().await;
    drop(stream);
    connection.writable.write("still").await.unwrap();
    assert_eq!(raw.read().await, Some((0x81, b"still".to_vec())));
    drop(connection);
    assert_eq!(raw.read().await, Some((0x88, vec![])));
    // Also behind messages that nobody reads.
    let many = raw.frame(true, Opcode::Binary, &[0; 1000]).repeat(1000);
    raw.write(&many).await;
    raw.send(Opcode::Close, b"").await;
    drop(raw);
}

/// Counts what it has sent, of messages of 64 KiB without end.
async fn pour(mut socket: Socket, counted: watch::Sender<usize>) -> longwire::Result<()> {
    loop {
        socket.send(Message::from(vec![7; 64 << 10])).await?;
        counted.send_modify(|count| *count += 64 << 10);
    }
}

/// The bytes that pass until nothing does for a while.
async fn until_it_stops(count: &mut watch::Receiver<usize>) -> usize {
    while timeout(Duration::from_millis(300), count.changed())
        .await
        .is_ok()
    {
        assert!(*count.borrow() < 64 << 20, "nobody waits");
    }
    *count.borrow()
}

//= whatwg#websocketstream-9, whatwg#websocketstream-10 test
#[tokio::test]
async fn who_stops_reading_makes_the_other_stop_sending_over_any_transport() {
    let ca = Ca::new();
    for (tls, http2) in [(false, false), (true, false), (true, true)] {
        let (counted, mut count) = watch::channel(0);
        let server = Server::new()
            .route("/pour", move |socket| pour(socket, counted.clone()))
            .route("/unread", |socket: Socket| async move {
                std::future::pending::<()>().await;
                drop(socket);
                Ok(())
            });
        let server = if tls { server.tls(ca.server()) } else { server };
        let server = TestServer::start(server).await;
        let scheme = if tls { "wss" } else { "ws" };
        let client = ClientBuilder::new()
            .compression(Compression::Off)
            .http2(http2)
            .tls(ca.client());
        let settings = Settings::new().client(client);
        let connect = async |path: &str| {
            let url = format!("{scheme}://{}{path}", server.addr);
            let options = WebSocketStreamOptions::new().settings(settings.clone());
            let stream = WebSocketStream::with_options(&url, options).unwrap();
            soon(stream.opened()).await.unwrap()
        };
        // The server stops within what the way holds, and goes on.
        let connection = connect("/pour").await;
        let sent = until_it_stops(&mut count).await;
        for _ in 0..=sent / (64 << 10) + 16 {
            soon(connection.readable.read()).await.unwrap().unwrap();
        }
        assert!(until_it_stops(&mut count).await > sent);

        // And so does the program that writes.
        let connection = connect("/unread").await;
        let mut written = 0;
        let piece = vec![7; 64 << 10];
        let quiet = Duration::from_millis(300);
        while let Ok(result) = timeout(quiet, connection.writable.write(piece.clone())).await {
            result.unwrap();
            written += piece.len();
            assert!(written < 64 << 20, "nobody waits");
        }
    }
}
