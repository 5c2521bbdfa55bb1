//! The standard's `WebSocket`, in Rust.

use std::sync::{Arc, Mutex};

use futures_util::FutureExt as _;
use longwire::http::Response;
use longwire::server::{Accept, OriginPolicy, Refuse, Route, UpgradeRequest};
use longwire::web::{
    BinaryType, Blob, CloseEvent, Data, DomException, Event, ExceptionName, ReadyState, Settings,
    WebSocket,
};
use longwire::{ClientBuilder, CookieJar, Server, Socket};
use longwire_proto::Opcode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::pki::Ca;
use crate::support::{Raw, TestServer, accept_response, echo, read_head, soon};

pub(crate) async fn next(socket: &WebSocket) -> Event {
    soon(socket.next_event()).await.expect("an event")
}

async fn open(url: &str) -> WebSocket {
    let socket = WebSocket::new(url).unwrap();
    assert_eq!(next(&socket).await, Event::Open);
    socket
}

/// The failure that tells nothing, and nothing behind it.
pub(crate) async fn fails(socket: &WebSocket) {
    assert_eq!(next(socket).await, Event::Error);
    assert_eq!(socket.ready_state(), ReadyState::Closed);
    let (was_clean, code, reason) = closes(socket).await;
    assert_eq!((was_clean, code, reason.as_str()), (false, 1006, ""));
}

pub(crate) async fn closes(socket: &WebSocket) -> (bool, u16, String) {
    let Event::Close(CloseEvent {
        was_clean,
        code,
        reason,
        ..
    }) = next(socket).await
    else {
        panic!("expected a close event");
    };
    assert_eq!(socket.ready_state(), ReadyState::Closed);
    assert!(soon(socket.next_event()).await.is_none());
    (was_clean, code, reason)
}

fn message(event: Event) -> (Data, String) {
    match event {
        Event::Message(message) => (message.data, message.origin),
        other => panic!("expected a message, got {other:?}"),
    }
}

fn named(result: Result<(), DomException>) -> Option<ExceptionName> {
    result.err().map(|error| error.name())
}

//= whatwg#interface-definition-6, whatwg#interface-definition-7 test
//= whatwg#interface-definition-15, whatwg#interface-definition-16, whatwg#interface-definition-17 test
//= whatwg#feedback-from-the-protocol-1, whatwg#feedback-from-the-protocol-3 test
//= whatwg#feedback-from-the-protocol-4 test
#[tokio::test]
async fn messages_of_each_type_come_back_with_the_origin_of_the_server() {
    let server = TestServer::with(Route::new(echo).subprotocols(["chat"])).await;
    let url = format!("http://{}/?a#", server.addr).replace('#', "");
    let socket = WebSocket::with_protocols(&url, ["other", "chat"]).unwrap();
    assert_eq!(socket.ready_state(), ReadyState::Connecting);
    assert_eq!(socket.url(), server.url("/?a"));
    assert_eq!((socket.extensions(), socket.protocol()), Default::default());
    assert_eq!(
        named(socket.send("early")),
        Some(ExceptionName::InvalidStateError)
    );
    assert_eq!(next(&socket).await, Event::Open);
    assert_eq!(socket.ready_state(), ReadyState::Open);
    assert_eq!(socket.protocol(), "chat");
    assert!(socket.extensions().starts_with("permessage-deflate"));

    assert_eq!(socket.binary_type(), BinaryType::Blob);
    let origin = format!("ws://{}", server.addr);
    socket.send("text").unwrap();
    socket.send(vec![1, 2]).unwrap();
    socket.send(Blob::new("blob").with_type("x/y")).unwrap();
    socket.send("").unwrap();
    assert_eq!(message(next(&socket).await), ("text".into(), origin));
    let (data, _) = message(next(&socket).await);
    assert_eq!(data, Data::Blob(Blob::new(vec![1, 2])));
    // As it is when the event is fired.
    socket.set_binary_type(BinaryType::ArrayBuffer);
    let (data, _) = message(next(&socket).await);
    assert_eq!(data, Data::ArrayBuffer("blob".into()));
    let (data, _) = message(next(&socket).await);
    assert!(data.as_text() == Some("") && data.is_empty());
    assert_eq!(socket.buffered_amount(), 0);
}

