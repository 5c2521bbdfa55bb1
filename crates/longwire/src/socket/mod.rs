//! A WebSocket as a program holds it: [`Socket`], and its two halves.
//!
//! Read `shared` first: it is how handles in several tasks and the keeper work
//! on one connection. `sending` is the future of a message, `reader` and `writer` are
//! messages as streams, `queue` is sending without waiting.

mod waiters;

mod shared;

mod sending;

mod reader;

mod writer;

mod halves;

mod queue;

use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_core::Stream;
use futures_sink::Sink;
use http::{Extensions, HeaderMap, Uri, Version};
use longwire_proto::{
    Agreement, CloseCode, CloseFrame, Closed, Connection, EncodedMessage, MaskingKeys, MessageKind,
    Role, Statistics,
};
use rand::RngExt as _;
use rand::rngs::StdRng;
use tokio::io::AsyncRead;

use crate::driver::{Driver, Wanted};
use crate::error::{Error, Result};
use crate::inbox::Piece;
use crate::message::{Event, Message};
use crate::options::Options;
use crate::transport::{Io, Transport, now};

pub use halves::{Receiver, Sender};
pub use reader::MessageReader;
use sending::Sending;
pub(crate) use shared::{Delivery, Outgoing, Shared, Write};
pub use writer::MessageWriter;

/// What is known of a socket beside its messages.
#[derive(Debug, Default)]
pub(crate) struct Info {
    pub(crate) peer_addr: Option<SocketAddr>,
    pub(crate) uri: Uri,
    pub(crate) subprotocol: Option<Box<str>>,
    pub(crate) compression: Option<Agreement>,
    /// Of a client's socket.
    pub(crate) response_headers: Option<Box<HeaderMap>>,
    pub(crate) http_version: Version,
    pub(crate) extensions: Extensions,
}

/// What is known of a socket before its first message.
#[derive(Debug)]
pub struct SocketInfo<'a>(&'a Info);

impl<'a> SocketInfo<'a> {
    pub(crate) fn new(info: &'a Info) -> Self {
        Self(info)
    }

    /// The path and query of the request.
    pub fn uri(&self) -> &'a Uri {
        &self.0.uri
    }

    /// The peer's address, where the transport is TCP.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.0.peer_addr
    }

    /// The subprotocol agreed on in the handshake.
    pub fn subprotocol(&self) -> Option<&'a str> {
        self.0.subprotocol.as_deref()
    }

    /// What was agreed on compression in the handshake, if it is used.
    pub fn compression(&self) -> Option<Agreement> {
        self.0.compression
    }

    /// The version of HTTP that the handshake was made over.
    pub fn http_version(&self) -> Version {
        self.0.http_version
    }

    /// What the upgrade hook attached.
    pub fn extensions(&self) -> &'a Extensions {
        &self.0.extensions
    }
}

/// What the handles of a socket share; dropping the last lets go of it.
struct Handle {
    shared: Arc<Shared>,
    info: Info,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.release();
    }
}

/// An open WebSocket.
///
/// It is a [`Stream`] of messages and a [`Sink`] for them, and has methods for
/// the same, all of which can be cancelled without losing anything: a message
/// is received by a future that completes or stays for the next one, and is
/// sent whole or not at all.
///
/// Dropping a socket closes it in the background: with 1000, or in a server
/// with 1011 where the handler failed.
pub struct Socket {
    handle: Arc<Handle>,
    ended: bool,
}

impl Socket {
    pub(crate) fn new(shared: Arc<Shared>, info: Info) -> Self {
        Self {
            handle: Arc::new(Handle { shared, info }),
            ended: false,
        }
    }

    /// A socket over a transport on which the handshake has been done by other
    /// means.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime: the socket's keeper is a task.
    pub fn over(transport: impl Transport, role: Role, options: &Options) -> Self {
        let io = Io::from_transport(transport);
        Self::open(io, Vec::new(), role, options, Info::default())
    }

