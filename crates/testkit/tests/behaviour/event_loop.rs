//! What servers and programs with an event loop of their own need: the handshake for a
//! request that they have read, and sending without waiting.

use longwire::http::{Request, StatusCode};
use longwire::server::{Handshake, OriginError, OriginPolicy};
use longwire::{
    CloseCode, Compression, Drive, Event, Limits, Message, MessageKind, Options, Role, Socket,
};
use longwire_proto::Opcode;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Raw, echo, read_head, soon};

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

fn asked() -> longwire::http::request::Builder {
    Request::get("/chat?x")
        .header("host", "app.example.com")
        .header("upgrade", "websocket")
        .header("connection", "Upgrade")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", KEY)
}

fn options() -> Options {
    Options::new(Drive::Task)
}

#[test]
fn a_request_that_is_no_handshake_has_its_response() {
    let post = asked().method("POST").body(()).unwrap();
    let error = Handshake::read(&post, options()).unwrap_err();
    assert_eq!(error.status(), StatusCode::METHOD_NOT_ALLOWED);
    let limits = Limits::default().header_fields(2);
    let error = Handshake::read(&asked().body(()).unwrap(), options().limits(limits)).unwrap_err();
    assert_eq!(error.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
}

#[test]
fn an_origin_is_judged_by_the_policy_that_is_given() {
    let from = |origin: &str| {
        let request = asked().header("origin", origin).body(()).unwrap();
        Handshake::read(&request, options()).unwrap()
    };
    let own = from("https://www.example.com");
    own.judge_origin(OriginPolicy::SameSite, true).unwrap();
    let refused = own.judge_origin(OriginPolicy::SameOrigin, true);
    assert!(matches!(refused, Err(OriginError::NotAllowed(_))));
    let list = OriginPolicy::AllowList(vec!["no origin".to_owned()]);
    let refused = own.judge_origin(list, true);
    assert!(matches!(refused, Err(OriginError::Usage(_))));
    let strange = from("https://evil.example");
    assert!(strange.judge_origin(OriginPolicy::SameSite, true).is_err());
    strange.judge_origin(OriginPolicy::Any, true).unwrap();
}

#[tokio::test]
async fn an_accepted_handshake_becomes_a_socket_with_what_was_read_behind_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap());
    let (client, accepted) = tokio::join!(client, listener.accept());
    let (mut client, (server, peer)) = (client.unwrap(), accepted.unwrap());
    let request = asked()
        .header("sec-websocket-protocol", "a, b")
        .header("sec-websocket-extensions", "permessage-deflate")
        .body(())
        .unwrap();
    let handshake = Handshake::read(&request, options()).unwrap();
    assert_eq!(handshake.offered_subprotocols(), ["a", "b"]);
    assert!(
        Handshake::read(&request, options())
            .unwrap()
            .accept(Some("c"))
            .is_err()
    );
    let (response, accepted) = handshake.accept(Some("b")).unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    assert_eq!(response.headers()["sec-websocket-protocol"], "b");
    let before = [0x81, 0x82, 0, 0, 0, 0, b'h', b'i'];
    let socket = accepted.over_from(server, before.to_vec(), peer);
    assert_eq!(socket.subprotocol(), Some("b"));
    assert_eq!(socket.uri(), "/chat?x");
    assert_eq!(socket.peer_addr(), Some(peer));
    assert!(socket.compression().is_some());
    tokio::spawn(echo(socket));
    let mut answer = [0; 4];
    let read = tokio::io::AsyncReadExt::read_exact(&mut client, &mut answer);
    soon(read).await.unwrap();
    assert_eq!(answer, [0x81, 2, b'h', b'i']);
}

async fn accept(stream: &mut TcpStream) {
    read_head(stream).await;
    let request = asked().body(()).unwrap();
    let handshake = Handshake::read(&request, options()).unwrap();
    let (response, _) = handshake.accept(None).unwrap();
    let lines = response.headers().iter().map(|(name, value)| {
        let value = value.to_str().unwrap();
        format!("{name}: {value}\r\n")
    });
    let head = "HTTP/1.1 101 Switching Protocols\r\n".to_owned() + &lines.collect::<String>();
    stream.write_all((head + "\r\n").as_bytes()).await.unwrap();
}

