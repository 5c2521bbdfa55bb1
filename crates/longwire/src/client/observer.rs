//! Watching a client's connection: what it asked, what it was answered, how
//! long each step took, and each byte of its frames.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderMap, Request, StatusCode, Version};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::error::Step;
use crate::transport::Io;

/// Is told what happens on the connections of a client, for tools that show or
/// measure it: see [`crate::ClientBuilder::observer`].
///
/// Each method does nothing by default, is called from the connection's own task
/// and should return soon. An attempt that follows a redirect is told anew.
pub trait Observer: Send + Sync + 'static {
    /// A step of the way to the server is done. Over HTTP/2 the first socket of a
    /// connection has two steps of [`Step::Handshake`]: the connection's settings,
    /// then its own request.
    fn step(&self, step: Step, took: Duration) {
        let _ = (step, took);
    }

    /// The TLS handshake with the server is done: its version, such as `TLSv1.3`,
    /// the cipher suite, and the protocol agreed on by ALPN (RFC 7301), `h2` for
    /// HTTP/2.
    fn tls(&self, version: &str, cipher_suite: &str, alpn: Option<&[u8]>) {
        let _ = (version, cipher_suite, alpn);
    }

    /// The request of the opening handshake is about to be sent.
    fn request(&self, request: &Request<()>) {
        let _ = request;
    }

    /// The server has answered it, whatever that answer is worth.
    fn response(&self, version: Version, status: StatusCode, headers: &HeaderMap) {
        let _ = (version, status, headers);
    }

    /// These bytes of WebSocket frames were written, in pieces of any size.
    fn sent(&self, bytes: &[u8]) {
        let _ = bytes;
    }

    /// These bytes of WebSocket frames were read, in pieces of any size.
    fn received(&self, bytes: &[u8]) {
        let _ = bytes;
    }
}

/// The observer of a client, where it has one.
#[derive(Clone, Default)]
pub(super) struct Observed(Option<Arc<dyn Observer>>);

impl Observed {
    pub(super) fn new(observer: Arc<dyn Observer>) -> Self {
        Self(Some(observer))
    }

    pub(super) fn get(&self) -> Option<&dyn Observer> {
        self.0.as_deref()
    }

    /// The transport of an open socket, whose bytes are told from now on.
    pub(super) fn watch(&self, io: Io, unhandled: &[u8]) -> Io {
        let Some(observer) = &self.0 else {
            return io;
        };
        if !unhandled.is_empty() {
            observer.received(unhandled);
        }
        let observer = Arc::clone(observer);
        Io::boxed(Watched { io, observer })
    }
}

impl fmt::Debug for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Some(..)" } else { "None" })
    }
}

/// A transport whose bytes are told.
struct Watched {
    io: Io,
    observer: Arc<dyn Observer>,
}

impl Watched {
    /// Tells the first `written` bytes of the slices.
    fn tell(&self, slices: &[IoSlice<'_>], mut written: usize) {
        for slice in slices {
            let part = &slice[..slice.len().min(written)];
            if part.is_empty() {
                continue;
            }
            self.observer.sent(part);
            written -= part.len();
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.io).poll_read(cx, buffer);
        let read = &buffer.filled()[before..];
        if !read.is_empty() {
            this.observer.received(read);
        }
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().io.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().io.poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = this.io.poll_write(cx, slices);
        if let Poll::Ready(Ok(written)) = polled {
            this.tell(slices, written);
        }
        polled
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}
