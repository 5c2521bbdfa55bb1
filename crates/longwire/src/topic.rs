//! One message for many sockets: [`Topic`].

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread::ThreadId;

use futures_util::task::AtomicWaker;
use longwire_proto::{CloseCode, CloseFrame, EncodedBatch, EncodedMessage, Role};
use slab::Slab;

use crate::message::Message;
use crate::socket::{Delivery, Sender, Shared};

/// What a message that waits costs beside its bytes.
const ENTRY: usize = 64;

/// Bytes that wait for a thread until it delivers them. More is treated as a slow
/// subscriber is.
const QUEUE: usize = 16 << 20;

/// Why a subscriber that is too slow is disconnected.
const TOO_SLOW: &str = "too slow to follow";

/// What happens to a subscriber for whom more waits than the limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SlowSubscriber {
    /// Its connection is closed with 1008: it never misses a message unnoticed. The
    /// default.
    #[default]
    Disconnect,
    /// It misses the oldest messages: for what is of interest while it is fresh.
    DropOldest,
    /// It gets the latest message alone, whatever the limit: for states, of which each
    /// replaces the one before.
    KeepLatest,
}

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
///         }
///         Ok(())
///     }
/// });
/// ```
#[derive(Clone)]
pub struct Topic {
    inner: Arc<Inner>,
}

struct Inner {
    limit: usize,
    slow: SlowSubscriber,
    threads: Mutex<Vec<Arc<Crowd>>>,
    next_id: AtomicU64,
}

/// The subscribers of one thread.
struct Crowd {
    thread: ThreadId,
    queue: Mutex<Queue>,
    waker: AtomicWaker,
    subscribers: Mutex<Subscribers>,
}

#[derive(Default)]
struct Queue {
    messages: VecDeque<EncodedMessage>,
    bytes: usize,
    /// Whether so much has come that some of it is lost.
    overrun: bool,
    /// Whether nobody delivers any more.
    ended: bool,
}

#[derive(Default)]
struct Subscribers {
    all: Slab<Subscriber>,
    /// Those for whom something waits, and some for whom nothing does any more.
    slow: Vec<usize>,
}

struct Subscriber {
    id: u64,
    shared: Arc<Shared>,
    /// What it could not take yet.
    waiting: VecDeque<EncodedMessage>,
    bytes: usize,
}

/// A socket's place in a topic, given up when dropped. It ends with the socket too.
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
    /// A topic whose subscribers may be 1 MiB behind, and are disconnected beyond that.
    pub fn new() -> Self {
        Self::with(1 << 20, SlowSubscriber::default())
    }

    /// A topic for whose subscribers at most so many bytes wait each, beside what their
    /// sockets hold, and what happens beyond that.
    pub fn with(limit: usize, slow: SlowSubscriber) -> Self {
        Self {
            inner: Arc::new(Inner {
                limit,
                slow,
                threads: Mutex::default(),
                next_id: AtomicU64::new(0),
            }),
        }
    }

    /// Sends all that is published from now on to this socket too.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime: a task delivers.
    pub fn subscribe(&self, sender: &Sender) -> Subscription {
        let subscriber = Subscriber {
            id: self.inner.next_id.fetch_add(1, Ordering::Relaxed),
            shared: sender.shared_arc(),
            waiting: VecDeque::new(),
            bytes: 0,
        };
        let id = subscriber.id;
        let mut threads = lock(&self.inner.threads);
        threads.retain(|crowd| !lock(&crowd.queue).ended);
        let here = std::thread::current().id();
        let known = threads.iter().find(|crowd| crowd.thread == here).cloned();
        let crowd = known.unwrap_or_else(|| {
            let crowd = Arc::new(Crowd {
                thread: here,
                queue: Mutex::default(),
                waker: AtomicWaker::new(),
                subscribers: Mutex::default(),
            });
            let Inner { limit, slow, .. } = *self.inner;
            tokio::spawn(deliver_to(crowd.clone(), limit, slow));
            threads.push(crowd.clone());
            crowd
        });
        let key = lock(&crowd.subscribers).all.insert(subscriber);
        Subscription { crowd, key, id }
    }

    /// Sends a message to all subscribers. Returns at once: what is slow waits.
    pub fn publish(&self, message: impl Into<EncodedMessage>) {
        let message = message.into();
        let bytes = ENTRY + message.payload().len();
        // One publisher after the other, so that all threads have the same order.
        let threads = lock(&self.inner.threads);
        for crowd in threads.iter() {
            let mut queue = lock(&crowd.queue);
            queue.bytes += bytes;
            queue.messages.push_back(message.clone());
            while queue.bytes > QUEUE && queue.messages.len() > 1 {
                queue.overrun = true;
                if let Some(lost) = queue.messages.pop_front() {
                    queue.bytes -= ENTRY + lost.payload().len();
                }
            }
            drop(queue);
            crowd.waker.wake();
        }
    }

    /// How many sockets subscribe.
    pub fn subscribers(&self) -> usize {
        let threads = lock(&self.inner.threads);
        threads
            .iter()
            .map(|crowd| lock(&crowd.subscribers).all.len())
            .sum()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for crowd in lock(&self.threads).iter() {
            lock(&crowd.queue).ended = true;
            crowd.waker.wake();
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut subscribers = lock(&self.crowd.subscribers);
        let all = &mut subscribers.all;
        let own = all.get(self.key).is_some_and(|one| one.id == self.id);
        let left = own.then(|| all.remove(self.key));
        drop(subscribers);
        // Outside the lock: the last handle of a socket may do much.
        drop(left);
    }
}

