//! How sockets end, whoever ends them.

use std::time::Duration;

use longwire::{CloseCode, ClosedBy, Drive, Error, Options, Socket, TimeoutKind};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use crate::socket::{caller, over_pipe};
use crate::support::{Raw, TestServer, soon};

//= rfc6455#7.1.2-1, rfc6455#7.1.5-1, rfc6455#7.1.6-1 test
#[tokio::test]
async fn each_end_is_told_how_the_other_closed() {
    for (code, reason) in [
        (1000, ""),
        (1001, "away"),
        (3000, "r"),
        (4999, &"é".repeat(61)),
    ] {
        let (told, hears) = tokio::sync::oneshot::channel();
        let told = std::sync::Mutex::new(Some(told));
        let server = TestServer::with(move |mut socket: Socket| {
            let told = told.lock().unwrap().take();
            async move {
                assert!(socket.next().await.is_none());
                told.unwrap().send(socket.closed()).unwrap();
                Ok(())
            }
        })
        .await;
        let mut socket = server.connect().await;
        let closed = socket.close(code, reason).await.unwrap();
        assert_eq!((closed.code.get(), closed.reason.as_str()), (code, reason));
        assert!(closed.clean && closed.by == ClosedBy::Local);
        let closed = hears.await.unwrap().unwrap();
        assert_eq!((closed.code.get(), closed.reason.as_str()), (code, reason));
        assert!(closed.clean && closed.by == ClosedBy::Peer);
    }
}

//= rfc6455#7.2.1-1, rfc6455#7.1.5-1 test
#[tokio::test]
async fn a_peer_that_vanishes_is_1006_once_and_then_the_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let (socket, raw) = tokio::join!(longwire::connect(url), Raw::accept(&listener));
    let mut socket = socket.unwrap();
    drop(raw);
    let Some(Err(Error::Closed(closed))) = soon(socket.next()).await else {
        panic!("expected an abnormal end");
    };
    assert_eq!((closed.code, closed.clean), (CloseCode::ABNORMAL, false));
    assert!(socket.next().await.is_none());
    assert_eq!(socket.closed().unwrap(), *closed);
}

#[tokio::test(start_paused = true)]
async fn a_close_that_is_never_answered_ends_after_the_close_timeout() {
    let options = caller().close_timeout(Duration::from_secs(3));
    let (_peer, mut socket) = over_pipe(1024, &options);
    let start = tokio::time::Instant::now();
    let closed = socket.close(1000, "").await.unwrap();
    assert_eq!(closed.by, ClosedBy::Timeout(TimeoutKind::Close));
    assert_eq!(start.elapsed().as_secs(), 3);
}

