//! What a socket promises to the program that holds it.

use std::time::Duration;

use futures_util::{FutureExt as _, SinkExt, StreamExt};
use longwire::{
    CloseCode, ClosedBy, Drive, Error, Event, Heartbeat, Limits, Message, Options, Role, Socket,
    TimeoutKind,
};
use longwire_proto::Opcode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::net::TcpListener;

use crate::support::{Raw, TestServer, echo, sink, soon};

/// Two sockets joined by a pipe of this many bytes, and virtual time.
pub(crate) fn pair(pipe: usize, client: &Options, server: &Options) -> (Socket, Socket) {
    let (left, right) = tokio::io::duplex(pipe);
    (
        Socket::over(left, Role::Client, client),
        Socket::over(right, Role::Server, server),
    )
}

pub(crate) fn caller() -> Options {
    Options::new(Drive::Caller)
}

/// A server's socket whose client is the test, byte by byte.
pub(crate) fn over_pipe(pipe: usize, options: &Options) -> (DuplexStream, Socket) {
    let (peer, end) = tokio::io::duplex(pipe);
    (peer, Socket::over(end, Role::Server, options))
}

#[tokio::test]
async fn messages_of_both_kinds_and_all_lengths_come_back_as_they_were_sent() {
    let server = TestServer::with(echo).await;
    let mut socket = server.connect().await;
    for len in [0, 1, 125, 126, 127, 4096, 65_535, 65_536, 1 << 20] {
        let text = "é".repeat(len / 2) + &"x".repeat(len % 2);
        for message in [
            Message::from(text.clone()),
            Message::from(text.into_bytes()),
        ] {
            socket.send(message.clone()).await.unwrap();
            assert!(
                soon(socket.next()).await.unwrap().unwrap() == message,
                "{len} bytes"
            );
        }
    }
    let closed = socket.close(1000, "done").await.unwrap();
    assert!(closed.clean && closed.code == 1000);
}

