//! The time that each crate takes to decode a masked text frame of 20 bytes, in memory and
//! on one thread: `decode NAME NS_PER_FRAME`, the least of several rounds.
//!
//! A line with the name of a crate is its WebSocket, server side, reading from memory as it
//! would from a socket: unmasked, UTF-8 validated, out of a buffer of the crate's own. The
//! lines with `/codec` are the public decoders below it, fed by hand; that of `yawc` does
//! not validate UTF-8. `tokio-websockets` and `fastwebsockets` have no public decoder.

use std::future::Future;
use std::hint::black_box;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::{Buf as _, BytesMut};
use fastwebsockets::FragmentCollector;
use futures_util::StreamExt as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_util::codec::Decoder as _;

const TEXT: &[u8; 20] = b"twenty bytes of text";
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
/// Frames in a block, which is what is decoded between two looks at the clock.
const FRAMES: usize = 1000;
const ROUNDS: usize = 2000;
/// The longest message that a decoder is told to allow.
const LIMIT: usize = 64 << 20;

/// Frames without end: the same block again and again. What is written is dropped.
struct Memory {
    block: Vec<u8>,
    read: usize,
}

impl Memory {
    fn new() -> Self {
        let mut frame = vec![0x81, 0x80 | TEXT.len() as u8];
        frame.extend(MASK);
        frame.extend(
            TEXT.iter()
                .zip(MASK.iter().cycle())
                .map(|(byte, mask)| byte ^ mask),
        );
        Self {
            block: frame.repeat(FRAMES),
            read: 0,
        }
    }

    /// The next bytes, at most so many.
    fn take(&mut self, most: usize) -> &[u8] {
        if self.read == self.block.len() {
            self.read = 0;
        }
        let start = self.read;
        self.read = self.block.len().min(start + most);
        &self.block[start..self.read]
    }
}

impl io::Read for Memory {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.take(buffer.len());
        buffer[..bytes.len()].copy_from_slice(bytes);
        Ok(bytes.len())
    }
}

impl io::Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Memory {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        buffer.put_slice(self.take(buffer.remaining()));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Memory {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The output of a future that never has to wait.
fn now<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Times `decode`, which decodes the frames of one block and hands each to the function it
/// is given; it returns nothing when it failed.
fn measure(name: &str, mut decode: impl FnMut(&mut dyn FnMut(&[u8])) -> Option<()>) {
    let mut right = 0;
    let checked = decode(&mut |text| right += usize::from(text == TEXT));
    if checked.is_none() || right != FRAMES {
        println!("decode {name} failed: {right} frames of {FRAMES} were right");
        return;
    }
    let mut least = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        black_box(decode(&mut |text| {
            black_box(text);
        }));
        least = least.min(start.elapsed().as_secs_f64());
    }
    println!("decode {name} {:.1}", least * 1e9 / FRAMES as f64);
}

fn main() {
    let config = WebSocketConfig::default().read_buffer_size(8 << 10);
    let socket = tokio_tungstenite::WebSocketStream::from_raw_socket;
    if let Some(mut socket) = now(socket(Memory::new(), Role::Server, Some(config))) {
        measure("tokio-tungstenite", |see| {
            for _ in 0..FRAMES {
                see(&now(socket.next())??.ok()?.into_data());
            }
            Some(())
        });
    }

    let socket = tokio_tungstenite::tungstenite::WebSocket::from_raw_socket;
    let mut socket = socket(Memory::new(), Role::Server, Some(config));
    measure("tokio-tungstenite/codec", |see| {
        for _ in 0..FRAMES {
            see(&socket.read().ok()?.into_data());
        }
        Some(())
    });

    let role = fastwebsockets::Role::Server;
    let socket = fastwebsockets::WebSocket::after_handshake(Memory::new(), role);
    let mut socket = FragmentCollector::new(socket);
    measure("fastwebsockets", |see| {
        for _ in 0..FRAMES {
            see(&now(socket.read_frame())?.ok()?.payload);
        }
        Some(())
    });

    let mut socket = tokio_websockets::ServerBuilder::new().serve(Memory::new());
    measure("tokio-websockets", |see| {
        for _ in 0..FRAMES {
            see(now(socket.next())??.ok()?.as_payload());
        }
        Some(())
    });

    let options = yawc::Options::default()
        .with_utf8()
        .with_read_buffer_capacity(128 << 10);
    let socket = yawc::WebSocket::from_stream(Memory::new(), yawc::Role::Server, options);
    if let Ok(mut socket) = socket {
        measure("yawc", |see| {
            for _ in 0..FRAMES {
                see(now(socket.next_frame())?.ok()?.payload());
            }
            Some(())
        });
    }

    let block = Memory::new().block;
    let mut buffer = BytesMut::new();
    let mut decoder = yawc::codec::Decoder::new(yawc::Role::Server, LIMIT);
    measure("yawc/codec", |see| {
        buffer.extend_from_slice(&block);
        while buffer.has_remaining() {
            see(decoder.decode(&mut buffer).ok()??.payload());
        }
        Some(())
    });

    sockudo_ws::init_clock();
    let config = sockudo_ws::Config::builder()
        .auto_ping(false)
        .idle_timeout(0)
        .build();
    let mut socket = sockudo_ws::WebSocketStream::server(Memory::new(), config);
    measure("sockudo-ws", |see| {
        for _ in 0..FRAMES {
            see(now(socket.next())??.ok()?.as_bytes());
        }
        Some(())
    });

    let mut buffer = BytesMut::new();
    let mut messages = Vec::new();
    let mut decoder = sockudo_ws::protocol::Protocol::new(sockudo_ws::Role::Server, LIMIT, LIMIT);
    measure("sockudo-ws/codec", |see| {
        buffer.extend_from_slice(&block);
        decoder.process_into(&mut buffer, &mut messages).ok()?;
        for message in messages.drain(..) {
            see(message.as_bytes());
        }
        Some(())
    });
}
