//! The byte stream under a socket: plain TCP, or anything that reads and writes.

use std::any::Any;
use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::BufMut as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::io::poll_read_buf;

/// A byte stream that can carry a WebSocket.
pub trait Transport: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Transport for T {}

/// Plain TCP has a variant of its own, so that nothing stands between the
/// socket and the system calls.
pub(crate) enum Io {
    Tcp(TcpStream),
    Boxed(Box<dyn Transport>),
}

impl Io {
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        scratch: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(scratch);
        let result = match self {
            Self::Tcp(io) => Pin::new(io).poll_read(cx, &mut buffer),
            Self::Boxed(io) => Pin::new(io).poll_read(cx, &mut buffer),
        };
        result.map_ok(|()| buffer.filled().len())
    }

    /// Appends what there is to a buffer, as far as it has room.
    pub(crate) fn poll_read_into(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        let room = buffer.capacity() - buffer.len();
        let mut buffer = buffer.limit(room);
        match self {
            Self::Tcp(io) => poll_read_buf(Pin::new(io), cx, &mut buffer),
            Self::Boxed(io) => poll_read_buf(Pin::new(io), cx, &mut buffer),
        }
    }

    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match (self, slices) {
            // A single slice is cheaper told as such.
            (Self::Tcp(io), [one]) => Pin::new(io).poll_write(cx, one),
            (Self::Tcp(io), slices) => Pin::new(io).poll_write_vectored(cx, slices),
            (Self::Boxed(io), slices) => Pin::new(io).poll_write_vectored(cx, slices),
        }
    }

    /// Whether it may hold what it was given to write, until it is flushed.
    pub(crate) fn is_layered(&self) -> bool {
        matches!(self, Self::Boxed(_))
    }

    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(_) => Poll::Ready(Ok(())),
            Self::Boxed(io) => Pin::new(io).poll_flush(cx),
        }
    }

    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(io) => Pin::new(io).poll_shutdown(cx),
            Self::Boxed(io) => Pin::new(io).poll_shutdown(cx),
        }
    }
}

impl Io {
    /// Finds out whether this is plain TCP.
    pub(crate) fn from_transport(io: impl Transport) -> Self {
        let mut io = Some(io);
        let any: &mut dyn Any = &mut io;
        match any
            .downcast_mut::<Option<TcpStream>>()
            .and_then(Option::take)
        {
            Some(tcp) => Self::Tcp(tcp),
            None => io.map_or_else(|| Self::boxed(tokio::io::empty()), Self::boxed),
        }
    }

    pub(crate) fn boxed(io: impl Transport) -> Self {
        Self::Boxed(Box::new(io))
    }
}

/// For the handshakes that come before a WebSocket.
impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(io) => Pin::new(io).poll_read(cx, buffer),
            Self::Boxed(io) => Pin::new(io).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(io) => Pin::new(io).poll_write(cx, bytes),
            Self::Boxed(io) => Pin::new(io).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Io::poll_flush(self.get_mut(), cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Io::poll_shutdown(self.get_mut(), cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Io::poll_write(self.get_mut(), cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(io) => io.is_write_vectored(),
            Self::Boxed(io) => io.is_write_vectored(),
        }
    }
}

/// Bytes read at once.
const SCRATCH: usize = 256 << 10;

thread_local! {
    /// One buffer for the reads of all connections on a thread.
    static SCRATCH_BUFFER: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// Lends the thread's scratch buffer. A stream that itself reads from a
/// socket, as one tunnelled through another, gets a buffer of its own.
pub(crate) fn with_scratch<T>(work: impl FnOnce(&mut [u8]) -> T) -> T {
    let mut buffer = SCRATCH_BUFFER
        .take()
        .unwrap_or_else(|| vec![0; SCRATCH].into_boxed_slice());
    let result = work(&mut buffer);
    SCRATCH_BUFFER.set(Some(buffer));
    result
}

/// The current instant of tokio's clock, which tests can hold.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
