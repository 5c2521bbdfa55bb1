//! What a handler is told, and what becomes of what it sends.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::SinkExt;
use longwire::handler::{Context, Handler, MessageRef};
use longwire::server::{Accept, Route};
use longwire::{ClientBuilder, ClosedBy, Compression, Heartbeat, Limits, Message, Server, Socket};
use longwire_proto::{Closed, Opcode};
use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;

use crate::pki::Ca;
use crate::support::{Raw, TestServer, soon};

/// Returns each message.
fn echo() -> Route {
    Route::handled(|_| {
        |context: &mut Context<'_>, message: MessageRef<'_>| {
            context.send(message).unwrap();
        }
    })
}

/// What happened to a handler.
#[derive(Debug, PartialEq)]
enum Told {
    Open(String),
    Message(Message),
    /// Not all that it sent was taken.
    Waits,
    Drained,
    Closed(Closed),
}

/// Tells what happens to it, does what texts ask for, and else echoes.
struct Teller(mpsc::UnboundedSender<Told>);

impl Handler for Teller {
    fn open(&mut self, context: &mut Context<'_>) {
        context.send("welcome").unwrap();
        let _ = self.0.send(Told::Open(format!("{}", context.is_open())));
    }

    fn message(&mut self, context: &mut Context<'_>, message: MessageRef<'_>) {
        let _ = self.0.send(Told::Message(message.to_message()));
        match message.as_text() {
            Some("panic") => panic!("as I was told to"),
            Some("close") => context.close(4000, "enough").unwrap(),
            Some("ping") => context.ping(b"are you there?").unwrap(),
            _ => context.send(message).unwrap(),
        }
        if context.is_blocked() {
            let _ = self.0.send(Told::Waits);
        }
    }

    fn drain(&mut self, _: &mut Context<'_>) {
        let _ = self.0.send(Told::Drained);
    }

    fn close(&mut self, closed: &Closed) {
        let _ = self.0.send(Told::Closed(closed.clone()));
    }
}

fn tellers() -> (Route, mpsc::UnboundedReceiver<Told>) {
    let (tell, told) = mpsc::unbounded_channel();
    (Route::handled(move |_| Teller(tell.clone())), told)
}

/// A server of the same handlers over each transport, and a client for each.
async fn everywhere(route: impl Fn() -> Route) -> Vec<(TestServer, Socket)> {
    let ca = Ca::new();
    let plain = TestServer::with(route()).await;
    let socket = plain.connect().await;
    let mut all = vec![(plain, socket)];
    for http2 in [false, true] {
        let server = Server::new().route("/", route()).tls(ca.server());
        let server = TestServer::start(server).await;
        let client = ClientBuilder::new().tls(ca.client()).http2(http2);
        let url = format!("wss://localhost:{}/", server.addr.port());
        let client = client.resolve("localhost", ["127.0.0.1".parse().unwrap()]);
        let socket = client.connect(&url).await.unwrap();
        all.push((server, socket));
    }
    all
}

#[tokio::test]
async fn a_handler_gets_messages_of_both_kinds_and_all_lengths_over_each_transport() {
    for (_server, mut socket) in everywhere(echo).await {
        for len in [0, 1, 125, 126, 127, 4096, 4097, 65_535, 65_536, 1 << 20] {
            let text = "é".repeat(len / 2) + &"x".repeat(len % 2);
            for message in [
                Message::from(text.clone()),
                Message::from(text.into_bytes()),
            ] {
                socket.send(message.clone()).await.unwrap();
                let back = soon(socket.next()).await.unwrap().unwrap();
                assert!(back == message, "{len} bytes");
            }
        }
        let closed = soon(socket.close(1000, "done")).await.unwrap();
        assert!(closed.clean && closed.code == 1000, "{closed}");
    }
}