#[tokio::test]
async fn a_socket_is_a_stream_and_a_sink() {
    let server = TestServer::with(echo).await;
    let (mut sink, mut stream) = StreamExt::split(server.connect().await);
    for i in 0..100 {
        sink.feed(format!("{i}")).await.unwrap();
    }
    SinkExt::<String>::flush(&mut sink).await.unwrap();
    for i in 0..100 {
        let message = stream.next().await.unwrap().unwrap();
        assert_eq!(message.as_text(), Some(format!("{i}").as_str()));
    }
    SinkExt::<String>::close(&mut sink).await.unwrap();
    assert!(stream.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_read_loses_and_repeats_nothing() {
    for drive in [Drive::Caller, Drive::Task] {
        let (mut peer, mut socket) = over_pipe(1, &Options::new(drive));
        let writer = tokio::spawn(async move {
            for i in 0..50_u8 {
                let payload = vec![i; usize::from(i)];
                let mut frame = vec![0x82, 0x80 | i, 0, 0, 0, 0];
                frame.extend(payload);
                // A pipe of one byte: every read ends after it.
                peer.write_all(&frame).await.unwrap();
            }
            peer
        });
        for i in 0..50_u8 {
            let message = loop {
                // Polled once and dropped, wherever in a frame that may be.
                if let Some(message) = socket.next().now_or_never() {
                    break message;
                }
                tokio::task::yield_now().await;
            };
            let message = message.unwrap().unwrap();
            assert_eq!(message.as_bytes(), vec![i; usize::from(i)]);
        }
        drop(writer.await.unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_write_sends_its_message_whole_or_not_at_all() {
    for drive in [Drive::Caller, Drive::Task] {
        let limits = Limits::default().output_high_water(64);
        let (mut sender, mut receiver) = pair(7, &Options::new(drive).limits(limits), &caller());
        let receiving = tokio::spawn(async move {
            let mut got = Vec::new();
            while let Some(message) = receiver.next().await {
                got.push(message.unwrap().into_bytes());
            }
            got
        });
        let mut completed = Vec::new();
        for i in 0..200_u8 {
            let payload = vec![i; 40];
            // Polled once, then dropped if it has to wait.
            if sender.send(payload.clone()).now_or_never().is_some() {
                completed.push(i);
            }
            if i % 8 == 0 {
                tokio::task::yield_now().await;
            }
        }
        sender.close(1000, "").await.unwrap();
        let got = receiving.await.unwrap();
        let order: Vec<u8> = got.iter().map(|message| message[0]).collect();
        assert!(
            got.iter()
                .all(|message| message.len() == 40 && message.iter().all(|&b| b == message[0]))
        );
        assert!(
            order.is_sorted_by(|a, b| a < b),
            "none twice, none out of order: {order:?}"
        );
        assert!(
            completed.iter().all(|i| order.contains(i)),
            "none lost that was taken"
        );
        assert!(completed.len() < 200, "some had to wait");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_close_goes_on_by_itself() {
    for drive in [Drive::Caller, Drive::Task] {
        let (mut client, mut server) = pair(5, &Options::new(drive), &caller());
        client.send("before").await.unwrap();
        assert!(client.close(4000, "enough").now_or_never().is_none());
        assert_eq!(
            server.next().await.unwrap().unwrap().as_text(),
            Some("before")
        );
        assert!(server.next().await.is_none());
        assert_eq!(server.closed().unwrap().code, 4000);
        // Asked again, it tells how it ended.
        let closed = client.close(1000, "").await.unwrap();
        assert!(closed.clean && closed.code == 4000, "{closed}");
    }
}

//= rfc6455#7.2.1-2, rfc6455#7.3-2 test
//= rfc6455#7.1.7-6 test
#[tokio::test(start_paused = true)]
async fn a_wait_that_times_out_leaves_the_connection_alone() {
    let (mut client, mut server) = pair(1024, &caller(), &caller());
    for _ in 0..3 {
        let wait = tokio::time::timeout(Duration::from_secs(1), server.next());
        assert!(wait.await.is_err());
    }
    client.send("still here").await.unwrap();
    assert_eq!(
        server.next().await.unwrap().unwrap().as_text(),
        Some("still here")
    );
}

#[tokio::test]
async fn a_ping_is_answered_while_the_program_only_waits_for_messages() {
    let server = TestServer::with(sink).await;
    let mut raw = Raw::connect(server.addr, "/").await;
    for payload in [&b"one"[..], b"", &[7; 125]] {
        raw.send(Opcode::Ping, payload).await;
        assert_eq!(raw.read().await, Some((0x8a, payload.to_vec())));
    }
}

//= rfc6455#5.5.2-2 test
#[tokio::test]
async fn a_ping_is_answered_while_the_program_is_busy_where_a_task_drives_the_socket() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let (socket, mut raw) = tokio::join!(longwire::connect(url), Raw::accept(&listener));
    let mut socket = socket.unwrap();
    // The program does not touch its socket from here on.
    raw.send(Opcode::Text, b"waits for the program").await;
    raw.send(Opcode::Ping, b"now").await;
    assert_eq!(raw.read().await, Some((0x8a, b"now".to_vec())));
    let message = socket.next().await.unwrap().unwrap();
    assert_eq!(message.as_text(), Some("waits for the program"));
}

#[tokio::test]
async fn pings_and_pongs_are_told_to_a_program_that_asks() {
    let server = TestServer::with(echo).await;
    let mut socket = server.connect().await;
    socket.ping(&b"are you there"[..]).await.unwrap();
    let event = soon(socket.next_event()).await.unwrap().unwrap();
    assert_eq!(event, Event::Pong("are you there".into()));
    let error = socket.ping(vec![0; 126]).await.unwrap_err();
    assert!(error.to_string().contains("at most 125 bytes"), "{error}");
}

//= rfc6455#5.5.1-6, rfc6455#6.1-1 test
//= rfc6455#6.1-7 test
#[tokio::test]
async fn nothing_can_be_sent_after_the_close() {
    let server = TestServer::with(sink).await;
    let mut socket = server.connect().await;
    socket.close(4000, "enough").await.unwrap();
    assert!(matches!(socket.send("late").await, Err(Error::Closed(_))));
    assert!(socket.next().await.is_none());
    let (sender, _receiver) = server.connect().await.split();
    sender.close(1000, "").unwrap();
    let late = sender.send("late").await;
    assert!(
        matches!(late, Err(Error::Closing | Error::Closed(_))),
        "{late:?}"
    );
}

//= rfc6455#7.4.1-1, rfc6455#7.4.1-2, rfc6455#7.4.1-3 test
#[tokio::test]
async fn a_code_that_must_not_be_sent_is_refused_and_the_connection_stays_open() {
    let server = TestServer::with(echo).await;
    let mut socket = server.connect().await;
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000] {
        assert!(
            matches!(socket.close(code, "").await, Err(Error::Usage(_))),
            "{code}"
        );
    }
    assert!(socket.close(1000, "r".repeat(124)).await.is_err());
    socket.send("open").await.unwrap();
    assert!(socket.next().await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_found_by_the_heartbeat_while_the_program_waits() {
    let (mut peer, mut socket) = over_pipe(1024, &caller());
    let start = tokio::time::Instant::now();
    let Some(Err(Error::Closed(closed))) = socket.next().await else {
        panic!("expected a dead peer");
    };
    assert_eq!(closed.by, ClosedBy::Timeout(TimeoutKind::Heartbeat));
    assert_eq!(
        start.elapsed().as_secs(),
        41,
        "20 s, 20 s, and a second to linger"
    );
    let mut sent = Vec::new();
    drop(socket);
    peer.read_to_end(&mut sent).await.unwrap();
    assert_eq!(sent[..2], [0x89, 8], "a ping");
    assert_eq!(sent[10..14], [0x88, 40, 0x03, 0xf3], "a Close with 1011");
}

#[tokio::test(start_paused = true)]
async fn heartbeats_measure_the_latency_and_keep_a_quiet_connection() {
    let beat = Heartbeat {
        interval: Duration::from_secs(5),
        timeout: Duration::from_secs(5),
    };
    let task = Options::new(Drive::Task).heartbeat(beat);
    let (client, mut server) = pair(1024, &task, &caller().heartbeat(beat));
    let quiet = tokio::time::timeout(Duration::from_mins(1), server.next());
    assert!(quiet.await.is_err(), "nothing is said, nothing ends");
    assert!(client.latency().is_some() && server.latency().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_program_that_reads_late_does_not_lose_a_living_peer() {
    let (mut client, mut server) = pair(1 << 20, &Options::new(Drive::Task), &caller());
    client.send("early").await.unwrap();
    // The server's program is elsewhere for an hour.
    tokio::time::sleep(Duration::from_secs(15)).await;
    assert_eq!(
        server.next().await.unwrap().unwrap().as_text(),
        Some("early")
    );
    let no_more = tokio::time::timeout(Duration::from_mins(2), server.next());
    assert!(no_more.await.is_err(), "the peer answers pings");
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_with_1001_where_that_is_set() {
    let options = caller().idle_timeout(Duration::from_secs(30));
    let (mut client, mut server) = pair(1024, &Options::new(Drive::Task), &options);
    let start = tokio::time::Instant::now();
    let (at_client, at_server) = tokio::join!(client.next(), server.next());
    assert!(at_client.is_none() && at_server.is_none());
    assert_eq!(client.closed().unwrap().code, CloseCode::GOING_AWAY);
    assert_eq!(start.elapsed().as_secs(), 30);
}

#[tokio::test]
async fn a_sender_waits_for_a_peer_that_does_not_read_and_holds_a_bounded_output() {
    let server = TestServer::with(|socket: Socket| async move {
        // Never reads.
        std::future::pending::<()>().await;
        drop(socket);
        Ok(())
    })
    .await;
    for drive in [Drive::Caller, Drive::Task] {
        let client = longwire::ClientBuilder::new()
            .drive(drive)
            .compression(longwire::Compression::Off);
        let mut socket = client.connect(server.url("/")).await.unwrap();
        let message = Message::from(vec![1; 100_000]);
        let mut sent = 0;
        // Until one has to wait: the kernel's buffers and ours are full.
        while let Ok(done) =
            tokio::time::timeout(Duration::from_millis(300), socket.send(message.clone())).await
        {
            done.unwrap();
            sent += 1;
            assert!(sent < 1000, "100 MB went nowhere");
        }
        assert!(
            socket.buffered_amount() <= (1 << 20) + 100_014,
            "{} bytes wait",
            socket.buffered_amount()
        );
    }
}

#[tokio::test]
async fn halves_work_in_different_tasks_at_the_same_time() {
    let server = TestServer::with(echo).await;
    let (sender, mut receiver) = server.connect().await.split();
    let mut sending = Vec::new();
    for task in 0..4_u32 {
        let sender = sender.clone();
        sending.push(tokio::spawn(async move {
            for i in 0..500_u32 {
                let mut message = vec![0; 2000];
                message[..4].copy_from_slice(&task.to_be_bytes());
                message[4..8].copy_from_slice(&i.to_be_bytes());
                sender.send(message).await.unwrap();
            }
        }));
    }
    let mut next = [0; 4];
    for _ in 0..2000 {
        let message = soon(receiver.next()).await.unwrap().unwrap();
        let bytes = message.as_bytes();
        let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        let (task, i) = (number(0), number(4));
        assert_eq!(i, next[task as usize], "in order from each task");
        next[task as usize] += 1;
    }
    for task in sending {
        task.await.unwrap();
    }
    sender.close(1000, "").unwrap();
    assert!(receiver.next().await.is_none());
    assert!(sender.ended().await.clean);
    assert!(receiver.reunite(sender).is_ok());
}

#[tokio::test]
async fn replies_hold_nothing_of_what_was_sent_before() {
    let server = TestServer::with(echo).await;
    let mut socket = server.connect().await;
    socket.send(vec![0xaa; 70_000]).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap().len(), 70_000);
    for len in [0, 1, 5, 130, 5000, 69_999] {
        socket.send(vec![0x55; len]).await.unwrap();
        let reply = socket.next().await.unwrap().unwrap();
        assert!(reply.as_bytes() == vec![0x55; len], "{len} bytes");
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_reads_ahead_a_bounded_number_of_bytes_and_goes_on_when_they_are_read() {
    for payload in [0, 1000] {
        let (mut peer, mut socket) = over_pipe(1024, &Options::new(Drive::Task));
        let mut frame = vec![0x82, 0xfe, 0, 0, 0, 0, 0, 0];
        frame[2..4].copy_from_slice(&1000_u16.to_be_bytes());
        frame.resize(8 + payload, 1);
        if payload == 0 {
            frame = vec![0x82, 0x80, 0, 0, 0, 0];
        }
        let second = Duration::from_secs(1);
        let mut written = 0;
        while let Ok(done) = tokio::time::timeout(second, peer.write_all(&frame)).await {
            done.unwrap();
            written += 1;
            assert!(written < 100_000, "reading never stops");
        }
        // Each message counts for 64 bytes beside its own.
        let ahead = written * (64 + payload);
        assert!(
            ahead <= (64 << 10) + 16_000,
            "{ahead} bytes were read ahead"
        );
        for _ in 0..written {
            assert_eq!(socket.next().await.unwrap().unwrap().len(), payload);
        }
        let more = tokio::time::timeout(second, peer.write_all(&frame.repeat(10))).await;
        more.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_sender_alone_still_answers_pings_and_notices_the_end() {
    let (told, hears) = tokio::sync::oneshot::channel();
    let told = std::sync::Mutex::new(Some(told));
    let server = TestServer::with(move |socket: Socket| {
        let told = told.lock().unwrap().take().unwrap();
        async move {
            let (sender, receiver) = socket.split();
            drop(receiver);
            sender.send("pushed").await?;
            told.send(sender.ended().await).unwrap();
            Ok(())
        }
    })
    .await;
    let mut raw = Raw::connect(server.addr, "/").await;
    assert_eq!(raw.read().await, Some((0x81, b"pushed".to_vec())));
    raw.send(Opcode::Text, b"nobody reads this").await;
    raw.send(Opcode::Ping, b"1").await;
    assert_eq!(raw.read().await, Some((0x8a, b"1".to_vec())));
    raw.send(Opcode::Close, &1000_u16.to_be_bytes()).await;
    assert_eq!(raw.read_close().await, 1000);
    let closed = soon(hears).await.unwrap();
    assert!(closed.clean && closed.by == ClosedBy::Peer, "{closed}");
}

#[tokio::test]
async fn a_high_water_mark_of_nothing_still_lets_messages_through_one_by_one() {
    let server = TestServer::with(echo).await;
    let limits = longwire::Limits::default().output_high_water(0);
    let client = longwire::ClientBuilder::new().limits(limits);
    let mut socket = client.connect(server.url("/")).await.unwrap();
    for text in ["one", "two"] {
        soon(socket.send(text)).await.unwrap();
        let back = soon(socket.next()).await.unwrap().unwrap();
        assert_eq!(back.as_text(), Some(text));
    }
}

#[tokio::test]
async fn a_handler_that_only_sends_still_answers_pings_and_notices_who_is_gone() {
    let pushing = longwire::Server::new()
        .heartbeat(longwire::Heartbeat {
            interval: Duration::from_millis(200),
            timeout: Duration::from_millis(200),
        })
        .route("/", |mut socket: Socket| async move {
            socket.send("news").await?;
            // Never reads.
            std::future::pending::<()>().await;
            Ok(())
        });
    let server = TestServer::start(pushing).await;
    let mut alive = server.connect().await;
    let mut gone = Raw::connect(server.addr, "/").await;
    assert_eq!(gone.read().await.unwrap().1, b"news");
    gone.send(Opcode::Ping, b"there?").await;
    let mut answered = false;
    // The silent one answers no ping and is told so in the end.
    while let Some((first, payload)) = gone.read().await {
        answered |= first == 0x8a && payload == b"there?";
        if first == 0x88 {
            break;
        }
    }
    assert!(answered, "its own ping was answered");
    drop(gone);
    soon(async {
        while server.handle.open_sockets() > 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let news = soon(alive.next()).await.unwrap().unwrap();
    assert_eq!(news.as_text(), Some("news"));
    assert!(alive.closed().is_none());
}