#[tokio::test]
async fn handlers_are_called_in_order_and_may_do_anything() {
    let server = TestServer::with(echo).await;
    let socket = WebSocket::new(&server.url("/")).unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let note = |what: &'static str| {
        let told = told.clone();
        move |detail: &str| told.lock().unwrap().push(format!("{what} {detail}"))
    };
    let (opened, received, failed, closed) =
        (note("open"), note("message"), note("error"), note("close"));
    socket.set_onopen(move |socket| {
        opened("");
        socket.send("one").unwrap();
        // Set by another handler, and setting another itself.
        let received = received.clone();
        socket.set_onmessage(move |socket, event| {
            received(event.data.as_text().unwrap());
            socket.send("two").unwrap();
            let received = received.clone();
            socket.set_onmessage(move |socket, event| {
                received(event.data.as_text().unwrap());
                socket.close(Some(4000), Some("enough")).unwrap();
                assert_eq!(socket.ready_state(), ReadyState::Closing);
            });
        });
    });
    socket.set_onerror(move |_| failed(""));
    socket.set_onclose(move |socket, event| {
        closed(&event.code.to_string());
        assert_eq!(socket.ready_state(), ReadyState::Closed);
    });
    soon(socket.run()).await;
    let told = told.lock().unwrap();
    assert_eq!(*told, ["open ", "message one", "message two", "close 4000"]);
}

//= whatwg#interface-definition-10, whatwg#interface-definition-12 test
//= whatwg#interface-definition-13 test
//= whatwg#feedback-from-the-protocol-2, whatwg#feedback-from-the-protocol-6 test
#[tokio::test]
async fn a_close_has_the_body_that_it_was_given_and_goes_out_last() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    for (code, reason, body) in [
        (None, None, &b""[..]),
        (None, Some(""), b""),
        (Some(1000), None, b"\x03\xe8"),
        (Some(3000), Some("why"), b"\x0b\xb8why"),
        (Some(4999), Some("\u{e9}"), b"\x13\x87\xc3\xa9"),
        (None, Some("why"), b"\x03\xe8why"),
    ] {
        let socket = WebSocket::new(&url).unwrap();
        let mut raw = Raw::accept(&listener).await;
        assert_eq!(next(&socket).await, Event::Open);
        socket.send("last").unwrap();
        socket.close(code, reason).unwrap();
        assert_eq!(socket.ready_state(), ReadyState::Closing);
        socket.close(Some(4001), Some("again")).unwrap();
        let refused = socket.close(Some(1), None);
        assert_eq!(named(refused), Some(ExceptionName::InvalidAccessError));
        assert_eq!(raw.read().await, Some((0x81, b"last".to_vec())));
        assert_eq!(raw.read().await, Some((0x88, body.to_vec())));
        // What crosses the Close is not handed out.
        raw.send(Opcode::Text, b"crossing").await;
        raw.send(Opcode::Close, b"\x0f\xa0bye").await;
        drop(raw);
        assert_eq!(closes(&socket).await, (true, 4000, "bye".to_owned()));
    }
}

//= whatwg#feedback-from-the-protocol-5 test
#[tokio::test]
async fn a_close_of_the_server_is_seen_before_the_connection_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let socket = WebSocket::new(&url).unwrap();
    let mut raw = Raw::accept(&listener).await;
    assert_eq!(next(&socket).await, Event::Open);
    raw.send(Opcode::Close, b"").await;
    let waiting = tokio::spawn({
        let socket = socket.clone();
        async move { socket.next_event().await }
    });
    // The server keeps the connection, and the close event waits for it.
    soon(async {
        while socket.ready_state() != ReadyState::Closing {
            tokio::task::yield_now().await;
        }
    })
    .await;
    socket.close(Some(4000), None).unwrap();
    assert_eq!(raw.read().await, Some((0x88, vec![])));
    drop(raw);
    let Some(Event::Close(close)) = soon(waiting).await.unwrap() else {
        panic!("expected a close event");
    };
    assert_eq!((close.was_clean, close.code), (true, 1005));
}

//= whatwg#interface-definition-11 test
#[tokio::test]
async fn closing_while_connecting_fails_the_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    for answered in [false, true] {
        let socket = WebSocket::new(&url).unwrap();
        let mut raw = None;
        if answered {
            // Established, but the program does not know yet.
            raw = Some(Raw::accept(&listener).await);
        }
        socket.close(Some(1000), Some("bye")).unwrap();
        assert_eq!(socket.ready_state(), ReadyState::Closing);
        socket.send("ignored").unwrap();
        assert_eq!(socket.buffered_amount(), 7);
        fails(&socket).await;
        if let Some(mut raw) = raw {
            assert!(raw.is_at_end().await);
        }
    }
}