    /// A socket with a keeper task. `unhandled` is what was read behind the
    /// handshake.
    pub(crate) fn open(
        io: Io,
        unhandled: Vec<u8>,
        role: Role,
        options: &Options,
        info: Info,
    ) -> Self {
        let config = options.config.clone();
        let connection = match role {
            Role::Client => Connection::client(config, masking_keys(), now()),
            Role::Server => Connection::server(config, now()),
        };
        let connection = connection.with_compression(info.compression);
        let driver = Driver::new(io, connection, unhandled, options);
        let shared = Shared::new(driver, options.drive);
        let keeper = shared.clone();
        tokio::spawn(async move {
            std::future::poll_fn(|cx| keeper.poll_keep(cx)).await;
            keeper.finish(CloseCode::NORMAL).await;
        });
        Self::new(shared, info)
    }

    fn shared(&self) -> &Shared {
        &self.handle.shared
    }

    pub(crate) fn shared_arc(&self) -> Arc<Shared> {
        self.handle.shared.clone()
    }

    pub(crate) fn info(&self) -> SocketInfo<'_> {
        SocketInfo::new(&self.handle.info)
    }

    /// The next text or binary message, `None` once the connection has been
    /// closed by a closing handshake. [`Socket::closed`] tells code and reason.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`], once, where the connection ended in another way.
    ///
    /// # Cancel safety
    ///
    /// Safe: what has been received of a message is kept.
    pub async fn next(&mut self) -> Option<Result<Message>> {
        std::future::poll_fn(|cx| self.poll_message(cx)).await
    }

    /// The next message or control frame; otherwise as [`Socket::next`].
    pub async fn next_event(&mut self) -> Option<Result<Event>> {
        std::future::poll_fn(|cx| poll_event(self.shared_and_ended(), cx, Wanted::All)).await
    }

    /// Sends a message. Done when its bytes are handed to the kernel, or wait
    /// and fit under [`longwire_proto::Limits::output_high_water`] with what
    /// waits before them: a peer that does not read makes this wait.
    ///
    /// # Errors
    ///
    /// [`Error::Closed`] or [`Error::Closing`] where nothing can be sent any
    /// more.
    ///
    /// # Cancel safety
    ///
    /// Safe: a message is sent whole or not at all, and never twice.
    pub fn send(&mut self, message: impl Into<Message>) -> impl Future<Output = Result<()>> + Send {
        Sending::new(self.shared(), Outgoing::Message(message.into())).answer()
    }

    /// Sends a message that was encoded once for many sockets; otherwise as
    /// [`Socket::send`].
    pub async fn send_encoded(&mut self, message: &EncodedMessage) -> Result<()> {
        Sending::new(self.shared(), Outgoing::Encoded(message.clone())).await
    }

    /// The next message as a stream of bytes, whatever its size; otherwise as
    /// [`Socket::next`]. Ready once the message has begun to arrive. What the
    /// reader leaves of it when it is dropped is thrown away.
    pub async fn next_reader(&mut self) -> Option<Result<MessageReader<'_>>> {
        MessageReader::next(&self.handle.shared, &mut self.ended).await
    }

    /// Sends all that `source` gives as one message, whatever its size, as it
    /// comes; otherwise as [`Socket::send`]. A text must be UTF-8.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] where the source fails or a text is none: what was sent of
    /// the message cannot be taken back, so the connection is closed with 1011.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future within the message closes the connection with 1011.
    pub async fn send_reader(&mut self, kind: MessageKind, source: impl AsyncRead) -> Result<()> {
        self.writer(kind).copy_reader(source).await
    }

    /// As [`Socket::send_reader`], from a stream of byte strings.
    pub async fn send_stream(
        &mut self,
        kind: MessageKind,
        source: impl Stream<Item = std::io::Result<Bytes>>,
    ) -> Result<()> {
        self.writer(kind).copy_stream(source).await
    }

    /// Starts a message that is written piece by piece.
    pub fn writer(&mut self, kind: MessageKind) -> MessageWriter<'_> {
        MessageWriter::new(&self.handle.shared, kind)
    }

    /// Sends a ping with a payload of at most 125 bytes; [`Socket::next_event`]
    /// tells of the answer. Heartbeats need no such call.
    pub async fn ping(&mut self, payload: impl Into<Bytes>) -> Result<()> {
        Sending::new(self.shared(), Outgoing::Ping(payload.into())).await
    }

    /// Sends a pong that nobody asked for, as a sign of life.
    pub async fn pong(&mut self, payload: impl Into<Bytes>) -> Result<()> {
        Sending::new(self.shared(), Outgoing::Pong(payload.into())).await
    }

    /// Closes the connection: sends a Close frame behind all that was sent, and
    /// waits for the end. That takes at most the close timeout from the last time
    /// that the peer took 4 KiB of what waits before the Close frame, and as long
    /// again for a server to drop the connection. What arrives meanwhile is dropped.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] for a code or reason that no Close frame can carry: the
    /// connection stays open. However the connection ends is told by [`Closed`]
    /// and no error.
    ///
    /// # Cancel safety
    ///
    /// Safe: once started, closing goes on by itself.
    pub async fn close(
        &mut self,
        code: impl Into<CloseCode>,
        reason: impl Into<String>,
    ) -> Result<Closed> {
        let frame = CloseFrame::new(self.role(), code.into(), reason)?;
        self.shared().close(Some(&frame));
        self.ended = true;
        Ok(std::future::poll_fn(|cx| self.shared().poll_closed(cx, true)).await)
    }

    /// How the connection ended, once it has.
    pub fn closed(&self) -> Option<Closed> {
        self.shared()
            .connection(|connection| connection.closed().cloned())
    }

    /// Drops the transport at once, without a closing handshake: the end is abnormal
    /// for both sides.
    pub fn terminate(&self) {
        self.shared().cut();
    }

    /// How long the peer took to answer the last ping of the heartbeat.
    pub fn latency(&self) -> Option<Duration> {
        self.shared().connection(|connection| connection.latency())
    }

    /// What has passed on the connection so far.
    pub fn statistics(&self) -> Statistics {
        self.shared()
            .connection(|connection| connection.statistics())
    }

    /// Bytes of output that the kernel has not taken yet.
    pub fn buffered_amount(&self) -> usize {
        self.shared().connection(|connection| connection.buffered())
    }

    /// Which end of the connection this is.
    pub fn role(&self) -> Role {
        self.shared().connection(|connection| connection.role())
    }

    /// The subprotocol agreed on in the handshake.
    pub fn subprotocol(&self) -> Option<&str> {
        self.handle.info.subprotocol.as_deref()
    }

    /// What was agreed on compression in the handshake, if it is used.
    pub fn compression(&self) -> Option<Agreement> {
        self.handle.info.compression
    }

    /// The peer's address, where the transport is TCP.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.handle.info.peer_addr
    }

    /// The path and query of a server's request, or the URL of a client's.
    pub fn uri(&self) -> &Uri {
        &self.handle.info.uri
    }

    /// The headers of the server's response, in a client.
    pub fn response_headers(&self) -> &HeaderMap {
        static NONE: LazyLock<HeaderMap> = LazyLock::new(HeaderMap::new);
        let headers = self.handle.info.response_headers.as_deref();
        headers.unwrap_or(&NONE)
    }

    /// The version of HTTP that the handshake was made over: with 2, the socket
    /// may share its connection with others.
    pub fn http_version(&self) -> Version {
        self.handle.info.http_version
    }

    /// What a server's upgrade hook attached.
    pub fn extensions(&self) -> &Extensions {
        &self.handle.info.extensions
    }

    /// A sending half beside the socket, for another task: the socket goes on as it is,
    /// and lives until both are dropped.
    pub fn sender(&self) -> Sender {
        Sender::new(self.handle.clone())
    }

    /// Two halves that work in different tasks. The connection closes when both
    /// are dropped.
    pub fn split(self) -> (Sender, Receiver) {
        (
            Sender::new(self.handle.clone()),
            Receiver::new(self.handle, self.ended),
        )
    }

    fn shared_and_ended(&mut self) -> (&Shared, &mut bool) {
        (&self.handle.shared, &mut self.ended)
    }

    /// Lends the connection and the way to its transport, and tells whether more is to
    /// come at once.
    pub(crate) fn lend<T>(
        &self,
        work: impl FnOnce(&Arc<Shared>, &mut Connection, &mut Write<'_>, bool, Instant) -> T,
    ) -> T {
        let shared = &self.handle.shared;
        shared.lend(|connection, write, more, now| work(shared, connection, write, more, now))
    }

    /// Whether messages can be sent.
    pub(crate) fn is_open(&self) -> bool {
        self.shared().connection(|connection| connection.is_open())
    }

    /// Ready once a message would be taken.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.shared().poll_room(cx)
    }

    /// Ready once nothing waits to be sent.
    pub(crate) fn poll_written(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.shared().poll_flush(cx).map(drop)
    }

    pub(crate) fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Message>>> {
        poll_message(self.shared_and_ended(), cx)
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("role", &self.role())
            .field("peer_addr", &self.peer_addr())
            .field("closed", &self.closed())
            .finish_non_exhaustive()
    }
}

