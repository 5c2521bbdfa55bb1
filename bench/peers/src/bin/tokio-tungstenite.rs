//! An echo server of `tokio-tungstenite`. Buffers of 8 KiB in both directions, and replies
//! that are fed for as long as more input is ready, then flushed: the write buffer of
//! `WebSocketConfig` is there for that. With `--plain` the default configuration, which has
//! buffers of 128 KiB, and a `send` for each reply, as in the crate's examples.

use std::task::Poll;

use futures_util::{SinkExt as _, StreamExt as _, poll};
use longwire_bench_peers::{Flags, serve};
use tokio::net::TcpStream;
use tokio::sync::broadcast::{self, error::TryRecvError};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, Result};
use tokio_tungstenite::{WebSocketStream, accept_async_with_config};

/// Messages that a connection may be behind in the channel before it is given up.
const BEHIND: usize = 1 << 14;

fn is_data(message: &Message) -> bool {
    message.is_text() || message.is_binary()
}

async fn accept(stream: TcpStream, plain: bool) -> Result<WebSocketStream<TcpStream>> {
    let config = WebSocketConfig::default();
    let config = if plain {
        config
    } else {
        config.read_buffer_size(8 << 10).write_buffer_size(8 << 10)
    };
    accept_async_with_config(stream, Some(config)).await
}

async fn echo_plain(stream: TcpStream) -> Result<()> {
    let mut socket = accept(stream, true).await?;
    while let Some(message) = socket.next().await {
        let message = message?;
        if is_data(&message) {
            socket.send(message).await?;
        }
    }
    Ok(())
}

async fn echo(stream: TcpStream) -> Result<()> {
    let mut socket = accept(stream, false).await?;
    while let Some(message) = socket.next().await {
        let mut next = Some(message);
        while let Some(message) = next {
            let message = message?;
            if is_data(&message) {
                socket.feed(message).await?;
            }
            next = match poll!(socket.next()) {
                Poll::Ready(next) => next,
                Poll::Pending => None,
            };
        }
        socket.flush().await?;
    }
    Ok(())
}

/// Hands what the connection sends to the channel, and what is in the channel to the
/// connection.
async fn fan_out(
    stream: TcpStream,
    channel: broadcast::Sender<Message>,
    plain: bool,
) -> Result<()> {
    let mut socket = accept(stream, plain).await?;
    let mut messages = channel.subscribe();
    loop {
        tokio::select! {
            message = socket.next() => {
                let Some(message) = message else { return Ok(()) };
                let message = message?;
                if is_data(&message) {
                    // This connection receives too, so there is a receiver.
                    let _ = channel.send(message);
                }
            }
            message = messages.recv() => {
                let mut next = message.map_err(|_| Error::ConnectionClosed)?;
                loop {
                    if plain {
                        socket.send(next).await?;
                    } else {
                        socket.feed(next).await?;
                    }
                    next = match messages.try_recv() {
                        Ok(message) => message,
                        Err(TryRecvError::Empty) => break,
                        Err(_) => return Err(Error::ConnectionClosed),
                    };
                }
                socket.flush().await?;
            }
        }
    }
}

fn main() -> std::io::Result<()> {
    let flags = Flags::read().without_compression();
    if flags.fanout {
        let (channel, _) = broadcast::channel(BEHIND);
        serve(move |stream| fan_out(stream, channel.clone(), flags.plain))
    } else if flags.plain {
        serve(echo_plain)
    } else {
        serve(echo)
    }
}
