//! An HTTP/2 stream as the transport of a socket.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::Handle;
use tokio::time::timeout;

/// How long a client has to end its side of a stream after we have.
const END_WITHIN: Duration = Duration::from_secs(2);

/// The stream under a socket. One that is dropped before the client has ended
/// its side is reset, which may take our last words with it: the client gets
/// time for that, as TCP would give it.
pub(super) struct Stream(Option<TokioIo<Upgraded>>);

impl Drop for Stream {
    fn drop(&mut self) {
        if let (Some(mut io), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(async move {
                let mut sink = tokio::io::sink();
                let reading = tokio::io::copy(&mut io, &mut sink);
                let _ = timeout(END_WITHIN, reading).await;
            });
        }
    }
}

impl Stream {
    pub(super) fn new(upgraded: Upgraded) -> Self {
        Self(Some(TokioIo::new(upgraded)))
    }

    fn io(self: Pin<&mut Self>) -> io::Result<Pin<&mut TokioIo<Upgraded>>> {
        let io = self.get_mut().0.as_mut().map(Pin::new);
        io.ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.io()?.poll_read(cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.io()?.poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io()?.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io()?.poll_shutdown(cx)
    }
}