#[tokio::test]
async fn messages_that_come_at_once_are_answered_in_order_whatever_their_lengths() {
    let server = TestServer::with(echo()).await;
    let mut raw = Raw::connect(server.addr, "/").await;
    let lengths = [3, 5000, 7, 70_000, 0, 200, 9, 20_000, 125, 126];
    let mut all = Vec::new();
    for (i, len) in lengths.iter().cycle().take(40).enumerate() {
        all.extend(raw.frame(true, Opcode::Binary, &vec![i as u8; *len]));
        all.extend(raw.frame(true, Opcode::Ping, &[i as u8]));
    }
    raw.write(&all).await;
    let mut pongs = 0;
    for (i, len) in lengths.iter().cycle().take(40).enumerate() {
        let payload = loop {
            match raw.read().await.unwrap() {
                (0x8a, payload) => {
                    // A pong may overtake messages, and replace an earlier one.
                    assert!(usize::from(payload[0]) < 40);
                    pongs += 1;
                }
                (0x82, payload) => break payload,
                other => panic!("{other:?}"),
            }
        };
        assert!(payload == vec![i as u8; *len], "message {i}");
    }
    assert!(pongs > 0);
}

#[tokio::test]
async fn requests_that_come_at_once_are_answered_where_there_is_room_for_one_answer_alone() {
    let route = || {
        Route::handled(|_| {
            |context: &mut Context<'_>, message: MessageRef<'_>| {
                let answer = message.as_bytes().repeat(1000);
                context.send(answer.as_slice()).unwrap();
            }
        })
    };
    let ca = Ca::new();
    for http2 in [false, true] {
        let limits = Limits::default().output_high_water(1000);
        let server = Server::new().route("/", route()).limits(limits);
        let server = server.heartbeat(None).tls(ca.server());
        let server = TestServer::start(server).await;
        let client = ClientBuilder::new().tls(ca.client()).http2(http2);
        let client = client.heartbeat(None);
        let client = client.resolve("localhost", ["127.0.0.1".parse().unwrap()]);
        let url = format!("wss://localhost:{}/", server.addr.port());
        let mut socket = client.connect(&url).await.unwrap();
        for _ in 0..5 {
            for i in 0..6 {
                socket.feed(Message::from(vec![i; 2])).await.unwrap();
            }
            SinkExt::<Message>::flush(&mut socket).await.unwrap();
            for i in 0..6 {
                let answer = soon(socket.next()).await.unwrap().unwrap();
                assert!(answer.as_bytes() == [i; 2000]);
            }
        }
    }
}

#[tokio::test]
async fn nothing_is_lost_where_the_client_reads_late_and_the_handler_is_told_of_the_end_of_the_wait()
 {
    let (route, mut told) = tellers();
    let limits = Limits::default().output_high_water(100_000);
    let server = TestServer::start(Server::new().route("/", route).limits(limits)).await;
    let client = ClientBuilder::new().compression(Compression::Off);
    let socket = client.connect(&server.url("/")).await.unwrap();
    let (sender, mut receiver) = socket.split();
    let sending = tokio::spawn(async move {
        for i in 0..3000_u32 {
            let mut payload = vec![0; 10_000];
            payload[..4].copy_from_slice(&i.to_be_bytes());
            sender.send(payload).await.unwrap();
        }
        sender
    });
    // Nobody reads: at some time the answers have to wait.
    while soon(told.recv()).await.unwrap() != Told::Waits {}
    assert_eq!(
        receiver.next().await.unwrap().unwrap().as_text(),
        Some("welcome")
    );
    for i in 0..3000_u32 {
        let message = soon(receiver.next()).await.unwrap().unwrap();
        assert_eq!(message.as_bytes()[..4], i.to_be_bytes());
    }
    drop(soon(sending).await.unwrap());
    let mut drained = false;
    while let Ok(what) = told.try_recv() {
        drained |= what == Told::Drained;
    }
    assert!(drained);
}