/// Delivers to the subscribers of this thread until the topic is gone.
async fn deliver_to(crowd: Arc<Crowd>, limit: usize, slow: SlowSubscriber) {
    let crowd = Ending(crowd);
    std::future::poll_fn(|cx| crowd.0.poll_deliver(cx, limit, slow)).await;
}

/// Says that nobody delivers any more, also where the runtime goes away.
struct Ending(Arc<Crowd>);

impl Drop for Ending {
    fn drop(&mut self) {
        let mut queue = lock(&self.0.queue);
        queue.ended = true;
        queue.messages.clear();
        drop(queue);
        let left = std::mem::take(&mut *lock(&self.0.subscribers));
        drop(left);
    }
}

impl Crowd {
    fn poll_deliver(&self, cx: &mut Context<'_>, limit: usize, slow: SlowSubscriber) -> Poll<()> {
        self.waker.register(cx.waker());
        let mut queue = lock(&self.queue);
        let messages = std::mem::take(&mut queue.messages);
        queue.bytes = 0;
        let overrun = std::mem::take(&mut queue.overrun);
        let ended = queue.ended;
        drop(queue);
        let batch = EncodedBatch::new(messages.into());
        let delivering = Delivering {
            batch,
            limit,
            slow,
            lost: overrun && slow == SlowSubscriber::Disconnect,
        };
        let gone = delivering.deliver(&mut lock(&self.subscribers), cx);
        // Outside the lock: the last handle of a socket may do much.
        drop(gone);
        if ended {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

/// What is delivered, and how.
struct Delivering {
    batch: EncodedBatch,
    limit: usize,
    slow: SlowSubscriber,
    /// Whether all have missed something that none may miss.
    lost: bool,
}

impl Delivering {
    /// Gives the subscribers that do not go on.
    fn deliver(&self, subscribers: &mut Subscribers, cx: &Context<'_>) -> Vec<Subscriber> {
        let Subscribers { all, slow } = subscribers;
        let keys: Vec<usize> = if self.batch.messages().is_empty() {
            std::mem::take(slow)
        } else {
            slow.clear();
            all.iter().map(|(key, _)| key).collect()
        };
        let mut gone = Vec::new();
        for key in keys {
            let Some(subscriber) = all.get_mut(key) else {
                continue;
            };
            if !self.deliver_to(subscriber, cx) {
                gone.push(all.remove(key));
            } else if !subscriber.waiting.is_empty() {
                slow.push(key);
            }
        }
        gone
    }

    /// Says whether the subscriber goes on.
    fn deliver_to(&self, subscriber: &mut Subscriber, cx: &Context<'_>) -> bool {
        if self.lost {
            subscriber.disconnect();
            return false;
        }
        if !subscriber.waiting.is_empty() {
            let waiting = EncodedBatch::new(subscriber.waiting.iter().cloned().collect());
            match subscriber.shared.deliver(&waiting, cx) {
                Delivery::Gone => return false,
                Delivery::Taken(count) => subscriber.forget(count),
            }
        }
        let mut messages = self.batch.messages();
        if subscriber.waiting.is_empty() && !messages.is_empty() {
            match subscriber.shared.deliver(&self.batch, cx) {
                Delivery::Gone => return false,
                Delivery::Taken(count) => messages = &messages[count..],
            }
        }
        messages
            .iter()
            .all(|message| subscriber.wait(message.clone(), self.limit, self.slow))
    }
}

impl Subscriber {
    /// So many of the messages that waited have been sent.
    fn forget(&mut self, count: usize) {
        for sent in self.waiting.drain(..count) {
            self.bytes -= ENTRY + sent.payload().len();
        }
        if self.waiting.is_empty() {
            self.waiting = VecDeque::new();
        }
    }

    /// Keeps a message for later. Says whether that can be.
    fn wait(&mut self, message: EncodedMessage, limit: usize, slow: SlowSubscriber) -> bool {
        let bytes = ENTRY + message.payload().len();
        match slow {
            SlowSubscriber::Disconnect if self.bytes + bytes > limit => {
                self.disconnect();
                return false;
            }
            SlowSubscriber::Disconnect => {}
            SlowSubscriber::DropOldest => {
                while self.bytes + bytes > limit
                    && let Some(oldest) = self.waiting.pop_front()
                {
                    self.bytes -= ENTRY + oldest.payload().len();
                }
            }
            SlowSubscriber::KeepLatest => {
                self.waiting.clear();
                self.bytes = 0;
            }
        }
        self.bytes += bytes;
        self.waiting.push_back(message);
        true
    }

    fn disconnect(&self) {
        tracing::warn!("a subscriber is disconnected: {TOO_SLOW}");
        let frame = CloseFrame::new(Role::Server, CloseCode::POLICY_VIOLATION, TOO_SLOW);
        self.shared.close(frame.ok().as_ref());
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
