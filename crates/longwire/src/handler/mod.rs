//! Handlers without futures: a server's sockets, each message handled where it was read.
//!
//! A [`Handler`] is called in place, with the message still in the buffer it was read
//! into, and what it sends is gathered and leaves in one write. That is as near to the
//! system calls as a socket gets; a handler that has to wait for something else, as a
//! database, is better off with [`crate::Socket`].
//!
//! Read `wire` (what is on its way out), then `guarded` and `machine` (a connection and its
//! handler).

mod wire;

mod guarded;

mod machine;

use std::sync::Arc;
use std::time::Instant;

use longwire_proto::{
    CloseCode, CloseFrame, CloseFrameError, Closed, Connection, EncodedMessage, MessageKind,
    Payload, Role, SendError,
};

use crate::message::Message;
pub use crate::socket::SocketInfo;
use crate::socket::{Shared, Write};
use crate::topic::{Place, Reach, Reachable, Subscribe, Target};
pub(crate) use guarded::Guarded;
pub(crate) use machine::{Flow, Machine};
pub(crate) use wire::{Gathered, Home, Wire};

/// What is done with a socket's messages.
///
/// Its methods are called one at a time; over plain TCP all on one thread, over TLS and
/// HTTP/2 from a task of the runtime, which may move between its threads. None may block:
/// other sockets wait. Where one panics, the connection is closed with 1011 and the
/// handler dropped.
///
/// ```
/// use longwire::handler::{Context, Handler, MessageRef};
/// use longwire::server::Route;
///
/// /// Returns each message, and counts them.
/// #[derive(Default)]
/// struct Echo(u64);
///
/// impl Handler for Echo {
///     fn message(&mut self, context: &mut Context<'_>, message: MessageRef<'_>) {
///         self.0 += 1;
///         // Where the peer does not read, messages wait until it does.
///         let _ = context.send(message);
///     }
/// }
///
/// let server = longwire::Server::new().route("/echo", Route::handled(|_| Echo::default()));
/// ```
pub trait Handler: Send + 'static {
    /// The connection is open.
    fn open(&mut self, context: &mut Context<'_>) {
        let _ = context;
    }

    /// A message has arrived. While more waits to be sent than
    /// [`longwire_proto::Limits::output_high_water`], none is read.
    fn message(&mut self, context: &mut Context<'_>, message: MessageRef<'_>);

    /// All that waited to be sent because the peer was slow has been handed to the kernel:
    /// follows where [`Context::is_blocked`] or [`SendError::OutputFull`] said so, unless
    /// the connection ends first.
    fn drain(&mut self, context: &mut Context<'_>) {
        let _ = context;
    }

    /// The connection has ended: nothing follows.
    fn close(&mut self, closed: &Closed) {
        let _ = closed;
    }
}

impl<F: FnMut(&mut Context<'_>, MessageRef<'_>) + Send + 'static> Handler for F {
    fn message(&mut self, context: &mut Context<'_>, message: MessageRef<'_>) {
        self(context, message);
    }
}

/// A message that is lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageRef<'a> {
    /// UTF-8 text.
    Text(&'a str),
    /// Bytes.
    Binary(&'a [u8]),
}

impl<'a> MessageRef<'a> {
    /// The bytes of a binary message, or the UTF-8 bytes of a text.
    pub fn as_bytes(self) -> &'a [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// The text, if this is one.
    pub fn as_text(self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// A copy to keep.
    pub fn to_message(self) -> Message {
        match self {
            Self::Text(text) => text.into(),
            Self::Binary(bytes) => bytes.into(),
        }
    }

    fn kind(self) -> MessageKind {
        match self {
            Self::Text(_) => MessageKind::Text,
            Self::Binary(_) => MessageKind::Binary,
        }
    }
}

impl<'a> From<&'a str> for MessageRef<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a [u8]> for MessageRef<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Binary(bytes)
    }
}

impl<'a> From<&'a Message> for MessageRef<'a> {
    fn from(message: &'a Message) -> Self {
        match message {
            Message::Text(text) => Self::Text(text),
            Message::Binary(bytes) => Self::Binary(bytes),
        }
    }
}

