//! Messages as streams: sent from and received into what is larger than memory.

use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use longwire::{ClientBuilder, Compression, Drive, Error, Limits, MessageKind, Result, Socket};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;

use crate::support::{TestServer, echo, soon};

/// Sends each message back as it comes.
async fn stream_echo(socket: Socket) -> Result<()> {
    let (sender, mut receiver) = socket.split();
    while let Some(message) = receiver.next_reader().await {
        let message = message?;
        let kind = message.kind();
        sender.send_reader(kind, message).await?;
    }
    Ok(())
}

fn clients() -> impl Iterator<Item = ClientBuilder> {
    let modes = [
        Compression::Off,
        Compression::Shared,
        Compression::DEDICATED,
    ];
    [Drive::Caller, Drive::Task]
        .into_iter()
        .flat_map(move |drive| {
            modes
                .into_iter()
                .map(move |mode| ClientBuilder::new().drive(drive).compression(mode))
        })
}

#[tokio::test]
async fn messages_of_any_size_come_back_through_streams_on_both_ends() {
    let server = TestServer::with(stream_echo).await;
    for client in clients() {
        let client = client
            .message_streams(true)
            .limits(Limits::default().message_size(1000));
        let mut socket = client.connect(server.url("/")).await.unwrap();
        for size in [0, 1, 999, 70_000, 3 << 20] {
            let text = "aé€".repeat(size / 6 + 1);
            let sending = socket.send_reader(MessageKind::Text, text.as_bytes());
            // What comes back is read once all is sent: less than the window.
            soon(sending).await.unwrap();
            let mut reader = soon(socket.next_reader()).await.unwrap().unwrap();
            assert_eq!(reader.kind(), MessageKind::Text);
            let mut back = Vec::new();
            soon(reader.read_to_end(&mut back)).await.unwrap();
            assert!(back == text.as_bytes(), "{size} bytes");
        }
        let closed = soon(socket.close(1000, "done")).await.unwrap();
        assert!(closed.clean, "{closed}");
    }
}

#[tokio::test]
async fn streams_and_whole_messages_mix_on_one_socket() {
    let server = TestServer::with(echo).await;
    for client in clients() {
        for streams in [false, true] {
            let client = client.clone().message_streams(streams);
            let mut socket = client.connect(server.url("/")).await.unwrap();
            let parts: Vec<_> = ["one ", "two ", "", "three"]
                .map(|part| Ok(Bytes::from_static(part.as_bytes())))
                .into();
            socket
                .send_stream(MessageKind::Text, stream::iter(parts))
                .await
                .unwrap();
            socket.send("whole").await.unwrap();
            let mut writer = socket.writer(MessageKind::Binary);
            writer.write_all(b"written ").await.unwrap();
            writer.flush().await.unwrap();
            writer.write_all(b"in parts").await.unwrap();
            writer.shutdown().await.unwrap();
            drop(writer);
            socket.send("last").await.unwrap();

            let whole = soon(socket.next()).await.unwrap().unwrap();
            assert_eq!(whole.as_text(), Some("one two three"));
            let reader = soon(socket.next_reader()).await.unwrap().unwrap();
            let pieces: Vec<_> = reader.map(|piece| piece.unwrap()).collect().await;
            assert_eq!(pieces.concat(), b"whole");
            let binary = soon(socket.next()).await.unwrap().unwrap();
            assert_eq!(binary.as_bytes(), b"written in parts");
            assert!(binary.is_binary());
            let last = soon(socket.next()).await.unwrap().unwrap();
            assert_eq!(last.as_text(), Some("last"));
        }
    }
}

#[tokio::test]
async fn what_a_reader_leaves_is_thrown_away_and_the_next_message_is_next() {
    let server = TestServer::with(echo).await;
    for client in clients() {
        let client = client.message_streams(true);
        let mut socket = client.connect(server.url("/")).await.unwrap();
        for _ in 0..2 {
            socket.send(vec![7; 1 << 20]).await.unwrap();
            socket.send("next").await.unwrap();
            let mut reader = soon(socket.next_reader()).await.unwrap().unwrap();
            let mut some = [0; 1000];
            soon(reader.read_exact(&mut some)).await.unwrap();
            drop(reader);
            let next = soon(socket.next()).await.unwrap().unwrap();
            assert_eq!(next.as_text(), Some("next"));
        }
        socket.send(vec![7; 1 << 20]).await.unwrap();
        socket.send("read").await.unwrap();
        drop(soon(socket.next_reader()).await.unwrap().unwrap());
        let mut reader = soon(socket.next_reader()).await.unwrap().unwrap();
        let mut text = String::new();
        soon(reader.read_to_string(&mut text)).await.unwrap();
        assert_eq!(text, "read");
    }
}

#[tokio::test]
async fn a_streamed_message_that_is_wanted_whole_is_bound_by_the_message_limit() {
    let server = TestServer::with(echo).await;
    let client = ClientBuilder::new()
        .message_streams(true)
        .limits(Limits::default().message_size(100_000));
    let mut socket = client.connect(server.url("/")).await.unwrap();
    socket.send(vec![1; 100_000]).await.unwrap();
    let message = soon(socket.next()).await.unwrap().unwrap();
    assert_eq!(message.len(), 100_000);
    socket.send(vec![1; 300_000]).await.unwrap();
    let error = soon(socket.next()).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("message_size"), "{error}");
}