#[tokio::test]
async fn a_dropped_socket_closes_with_1000_and_sends_what_was_taken() {
    let (told, mut hears) = tokio::sync::mpsc::unbounded_channel();
    let server = TestServer::with(move |mut socket: Socket| {
        let told = told.clone();
        async move {
            let mut bytes = 0;
            while let Some(message) = socket.next().await {
                bytes += message?.len();
            }
            told.send((bytes, socket.closed())).unwrap();
            Ok(())
        }
    })
    .await;
    for drive in [Drive::Caller, Drive::Task] {
        let client = longwire::ClientBuilder::new().drive(drive);
        let mut socket = client.connect(server.url("/")).await.unwrap();
        socket.send(vec![0; 900_000]).await.unwrap();
        socket.send("last words").await.unwrap();
        drop(socket);
        let (bytes, closed) = soon(hears.recv()).await.unwrap();
        assert_eq!((bytes, closed.unwrap().code), (900_010, CloseCode::NORMAL));
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_that_nobody_waits_for_ends_in_time_although_nothing_is_read() {
    // The peer sends more than is read ahead, and no Close frame.
    let (mut peer, socket) = over_pipe(1 << 20, &Options::new(Drive::Task));
    let mut frame = vec![0x82, 0xfe, 0xff, 0xff, 0, 0, 0, 0];
    frame.resize(frame.len() + 0xffff, 1);
    for _ in 0..4 {
        peer.write_all(&frame).await.unwrap();
    }
    let (sender, receiver) = socket.split();
    sender.close(1000, "").unwrap();
    let start = tokio::time::Instant::now();
    let closed = sender.ended().await;
    assert_eq!(closed.by, ClosedBy::Timeout(TimeoutKind::Close));
    assert_eq!(start.elapsed().as_secs(), 10);
    drop(receiver);
}

/// A transport that gives what it is told to read, and writes as it is told to.
struct Staged {
    input: Vec<u8>,
    reads: std::sync::Arc<std::sync::atomic::AtomicUsize>,
    write: fn() -> std::task::Poll<std::io::Result<usize>>,
}

impl tokio::io::AsyncRead for Staged {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        self.reads.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        buffer.put_slice(&std::mem::take(&mut self.input));
        std::task::Poll::Ready(Ok(()))
    }
}

impl tokio::io::AsyncWrite for Staged {
    fn poll_write(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        _: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        (self.write)()
    }

    fn poll_flush(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn poll_shutdown(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_message_that_the_transport_refuses_is_not_reported_as_sent() {
    let staged = Staged {
        input: Vec::new(),
        reads: std::sync::Arc::default(),
        write: || std::task::Poll::Ready(Err(std::io::ErrorKind::BrokenPipe.into())),
    };
    let options = longwire::Options::new(Drive::Caller);
    let mut socket = Socket::over(staged, longwire::Role::Server, &options);
    assert!(socket.send("hello").await.is_err());
}

#[tokio::test(start_paused = true)]
async fn an_end_of_input_is_read_once_while_the_answer_cannot_go_out() {
    let reads = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let staged = Staged {
        // A Close frame of a client, and the end.
        input: vec![0x88, 0x80, 0, 0, 0, 0],
        reads: reads.clone(),
        write: || std::task::Poll::Pending,
    };
    let options = longwire::Options::new(Drive::Caller);
    let mut socket = Socket::over(staged, longwire::Role::Server, &options);
    let start = tokio::time::Instant::now();
    while socket.next().await.is_some() {}
    assert_eq!(start.elapsed().as_secs(), 10, "the time that closing has");
    let reads = reads.load(std::sync::atomic::Ordering::SeqCst);
    assert!(reads <= 2, "{reads} reads");
    assert!(!socket.closed().unwrap().clean);
}

#[tokio::test]
async fn a_closed_socket_of_which_a_sender_is_kept_is_not_waited_for() {
    let (keep, kept) = std::sync::mpsc::channel();
    let server = TestServer::with(move |socket: Socket| {
        let keep = keep.clone();
        async move {
            let (sender, mut receiver) = socket.split();
            keep.send(sender).unwrap();
            while receiver.next().await.is_some() {}
            Ok(())
        }
    })
    .await;
    let mut client = server.connect().await;
    soon(client.close(1000, "")).await.unwrap();
    let sender = kept.recv().unwrap();
    soon(async {
        while server.handle.open_sockets() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(sender.send("late").await.is_err());
    let report = soon(server.handle.shutdown(Duration::from_mins(1))).await;
    assert_eq!((report.open, report.unanswered.len()), (0, 0));
}

#[tokio::test]
async fn a_socket_kept_elsewhere_is_cut_off_at_the_deadline_of_a_shutdown() {
    let (keep, kept) = std::sync::mpsc::channel();
    let server = TestServer::with(move |socket: Socket| {
        let keep = keep.clone();
        async move {
            keep.send(socket).unwrap();
            Ok(())
        }
    })
    .await;
    let mut raw = Raw::connect(server.addr, "/").await;
    let socket = kept.recv().unwrap();
    let report = soon(server.handle.shutdown(Duration::from_millis(100))).await;
    assert_eq!((report.open, report.unanswered.len()), (1, 1));
    assert_eq!(raw.read_close().await, 1001);
    assert!(raw.is_at_end().await);
    assert!(socket.closed().is_some());
}