#[tokio::test]
async fn a_handler_is_told_of_the_start_and_of_each_kind_of_end() {
    let all_told = Mutex::new(Vec::new());
    let route = || {
        let (route, told) = tellers();
        all_told.lock().unwrap().push(told);
        route
    };
    let servers = everywhere(route).await;
    let all_told = std::mem::take(&mut *all_told.lock().unwrap());
    for ((_server, mut socket), mut told) in servers.into_iter().zip(all_told) {
        assert_eq!(soon(told.recv()).await, Some(Told::Open("true".to_owned())));
        let welcome = soon(socket.next()).await.unwrap().unwrap();
        assert_eq!(welcome.as_text(), Some("welcome"));
        socket.send("close").await.unwrap();
        assert!(soon(socket.next()).await.is_none());
        let closed = socket.closed().unwrap();
        assert_eq!(
            (u16::from(closed.code), closed.reason.as_str()),
            (4000, "enough")
        );
        assert_eq!(soon(told.recv()).await, Some(Told::Message("close".into())));
        match soon(told.recv()).await {
            Some(Told::Closed(closed)) => {
                assert!(closed.clean && closed.code == 4000 && closed.by == ClosedBy::Local);
            }
            other => panic!("{other:?}"),
        }
    }
    let (route, mut told) = tellers();
    let server = TestServer::with(route).await;
    let mut socket = server.connect().await;
    socket.close(3001, "goodbye").await.unwrap();
    let mut lost = Raw::connect(server.addr, "/").await;
    assert_eq!(lost.read().await.unwrap().1, b"welcome");
    drop(lost);
    let mut ends = Vec::new();
    while ends.len() < 2 {
        if let Some(Told::Closed(closed)) = soon(told.recv()).await {
            ends.push((u16::from(closed.code), closed.reason, closed.by));
        }
    }
    ends.sort_by_key(|end| end.0);
    assert_eq!(ends[0], (1006, String::new(), ClosedBy::Lost));
    assert_eq!(ends[1], (3001, "goodbye".to_owned(), ClosedBy::Peer));
}

#[tokio::test]
async fn the_end_of_a_client_is_noticed_right_behind_its_last_message() {
    let (route, mut told) = tellers();
    let server = TestServer::start(Server::new().route("/", route).heartbeat(None)).await;
    for _ in 0..50 {
        let mut raw = Raw::connect(server.addr, "/").await;
        let frame = raw.frame(true, Opcode::Text, b"last words");
        // The end goes with the message.
        raw.write(&frame).await;
        drop(raw);
        let mut last = None;
        loop {
            match soon(told.recv()).await.unwrap() {
                Told::Closed(closed) => break assert_eq!(closed.by, ClosedBy::Lost),
                Told::Message(message) => last = Some(message),
                _ => {}
            }
        }
        // What was sent to it may have cut it off before.
        assert!(last.is_none_or(|last| last.as_text() == Some("last words")));
    }
    assert_eq!(server.handle.open_sockets(), 0);
}

#[tokio::test]
async fn a_handler_that_panics_closes_its_connection_with_1011_and_no_other() {
    for (_server, mut socket) in everywhere(|| tellers().0).await {
        socket.send("panic").await.unwrap();
        while let Some(Ok(_)) = soon(socket.next()).await {}
        assert_eq!(u16::from(socket.closed().unwrap().code), 1011);
    }
    let (route, _told) = tellers();
    let server = TestServer::with(route).await;
    let (mut calm, mut wild) = (server.connect().await, server.connect().await);
    wild.send("panic").await.unwrap();
    while let Some(Ok(_)) = soon(wild.next()).await {}
    calm.send("still here?").await.unwrap();
    assert_eq!(
        soon(calm.next()).await.unwrap().unwrap().as_text(),
        Some("welcome")
    );
    assert_eq!(
        soon(calm.next()).await.unwrap().unwrap().as_text(),
        Some("still here?")
    );
}

#[tokio::test]
async fn a_panic_takes_nothing_from_what_was_answered_before_and_the_end_is_clean() {
    let (route, mut told) = tellers();
    let server = TestServer::with(route).await;
    let mut raw = Raw::connect(server.addr, "/").await;
    let mut all = Vec::new();
    for text in ["before", "panic", "after"] {
        all.extend(raw.frame(true, Opcode::Text, text.as_bytes()));
    }
    // Up to the middle of a frame.
    let half = all.len() - 3;
    raw.write(&all[..half]).await;
    assert_eq!(raw.read().await.unwrap().1, b"welcome");
    assert_eq!(raw.read().await.unwrap().1, b"before");
    assert_eq!(raw.read_close().await, 1011);
    let close = raw.frame(true, Opcode::Close, &1000_u16.to_be_bytes());
    raw.write(&[&all[half..], &close].concat()).await;
    assert!(raw.is_at_end().await);
    // The handler is gone: nobody is told anything any more.
    while let Some(what) = soon(told.recv()).await {
        assert!(!matches!(what, Told::Closed(_)));
        if what == Told::Message("panic".into()) {
            break;
        }
    }
    assert!(told.try_recv().is_err());
}

