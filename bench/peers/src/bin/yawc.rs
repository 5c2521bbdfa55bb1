//! An echo server of `yawc`, tuned as its README says its measurements were: a read buffer
//! of 128 KiB, a write boundary of 64 KiB, up to 32 replies fed for as long as more input
//! is ready, then flushed. It validates UTF-8, which is off by default, with SIMD.
//! Compressed, it has its default level; without context takeover its state is borrowed
//! from one `DeflatePool`.

use std::pin::pin;
use std::task::Poll;

use futures_util::{SinkExt as _, poll};
use longwire_bench_peers::{BATCH, Compression, Flags, serve, upgrade};
use yawc::{DeflateOptions, DeflatePool, OpCode, Options, UpgradeFut, WebSocket, WebSocketError};

/// The longest message, as long as that of the other crates.
const LIMIT: usize = 64 << 20;

/// Messages of this length are not compressed: with context takeover on zlib-rs, the second
/// empty one would keep version 0.5.0 compressing forever.
const EMPTY: usize = 0;

async fn echo(upgraded: UpgradeFut) -> Result<(), WebSocketError> {
    let mut socket = upgraded.await?;
    loop {
        let mut frame = socket.next_frame().await?;
        for fed in 1..=BATCH {
            match frame.opcode() {
                OpCode::Text | OpCode::Binary => socket.feed(frame).await?,
                OpCode::Close => return socket.close().await,
                _ => {}
            }
            if fed == BATCH {
                break;
            }
            match poll!(pin!(socket.next_frame())) {
                Poll::Ready(next) => frame = next?,
                Poll::Pending => break,
            }
        }
        socket.flush().await?;
    }
}

fn options(compression: Compression) -> Options {
    let options = Options::default()
        .with_utf8()
        .with_limits(LIMIT, 2 * LIMIT)
        .with_read_buffer_capacity(128 << 10)
        .with_backpressure_boundary(64 << 10);
    let deflate = match compression {
        Compression::Off => return options.without_compression(),
        Compression::Dedicated => DeflateOptions {
            compression_threshold: EMPTY + 1,
            ..DeflateOptions::balanced()
        },
        Compression::Shared => DeflateOptions {
            compression_threshold: EMPTY + 1,
            server_no_context_takeover: true,
            client_no_context_takeover: true,
            // One thread compresses one message at a time.
            pool: Some(DeflatePool::new(1)),
            ..DeflateOptions::balanced()
        },
    };
    Options {
        compression: Some(deflate),
        ..options
    }
}

fn main() -> std::io::Result<()> {
    let flags = Flags::read().without_fanout().without_plain();
    let options = options(flags.compression);
    serve(move |stream| {
        let options = options.clone();
        upgrade(stream, move |mut request| {
            let options = options.clone();
            let (response, upgraded) = WebSocket::upgrade_with_options(&mut request, options)?;
            tokio::spawn(echo(upgraded));
            Ok::<_, WebSocketError>(response)
        })
    })
}
