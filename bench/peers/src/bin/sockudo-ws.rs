//! An echo server of `sockudo-ws`: the loop that its README gives for an echo, which feeds
//! replies and leaves it to the read of more input to write them, on the socket itself and
//! not behind a type-erased stream. Pings and idle timeouts are off, as in its benches of
//! sockets. Compression is by the crate's own modes of the same names, at their level of 6.

use bytes::{Bytes, BytesMut};
use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};
use longwire_bench_peers::{Compression, Flags, serve};
use sockudo_ws::deflate::{DeflateConfig, DeflateNegotiation, negotiate_server_deflate};
use sockudo_ws::handshake::{build_response, generate_accept_key, parse_request};
use sockudo_ws::stream::CompressedWebSocketStream;
use sockudo_ws::{Config, Error, Message, Result, Role, WebSocketStream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The longest request for a handshake.
const REQUEST: usize = 8 << 10;

async fn echo<S>(mut socket: S) -> Result<()>
where
    S: Stream<Item = Result<Message>> + Sink<Message, Error = Error> + Unpin,
{
    while let Some(message) = socket.next().await {
        match message? {
            message @ (Message::Text(_) | Message::Binary(_)) => socket.feed(message).await?,
            Message::Close(_) => return Ok(()),
            Message::Ping(_) | Message::Pong(_) => {}
        }
    }
    Ok(())
}

/// Answers the request, and returns what it agrees on and what was read behind it.
async fn handshake(
    stream: &mut TcpStream,
    policy: Option<&DeflateConfig>,
) -> Result<(Option<DeflateConfig>, Bytes)> {
    let mut read = BytesMut::with_capacity(REQUEST);
    loop {
        if stream.read_buf(&mut read).await? == 0 || read.len() > REQUEST {
            return Err(Error::ConnectionClosed);
        }
        let Some((request, length)) = parse_request(&read)? else {
            continue;
        };
        let agreed = policy
            .zip(request.extensions)
            .and_then(|(policy, offers)| negotiate_server_deflate(offers, policy));
        let extension = agreed.as_ref().map(DeflateNegotiation::to_response_header);
        let key = generate_accept_key(request.key);
        let response = build_response(&key, None, extension.as_deref());
        stream.write_all(&response).await?;
        return Ok((
            agreed.map(|agreed| agreed.config),
            read.split_off(length).freeze(),
        ));
    }
}

async fn connection(mut stream: TcpStream, compression: sockudo_ws::Compression) -> Result<()> {
    let policy = compression.to_deflate_config();
    let (agreed, behind) = handshake(&mut stream, policy.as_ref()).await?;
    let config = Config::builder()
        .compression(compression)
        .auto_ping(false)
        .idle_timeout(0)
        .build();
    let behind = Some(behind);
    match agreed {
        Some(deflate) => {
            let socket =
                CompressedWebSocketStream::server_with_leftover(stream, config, deflate, behind);
            echo(socket).await
        }
        None => {
            let socket =
                WebSocketStream::from_raw_with_leftover(stream, Role::Server, config, behind);
            echo(socket).await
        }
    }
}

fn main() -> std::io::Result<()> {
    let flags = Flags::read().without_fanout().without_plain();
    let compression = match flags.compression {
        Compression::Off => sockudo_ws::Compression::Disabled,
        Compression::Shared => sockudo_ws::Compression::Shared,
        Compression::Dedicated => sockudo_ws::Compression::Dedicated,
    };
    sockudo_ws::init_clock();
    serve(move |stream| connection(stream, compression))
}