#[tokio::test]
async fn a_handler_that_panics_when_it_is_dropped_takes_no_other_with_it() {
    struct Wild;
    impl Handler for Wild {
        fn message(&mut self, context: &mut Context<'_>, message: MessageRef<'_>) {
            context.send(message).unwrap();
            assert!(message.as_text() != Some("panic"), "as I was told to");
        }

        fn close(&mut self, _: &Closed) {
            panic!("at the end");
        }
    }
    impl Drop for Wild {
        fn drop(&mut self) {
            panic!("when it was dropped");
        }
    }
    for (_server, mut socket) in everywhere(|| Route::handled(|_| Wild)).await {
        socket.send("panic").await.unwrap();
        assert!(soon(socket.next()).await.unwrap().is_ok());
        while let Some(Ok(_)) = soon(socket.next()).await {}
        assert_eq!(u16::from(socket.closed().unwrap().code), 1011);
    }
    let server = TestServer::with(Route::handled(|_| Wild)).await;
    let mut first = server.connect().await;
    // As many as there are threads, and more.
    for _ in 0..8 {
        let mut other = server.connect().await;
        other.send("hello").await.unwrap();
        assert!(soon(other.next()).await.unwrap().is_ok());
        other.close(1000, "").await.unwrap();
    }
    first.send("still here?").await.unwrap();
    assert!(soon(first.next()).await.unwrap().is_ok());
}

#[tokio::test]
async fn a_handler_that_sends_as_much_as_is_taken_is_told_when_more_is() {
    const ALL: u32 = 3000;
    /// Sends numbers, until it is told to wait or refused.
    struct Pump {
        next: u32,
        until_refused: bool,
    }
    impl Pump {
        fn pump(&mut self, context: &mut Context<'_>) {
            while self.next < ALL && (self.until_refused || !context.is_blocked()) {
                let mut payload = [0; 8000];
                payload[..4].copy_from_slice(&self.next.to_be_bytes());
                if context.send(&payload[..]).is_err() {
                    return;
                }
                self.next += 1;
            }
        }
    }
    impl Handler for Pump {
        fn open(&mut self, context: &mut Context<'_>) {
            self.pump(context);
        }

        fn message(&mut self, _: &mut Context<'_>, _: MessageRef<'_>) {}

        fn drain(&mut self, context: &mut Context<'_>) {
            self.pump(context);
        }
    }
    for until_refused in [false, true] {
        let route = || {
            Route::handled(move |_| Pump {
                next: 0,
                until_refused,
            })
        };
        for (_server, mut socket) in everywhere(route).await {
            for i in 0..ALL {
                let message = soon(socket.next()).await.unwrap().unwrap();
                assert_eq!(message.as_bytes()[..4], i.to_be_bytes());
            }
        }
    }
}

#[tokio::test]
async fn a_handler_that_cannot_be_made_closes_its_connection_with_1011() {
    let route = || {
        Route::handled(|info| {
            assert!(info.uri().path() != "/", "as I was told to");
            |_: &mut Context<'_>, _: MessageRef<'_>| {}
        })
    };
    for (_server, mut socket) in everywhere(route).await {
        assert!(soon(socket.next()).await.is_none_or(|end| end.is_err()));
        assert_eq!(u16::from(socket.closed().unwrap().code), 1011);
    }
}

#[tokio::test]
async fn a_client_that_answers_no_ping_is_given_up() {
    let (route, mut told) = tellers();
    let heartbeat = Heartbeat {
        interval: Duration::from_millis(50),
        timeout: Duration::from_millis(50),
    };
    let server = TestServer::start(Server::new().route("/", route).heartbeat(heartbeat)).await;
    let mut alive = server.connect().await;
    let mut raw = Raw::connect(server.addr, "/").await;
    assert_eq!(raw.read().await.unwrap().1, b"welcome");
    assert_eq!(raw.read().await.unwrap().0, 0x89, "a ping");
    assert_eq!(raw.read_close().await, 1011);
    loop {
        if let Some(Told::Closed(closed)) = soon(told.recv()).await {
            assert!(matches!(closed.by, ClosedBy::Timeout(_)), "{closed}");
            break;
        }
    }
    alive.send("alive").await.unwrap();
    assert!(soon(alive.next()).await.unwrap().is_ok());
}