/// A socket whose client speaks bytes.
async fn pair() -> (Socket, Raw) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        accept(&mut stream).await;
        let options = options().compression(Compression::Off);
        Socket::over(stream, Role::Server, &options)
    };
    tokio::join!(server, Raw::connect(addr, "/"))
}

#[tokio::test]
async fn what_is_queued_leaves_when_it_is_to_in_order_and_is_counted() {
    let (socket, mut raw) = pair().await;
    let (sender, _receiver) = socket.split();
    let first = sender.queue_text("text").unwrap();
    let second = sender.queue_binary(b"bytes").unwrap();
    let third = sender.queue(Message::text("message")).unwrap();
    sender
        .queue_fragment(MessageKind::Text, b"frag", false)
        .unwrap();
    assert!(sender.queue_text("not now").is_err());
    let last = sender
        .queue_fragment(MessageKind::Text, b"ment", true)
        .unwrap();
    sender.queue_ping(b"ping").unwrap();
    sender.queue_pong(b"pong").unwrap();
    assert!(sender.queue_ping(&[0; 126]).is_err());
    assert_eq!(
        (first.start, first.end, second.end, third.end),
        (0, 6, 13, 22)
    );
    assert_eq!(last.end, 34);
    assert_eq!(sender.transmitted(), 0);
    sender.write_queued();
    soon(sender.transmitted_to(last.end)).await.unwrap();
    assert_eq!(sender.transmitted(), last.end);
    let mut got = Vec::new();
    for _ in 0..7 {
        got.push(raw.read().await.unwrap());
    }
    // Control frames have a lane of their own.
    got.sort_by_key(|(first, _)| first & 0x08);
    let expected: [(u8, &[u8]); 7] = [
        (0x81, b"text"),
        (0x82, b"bytes"),
        (0x81, b"message"),
        (0x01, b"frag"),
        (0x80, b"ment"),
        (0x89, b"ping"),
        (0x8a, b"pong"),
    ];
    let expected = expected.map(|(first, payload)| (first, payload.to_vec()));
    assert_eq!(got, expected);
}

#[tokio::test]
async fn who_waits_for_what_is_never_taken_is_told_so() {
    let (socket, raw) = pair().await;
    let (sender, mut receiver) = socket.split();
    let large = sender.queue(vec![0; 64 << 20]).unwrap();
    sender.write_queued();
    let waiting = tokio::spawn({
        let sender = sender.clone();
        async move { sender.transmitted_to(large.end).await }
    });
    tokio::task::yield_now().await;
    sender.terminate();
    assert!(soon(waiting).await.unwrap().is_err());
    assert!(soon(receiver.next()).await.unwrap().is_err());
    assert_eq!(
        receiver.closed().map(|closed| closed.code),
        Some(CloseCode::ABNORMAL)
    );
    assert!(sender.queue_text("late").is_err());
    drop(raw);
}

#[tokio::test]
async fn a_pong_that_the_heartbeat_asked_for_is_not_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        accept(&mut stream).await;
        let heartbeat = longwire::Heartbeat {
            interval: std::time::Duration::from_millis(5),
            ..longwire::Heartbeat::default()
        };
        Socket::over(stream, Role::Server, &options().heartbeat(heartbeat))
    };
    let (mut socket, mut raw) = tokio::join!(server, Raw::connect(addr, "/"));
    let (opcode, payload) = raw.read().await.unwrap();
    assert_eq!(opcode, 0x89);
    raw.send(Opcode::Pong, &payload).await;
    raw.send(Opcode::Pong, b"unasked").await;
    let event = soon(socket.next_event()).await.unwrap().unwrap();
    assert_eq!(event, Event::Pong("unasked".into()));
    assert!(socket.latency().is_some());
}