/// The socket that a handler is called for.
pub struct Context<'a> {
    connection: &'a mut Connection,
    wire: Wire<'a>,
    now: Instant,
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}

impl Context<'_> {
    /// A handler's turn on a transport to which `write` leads, if it has not said that it
    /// takes nothing now: whether it says so then is given. What the handler sends waits
    /// in the connection where more is to come at once.
    pub(crate) fn turn(
        shared: &Arc<Shared>,
        connection: &mut Connection,
        write: &mut Write<'_>,
        blocked: bool,
        more: bool,
        now: Instant,
        work: impl FnOnce(&mut Context<'_>),
    ) -> bool {
        Gathered::with(|gathered| {
            let mut wire = Wire::new(gathered, write, Home::Socket(shared));
            wire.set_blocked(blocked);
            work(&mut Context {
                connection,
                wire: wire.lend(),
                now,
            });
            if more {
                wire.hold(connection, now);
            } else {
                wire.flush(connection, now);
            }
            wire.is_blocked()
        })
    }

    /// Sends a message, behind all that was sent before.
    ///
    /// # Errors
    ///
    /// [`SendError::OutputFull`] where more waits than
    /// [`longwire_proto::Limits::output_high_water`], [`SendError::Closed`] where nothing
    /// can be sent any more.
    pub fn send<'m>(&mut self, message: impl Into<MessageRef<'m>>) -> Result<(), SendError> {
        let message = message.into();
        let payload = Payload::Lent(message.as_bytes());
        self.wire
            .send(self.connection, message.kind(), payload, self.now)
    }

    /// Sends a message that was encoded once for many sockets; otherwise as
    /// [`Context::send`].
    ///
    /// # Errors
    ///
    /// As [`Context::send`].
    pub fn send_encoded(&mut self, message: &EncodedMessage) -> Result<(), SendError> {
        self.wire.make_room(self.connection, self.now);
        self.connection.send_encoded(message)
    }

    /// Sends a ping with a payload of at most 125 bytes.
    ///
    /// # Errors
    ///
    /// As [`Context::send`], and where too many pings wait or the payload is too long.
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.connection.ping(payload)
    }

    /// Starts the closing handshake, behind all that was sent.
    ///
    /// # Errors
    ///
    /// [`CloseFrameError`] for a code or reason that no Close frame can carry: the
    /// connection stays open.
    pub fn close(
        &mut self,
        code: impl Into<CloseCode>,
        reason: impl Into<String>,
    ) -> Result<(), CloseFrameError> {
        let frame = CloseFrame::new(Role::Server, code.into(), reason)?;
        self.connection.close(Some(&frame), self.now);
        Ok(())
    }

    /// Whether messages can be sent.
    pub fn is_open(&self) -> bool {
        self.connection.is_open()
    }

    /// Bytes that the kernel has not been given yet, those sent in this turn included.
    pub fn buffered_amount(&self) -> usize {
        self.wire.gathered() + self.connection.buffered()
    }

    /// Whether the peer is slow: something waits because the kernel takes no more.
    /// [`Handler::drain`] tells when it has taken all.
    pub fn is_blocked(&self) -> bool {
        self.wire.is_blocked()
    }
}

impl Subscribe for Context<'_> {}

impl Reachable for Context<'_> {
    fn reach(&self) -> Reach {
        match self.wire.home() {
            Home::Socket(shared) => Reach::socket(shared.clone()),
            Home::Reactor {
                reactor,
                key,
                number,
            } => Reach::new(
                Place::Reactor(reactor.clone()),
                Target::Connection { key, number },
            ),
        }
    }
}

impl From<MessageRef<'_>> for EncodedMessage {
    fn from(message: MessageRef<'_>) -> Self {
        match message {
            MessageRef::Text(text) => Self::text(text),
            MessageRef::Binary(bytes) => Self::binary(bytes),
        }
    }
}

#[cfg(test)]
mod tests;
