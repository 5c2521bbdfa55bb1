//! One message for many sockets: [`Topic`].
//!
//! Read `subscriber`, `crowd` (the subscribers of one thread), `task` (what delivers to
//! sockets; the server has what delivers to handlers), then `reach`.

mod subscriber;

mod crowd;

mod task;

mod reach;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use longwire_proto::EncodedMessage;
use tokio::sync::Notify;

use crate::message::Message;
use crowd::lock;
pub(crate) use crowd::{Crowd, Deliver, Place, Progress, Reactor};
pub use reach::Subscribe;
pub(crate) use reach::{Reach, Reachable};
pub use subscriber::SlowSubscriber;
use subscriber::Subscriber;
pub(crate) use subscriber::Target;

/// Why a subscriber that is too slow is disconnected.
pub(crate) const TOO_SLOW: &str = "too slow to follow";

/// Sends each message that is published to all sockets that subscribe. Cheap to clone:
/// clones are the same topic.
///
/// A message is encoded, and compressed, once. It goes once to each thread that has
/// subscribers, and is written there straight to the sockets that can take it, together
/// with others that were published at the same time; for those that cannot, it waits, up
/// to a limit. All subscribers get messages in the same order.
///
/// ```
/// use longwire::{Message, Server, Socket, Topic};
///
/// let news = Topic::new();
/// let server = Server::new().route("/news", move |socket: Socket| {
///     let news = news.clone();
///     async move {
///         let (sender, mut receiver) = socket.split();
///         let _subscription = news.subscribe(&sender);
///         while let Some(message) = receiver.next().await {
///             news.publish(message?);
///             news.flush().await;
///         }
///         Ok(())
///     }
/// });
/// ```
///
/// A [`crate::handler::Handler`] subscribes with its context. It cannot wait: what it
/// publishes right before its peer closes the connection may not reach that peer.
///
/// ```
/// use longwire::handler::{Context, Handler, MessageRef};
/// use longwire::{Subscription, Topic};
///
/// struct Reader {
///     news: Topic,
///     subscription: Option<Subscription>,
/// }
///
/// impl Handler for Reader {
///     fn open(&mut self, context: &mut Context<'_>) {
///         self.subscription = Some(self.news.subscribe(context));
///     }
///
///     fn message(&mut self, _: &mut Context<'_>, message: MessageRef<'_>) {
///         self.news.publish(message);
///     }
/// }
/// ```
#[derive(Clone)]
pub struct Topic {
    inner: Arc<Inner>,
}

struct Inner {
    limits: Limits,
    state: Mutex<State>,
    /// Told whenever a crowd has been given all.
    delivered: Notify,
}

/// What may wait for a subscriber, and what happens beyond that.
#[derive(Clone, Copy)]
struct Limits {
    bytes: usize,
    slow: SlowSubscriber,
}

impl Limits {
    /// Whether no subscriber may miss a message unnoticed.
    fn misses_nothing(self) -> bool {
        self.slow == SlowSubscriber::Disconnect
    }
}

#[derive(Default)]
struct State {
    crowds: Vec<Arc<Crowd>>,
    /// The number of the next message.
    next: u64,
    next_id: u64,
}

/// A socket's place in a topic, given up when dropped.
///
/// It ends with the socket too, which is noticed when something is published.
#[must_use = "it ends when it is dropped"]
pub struct Subscription {
    crowd: Arc<Crowd>,
    key: usize,
    id: u64,
}

impl Default for Topic {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topic")
            .field("subscribers", &self.subscribers())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").finish_non_exhaustive()
    }
}

impl Topic {
    /// Bytes of messages, with 64 for each, that wait for a thread at most until it
    /// delivers them. Where more are published before, the oldest are lost for all its
    /// subscribers, which are treated as slow ones then; [`Topic::flush`] prevents it.
    pub const MAX_QUEUED: usize = 16 << 20;

    /// A topic whose subscribers may be 1 MiB behind, and are disconnected beyond that.
    pub fn new() -> Self {
        Self::with(1 << 20, SlowSubscriber::default())
    }

    /// A topic for whose subscribers at most so many bytes wait each, beside what their
    /// sockets hold, and what happens beyond that.
    pub fn with(limit: usize, slow: SlowSubscriber) -> Self {
        let limits = Limits { bytes: limit, slow };
        Self {
            inner: Arc::new(Inner {
                limits,
                state: Mutex::default(),
                delivered: Notify::new(),
            }),
        }
    }

    /// Sends all that is published from now on to this socket too, until the
    /// subscription is dropped: what was published before and not delivered by then is
    /// not sent any more.
    ///
    /// # Panics
    ///
    /// With a [`crate::Socket`] or a [`crate::Sender`] outside a tokio runtime: a task
    /// delivers.
    pub fn subscribe(&self, subscriber: &impl Subscribe) -> Subscription {
        let Reach { place, target } = subscriber.reach();
        let mut state = self.inner.lock();
        let id = state.next_id;
        state.next_id += 1;
        let subscriber = Subscriber::new(id, target, state.next);
        let known = state.crowds.iter().find(|crowd| crowd.place == place);
        if let Some(crowd) = known.filter(|crowd| !crowd.has_ended()) {
            let key = crowd.join(subscriber);
            let crowd = crowd.clone();
            return Subscription { crowd, key, id };
        }
        let crowd = Crowd::new(place, self, state.next);
        let key = crowd.join(subscriber);
        if let Place::Task { .. } = crowd.place {
            task::start(crowd.clone());
        }
        state.crowds.push(crowd.clone());
        Subscription { crowd, key, id }
    }

    /// Sends a message to all subscribers. Returns at once: it is delivered soon, and
    /// waits for those that are slow.
    pub fn publish(&self, message: impl Into<EncodedMessage>) {
        let message = message.into();
        // One publisher after the other, so that all threads have the same order.
        let mut state = self.inner.lock();
        state.next += 1;
        state.crowds.retain(|crowd| crowd.push(&message));
    }

    /// Waits until all that was published before is on its way: written, or waiting for
    /// subscribers that are slow. Sockets of this runtime are delivered to here.
    ///
    /// A task that publishes what it receives is not faster than the delivery so, and
    /// where its peer closes the connection next, it has got its own words before.
    ///
    /// # Cancel safety
    ///
    /// Safe: messages are delivered all the same.
    pub async fn flush(&self) {
        let (before, crowds) = {
            let state = self.inner.lock();
            (state.next, state.crowds.clone())
        };
        for crowd in &crowds {
            task::deliver_here(crowd, before).await;
        }
        loop {
            let mut delivered = std::pin::pin!(self.inner.delivered.notified());
            // From here on, nothing is delivered unnoticed.
            delivered.as_mut().enable();
            if crowds.iter().all(|crowd| crowd.has_delivered(before)) {
                return;
            }
            delivered.await;
        }
    }

    /// How many sockets subscribe.
    pub fn subscribers(&self) -> usize {
        let state = self.inner.lock();
        state.crowds.iter().map(|crowd| crowd.len()).sum()
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for crowd in &self.lock().crowds {
            crowd.close();
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.crowd.leave(self.key, self.id);
    }
}

impl From<Message> for EncodedMessage {
    fn from(message: Message) -> Self {
        match message {
            Message::Text(text) => Self::text(&text),
            Message::Binary(bytes) => Self::binary(&bytes),
        }
    }
}

#[cfg(test)]
mod tests;
