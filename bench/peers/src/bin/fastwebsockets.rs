//! An echo server of `fastwebsockets`: the loop of its README and of the example that its
//! benches run, with its default options (SIMD for UTF-8, frames above 1 KiB written with
//! `writev`, and from the buffer they were read into). Each reply is a write of its own: a
//! `read_frame` that waits cannot be left to flush others, so nothing can be batched.

use fastwebsockets::upgrade::{UpgradeFut, upgrade};
use fastwebsockets::{FragmentCollector, OpCode, Role, WebSocket, WebSocketError};
use hyper_util::rt::TokioIo;
use longwire_bench_peers::{Flags, serve};
use tokio::net::TcpStream;
use tokio::task::unconstrained;

async fn echo(upgraded: UpgradeFut) -> Result<(), WebSocketError> {
    let upgraded = upgraded.await?.into_inner().into_inner();
    let Ok(parts) = upgraded.downcast::<TokioIo<TcpStream>>() else {
        return Ok(());
    };
    // Nobody may send a frame before the handshake is answered.
    if !parts.read_buf.is_empty() {
        return Ok(());
    }
    let socket = WebSocket::after_handshake(parts.io.into_inner(), Role::Server);
    let mut socket = FragmentCollector::new(socket);
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
            OpCode::Close => return Ok(()),
            _ => {}
        }
    }
}

fn main() -> std::io::Result<()> {
    let _ = Flags::read()
        .without_compression()
        .without_fanout()
        .without_plain();
    serve(|stream| {
        longwire_bench_peers::upgrade(stream, |mut request| {
            let (response, upgraded) = upgrade(&mut request)?;
            tokio::spawn(unconstrained(echo(upgraded)));
            Ok::<_, WebSocketError>(response)
        })
    })
}
