//! The two halves of a socket, for programs that send in one task and receive
//! in another.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use futures_sink::Sink;
use longwire_proto::{CloseCode, CloseFrame, Closed, EncodedMessage, MessageKind, Statistics};
use tokio::io::AsyncRead;

use super::reader::MessageReader;
use super::sending::Sending;
use super::writer::MessageWriter;
use super::{Handle, Outgoing, Shared, Socket, poll_close, poll_event, poll_message};
use crate::driver::Wanted;
use crate::error::{Error, Result};
use crate::message::{Event, Message};
use crate::waiting::wait;

/// The sending half of a [`Socket`]. Clones send on the same connection; each
/// message goes out whole.
///
/// As a [`Sink`] it reserves nothing by being ready: of two clones that are, one
/// may find the room taken by the other and fail with
/// [`longwire_proto::SendError::OutputFull`]. [`Sender::send`] waits instead.
#[derive(Clone)]
pub struct Sender {
    handle: Arc<Handle>,
}

impl Sender {
    pub(super) fn new(handle: Arc<Handle>) -> Self {
        Self { handle }
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.handle.shared
    }

    pub(crate) fn shared_arc(&self) -> Arc<Shared> {
        self.handle.shared.clone()
    }

    /// As [`Socket::send`].
    pub fn send(&self, message: impl Into<Message>) -> impl Future<Output = Result<()>> + Send {
        Sending::new(&self.handle.shared, Outgoing::Message(message.into()))
    }

    /// As [`Socket::send_encoded`].
    pub async fn send_encoded(&self, message: &EncodedMessage) -> Result<()> {
        Sending::new(&self.handle.shared, Outgoing::Encoded(message.clone())).await
    }

    /// As [`Socket::send_reader`]. Other messages wait for the end of this one.
    pub async fn send_reader(&self, kind: MessageKind, source: impl AsyncRead) -> Result<()> {
        self.writer(kind).copy_reader(source).await
    }

    /// As [`Socket::send_stream`]. Other messages wait for the end of this one.
    pub async fn send_stream(
        &self,
        kind: MessageKind,
        source: impl Stream<Item = std::io::Result<Bytes>>,
    ) -> Result<()> {
        self.writer(kind).copy_stream(source).await
    }

    /// As [`Socket::writer`]. Other messages wait for the end of this one, from
    /// its first bytes that were sent.
    pub fn writer(&self, kind: MessageKind) -> MessageWriter<'_> {
        MessageWriter::new(&self.handle.shared, kind)
    }

    /// As [`Socket::ping`].
    pub async fn ping(&self, payload: impl Into<Bytes>) -> Result<()> {
        Sending::new(&self.handle.shared, Outgoing::Ping(payload.into())).await
    }

    /// As [`Socket::pong`].
    pub async fn pong(&self, payload: impl Into<Bytes>) -> Result<()> {
        Sending::new(&self.handle.shared, Outgoing::Pong(payload.into())).await
    }

    /// Sends a message; gives it back where it was not handed to the connection.
    pub(crate) async fn hand_over(&self, message: Message) -> Result<(), (Error, Option<Message>)> {
        let mut sending = Sending::new(&self.handle.shared, Outgoing::Message(message));
        let sent = (&mut sending).await;
        sent.map_err(|error| match sending.take() {
            Some(Outgoing::Message(message)) => (error, Some(message)),
            _ => (error, None),
        })
    }

    /// Starts closing the connection, behind all that was sent, and returns:
    /// the receiving half sees the end. [`Sender::ended`] waits for it.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] for a code or reason that no Close frame can carry.
    pub fn close(&self, code: impl Into<CloseCode>, reason: impl Into<String>) -> Result<()> {
        let shared = &self.handle.shared;
        let role = shared.connection(|connection| connection.role());
        shared.close(Some(&CloseFrame::new(role, code.into(), reason)?));
        Ok(())
    }

    /// As [`Sender::close`], with the Close frame given, or one without a code and
    /// a reason (RFC 6455 section 5.5.1).
    pub fn close_with(&self, frame: Option<&CloseFrame>) {
        self.handle.shared.close(frame);
    }

    /// Waits for the end of the connection, whoever ends it.
    pub async fn ended(&self) -> Closed {
        let shared = &self.handle.shared;
        wait(|| shared.wake_all(), |cx| shared.poll_closed(cx, false)).await
    }

    /// As [`Socket::closed`].
    pub fn closed(&self) -> Option<Closed> {
        self.handle
            .shared
            .connection(|connection| connection.closed().cloned())
    }

    /// As [`Socket::statistics`].
    pub fn statistics(&self) -> Statistics {
        self.handle
            .shared
            .connection(|connection| connection.statistics())
    }

    /// As [`Socket::latency`].
    pub fn latency(&self) -> Option<Duration> {
        self.handle
            .shared
            .connection(|connection| connection.latency())
    }

    /// As [`Socket::buffered_amount`].
    pub fn buffered_amount(&self) -> usize {
        self.handle
            .shared
            .connection(|connection| connection.buffered())
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl<M: Into<Message>> Sink<M> for Sender {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.handle.shared.poll_room(cx).map(Ok)
    }

    fn start_send(self: Pin<&mut Self>, message: M) -> Result<()> {
        self.handle
            .shared
            .start_send(&Outgoing::Message(message.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.handle.shared.poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        poll_close(&self.handle.shared, cx)
    }
}

/// The receiving half of a [`Socket`]. Where it is dropped and the sending half
/// lives on, what arrives is thrown away: pings are answered, and the end of the
/// connection is noticed.
pub struct Receiver {
    handle: Arc<Handle>,
    ended: bool,
    reunited: bool,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if !self.reunited {
            self.handle.shared.discard();
        }
    }
}

impl Receiver {
    pub(super) fn new(handle: Arc<Handle>, ended: bool) -> Self {
        Self {
            handle,
            ended,
            reunited: false,
        }
    }

    /// As [`Socket::next`].
    pub async fn next(&mut self) -> Option<Result<Message>> {
        std::future::poll_fn(|cx| poll_message((&self.handle.shared, &mut self.ended), cx)).await
    }

    /// As [`Socket::next_event`].
    pub async fn next_event(&mut self) -> Option<Result<Event>> {
        std::future::poll_fn(|cx| {
            poll_event((&self.handle.shared, &mut self.ended), cx, Wanted::All)
        })
        .await
    }

    /// As [`Socket::next_reader`].
    pub async fn next_reader(&mut self) -> Option<Result<MessageReader<'_>>> {
        MessageReader::next(&self.handle.shared, &mut self.ended).await
    }

    /// As [`Socket::closed`].
    pub fn closed(&self) -> Option<Closed> {
        self.handle
            .shared
            .connection(|connection| connection.closed().cloned())
    }

    /// Joins the halves again; `Err` gives them back where they are of
    /// different sockets or the sender has clones.
    pub fn reunite(mut self, sender: Sender) -> Result<Socket, (Sender, Self)> {
        // Two handles: this one's and the sender's.
        if Arc::ptr_eq(&self.handle, &sender.handle) && Arc::strong_count(&self.handle) == 2 {
            self.reunited = true;
            Ok(Socket {
                handle: self.handle.clone(),
                ended: self.ended,
            })
        } else {
            Err((sender, self))
        }
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}

impl Stream for Receiver {
    type Item = Result<Message>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        poll_message((&this.handle.shared, &mut this.ended), cx)
    }
}
