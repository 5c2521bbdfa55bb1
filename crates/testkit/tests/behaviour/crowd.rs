//! Many clients at once, and among them some that mean no good.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use longwire::{Closed, ClosedBy, Error, Heartbeat, MemoryBudget, Server, Socket, TimeoutKind};
use longwire_proto::Opcode;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep};

use crate::support::{Raw, TestServer, soon};

/// Clients that behave.
const CROWD: usize = 1000;

/// How each connection ended, by the peer's address.
type Ends = Arc<Mutex<HashMap<SocketAddr, Closed>>>;

/// Echoes, and notes how it ended.
async fn echo_and_note(mut socket: Socket, ends: Ends) -> longwire::Result<()> {
    let result = loop {
        match socket.next().await {
            None => break Ok(()),
            Some(Err(error)) => break Err(error),
            Some(Ok(message)) => {
                if let Err(error) = socket.send(message).await {
                    break Err(error);
                }
            }
        }
    };
    let closed = match (&result, socket.closed()) {
        (Err(Error::Closed(closed)), _) => (**closed).clone(),
        (_, Some(closed)) => closed,
        // Closing, as after a heartbeat that was not answered: the end follows.
        _ => socket.close(1000, "").await?,
    };
    let peer = socket.peer_addr().unwrap();
    ends.lock().unwrap().insert(peer, closed);
    result
}

