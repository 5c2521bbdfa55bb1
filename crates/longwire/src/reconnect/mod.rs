//! A socket that comes back.
//!
//! Read `backoff` and `budget` (when to try), `outbox` (what waits to be sent)
//! and `inbox` (what waits to be read), `builder` (settings), `task` (what keeps
//! the connection), then this file.

mod backoff;

mod budget;

mod outbox;

mod inbox;

mod builder;

mod task;

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use futures_sink::Sink;
use longwire_proto::{CloseCode, CloseFrame, Role};
use tokio::sync::watch;

use crate::error::{Error, Result};
use crate::message::Message;
use crate::socket::Sender;
use crate::waiting::wait;
pub use backoff::Backoff;
pub use budget::RetryBudget;
pub use builder::{Attempt, Lost, ReconnectingBuilder};
use inbox::Inbox;
use outbox::Outbox;
pub use outbox::WhileAway;

/// How a [`ReconnectingSocket`] is doing, for a person to see.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionState {
    /// Connecting, for the n-th time in a row.
    Connecting(u32),
    /// Connected.
    Open,
    /// Waiting so long before the next try.
    Waiting(Duration),
    /// Closed, or given up: nothing follows.
    Closed,
}

/// A WebSocket client that reconnects by itself.
///
/// A message that waits when a connection breaks is sent over the next one, in
/// order. One that was handed to a connection is not sent again: where that broke
/// before the server got it, it is lost. Servers that must get each message once
/// number them. What has arrived and is not read when a connection ends is kept
/// for the program, up to 1 MiB.
///
/// ```no_run
/// # async fn example() -> longwire::Result<()> {
/// let mut socket = longwire::ReconnectingSocket::connect("wss://example.com/feed");
/// socket.send("subscribe").await?;
/// while let Some(message) = socket.next().await {
///     println!("{}", message?);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ReconnectingSocket {
    sender: ReconnectingSender,
    inbox: Inbox,
}

/// Sends on a [`ReconnectingSocket`]. Cheap to clone; the socket ends when it and
/// all of these are dropped, or is closed.
#[derive(Clone)]
pub struct ReconnectingSender {
    handle: Arc<Handle>,
}

/// What the handles share; dropping the last ends the task.
struct Handle {
    outbox: Arc<Outbox>,
    state: watch::Receiver<ConnectionState>,
    command: watch::Sender<Command>,
    current: Current,
}

/// The connection there is now, for what is not worth sending over the next.
#[derive(Clone, Default)]
struct Current(Arc<Mutex<Option<Sender>>>);

impl Current {
    fn set(&self, sender: Option<Sender>) {
        let before = {
            let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *current, sender)
        };
        // Dropped without the lock: it may be the last of its connection.
        drop(before);
    }

    fn get(&self) -> Option<Sender> {
        let current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        current.clone()
    }
}

/// What the task is told.
#[derive(Clone, Debug, Default)]
enum Command {
    #[default]
    Run,
    /// Send what waits, then close.
    Close(CloseFrame),
}

impl ReconnectingSocket {
    /// Starts connecting with the defaults; [`ReconnectingSocket::builder`] has
    /// settings.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime: the connection is kept by a task.
    pub fn connect(url: impl Into<String>) -> Self {
        Self::builder(url).start()
    }

    /// Settings, and [`ReconnectingBuilder::start`].
    pub fn builder(url: impl Into<String>) -> ReconnectingBuilder {
        ReconnectingBuilder::new(url.into())
    }

    /// The next message; `None` once the socket was closed, also by the server
    /// where that is not worth another try.
    ///
    /// # Errors
    ///
    /// Once, where it has given up: why the last try failed, or the connection
    /// ended.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn next(&mut self) -> Option<Result<Message>> {
        self.inbox.next().await
    }

    /// As [`ReconnectingSender::send`].
    pub async fn send(&self, message: impl Into<Message>) -> Result<()> {
        self.sender.send(message).await
    }

    /// A handle that sends, for other tasks.
    pub fn sender(&self) -> ReconnectingSender {
        self.sender.clone()
    }

    /// How the connection is doing.
    pub fn state(&self) -> ConnectionState {
        self.sender.state()
    }

    /// Follows how the connection is doing. Some states are short, and may be
    /// passed over.
    pub fn watch(&self) -> watch::Receiver<ConnectionState> {
        self.sender.handle.state.clone()
    }

    /// Sends what waits where there is a connection, closes it, and waits for
    /// the end, at most the [`ReconnectingBuilder::close_timeout`]. Without one,
    /// it is the end.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] for a code or reason that no Close frame can carry.
    pub async fn close(
        &mut self,
        code: impl Into<CloseCode>,
        reason: impl Into<String>,
    ) -> Result<()> {
        self.sender.close(code, reason)?;
        // What still comes is not wanted any more.
        while self.inbox.next().await.is_some() {}
        Ok(())
    }
}