impl Stream for Socket {
    type Item = Result<Message>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_message(cx)
    }
}

impl<M: Into<Message>> Sink<M> for Socket {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.shared().poll_room(cx).map(Ok)
    }

    fn start_send(self: Pin<&mut Self>, message: M) -> Result<()> {
        self.shared().start_send(&Outgoing::Message(message.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.shared().poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        poll_close(self.shared(), cx)
    }
}

//= rfc6455#5.3-3, rfc6455#5.3-4, rfc6455#10.3-2
/// Keys from a cryptographically secure generator of the socket's own, seeded
/// by the system (RFC 6455 section 10.3).
fn masking_keys() -> MaskingKeys {
    let mut generator: StdRng = rand::make_rng();
    Box::new(move || generator.random())
}

fn poll_event(
    (shared, ended): (&Shared, &mut bool),
    cx: &mut Context<'_>,
    wanted: Wanted,
) -> Poll<Option<Result<Event>>> {
    if *ended {
        return Poll::Ready(None);
    }
    shared
        .poll_event(cx, wanted)
        .map(|event| told(event, shared, ended))
}

/// The next piece of a message that is read as a stream.
fn poll_piece(
    (shared, ended): (&Shared, &mut bool),
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Piece>>> {
    if *ended {
        return Poll::Ready(None);
    }
    shared
        .poll_piece(cx)
        .map(|piece| told(piece, shared, ended))
}

/// What arrived; at the end, how that came.
fn told<T>(arrived: Option<T>, shared: &Shared, ended: &mut bool) -> Option<Result<T>> {
    if let Some(arrived) = arrived {
        return Some(Ok(arrived));
    }
    *ended = true;
    let closed = shared.connection(|connection| connection.closed().cloned())?;
    (!closed.clean).then(|| Err(Error::closed(closed)))
}

fn poll_message(
    (shared, ended): (&Shared, &mut bool),
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Message>>> {
    if !*ended && let Some(message) = shared.next_gathered() {
        return Poll::Ready(Some(Ok(message)));
    }
    loop {
        let event = std::task::ready!(poll_event((shared, ended), cx, Wanted::Messages));
        return Poll::Ready(match event {
            Some(Ok(Event::Message(message))) => Some(Ok(message)),
            Some(Ok(_)) => continue,
            Some(Err(error)) => Some(Err(error)),
            None => None,
        });
    }
}

/// Closes with 1000 where nobody has begun to close, and waits for the end. What
/// arrives before it can still be read, as far as it is read ahead.
fn poll_close(shared: &Shared, cx: &mut Context<'_>) -> Poll<Result<()>> {
    if shared.connection(|connection| connection.is_open()) {
        let role = shared.connection(|connection| connection.role());
        shared.close(CloseFrame::new(role, CloseCode::NORMAL, "").ok().as_ref());
    }
    shared.poll_closed(cx, false).map(|closed| {
        if closed.clean {
            Ok(())
        } else {
            Err(Error::closed(closed))
        }
    })
}
