//! An echo server of `tokio-websockets`, configured as the example that its benches run:
//! messages are never split into frames, and its tasks are not made to yield. (They keep
//! the default limit of 64 MiB: without one, the length that a peer announces panics.) What
//! is ready is read first, up to the bytes that may wait for a flush, then fed and flushed:
//! the stream writes whatever waits before it reads, so that messages fed between two reads
//! would each be written alone.

use std::task::Poll;

use futures_util::{SinkExt as _, StreamExt as _, poll};
use longwire_bench_peers::{BATCH, Flags, serve};
use tokio::net::TcpStream;
use tokio::task::unconstrained;
use tokio_websockets::{Config, Error, Message, ServerBuilder};

/// The bytes of replies that the stream lets wait for a flush, by default.
const THRESHOLD: usize = 8 << 10;

fn is_data(message: &Message) -> bool {
    message.is_text() || message.is_binary()
}

async fn echo(stream: TcpStream) -> Result<(), Error> {
    let (_, mut socket) = ServerBuilder::new()
        .config(Config::default().frame_size(usize::MAX))
        .accept(stream)
        .await?;
    let mut batch = Vec::with_capacity(BATCH);
    while let Some(message) = socket.next().await {
        let message = message?;
        let mut bytes = message.as_payload().len();
        batch.push(message);
        while bytes < THRESHOLD
            && batch.len() < BATCH
            && let Poll::Ready(Some(message)) = poll!(socket.next())
        {
            let message = message?;
            bytes += message.as_payload().len();
            batch.push(message);
        }
        for message in batch.drain(..).filter(is_data) {
            socket.feed(message).await?;
        }
        socket.flush().await?;
    }
    Ok(())
}

fn main() -> std::io::Result<()> {
    let _ = Flags::read()
        .without_compression()
        .without_fanout()
        .without_plain();
    serve(|stream| unconstrained(echo(stream)))
}