//= whatwg#feedback-from-the-protocol-7, whatwg#websocket-connections-1 test
//= whatwg#websocket-opening-handshake-1, whatwg#websocket-opening-handshake-5 test
//= whatwg#websocket-opening-handshake-6 test
#[tokio::test]
async fn whatever_is_wrong_with_a_handshake_the_program_is_told_the_same() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let ok = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
    let answers = [
        String::new(),
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nwhy!!".to_owned(),
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
            .to_owned(),
        format!("{ok}\r\n"),
        format!("{ok}Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n"),
        "not HTTP at all\r\n\r\n".to_owned(),
        // In order, but for what it chooses.
        "accept:".to_owned(),
        "accept:Sec-WebSocket-Protocol: another\r\n".to_owned(),
        "accept:Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: x-unknown\r\n".to_owned(),
        "accept:Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat\r\n".to_owned(),
    ];
    for answer in answers {
        let socket = WebSocket::with_protocols(&format!("ws://{addr}/"), "chat").unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = read_head(&mut stream).await;
        let answer = match answer.strip_prefix("accept:") {
            Some(further) => accept_response(&head, further),
            None => answer,
        };
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        fails(&socket).await;
    }
    // A port where nobody is, a host that is not, TLS that is none, a blocked port.
    drop(listener);
    let plain = TestServer::with(echo).await;
    for url in [
        format!("ws://{addr}/"),
        "ws://host.invalid/".to_owned(),
        format!("wss://{}/", plain.addr),
        "ws://127.0.0.1:6667/".to_owned(),
    ] {
        fails(&WebSocket::new(&url).unwrap()).await;
    }
    let ca = Ca::new();
    let server = TestServer::start(Server::new().route("/", echo).tls(ca.server())).await;
    let untrusted = format!("wss://{}/", server.addr);
    fails(&WebSocket::new(&untrusted).unwrap()).await;
}

//= whatwg#feedback-from-the-protocol-6, whatwg#feedback-from-the-protocol-7 test
#[tokio::test]
async fn a_connection_that_breaks_is_an_error_and_1006() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    for (bytes, reset) in [
        (&b""[..], false),
        (b"", true),
        (b"\x81\x05Hel", false),
        (b"\xff\x00", false),
        (b"\x81\x01\xff", false),
        (b"\x88\x02\x03\xed", false),
        (b"\x88\x01\x03", false),
    ] {
        let socket = WebSocket::new(&url).unwrap();
        let mut raw = Raw::accept(&listener).await;
        assert_eq!(next(&socket).await, Event::Open);
        raw.write(bytes).await;
        if reset {
            raw.stream.set_zero_linger().unwrap();
        }
        drop(raw);
        fails(&socket).await;
    }
}

