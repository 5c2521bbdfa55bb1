//! The subscribers of one thread.
//!
//! Locks, in the order in which they are taken: who delivers, a socket's own, the topic's
//! state, then the subscribers or the queue. So a handler that is called with its socket
//! locked may publish, subscribe and leave.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};
use std::task::{Wake, Waker};
use std::thread::ThreadId;

use futures_util::task::AtomicWaker;
use longwire_proto::{EncodedBatch, EncodedMessage};
use slab::Slab;

use super::subscriber::{Subscriber, Target, cost};
use super::{Inner, Limits, Topic};
use crate::socket::Delivery;

/// Bytes that are delivered together.
const BATCH: usize = 64 << 10;

/// Subscribers that are delivered to before others have their turn.
pub(super) const CHUNK: usize = 256;

/// Where a crowd is delivered to.
#[derive(Clone)]
pub(crate) enum Place {
    /// By a task of this runtime, on whichever thread, for the sockets of this one.
    Task {
        runtime: tokio::runtime::Id,
        thread: ThreadId,
    },
    /// By what serves handlers.
    Reactor(Arc<dyn Reactor>),
}

/// What serves the handlers of a thread.
pub(crate) trait Reactor: Send + Sync {
    /// Has [`Crowd::work`] called soon. Says whether anybody is there to do so.
    fn summon(&self, crowd: Arc<Crowd>) -> bool;
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Task { runtime, thread },
                Self::Task {
                    runtime: other_runtime,
                    thread: other_thread,
                },
            ) => (runtime, thread) == (other_runtime, other_thread),
            (Self::Reactor(one), Self::Reactor(other)) => {
                std::ptr::addr_eq(Arc::as_ptr(one), Arc::as_ptr(other))
            }
            _ => false,
        }
    }
}

/// Sends to what a crowd's targets are.
pub(crate) trait Deliver {
    /// Sends as much as is taken. Where that is not all, what `again` gives is woken when
    /// more may be.
    fn deliver(
        &mut self,
        target: &Target,
        batch: &EncodedBatch,
        again: &dyn Fn() -> Waker,
    ) -> Delivery;

    /// Closes the connection: it cannot follow.
    fn disconnect(&mut self, target: &Target);
}

/// How far a crowd has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// There is more to do at once.
    More,
    /// All have what they take.
    Idle,
    /// There will be nothing more to do.
    Ended,
}

pub(crate) struct Crowd {
    pub(super) place: Place,
    topic: Weak<Inner>,
    limits: Limits,
    queue: Mutex<Queue>,
    subscribers: Mutex<Slab<Subscriber>>,
    work: Mutex<Work>,
    /// The number of the first message that not all have been given.
    delivered: AtomicU64,
    /// Whether a reactor is summoned.
    summoned: AtomicBool,
    /// The task's.
    pub(super) waker: AtomicWaker,
}

/// What nobody has been given yet.
struct Queue {
    messages: VecDeque<EncodedMessage>,
    /// The number of the first of them, or of the next to come.
    first: u64,
    bytes: usize,
    /// Keys and ids of those that were slow and may take more now.
    ready: Vec<(usize, u64)>,
    /// Whether the topic is gone: nothing more comes.
    closing: bool,
    /// Whether nobody delivers any more.
    ended: bool,
}

/// What is being delivered.
#[derive(Default)]
struct Work {
    current: Option<Current>,
    orders: Vec<Order>,
}

struct Current {
    batch: EncodedBatch,
    /// The number of its first message.
    first: u64,
    /// The key of the next subscriber.
    at: usize,
}

/// What one subscriber is to be sent.
struct Order {
    key: usize,
    id: u64,
    target: Target,
    what: What,
}

enum What {
    /// The whole batch.
    Batch,
    /// The batch from this message on.
    Rest(usize),
    /// What waits for it.
    Waiting(Box<EncodedBatch>),
    Disconnect,
}

/// What has come of an order that needs looking after.
struct Outcome {
    key: usize,
    id: u64,
    delivery: Delivery,
    /// Where in the batch it began; `None` for what waited.
    from: Option<usize>,
    /// Whether all of it was taken.
    whole: bool,
}

