//! Answers that leave together, and those that do not wait for others.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use longwire::{Drive, Options, Role, Socket};
use longwire_proto::Opcode;
use longwire_testkit::wire::frame;
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf,
};

use crate::support::{Raw, TestServer, soon};

/// A pipe that counts what is written to it.
struct Counting {
    pipe: DuplexStream,
    writes: Arc<AtomicUsize>,
}

impl AsyncRead for Counting {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Counting {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.pipe).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}

/// Frames of a client with these payloads of one byte.
fn asked(payloads: impl IntoIterator<Item = u8>) -> Vec<u8> {
    payloads
        .into_iter()
        .flat_map(|byte| frame(true, Opcode::Binary, &[byte], Some([1, 2, 3, 4])))
        .collect()
}

#[tokio::test]
async fn messages_that_were_read_at_once_are_answered_in_one_write() {
    for drive in [Drive::Caller, Drive::Task] {
        let (mut peer, pipe) = tokio::io::duplex(1 << 16);
        let writes = Arc::new(AtomicUsize::new(0));
        let counting = Counting {
            pipe,
            writes: writes.clone(),
        };
        let mut socket = Socket::over(counting, Role::Server, &Options::new(drive));
        peer.write_all(&asked(0..100)).await.unwrap();
        let echoing = tokio::spawn(async move {
            while let Some(Ok(message)) = socket.next().await {
                socket.send(message).await.unwrap();
            }
        });
        let mut answers = [0; 300];
        soon(peer.read_exact(&mut answers)).await.unwrap();
        let expected: Vec<u8> = (0..100).flat_map(|byte| [0x82, 1, byte]).collect();
        assert_eq!(answers[..], expected);
        let writes = writes.load(Ordering::Relaxed);
        // Read ahead by the keeper, they may come in two parts.
        assert!(writes <= 2, "{writes} writes, {drive:?}");
        echoing.abort();
    }
}

/// Answers the first of two messages that came at once, and does something else for ever.
async fn one_answer(mut socket: Socket) -> longwire::Result<()> {
    if let Some(message) = socket.next().await {
        socket.send(message?).await?;
    }
    std::future::pending().await
}

#[tokio::test]
async fn an_answer_waits_for_no_other_where_the_program_does_something_else() {
    let server = TestServer::with(one_answer).await;
    let mut raw = Raw::connect(server.addr, "/").await;
    raw.write(&asked([1, 2])).await;
    assert_eq!(raw.read().await, Some((0x82, vec![1])));
    // In a task that is not the keeper's.
    let elsewhere = |socket: Socket| async { tokio::spawn(one_answer(socket)).await.unwrap() };
    let server = TestServer::with(elsewhere).await;
    let mut raw = Raw::connect(server.addr, "/").await;
    raw.write(&asked([1, 2])).await;
    assert_eq!(raw.read().await, Some((0x82, vec![1])));
    for drive in [Drive::Caller, Drive::Task] {
        let (mut peer, end) = tokio::io::duplex(1 << 16);
        let socket = Socket::over(end, Role::Server, &Options::new(drive));
        peer.write_all(&asked([1, 2])).await.unwrap();
        let answering = tokio::spawn(one_answer(socket));
        let mut answer = [0; 3];
        soon(peer.read_exact(&mut answer)).await.unwrap();
        assert_eq!(answer, [0x82, 1, 1]);
        answering.abort();
    }
}

#[tokio::test]
async fn an_answer_of_another_task_leaves_while_the_receiver_has_more_to_hand_out() {
    let (give, mut given) = tokio::sync::mpsc::unbounded_channel();
    let split = move |socket: Socket| {
        let give = give.clone();
        async move {
            let (sender, mut receiver) = socket.split();
            let first = receiver.next().await.unwrap()?;
            give.send((sender, first)).unwrap();
            // The second message is not asked for.
            std::future::pending().await
        }
    };
    let server = TestServer::with(split).await;
    let mut raw = Raw::connect(server.addr, "/").await;
    raw.write(&asked([1, 2])).await;
    let (sender, first) = soon(given.recv()).await.unwrap();
    sender.send(first).await.unwrap();
    assert_eq!(raw.read().await, Some((0x82, vec![1])));
}

#[tokio::test]
async fn a_pong_does_not_wait_for_the_answers_that_are_gathered() {
    let server = TestServer::with(|mut socket: Socket| async move {
        let _message = socket.next().await;
        std::future::pending().await
    })
    .await;
    let mut raw = Raw::connect(server.addr, "/").await;
    let mut bytes = raw.frame(true, Opcode::Ping, b"p");
    bytes.extend(asked([1, 2]));
    raw.write(&bytes).await;
    assert_eq!(raw.read().await, Some((0x8a, b"p".to_vec())));
}

/// What a handler does while the client waits for its words.
#[derive(Clone, Copy, Debug)]
enum Busy {
    /// Another task has said them.
    Another,
    /// It has said them itself, in a future that its own task does not know.
    Within,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn what_is_sent_beside_the_task_that_receives_leaves_while_that_is_busy() {
    for busy in [Busy::Another, Busy::Within] {
        let (tell, told) = std::sync::mpsc::channel::<()>();
        let told = std::sync::Mutex::new(Some(told));
        let route = move |socket: Socket| {
            let told = told.lock().unwrap().take().unwrap();
            async move {
                let mut socket = socket;
                // The second was read with it.
                let first = socket.next().await.unwrap()?;
                if let Busy::Another = busy {
                    let (sender, mut receiver) = socket.split();
                    let saying = sender.clone();
                    tokio::spawn(async move { saying.send("working").await });
                    tokio::task::block_in_place(|| told.recv()).unwrap();
                    while receiver.next().await.is_some() {}
                    return Ok(());
                }
                tokio::task::block_in_place(|| {
                    let runtime = tokio::runtime::Handle::current();
                    runtime.block_on(async { socket.send("working").await })?;
                    told.recv().unwrap();
                    Ok::<_, longwire::Error>(())
                })?;
                assert_eq!(first.as_text(), Some("first"));
                while socket.next().await.is_some() {}
                Ok(())
            }
        };
        let server = TestServer::with(route).await;
        let mut raw = Raw::connect(server.addr, "/").await;
        let first = raw.frame(true, Opcode::Text, b"first");
        let second = raw.frame(true, Opcode::Text, b"second");
        raw.write(&[first, second].concat()).await;
        let read = tokio::time::timeout(std::time::Duration::from_secs(10), raw.read()).await;
        tell.send(()).unwrap();
        assert_eq!(read.expect("words").unwrap().1, b"working", "{busy:?}");
    }
}