async fn end_of(ends: &Ends, peer: SocketAddr) -> Closed {
    soon(async {
        loop {
            if let Some(closed) = ends.lock().unwrap().get(&peer) {
                return closed.clone();
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

/// One client that talks until it is told to stop.
async fn talk(url: String, i: usize, mut stop: tokio::sync::watch::Receiver<bool>) -> usize {
    let mut socket = longwire::connect(url).await.unwrap();
    let mut rounds = 0;
    while !*stop.borrow_and_update() || rounds < 3 {
        let text = format!("client {i} round {rounds}");
        socket.send(text.as_str()).await.unwrap();
        let echo = soon(socket.next()).await.unwrap().unwrap();
        assert_eq!(echo.as_text(), Some(text.as_str()));
        rounds += 1;
        // Leaves the machine to the others for a moment.
        let _ = tokio::time::timeout(Duration::from_millis(200), stop.changed()).await;
    }
    let closed = socket.close(1000, "").await.unwrap();
    assert!(closed.clean);
    rounds
}

/// Floods the server and never reads, until it is cut off.
async fn never_read(mut raw: Raw) {
    let frame = raw.frame(true, Opcode::Binary, &vec![1; 60_000]);
    while raw.stream.write_all(&frame).await.is_ok() {}
}

/// A message of 1 MiB, a byte a beat.
async fn dawdle(mut raw: Raw) {
    let frame = raw.frame(true, Opcode::Binary, &vec![1; 1 << 20]);
    let mut beat = interval(Duration::from_millis(50));
    for byte in frame {
        beat.tick().await;
        if raw.stream.write_all(&[byte]).await.is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_clients_are_served_while_four_misbehave_and_are_ended() {
    let ends = Ends::default();
    let budget = MemoryBudget::new(64 << 20);
    let second = Duration::from_secs(1);
    let server = {
        let ends = ends.clone();
        Server::new()
            .route("/", move |socket| echo_and_note(socket, ends.clone()))
            .memory_budget(budget.clone())
            .heartbeat(Heartbeat {
                interval: 2 * second,
                timeout: 3 * second,
            })
    };
    let server = TestServer::start(server).await;
    let (stop, stopping) = tokio::sync::watch::channel(false);
    let mut crowd = JoinSet::new();
    for i in 0..CROWD {
        crowd.spawn(talk(server.url("/"), i, stopping.clone()));
    }
    soon(async {
        while server.handle.open_sockets() < CROWD {
            tokio::task::yield_now().await;
        }
    })
    .await;

    // The most memory seen, by a watcher that ends with the test.
    let (seen, mut most_seen) = mpsc::unbounded_channel();
    let watched = budget.clone();
    let watching = tokio::spawn(async move {
        loop {
            let _ = seen.send(watched.used());
            sleep(Duration::from_millis(5)).await;
        }
    });

    let mut garbage = Raw::connect(server.addr, "/").await;
    let slow = Raw::connect(server.addr, "/").await;
    let deaf = Raw::connect(server.addr, "/").await;
    let vanishing = Raw::connect(server.addr, "/").await;
    let addr = |raw: &Raw| raw.stream.local_addr().unwrap();
    let (slow_addr, deaf_addr, vanishing_addr) = (addr(&slow), addr(&deaf), addr(&vanishing));
    let start = Instant::now();

    let garbage_addr = addr(&garbage);
    garbage.write(&[0xff; 1000]).await;
    assert_eq!(garbage.read_close().await, 1002);
    let slow = tokio::spawn(dawdle(slow));
    let deaf = tokio::spawn(never_read(deaf));
    drop(vanishing);

    let closed = end_of(&ends, garbage_addr).await;
    let ClosedBy::Failure(error) = closed.by else {
        panic!("{closed:?}");
    };
    assert_eq!(error.close_code(), 1002);
    let closed = end_of(&ends, vanishing_addr).await;
    assert_eq!((closed.code.get(), closed.by), (1006, ClosedBy::Lost));
    for peer in [slow_addr, deaf_addr] {
        let closed = end_of(&ends, peer).await;
        let by = ClosedBy::Timeout(TimeoutKind::Heartbeat);
        assert_eq!((closed.code.get(), closed.by), (1006, by));
    }
    assert!(start.elapsed() > 5 * second, "they were given their time");
    slow.await.unwrap();
    deaf.await.unwrap();

    stop.send(true).unwrap();
    let mut rounds = 0;
    while let Some(result) = crowd.join_next().await {
        rounds += result.unwrap();
    }
    assert!(rounds >= 3 * CROWD, "{rounds} rounds");
    watching.abort();
    let mut most = 0;
    while let Ok(used) = most_seen.try_recv() {
        most = most.max(used);
    }
    assert!(most > 0 && most <= 3 << 20, "{most} bytes held at most");
    soon(async {
        while server.handle.open_sockets() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(budget.used(), 0);
}

#[tokio::test]
async fn a_flood_of_pings_is_answered_and_holds_nothing() {
    let server = TestServer::with(crate::support::sink).await;
    let mut raw = Raw::connect(server.addr, "/").await;
    // So many at once that answering takes more than one turn of a task.
    let pings = raw.frame(true, Opcode::Ping, b"p").repeat(9000);
    for _ in 0..3 {
        raw.write(&pings).await;
        for _ in 0..9000 {
            assert_eq!(raw.read().await, Some((0x8a, b"p".to_vec())));
        }
    }
}

//= rfc6455#5.5.3-2 test
#[tokio::test]
async fn a_flood_of_pings_whose_pongs_are_not_read_holds_a_few_and_the_last() {
    let budget = MemoryBudget::new(1 << 30);
    let server = Server::new()
        .route("/", crate::support::sink)
        .memory_budget(budget.clone());
    let server = TestServer::start(server).await;
    let mut raw = Raw::connect(server.addr, "/").await;
    // Far more than the pipes of both directions take.
    let pings = raw.frame(true, Opcode::Ping, &[0; 125]).repeat(8000);
    for _ in 0..64 {
        raw.write(&pings).await;
        assert!(budget.used() < 64 << 10, "{} bytes held", budget.used());
    }
    raw.send(Opcode::Ping, b"last").await;
    let mut answers = 1;
    while raw.read().await.unwrap() != (0x8a, b"last".to_vec()) {
        answers += 1;
    }
    assert!(answers < 64 * 8000, "none was left out");
}

//= rfc6455#10.4-1 test
#[tokio::test]
async fn a_message_of_tiny_fragments_holds_no_more_than_its_bytes() {
    let budget = MemoryBudget::new(1 << 20);
    let server = Server::new()
        .route("/", crate::support::echo)
        .memory_budget(budget.clone());
    let server = TestServer::start(server).await;
    let mut raw = Raw::connect(server.addr, "/").await;
    let mut fragments = raw.frame(false, Opcode::Binary, b"1");
    for _ in 0..100_000 {
        fragments.extend(raw.frame(false, Opcode::Continuation, b"1"));
    }
    raw.write(&fragments).await;
    raw.send(Opcode::Ping, b"").await;
    assert_eq!(raw.read().await.unwrap().0, 0x8a);
    assert!(budget.used() <= 2 * 100_001, "{} bytes held", budget.used());
    raw.send(Opcode::Continuation, b"").await;
    assert_eq!(raw.read().await.unwrap().1.len(), 100_001);
}

#[tokio::test]
async fn a_large_text_in_very_many_fragments_is_checked_in_one_pass() {
    // Checked anew with each fragment, this would be 1 TiB of text.
    let server = TestServer::with(crate::support::echo).await;
    let mut raw = Raw::connect(server.addr, "/").await;
    let piece = "ä€𝄞 and some more".repeat(7);
    let count = (16 << 20) / piece.len();
    let mut frames = raw.frame(false, Opcode::Text, piece.as_bytes());
    let next = raw.frame(false, Opcode::Continuation, piece.as_bytes());
    for _ in 2..count {
        frames.extend_from_slice(&next);
    }
    frames.extend(raw.frame(true, Opcode::Continuation, piece.as_bytes()));
    raw.write(&frames).await;
    let (first, payload) = raw.read().await.unwrap();
    assert_eq!((first, payload.len()), (0x81, count * piece.len()));
}

#[tokio::test]
async fn one_address_cannot_hold_the_memory_of_all() {
    let budget = MemoryBudget::new(40 << 20);
    let server = Server::new()
        .route("/", crate::support::echo)
        .memory_budget(budget.clone());
    let server = TestServer::start(server).await;
    let (mut holding, mut refused) = (Vec::new(), 0);
    for _ in 0..8 {
        let mut raw = Raw::connect(server.addr, "/").await;
        // The message goes on, and on.
        let mut begun = raw.frame(false, Opcode::Binary, &vec![0; 3 << 20]);
        begun.extend(raw.frame(true, Opcode::Ping, b""));
        // One that is refused reads no more.
        let _ = raw.stream.write_all(&begun).await;
        match raw.read().await {
            Some((0x8a, _)) => holding.push(raw),
            told => {
                assert_eq!(&told.unwrap().1[..2], [0x03, 0xf5]);
                refused += 1;
            }
        }
        assert!(budget.used() <= 10 << 20, "{} held", budget.used());
    }
    assert!(holding.len() >= 2 && refused >= 4, "{refused} refused");
}