impl Crowd {
    pub(super) fn new(place: Place, topic: &Topic, next: u64) -> Arc<Self> {
        Arc::new(Self {
            place,
            topic: Arc::downgrade(&topic.inner),
            limits: topic.inner.limits,
            queue: Mutex::new(Queue {
                messages: VecDeque::new(),
                first: next,
                bytes: 0,
                ready: Vec::new(),
                closing: false,
                ended: false,
            }),
            subscribers: Mutex::default(),
            work: Mutex::default(),
            delivered: AtomicU64::new(next),
            summoned: AtomicBool::new(false),
            waker: AtomicWaker::new(),
        })
    }

    /// Adds a subscriber; gives its key.
    pub(super) fn join(&self, subscriber: Subscriber) -> usize {
        lock(&self.subscribers).insert(subscriber)
    }

    pub(super) fn has_ended(&self) -> bool {
        lock(&self.queue).ended
    }

    pub(super) fn len(&self) -> usize {
        lock(&self.subscribers).len()
    }

    /// Takes a message for all. Says whether anybody delivers.
    pub(super) fn push(self: &Arc<Self>, message: &EncodedMessage) -> bool {
        let mut queue = lock(&self.queue);
        if queue.ended {
            return false;
        }
        queue.bytes += cost(message);
        queue.messages.push_back(message.clone());
        while queue.bytes > Topic::MAX_QUEUED && queue.messages.len() > 1 {
            // Those that have not been given it will notice.
            queue.take_first();
        }
        drop(queue);
        self.summon();
        true
    }

    /// The topic is gone: delivers what there is, and ends.
    pub(super) fn close(self: &Arc<Self>) {
        lock(&self.queue).closing = true;
        self.summon();
    }

    /// Whether all that came before this number was given to all, or nobody is there to
    /// do so.
    pub(super) fn has_delivered(&self, before: u64) -> bool {
        self.delivered.load(Ordering::Acquire) >= before || lock(&self.queue).ended
    }

    /// Has the crowd delivered to.
    fn summon(self: &Arc<Self>) {
        match &self.place {
            Place::Task { .. } => self.waker.wake(),
            Place::Reactor(reactor) => {
                if !self.summoned.swap(true, Ordering::AcqRel) && !reactor.summon(self.clone()) {
                    self.end();
                }
            }
        }
    }

    /// A subscriber goes.
    pub(super) fn leave(self: &Arc<Self>, key: usize, id: u64) {
        let mut subscribers = lock(&self.subscribers);
        let own = subscribers.get(key).is_some_and(|one| one.id == id);
        let left = own.then(|| subscribers.remove(key));
        let empty = own && subscribers.is_empty();
        drop(subscribers);
        // Outside the lock: the last handle of a socket may do much.
        drop(left);
        if empty {
            self.end_if_empty();
        }
    }

    fn end_if_empty(self: &Arc<Self>) {
        let topic = self.topic.upgrade();
        // While this is held, nobody joins.
        let mut state = topic.as_ref().map(|topic| topic.lock());
        if self.len() > 0 {
            return;
        }
        if let Some(state) = &mut state {
            state.crowds.retain(|crowd| !Arc::ptr_eq(crowd, self));
        }
        drop(state);
        self.end();
        // A task has to notice.
        self.waker.wake();
    }

    /// Nobody delivers any more.
    pub(crate) fn end(&self) {
        let mut queue = lock(&self.queue);
        queue.ended = true;
        let lost = std::mem::take(&mut queue.messages);
        queue.ready = Vec::new();
        drop(queue);
        let left = std::mem::take(&mut *lock(&self.subscribers));
        drop((lost, left));
        self.tell_flushers();
    }

    fn tell_flushers(&self) {
        if let Some(topic) = self.topic.upgrade() {
            topic.delivered.notify_waiters();
        }
    }

    /// Delivers, to some subscribers at a time.
    pub(crate) fn work(self: &Arc<Self>, deliver: &mut dyn Deliver) -> Progress {
        let progress = self.go_on(&mut lock(&self.work), deliver);
        if progress == Progress::More {
            return progress;
        }
        // Who comes from here on summons again; who came before is seen.
        self.summoned.store(false, Ordering::SeqCst);
        let queue = lock(&self.queue);
        if queue.has_work() && !self.summoned.swap(true, Ordering::SeqCst) {
            return Progress::More;
        }
        progress
    }