impl ReconnectingBuilder {
    /// Starts connecting.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime: the connection is kept by a task.
    pub fn start(self) -> ReconnectingSocket {
        let outbox = Arc::new(Outbox::new(self.bounds));
        let (state, state_seen) = watch::channel(ConnectionState::Connecting(1));
        let (command, commanded) = watch::channel(Command::Run);
        let (inbox, received) = inbox::inbox();
        let current = Current::default();
        let task = task::Task::new(
            self,
            outbox.clone(),
            current.clone(),
            state,
            commanded,
            inbox,
        );
        tokio::spawn(task.run());
        let handle = Handle {
            outbox,
            state: state_seen,
            command,
            current,
        };
        ReconnectingSocket {
            sender: ReconnectingSender {
                handle: Arc::new(handle),
            },
            inbox: received,
        }
    }
}

impl ReconnectingSender {
    /// Sends a message. Done when it is in the outbox, which waits for room
    /// there; what that does while there is no connection is said by
    /// [`WhileAway`].
    ///
    /// # Errors
    ///
    /// [`Error::Closing`] where the socket is closed or has given up,
    /// [`Error::Away`] with [`WhileAway::Fail`].
    ///
    /// # Cancel safety
    ///
    /// Safe: a message is taken whole or not at all.
    pub async fn send(&self, message: impl Into<Message>) -> Result<()> {
        let mut message = Some(message.into());
        let outbox = &self.handle.outbox;
        wait(
            || outbox.wake_senders(),
            |cx| outbox.poll_push(cx, &mut message),
        )
        .await
    }

    /// Sends a ping with a payload of at most 125 bytes on the connection there
    /// is. It waits for no other: what it would tell is over by then.
    ///
    /// # Errors
    ///
    /// [`Error::Away`] where there is no connection now, otherwise as
    /// [`crate::Socket::ping`].
    pub async fn ping(&self, payload: impl Into<Bytes>) -> Result<()> {
        let sender = self.handle.current.get().ok_or(Error::Away)?;
        sender.ping(payload).await
    }

    /// How the connection is doing.
    pub fn state(&self) -> ConnectionState {
        self.handle.state.borrow().clone()
    }

    /// Starts closing, behind what waits to be sent, and returns.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] for a code or reason that no Close frame can carry.
    pub fn close(&self, code: impl Into<CloseCode>, reason: impl Into<String>) -> Result<()> {
        let frame = CloseFrame::new(Role::Client, code.into(), reason)?;
        self.handle.command.send_replace(Command::Close(frame));
        self.handle.outbox.wake_task();
        Ok(())
    }
}

impl fmt::Debug for ReconnectingSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReconnectingSender")
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

impl Stream for ReconnectingSocket {
    type Item = Result<Message>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.inbox.poll_next(cx)
    }
}

impl<M: Into<Message>> Sink<M> for ReconnectingSender {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.handle.outbox.poll_room(cx).map(Ok)
    }

    fn start_send(self: Pin<&mut Self>, message: M) -> Result<()> {
        let cx = Context::from_waker(std::task::Waker::noop());
        let mut message = Some(message.into());
        match self.handle.outbox.poll_push(&cx, &mut message) {
            Poll::Ready(result) => result,
            // Another sender was faster since there was room.
            Poll::Pending => Err(Error::Away),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.handle.outbox.poll_empty(cx).map(Ok)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let outbox = &self.handle.outbox;
        std::task::ready!(outbox.poll_empty(cx));
        let ended = outbox.poll_ended(cx);
        if ended.is_pending() && matches!(*self.handle.command.borrow(), Command::Run) {
            self.close(CloseCode::NORMAL, "")?;
        }
        ended.map(Ok)
    }
}
