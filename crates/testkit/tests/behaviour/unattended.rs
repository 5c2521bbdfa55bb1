//! Sockets whose program does something else: what still happens, and what waits.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use futures_util::FutureExt as _;
use futures_util::future::select_all;
use longwire::{
    ClientBuilder, Compression, Drive, Event, MemoryBudget, Options, Role, Server, Socket,
};
use longwire_proto::Opcode;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf};
use tokio::sync::watch;

use crate::socket::{caller, pair};
use crate::support::{Raw, TestServer, soon};

#[tokio::test]
async fn a_handler_that_does_something_else_after_a_message_keeps_nobody_waiting() {
    for elsewhere in [false, true] {
        let server =
            Server::new()
                .heartbeat(None)
                .route("/", move |mut socket: Socket| async move {
                    let handling = async move {
                        socket.next().await;
                        std::future::pending::<()>().await;
                        drop(socket);
                    };
                    if elsewhere {
                        let _ = tokio::spawn(handling).await;
                    } else {
                        handling.await;
                    }
                    Ok(())
                });
        let server = TestServer::start(server).await;
        let mut raw = Raw::connect(server.addr, "/").await;
        raw.send(Opcode::Text, b"only one").await;
        for payload in [&b"1"[..], b"2"] {
            raw.send(Opcode::Ping, payload).await;
            assert_eq!(raw.read().await, Some((0x8a, payload.to_vec())));
        }
        raw.send(Opcode::Close, b"\x03\xe8").await;
        assert_eq!(raw.read_close().await, 1000);
    }
}

#[tokio::test]
async fn a_program_that_only_sends_answers_pings_for_ever() {
    let options = Options::new(Drive::Task).heartbeat(None);
    let (client, mut server) = pair(1 << 16, &options, &options);
    for i in 0..3000_u32 {
        server.ping(i.to_be_bytes().to_vec()).await.unwrap();
        let event = soon(server.next_event()).await.unwrap().unwrap();
        assert_eq!(event, Event::Pong(i.to_be_bytes().to_vec().into()));
    }
    let closed = soon(server.close(1000, "")).await.unwrap();
    assert!(closed.clean, "{closed}");
    drop(client);
}

#[tokio::test]
async fn a_program_that_asks_late_is_told_of_the_last_pings() {
    let options = Options::new(Drive::Task).heartbeat(None);
    let (mut client, mut server) = pair(1 << 16, &options, &options);
    for i in 0..100_u8 {
        server.ping(vec![i]).await.unwrap();
        soon(server.next_event()).await.unwrap().unwrap();
    }
    server.send("after them").await.unwrap();
    let mut told = Vec::new();
    while let Some(Ok(Event::Ping(payload))) = soon(client.next_event()).await {
        told.push(payload[0]);
    }
    assert_eq!(told, (84..100).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_is_read_ahead_counts_against_the_memory_budget() {
    let budget = MemoryBudget::new(20 << 20);
    let server = Server::new()
        .memory_budget(budget.clone())
        .memory_per_address(20 << 20)
        .route("/", |socket: Socket| async move {
            std::future::pending::<()>().await;
            drop(socket);
            Ok(())
        });
    let server = TestServer::start(server).await;
    let client = ClientBuilder::new().compression(Compression::Off);
    let mut clients = Vec::new();
    for _ in 0..4 {
        let mut client = client.connect(server.url("/")).await.unwrap();
        let sending = client.send(vec![1; 8 << 20]);
        // Two find room, and wait for the handler to read them.
        let _ = soon(sending).await;
        clients.push(client);
    }
    let mut ends: Vec<_> = clients
        .iter_mut()
        .map(|client| Box::pin(client.next()))
        .collect();
    for _ in 0..2 {
        let (ended, _, others) = soon(select_all(ends)).await;
        assert!(ended.is_none_or(|message| message.is_err()));
        ends = others;
        assert!(budget.used() <= 20 << 20, "{} counted", budget.used());
    }
    drop(ends);
    let codes: Vec<u16> = clients
        .iter()
        .filter_map(Socket::closed)
        .map(|closed| closed.code.get())
        .collect();
    assert_eq!(codes, [1013, 1013]);
    assert!(budget.used() >= 16 << 20, "{} counted", budget.used());
}

/// A transport that keeps what it is given until it is flushed, as TLS does; it
/// flushes while the gate is open.
struct Layered {
    inner: DuplexStream,
    held: Vec<u8>,
    gate: watch::Receiver<bool>,
}

impl AsyncRead for Layered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Layered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.held.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !*self.gate.borrow() {
            let mut gate = self.gate.clone();
            let waker = cx.waker().clone();
            tokio::spawn(async move {
                let _ = gate.wait_for(|open| *open).await;
                waker.wake();
            });
            return Poll::Pending;
        }
        let this = &mut *self;
        while !this.held.is_empty() {
            let count = ready!(Pin::new(&mut this.inner).poll_write(cx, &this.held))?;
            this.held.drain(..count);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn last_words_get_out_of_a_layered_transport_before_it_is_dropped() {
    let (left, right) = tokio::io::duplex(1 << 16);
    let (open, gate) = watch::channel(false);
    let layered = Layered {
        inner: left,
        held: Vec::new(),
        gate,
    };
    let options = Options::new(Drive::Task);
    let mut server = Socket::over(layered, Role::Server, &options);
    let client = Socket::over(right, Role::Client, &options);
    let sending = server.send("last words");
    assert!(sending.now_or_never().is_some());
    let (sender, mut receiver) = client.split();
    sender.close(1000, "bye").unwrap();
    // The server has the Close, and its answer waits below.
    soon(async {
        while server.closed().is_none() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    open.send_replace(true);
    let message = soon(receiver.next()).await.unwrap().unwrap();
    assert_eq!(message.as_text(), Some("last words"));
    assert!(soon(sender.ended()).await.clean);
}

/// A transport whose reads fail, and which never flushes.
struct Broken {
    reads: Arc<AtomicUsize>,
    /// The peer's Close, once.
    close: Vec<u8>,
}

impl AsyncRead for Broken {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        if self.close.is_empty() {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        buffer.put_slice(&std::mem::take(&mut self.close));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Broken {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

#[tokio::test]
async fn a_transport_that_fails_after_the_close_is_read_no_more() {
    let reads = Arc::new(AtomicUsize::new(0));
    let broken = Broken {
        reads: reads.clone(),
        close: b"\x88\x80\0\0\0\0".to_vec(),
    };
    let mut server = Socket::over(broken, Role::Server, &caller());
    assert!(soon(server.next()).await.is_none());
    assert_eq!(reads.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_layered_transport_that_takes_nothing_is_dropped_after_the_close_timeout() {
    let (left, right) = tokio::io::duplex(1 << 16);
    let (_open, gate) = watch::channel(false);
    let layered = Layered {
        inner: left,
        held: Vec::new(),
        gate,
    };
    let mut server = Socket::over(layered, Role::Server, &caller());
    let mut peer = right;
    peer.write_all(b"\x88\x80\0\0\0\0").await.unwrap();
    let start = tokio::time::Instant::now();
    assert!(server.next().await.is_none());
    assert_eq!(start.elapsed().as_secs(), 10);
}
