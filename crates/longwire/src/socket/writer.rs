//! A message that is sent as a stream.

use std::fmt;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use futures_util::StreamExt as _;
use longwire_proto::utf8::{Utf8Error, Utf8Validator};
use longwire_proto::{CloseCode, CloseFrame, MessageKind};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};

use super::{Outgoing, Shared};
use crate::error::{Error, Result};

/// Bytes gathered into one fragment.
const FRAGMENT: usize = 64 << 10;

/// A message as it is written: an [`AsyncWrite`] of its bytes, sent in fragments
/// of 64 KiB, and [`MessageWriter::finish`] (or `shutdown`) to end it. A peer
/// that does not read holds it back.
///
/// A message that is begun and not finished cannot be taken back: dropping it
/// within closes the connection with 1011.
pub struct MessageWriter<'s> {
    shared: &'s Shared,
    kind: MessageKind,
    /// For a text; gone where it turned out to be none.
    judge: Judge,
    gathered: BytesMut,
    /// A fragment that waits for room.
    waiting: Option<Outgoing>,
    /// Whether some of the message is sent.
    begun: bool,
    /// Whether all of it is.
    finished: bool,
}

/// What sees that a text is one.
#[derive(Debug)]
enum Judge {
    /// Bytes are bytes.
    Anything,
    Text(Utf8Validator),
    /// It was not.
    Refused(Utf8Error),
}

impl Judge {
    fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        let result = match self {
            Self::Anything => return Ok(()),
            Self::Text(utf8) => utf8.push(bytes),
            Self::Refused(error) => Err(*error),
        };
        self.keep(result)
    }

    fn finish(&mut self) -> io::Result<()> {
        let result = match self {
            Self::Anything => return Ok(()),
            Self::Text(utf8) => utf8.finish(),
            Self::Refused(error) => Err(*error),
        };
        self.keep(result)
    }

    fn keep(&mut self, result: Result<(), Utf8Error>) -> io::Result<()> {
        result.map_err(|error| {
            *self = Self::Refused(error);
            io::Error::new(io::ErrorKind::InvalidData, error)
        })
    }
}

impl<'s> MessageWriter<'s> {
    pub(super) fn new(shared: &'s Shared, kind: MessageKind) -> Self {
        Self {
            shared,
            kind,
            judge: match kind {
                MessageKind::Text => Judge::Text(Utf8Validator::new()),
                MessageKind::Binary => Judge::Anything,
            },
            gathered: BytesMut::new(),
            waiting: None,
            begun: false,
            finished: false,
        }
    }

    /// Sends `bytes` as the next part of the message.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] of [`io::ErrorKind::InvalidData`] where a text is no UTF-8,
    /// otherwise as [`crate::Socket::send`].
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.judge.push(bytes)?;
        let mut rest = bytes;
        std::future::poll_fn(|cx| {
            while !rest.is_empty() {
                let taken = ready!(self.poll_gather(cx, rest))?;
                rest = &rest[taken..];
            }
            Poll::Ready(Ok(()))
        })
        .await
    }

    /// Ends the message. It is on its way where this is done.
    pub async fn finish(mut self) -> Result<()> {
        std::future::poll_fn(|cx| self.poll_finish(cx)).await
    }

    pub(super) async fn copy_reader(mut self, source: impl AsyncRead) -> Result<()> {
        let mut source = pin!(source);
        let mut part = BytesMut::with_capacity(FRAGMENT);
        while source.read_buf(&mut part).await? > 0 {
            self.write(&part).await?;
            part.clear();
        }
        self.finish().await
    }

    pub(super) async fn copy_stream(
        mut self,
        source: impl Stream<Item = io::Result<Bytes>>,
    ) -> Result<()> {
        let mut source = pin!(source);
        while let Some(part) = source.next().await {
            self.write(&part?).await?;
        }
        self.finish().await
    }

    /// Takes as much of `bytes` as fits the next fragment.
    fn poll_gather(&mut self, cx: &Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        if self.gathered.len() == FRAGMENT || self.waiting.is_some() {
            ready!(self.poll_send(cx, false))?;
        }
        let taken = bytes.len().min(FRAGMENT - self.gathered.len());
        self.gathered.extend_from_slice(&bytes[..taken]);
        Poll::Ready(Ok(taken))
    }

    /// Sends what waits, and then what is gathered.
    fn poll_send(&mut self, cx: &Context<'_>, fin: bool) -> Poll<Result<()>> {
        loop {
            if self.waiting.is_none() {
                if self.finished || !fin && self.gathered.is_empty() {
                    return Poll::Ready(Ok(()));
                }
                self.waiting = Some(Outgoing::Fragment {
                    kind: self.kind,
                    payload: self.gathered.split().freeze(),
                    first: !self.begun,
                    fin,
                });
            }
            let last = matches!(self.waiting, Some(Outgoing::Fragment { fin: true, .. }));
            let sent = self.shared.poll_send(cx, &mut self.waiting);
            if self.waiting.is_none() {
                self.begun = true;
                self.finished |= last;
            }
            ready!(sent)?;
        }
    }

    fn poll_finish(&mut self, cx: &Context<'_>) -> Poll<Result<()>> {
        self.judge.finish()?;
        self.poll_send(cx, true)
    }
}

fn io_error(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        error => io::Error::new(io::ErrorKind::BrokenPipe, error),
    }
}

impl Drop for MessageWriter<'_> {
    fn drop(&mut self) {
        if self.begun && !self.finished {
            let code = CloseCode::INTERNAL_ERROR;
            let reason = "a message was not finished";
            let role = self.shared.connection(|connection| connection.role());
            self.shared
                .close(CloseFrame::new(role, code, reason).ok().as_ref());
        }
    }
}

impl AsyncWrite for MessageWriter<'_> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let taken = ready!(self.poll_gather(cx, bytes)).map_err(io_error)?;
        self.judge.push(&bytes[..taken])?;
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_send(cx, false).map_err(io_error)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_finish(cx).map_err(io_error)
    }
}

impl fmt::Debug for MessageWriter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageWriter")
            .field("kind", &self.kind)
            .field("finished", &self.finished)
            .finish_non_exhaustive()
    }
}