//= whatwg#interface-definition-14, whatwg#interface-definition-18 test
#[tokio::test]
async fn the_buffered_amount_is_of_payload_alone_and_stays_when_the_connection_closes() {
    const LARGE: u64 = 32 << 20;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let socket = WebSocket::new(&url).unwrap();
    let mut raw = Raw::accept(&listener).await;
    assert_eq!(next(&socket).await, Event::Open);
    socket.send("é").unwrap();
    assert_eq!(raw.read().await.unwrap().1, "é".as_bytes());
    assert_eq!(socket.buffered_amount(), 0);
    // More than the kernel takes, of one message and then of many.
    socket.send(vec![0; LARGE as usize]).unwrap();
    let first = socket.buffered_amount();
    assert!(first > 0 && first < LARGE, "{first}");
    for _ in 0..1000 {
        socket.send("é").unwrap();
    }
    let with_others = socket.buffered_amount();
    assert!(
        (2001..=LARGE + 2000).contains(&with_others),
        "{with_others}"
    );
    // It falls as the server reads.
    let mut read = vec![0; 1 << 20];
    let mut before = with_others;
    let mut total = 0;
    while total < LARGE {
        total += raw.stream.read(&mut read).await.unwrap() as u64;
        let now = socket.buffered_amount();
        assert!(now <= before, "{before} and then {now}");
        before = now;
    }
    soon(async {
        while socket.buffered_amount() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // What is lost stays.
    socket.send(vec![0; LARGE as usize]).unwrap();
    let lost = socket.buffered_amount();
    drop(raw);
    fails(&socket).await;
    let left = socket.buffered_amount();
    assert!(left > 0 && left <= lost, "{left}");
    socket.send("more").unwrap();
    socket.send(Blob::new(vec![0; 10])).unwrap();
    assert_eq!(socket.buffered_amount(), left + 14);
}

//= whatwg#interface-definition-19 test
#[tokio::test]
async fn a_socket_that_is_full_is_closed_with_an_error() {
    let server = TestServer::with(|socket: Socket| async move {
        std::future::pending::<()>().await;
        drop(socket);
        Ok(())
    })
    .await;
    let client = ClientBuilder::new().compression(longwire::Compression::Off);
    let settings = Settings::new().client(client).max_buffered_amount(64 << 20);
    let socket = WebSocket::with_settings(&server.url("/"), Vec::<String>::new(), &settings);
    let socket = socket.unwrap();
    assert_eq!(next(&socket).await, Event::Open);
    for _ in 0..7 {
        socket.send(vec![0; 10 << 20]).unwrap();
    }
    fails(&socket).await;
}

//= whatwg#websocket-connections-2, rfc6455#4.1-2 test
#[tokio::test]
async fn one_connection_to_a_host_and_port_is_opened_at_a_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let first = WebSocket::new(&url).unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    let head = read_head(&mut stream).await;
    let second = WebSocket::new(&url).unwrap();
    // Another port does not wait.
    let elsewhere = TestServer::with(echo).await;
    open(&elsewhere.url("/")).await;
    let mut accepting = Box::pin(Raw::accept(&listener));
    assert!(accepting.as_mut().now_or_never().is_none());
    let response = accept_response(&head, "");
    stream.write_all(response.as_bytes()).await.unwrap();
    assert_eq!(next(&first).await, Event::Open);
    let mut raw = soon(accepting).await;
    assert_eq!(next(&second).await, Event::Open);
    raw.send(Opcode::Text, b"hello").await;
    assert_eq!(message(next(&second).await).0, "hello".into());
}

//= whatwg#websocket-opening-handshake-2, whatwg#websocket-opening-handshake-3 test
//= whatwg#websocket-opening-handshake-4, whatwg#websocket-opening-handshake-7 test
#[tokio::test]
async fn a_request_has_what_a_page_brings_along() {
    let route = Route::new(|mut socket: Socket| async move {
        let told = socket.extensions().get::<String>().unwrap().clone();
        socket.send(told).await?;
        echo(socket).await
    })
    .origin(OriginPolicy::AllowList(vec![
        "https://app.example".to_owned(),
    ]))
    .subprotocols(["b"])
    .on_upgrade(|request: UpgradeRequest| async move {
        let header = |name| {
            let value = request.headers().get(name);
            value
                .map_or("-", |value| value.to_str().unwrap())
                .to_owned()
        };
        let told = [
            "origin",
            "cookie",
            "sec-websocket-protocol",
            "authorization",
        ]
        .map(header);
        if header("cookie") == "-" {
            let mut refused = Response::builder().status(401);
            refused = refused.header("set-cookie", "id=7; Path=/");
            return Err(Refuse::response(refused.body("").unwrap()));
        }
        assert!(header("sec-websocket-extensions").contains("permessage-deflate"));
        Ok(Accept::new().attach(told.join(" | ")))
    });
    let server = TestServer::start(Server::new().route("/chat/room", route)).await;
    let base = format!("http://me:pw@{}/chat/page#top", server.addr);
    let settings = Settings::new()
        .base_url(&base)
        .unwrap()
        .origin("https://app.example")
        .client(ClientBuilder::new().cookie_jar(CookieJar::new()));
    let connect = || WebSocket::with_settings("room", ["a", "b"], &settings).unwrap();
    fails(&connect()).await;
    let socket = connect();
    assert_eq!(next(&socket).await, Event::Open);
    let (data, _) = message(next(&socket).await);
    assert_eq!(
        data.as_text().unwrap(),
        "https://app.example | id=7 | a, b | Basic bWU6cHc="
    );
    assert_eq!(socket.protocol(), "b");
    assert!(Settings::new().base_url("/relative").is_err());
}

#[tokio::test]
async fn a_program_that_takes_no_events_makes_the_server_wait() {
    let (counted, mut count) = tokio::sync::watch::channel(0);
    let server = TestServer::with(move |mut socket: Socket| {
        let counted = counted.clone();
        async move {
            loop {
                socket.send(vec![7; 64 << 10]).await?;
                counted.send_modify(|count| *count += 1);
            }
        }
    })
    .await;
    let client = ClientBuilder::new().compression(longwire::Compression::Off);
    let settings = Settings::new().client(client);
    let socket = WebSocket::with_settings(&server.url("/"), Vec::<String>::new(), &settings);
    let socket = socket.unwrap();
    assert_eq!(next(&socket).await, Event::Open);
    // Until nothing passes for a while.
    let quiet = std::time::Duration::from_millis(300);
    while tokio::time::timeout(quiet, count.changed()).await.is_ok() {
        assert!(*count.borrow() < 1000, "nobody waits");
    }
    for _ in 0..2000 {
        let (data, _) = message(next(&socket).await);
        assert_eq!(data.len(), 64 << 10);
    }
}

#[tokio::test]
async fn what_is_sent_for_later_leaves_with_the_next_flush() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let socket = WebSocket::new(&url).unwrap();
    let mut raw = Raw::accept(&listener).await;
    assert_eq!(
        named(socket.send_later("early")),
        Some(ExceptionName::InvalidStateError)
    );
    assert_eq!(next(&socket).await, Event::Open);
    socket.send_later("one").unwrap();
    socket.send_bytes_later(b"two").unwrap();
    assert_eq!(socket.buffered_amount(), 6, "nothing is written yet");
    socket.flush();
    assert_eq!(raw.read().await, Some((0x81, b"one".to_vec())));
    assert_eq!(raw.read().await, Some((0x82, b"two".to_vec())));
    socket.send_later("three").unwrap();
    socket.send("four").unwrap();
    assert_eq!(raw.read().await.unwrap().1, b"three");
    assert_eq!(raw.read().await.unwrap().1, b"four");
    // Closing writes it as well.
    socket.send_later("five").unwrap();
    socket.close(None, None).unwrap();
    assert_eq!(raw.read().await.unwrap().1, b"five");
    assert_eq!(raw.read().await, Some((0x88, vec![])));
}