#[tokio::test]
async fn a_shutdown_closes_the_sockets_of_handlers_and_reports_who_did_not_answer() {
    let server = TestServer::with(echo()).await;
    let mut polite = server.connect().await;
    let mut rude = Raw::connect(server.addr, "/").await;
    let rude_addr = rude.stream.local_addr().unwrap();
    polite.send("hello").await.unwrap();
    assert!(soon(polite.next()).await.unwrap().is_ok());
    assert_eq!(server.handle.open_sockets(), 2);
    let deadline = Duration::from_millis(300);
    let (report, end) = tokio::join!(server.handle.shutdown(deadline), polite.next());
    assert!(end.is_none());
    assert_eq!(u16::from(polite.closed().unwrap().code), 1001);
    assert_eq!(report.open, 2);
    assert_eq!(report.unanswered, [Some(rude_addr)]);
    assert_eq!(rude.read_close().await, 1001);
    assert!(rude.is_at_end().await);
    assert_eq!(server.handle.open_sockets(), 0);
}

#[tokio::test]
async fn a_server_that_is_dropped_drops_the_connections_of_its_handlers() {
    let (route, mut told) = tellers();
    let server = TestServer::with(route).await;
    let mut raw = Raw::connect(server.addr, "/").await;
    assert_eq!(raw.read().await.unwrap().1, b"welcome");
    drop(server);
    assert!(raw.is_at_end().await);
    loop {
        match soon(told.recv()).await {
            Some(Told::Closed(closed)) => break assert_eq!(closed.by, ClosedBy::Lost),
            Some(_) => {}
            None => panic!("the handler was not told"),
        }
    }
}

#[tokio::test]
async fn a_handler_is_made_with_what_the_handshake_came_to() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let route = {
        let seen = seen.clone();
        Route::handled(move |info| {
            let name = info.extensions().get::<&str>().copied();
            seen.lock().unwrap().push((
                info.uri().to_string(),
                info.subprotocol().map(str::to_owned),
                name,
                info.peer_addr().is_some(),
                info.compression().is_some(),
            ));
            |_: &mut Context<'_>, _: MessageRef<'_>| {}
        })
        .subprotocols(["chat"])
        .on_upgrade(|_| async { Ok(Accept::new().attach("anna")) })
    };
    let server = TestServer::with(route).await;
    let client = ClientBuilder::new()
        .subprotocol("chat")
        .compression(Compression::Shared);
    let socket = client.connect(&server.url("/?room=1")).await.unwrap();
    assert_eq!(socket.subprotocol(), Some("chat"));
    let expected = (
        "/?room=1".to_owned(),
        Some("chat".to_owned()),
        Some("anna"),
        true,
        true,
    );
    assert_eq!(*seen.lock().unwrap(), [expected]);
}

#[tokio::test]
async fn what_breaks_the_protocol_fails_the_connection_of_a_handler() {
    let (route, mut told) = tellers();
    let server = TestServer::with(route).await;
    for (bytes, code) in [
        (vec![0x81, 0x01, b'x'], 1002),
        (vec![0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28], 1007),
        (vec![0xf1, 0x80, 0, 0, 0, 0], 1002),
    ] {
        let mut raw = Raw::connect(server.addr, "/").await;
        assert_eq!(raw.read().await.unwrap().1, b"welcome");
        raw.write(&bytes).await;
        assert_eq!(raw.read_close().await, code);
        let mut rest = Vec::new();
        soon(raw.stream.read_to_end(&mut rest)).await.unwrap();
        drop(raw);
        loop {
            if let Some(Told::Closed(closed)) = soon(told.recv()).await {
                assert!(matches!(closed.by, ClosedBy::Failure(_)), "{closed}");
                break;
            }
        }
    }
}

#[tokio::test]
async fn compressed_messages_reach_a_handler_and_come_back() {
    let server = Server::new()
        .route("/", echo())
        .compression(Compression::DEDICATED);
    let server = TestServer::start(server).await;
    let mut socket = server.connect().await;
    assert!(socket.compression().is_some());
    for i in 0..50 {
        let text = format!(
            "{{\"id\": {i}, \"text\": \"{}\"}}",
            "again and ".repeat(i * 20)
        );
        socket.send(text.as_str()).await.unwrap();
        let back = soon(socket.next()).await.unwrap().unwrap();
        assert_eq!(back.as_text(), Some(text.as_str()));
    }
}