    /// As [`Crowd::work`], where nobody else is at it.
    pub(super) fn try_work(self: &Arc<Self>, deliver: &mut dyn Deliver) -> Option<Progress> {
        match self.work.try_lock() {
            Ok(mut work) => Some(self.go_on(&mut work, deliver)),
            Err(TryLockError::Poisoned(work)) => Some(self.go_on(&mut work.into_inner(), deliver)),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn go_on(self: &Arc<Self>, work: &mut Work, deliver: &mut dyn Deliver) -> Progress {
        // Before anything is added to what waits for them.
        if self.select_ready(&mut work.orders) {
            self.carry_out(work, deliver);
        }
        if work.current.is_none() {
            work.current = self.next_batch();
        }
        let selected = work.current.as_mut();
        let has_more = selected.is_some_and(|current| self.select(current, &mut work.orders));
        self.carry_out(work, deliver);
        if !has_more && let Some(done) = work.current.take() {
            let next = done.first + done.batch.messages().len() as u64;
            self.delivered.store(next, Ordering::Release);
            self.tell_flushers();
        }
        let queue = lock(&self.queue);
        let (ended, closing) = (queue.ended, queue.closing);
        let has_more = has_more || queue.has_work();
        drop(queue);
        if ended {
            Progress::Ended
        } else if has_more {
            Progress::More
        } else if closing && !self.has_slow() {
            Progress::Ended
        } else {
            Progress::Idle
        }
    }

    fn has_slow(&self) -> bool {
        lock(&self.subscribers).iter().any(|(_, one)| one.is_slow())
    }

    fn next_batch(&self) -> Option<Current> {
        let mut queue = lock(&self.queue);
        let first = queue.first;
        let mut messages = Vec::new();
        let mut bytes = 0;
        while bytes < BATCH
            && let Some(message) = queue.take_first()
        {
            bytes += cost(&message);
            messages.push(message);
        }
        drop(queue);
        (!messages.is_empty()).then(|| Current {
            batch: EncodedBatch::new(messages),
            first,
            at: 0,
        })
    }

    /// Orders the batch for the next subscribers. Says whether there are more of them.
    fn select(&self, current: &mut Current, orders: &mut Vec<Order>) -> bool {
        let messages = current.batch.messages();
        let next = current.first + messages.len() as u64;
        let mut subscribers = lock(&self.subscribers);
        let end = subscribers.capacity();
        while current.at < end && orders.len() < CHUNK {
            let key = current.at;
            current.at += 1;
            let Some(one) = subscribers.get_mut(key) else {
                continue;
            };
            // One that has come since gets what has come since.
            if one.next >= next {
                continue;
            }
            let missed = one.next < current.first && self.limits.misses_nothing();
            let from = usize::try_from(one.next.saturating_sub(current.first)).unwrap_or(0);
            one.next = next;
            let Limits { bytes, slow } = self.limits;
            let what = if missed {
                What::Disconnect
            } else if one.is_slow() {
                // It is told when there is room for what waits.
                if one.wait(&messages[from..], bytes, slow) {
                    continue;
                }
                What::Disconnect
            } else if from == 0 {
                What::Batch
            } else {
                What::Rest(from)
            };
            orders.push(Order {
                key,
                id: one.id,
                target: one.target.clone(),
                what,
            });
        }
        current.at < end
    }

    /// Orders what waits for those that were slow and may take more now. Says whether there
    /// are any.
    fn select_ready(&self, orders: &mut Vec<Order>) -> bool {
        let mut queue = lock(&self.queue);
        let some = queue.ready.len().min(CHUNK);
        let mut ready: Vec<_> = queue.ready.drain(..some).collect();
        drop(queue);
        // One may have said so twice.
        ready.sort_unstable();
        ready.dedup();
        if ready.is_empty() {
            return false;
        }
        let subscribers = lock(&self.subscribers);
        for (key, id) in ready {
            let one = subscribers.get(key).filter(|one| one.id == id);
            if let Some(one) = one
                && let Some(waiting) = one.waiting()
            {
                orders.push(Order {
                    key,
                    id,
                    target: one.target.clone(),
                    what: What::Waiting(Box::new(waiting)),
                });
            }
        }
        !orders.is_empty()
    }

    fn carry_out(self: &Arc<Self>, work: &mut Work, deliver: &mut dyn Deliver) {
        let mut outcomes = Vec::new();
        let current = work.current.as_ref().map(|current| &current.batch);
        for order in work.orders.drain(..) {
            let Order { key, id, .. } = order;
            let again = || {
                Waker::from(Arc::new(Again {
                    crowd: Arc::downgrade(self),
                    key,
                    id,
                }))
            };
            let (delivery, len, from) = match (order.what, current) {
                (What::Batch, Some(batch)) => (
                    deliver.deliver(&order.target, batch, &again),
                    batch.messages().len(),
                    Some(0),
                ),
                (What::Rest(from), Some(batch)) => {
                    let rest = EncodedBatch::new(batch.messages()[from..].to_vec());
                    let delivery = deliver.deliver(&order.target, &rest, &again);
                    (delivery, rest.messages().len(), Some(from))
                }
                (What::Waiting(waiting), _) => (
                    deliver.deliver(&order.target, &waiting, &again),
                    waiting.messages().len(),
                    None,
                ),
                _ => {
                    deliver.disconnect(&order.target);
                    (Delivery::Gone, 0, None)
                }
            };
            let whole = delivery == Delivery::Taken(len);
            if !whole || from.is_none() {
                outcomes.push(Outcome {
                    key,
                    id,
                    delivery,
                    from,
                    whole,
                });
            }
        }
        if !outcomes.is_empty() {
            self.settle(work.current.as_ref(), &outcomes, deliver);
        }
    }

    fn settle(
        self: &Arc<Self>,
        current: Option<&Current>,
        outcomes: &[Outcome],
        deliver: &mut dyn Deliver,
    ) {
        let messages = current.map_or(&[][..], |current| current.batch.messages());
        let mut gone = Vec::new();
        let mut too_slow = Vec::new();
        // Those that take more at once.
        let mut ready = Vec::new();
        let mut subscribers = lock(&self.subscribers);
        for outcome in outcomes {
            let &Outcome { key, id, .. } = outcome;
            let Some(one) = subscribers.get_mut(key).filter(|one| one.id == id) else {
                continue;
            };
            let kept = match (outcome.delivery, outcome.from) {
                (Delivery::Gone, _) => {
                    gone.push(subscribers.remove(key));
                    continue;
                }
                (Delivery::Taken(count), None) => {
                    one.forget(count, outcome.whole);
                    true
                }
                (Delivery::Taken(count), Some(from)) => {
                    let Limits { bytes, slow } = self.limits;
                    one.wait(&messages[from + count..], bytes, slow)
                }
            };
            if !kept {
                too_slow.push(subscribers.remove(key));
            } else if one.is_slow() && outcome.whole {
                ready.push((key, id));
            }
        }
        let empty = subscribers.is_empty();
        drop(subscribers);
        for one in &too_slow {
            deliver.disconnect(&one.target);
        }
        drop((gone, too_slow));
        lock(&self.queue).ready.append(&mut ready);
        if empty {
            self.end_if_empty();
        }
    }
}

impl Queue {
    fn has_work(&self) -> bool {
        !self.messages.is_empty() || !self.ready.is_empty()
    }

    fn take_first(&mut self) -> Option<EncodedMessage> {
        let message = self.messages.pop_front()?;
        self.bytes -= cost(&message);
        self.first += 1;
        Some(message)
    }
}

/// Tells that a slow subscriber may take more.
struct Again {
    crowd: Weak<Crowd>,
    key: usize,
    id: u64,
}

impl Wake for Again {
    fn wake(self: Arc<Self>) {
        let Some(crowd) = self.crowd.upgrade() else {
            return;
        };
        let mut queue = lock(&crowd.queue);
        if !queue.ended {
            queue.ready.push((self.key, self.id));
        }
        drop(queue);
        crowd.summon();
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
