//! A message that is received as a stream.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use futures_core::Stream;
use longwire_proto::MessageKind;
use tokio::io::{AsyncRead, ReadBuf};

use super::{Shared, poll_piece};
use crate::error::{Error, Result};

/// A message as it arrives: an [`AsyncRead`] of its bytes, and a [`Stream`] of
/// them in pieces. Its size has no limit, as nothing of it is held; while it is
/// not read, the peer is held back.
///
/// What it has not read when it is dropped is thrown away as it comes.
///
/// # Errors
///
/// Where the connection ends within the message, [`io::ErrorKind::UnexpectedEof`]
/// with an [`Error`] inside.
pub struct MessageReader<'s> {
    shared: &'s Shared,
    ended: &'s mut bool,
    kind: MessageKind,
    /// What has arrived and is not read.
    data: Bytes,
    /// Whether `data` is the end of the message.
    last: bool,
}

impl<'s> MessageReader<'s> {
    pub(super) async fn next(shared: &'s Shared, ended: &'s mut bool) -> Option<Result<Self>> {
        let first = std::future::poll_fn(|cx| poll_piece((shared, ended), cx)).await?;
        Some(first.map(|first| Self {
            shared,
            ended,
            kind: first.kind,
            data: first.data,
            last: first.last,
        }))
    }

    /// Whether the message is a text or binary. A text is seen to be UTF-8 as it
    /// arrives, but pieces of it may end inside a code point.
    pub fn kind(&self) -> MessageKind {
        self.kind
    }

    /// The next piece, `None` at the end of the message.
    ///
    /// # Cancel safety
    ///
    /// Safe: a piece is given or stays.
    pub async fn next_piece(&mut self) -> Option<io::Result<Bytes>> {
        std::future::poll_fn(|cx| self.poll_piece(cx)).await
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        match ready!(self.poll_data(cx)) {
            Ok(()) if self.data.is_empty() => Poll::Ready(None),
            Ok(()) => Poll::Ready(Some(Ok(std::mem::take(&mut self.data)))),
            Err(error) => Poll::Ready(Some(Err(error))),
        }
    }

    /// Ready with data, or at the end of the message.
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.data.is_empty() && !self.last {
            match ready!(poll_piece((self.shared, self.ended), cx)) {
                Some(Ok(piece)) => {
                    self.data = piece.data;
                    self.last = piece.last;
                }
                Some(Err(error)) => return Poll::Ready(Err(self.broken_off(error))),
                None => return Poll::Ready(Err(self.broken_off(Error::Closing))),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn broken_off(&mut self, error: Error) -> io::Error {
        self.last = true;
        io::Error::new(io::ErrorKind::UnexpectedEof, error)
    }
}

impl Drop for MessageReader<'_> {
    fn drop(&mut self) {
        if !self.last {
            self.shared.skip_stream();
        }
    }
}

impl AsyncRead for MessageReader<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_data(cx))?;
        let count = self.data.len().min(buffer.remaining());
        buffer.put_slice(&self.data[..count]);
        self.data.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl Stream for MessageReader<'_> {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_piece(cx)
    }
}

impl fmt::Debug for MessageReader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageReader")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}