#[tokio::test]
async fn a_message_that_is_not_finished_closes_the_connection_with_1011() {
    let server = TestServer::with(echo).await;
    // The source fails, the text is none, the writer is dropped.
    let mut socket = server.connect().await;
    let parts = vec![
        Ok(Bytes::from(vec![b'a'; 200_000])),
        Err(std::io::Error::other("the disk is gone")),
    ];
    let error = socket
        .send_stream(MessageKind::Binary, stream::iter(parts))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("the disk is gone"), "{error}");
    assert!(soon(socket.next()).await.is_none());
    assert_eq!(socket.closed().unwrap().code, 1011);

    let mut socket = server.connect().await;
    let text = [vec![b'a'; 200_000], vec![0xff]].concat();
    let error = socket.send_reader(MessageKind::Text, text.as_slice()).await;
    assert!(
        matches!(error, Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::InvalidData)
    );
    assert!(soon(socket.next()).await.is_none());

    let mut socket = server.connect().await;
    let mut writer = socket.writer(MessageKind::Text);
    writer.write_all(b"begun").await.unwrap();
    writer.flush().await.unwrap();
    drop(writer);
    assert!(soon(socket.next()).await.is_none());
    assert_eq!(socket.closed().unwrap().code, 1011);

    // One of which nothing was sent leaves no trace.
    let mut socket = server.connect().await;
    let mut writer = socket.writer(MessageKind::Text);
    writer.write(b"never sent").await.unwrap();
    drop(writer);
    socket.send("still open").await.unwrap();
    let message = soon(socket.next()).await.unwrap().unwrap();
    assert_eq!(message.as_text(), Some("still open"));
}

#[tokio::test]
async fn other_messages_of_a_sender_wait_for_the_end_of_a_streamed_one() {
    let server = TestServer::with(echo).await;
    let (sender, mut receiver) = server.connect().await.split();
    let mut writer = sender.writer(MessageKind::Text);
    writer.write(b"one ").await.unwrap();
    writer.flush().await.unwrap();
    let other = sender.clone();
    let mut waiting = tokio::spawn(async move { other.send("two").await });
    let early = tokio::time::timeout(Duration::from_millis(50), &mut waiting).await;
    assert!(early.is_err(), "it waits");
    sender.ping("in between").await.unwrap();
    writer.write(b"message").await.unwrap();
    writer.finish().await.unwrap();
    soon(waiting).await.unwrap().unwrap();
    for expected in ["one message", "two"] {
        let message = soon(receiver.next()).await.unwrap().unwrap();
        assert_eq!(message.as_text(), Some(expected));
    }
}

#[tokio::test]
async fn a_connection_that_ends_within_a_message_ends_its_reader_with_an_error() {
    let server = TestServer::with(|mut socket: Socket| async move {
        let mut writer = socket.writer(MessageKind::Binary);
        writer.write_all(&vec![1; 200_000]).await?;
        // Dropped before its end.
        Ok(())
    })
    .await;
    let client = ClientBuilder::new().message_streams(true);
    let mut socket = client.connect(server.url("/")).await.unwrap();
    let mut reader = soon(socket.next_reader()).await.unwrap().unwrap();
    let mut got = Vec::new();
    let error = soon(reader.read_to_end(&mut got)).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
    assert!(!got.is_empty());
}

/// Kilobytes in a line of `/proc/PID/status`.
fn kilobytes(pid: u32, line: &str) -> Option<usize> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix(line))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The size in MiB, which `LONGWIRE_STREAM_MIB` sets: 4096 takes a while without
/// optimization.
fn mebibytes() -> u64 {
    let set = std::env::var("LONGWIRE_STREAM_MIB").ok();
    set.and_then(|mib| mib.parse().ok()).unwrap_or(256)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_echo_of_a_message_larger_than_memory_holds_less_than_8_mib() {
    for mode in ["plain", "compressed"] {
        let mut server = Command::new(env!("CARGO_BIN_EXE_stream-echo"))
            .arg(mode)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(server.stdout.take().unwrap());
        stdout.read_line(&mut line).await.unwrap();
        let pid = server.id().unwrap();
        let Some(before) = kilobytes(pid, "VmRSS:") else {
            println!("skipped: there is no /proc here to see a process's memory in");
            return;
        };
        let url = format!("ws://127.0.0.1:{}/", line.trim());
        let client = ClientBuilder::new().message_streams(true);
        let (sender, mut receiver) = client.connect(url).await.unwrap().split();
        let total = mebibytes() << 20;
        let sending = tokio::spawn(async move {
            let source = stream::unfold(0, move |at: u64| async move {
                let part: Vec<u8> = (0_u32..1 << 16)
                    .map(|i| ((at >> 16) as u8) ^ (i as u8))
                    .collect();
                (at < total).then(|| (Ok(Bytes::from(part)), at + (1 << 16)))
            });
            sender.send_stream(MessageKind::Binary, source).await
        });
        let mut reader = receiver.next_reader().await.unwrap().unwrap();
        let mut buffer = vec![0; 1 << 16];
        for at in 0..total >> 16 {
            reader.read_exact(&mut buffer).await.unwrap();
            let same = buffer
                .iter()
                .enumerate()
                .all(|(i, b)| *b == (at as u8) ^ (i as u8));
            assert!(same, "changed in part {at}");
        }
        assert_eq!(reader.read(&mut buffer).await.unwrap(), 0);
        sending.await.unwrap().unwrap();
        let most = kilobytes(pid, "VmHWM:").unwrap();
        let held = most.saturating_sub(before);
        println!("{mode}: {} MiB passed, at most {held} kB held", total >> 20);
        assert!(held < 8 << 10, "{mode}: {held} kB held");
    }
}