#[tokio::test]
async fn a_task_changes_nothing_before_it_is_performed() {
    let server = TestServer::with(echo).await;
    let socket = WebSocket::new(&server.url("/")).unwrap();
    let task = soon(socket.next_task()).await.unwrap();
    assert_eq!(socket.ready_state(), ReadyState::Connecting);
    assert_eq!(socket.perform(task), [Some(Event::Open), None]);
    assert_eq!(socket.ready_state(), ReadyState::Open);
    socket.send("hello").unwrap();
    let task = soon(socket.next_task()).await.unwrap();
    assert_eq!(task.payload_len(), 5);
    // Closed meanwhile, the message is not told.
    socket.close(None, None).unwrap();
    assert_eq!(socket.perform(task), [None, None]);
    let refused = WebSocket::new(&server.url("/nowhere")).unwrap();
    let task = soon(refused.next_task()).await.unwrap();
    let [first, second] = refused.perform(task);
    assert_eq!(first, Some(Event::Error));
    assert!(matches!(second, Some(Event::Close(close)) if close.code == 1006));
}

#[tokio::test]
async fn a_blocked_port_is_not_connected_to_by_any_way() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = format!("http://{}", listener.local_addr().unwrap());
    let client = ClientBuilder::new().proxy(longwire::Proxy::parse(&proxy).unwrap());
    let settings = Settings::new().client(client);
    let connect =
        |url: &str| WebSocket::with_settings(url, Vec::<String>::new(), &settings).unwrap();
    fails(&connect("ws://example.com:6667/")).await;
    assert!(listener.accept().now_or_never().is_none());
    let allowed = connect("ws://example.com:6670/");
    soon(listener.accept()).await.unwrap();
    drop(allowed);
}

#[tokio::test]
async fn handlers_let_go_of_what_they_hold_when_the_connection_is_closed() {
    let server = TestServer::with(echo).await;
    let socket = WebSocket::new(&server.url("/")).unwrap();
    let held = Arc::new(());
    let (of_handler, itself) = (held.clone(), socket.clone());
    socket.set_onopen(move |socket| {
        let _ = (&of_handler, &itself);
        socket.close(None, None).unwrap();
    });
    soon(socket.run()).await;
    assert_eq!(Arc::strong_count(&held), 1);
}
