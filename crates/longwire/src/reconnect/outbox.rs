//! Messages that wait for a connection.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::error::{Error, Result};
use crate::message::Message;

/// What becomes of messages that are sent while there is no connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum WhileAway {
    /// They wait in the outbox, and where that is full, so does whoever sends.
    #[default]
    Wait,
    /// They wait in the outbox, and where that is full, the oldest goes.
    DropOldest,
    /// They wait in the outbox, and where that is full, they go themselves.
    DropNewest,
    /// Sending fails with [`Error::Away`].
    Fail,
}

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) messages: usize,
    pub(super) bytes: usize,
    pub(super) while_away: WhileAway,
}

#[derive(Debug)]
pub(super) struct Outbox {
    bounds: Bounds,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    queue: VecDeque<Message>,
    bytes: usize,
    open: bool,
    /// Whether a message is being handed to a connection.
    in_flight: bool,
    /// Nothing will be sent any more.
    ended: bool,
    /// Those that wait for room.
    senders: Vec<Waker>,
    /// The task that sends.
    task: Option<Waker>,
}

impl Outbox {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            inner: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One message always fits, whatever its size.
    fn fits(&self, inner: &Inner, more: usize) -> bool {
        let bounds = self.bounds;
        inner.queue.is_empty()
            || inner.queue.len() < bounds.messages && inner.bytes + more <= bounds.bytes
    }

    /// Takes a message, or waits for room.
    pub(super) fn poll_push(
        &self,
        cx: &Context<'_>,
        message: &mut Option<Message>,
    ) -> Poll<Result<()>> {
        let mut inner = self.lock();
        let Some(len) = message.as_ref().map(Message::len) else {
            return Poll::Ready(Ok(()));
        };
        if inner.ended {
            return Poll::Ready(Err(Error::Closing));
        }
        if !inner.open && self.bounds.while_away == WhileAway::Fail {
            return Poll::Ready(Err(Error::Away));
        }
        while !self.fits(&inner, len) {
            match self.bounds.while_away {
                WhileAway::DropOldest if !inner.open => {
                    inner.pop();
                }
                WhileAway::DropNewest if !inner.open => {
                    *message = None;
                    return Poll::Ready(Ok(()));
                }
                _ => {
                    inner.wait(cx);
                    return Poll::Pending;
                }
            }
        }
        if let Some(message) = message.take() {
            inner.bytes += message.len();
            inner.queue.push_back(message);
        }
        inner.wake_task();
        Poll::Ready(Ok(()))
    }

    /// Ready where a message of any size would be taken at once.
    pub(super) fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        let mut inner = self.lock();
        let takes_anything = !inner.open && self.bounds.while_away != WhileAway::Wait;
        if inner.ended || takes_anything || self.fits(&inner, 0) {
            return Poll::Ready(());
        }
        inner.wait(cx);
        Poll::Pending
    }

    /// The message to send next; `None` once nothing follows.
    pub(super) fn poll_next(&self, cx: &Context<'_>, finishing: bool) -> Poll<Option<Message>> {
        let mut inner = self.lock();
        if let Some(message) = inner.pop() {
            inner.in_flight = true;
            return Poll::Ready(Some(message));
        }
        if finishing {
            return Poll::Ready(None);
        }
        inner.task = Some(cx.waker().clone());
        Poll::Pending
    }

    /// What [`Outbox::poll_next`] gave has been handed to a connection.
    pub(super) fn handed_over(&self) {
        let mut inner = self.lock();
        inner.in_flight = false;
        inner.wake_senders();
    }

    /// Puts back a message that was not sent.
    pub(super) fn put_back(&self, message: Message) {
        let mut inner = self.lock();
        inner.in_flight = false;
        inner.bytes += message.len();
        inner.queue.push_front(message);
    }

    /// Ready once everything is sent, or nothing will be.
    pub(super) fn poll_empty(&self, cx: &Context<'_>) -> Poll<()> {
        let mut inner = self.lock();
        if inner.queue.is_empty() && !inner.in_flight || inner.ended {
            return Poll::Ready(());
        }
        inner.wait(cx);
        Poll::Pending
    }

    /// Ready once nothing will be sent any more.
    pub(super) fn poll_ended(&self, cx: &Context<'_>) -> Poll<()> {
        let mut inner = self.lock();
        if inner.ended {
            return Poll::Ready(());
        }
        inner.wait(cx);
        Poll::Pending
    }

    /// Has those that wait say so again: one of them does no longer.
    pub(super) fn wake_senders(&self) {
        self.lock().wake_senders();
    }

    /// Whether there is a connection.
    pub(super) fn set_open(&self, open: bool) {
        let mut inner = self.lock();
        inner.open = open;
        inner.wake_senders();
    }

    pub(super) fn end(&self) {
        let mut inner = self.lock();
        inner.ended = true;
        inner.open = false;
        inner.queue = VecDeque::new();
        inner.bytes = 0;
        inner.wake_senders();
    }

    pub(super) fn wake_task(&self) {
        self.lock().wake_task();
    }
}

impl Inner {
    fn pop(&mut self) -> Option<Message> {
        let message = self.queue.pop_front()?;
        self.bytes -= message.len();
        self.wake_senders();
        Some(message)
    }

    fn wait(&mut self, cx: &Context<'_>) {
        if !self.senders.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.senders.push(cx.waker().clone());
        }
    }

    fn wake_senders(&mut self) {
        self.senders.drain(..).for_each(Waker::wake);
    }

    fn wake_task(&mut self) {
        if let Some(task) = self.task.take() {
            task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox(while_away: WhileAway) -> Outbox {
        Outbox::new(Bounds {
            messages: 3,
            bytes: 10,
            while_away,
        })
    }

    fn push(outbox: &Outbox, text: &str) -> Poll<Result<()>> {
        let cx = Context::from_waker(Waker::noop());
        outbox.poll_push(&cx, &mut Some(text.into()))
    }

    fn queued(outbox: &Outbox) -> Vec<String> {
        let cx = Context::from_waker(Waker::noop());
        std::iter::from_fn(|| match outbox.poll_next(&cx, true) {
            Poll::Ready(message) => message.map(|m| m.to_string()),
            Poll::Pending => None,
        })
        .collect()
    }

    #[test]
    fn each_policy_does_with_too_much_what_its_name_says() {
        let cases: [(WhileAway, &[&str]); 3] = [
            (WhileAway::Wait, &["a", "b", "c"]),
            (WhileAway::DropOldest, &["b", "c", "d"]),
            (WhileAway::DropNewest, &["a", "b", "c"]),
        ];
        for (policy, expected) in cases {
            let outbox = outbox(policy);
            for text in ["a", "b", "c"] {
                assert!(push(&outbox, text).is_ready());
            }
            assert_eq!(push(&outbox, "d").is_pending(), policy == WhileAway::Wait);
            assert_eq!(queued(&outbox), expected, "{policy:?}");
        }
        let failing = outbox(WhileAway::Fail);
        assert!(matches!(push(&failing, "a"), Poll::Ready(Err(Error::Away))));
        failing.set_open(true);
        assert!(matches!(push(&failing, "a"), Poll::Ready(Ok(()))));
    }

    #[test]
    fn bytes_are_bound_as_well_as_messages_and_one_message_always_fits() {
        let outbox = outbox(WhileAway::DropOldest);
        assert!(push(&outbox, "longer than all of it").is_ready());
        assert!(push(&outbox, "12345").is_ready());
        assert!(push(&outbox, "67890").is_ready());
        assert!(push(&outbox, "x").is_ready());
        assert_eq!(queued(&outbox), ["67890", "x"]);
    }

    #[test]
    fn with_a_connection_nothing_is_dropped() {
        for policy in [
            WhileAway::DropOldest,
            WhileAway::DropNewest,
            WhileAway::Fail,
        ] {
            let outbox = outbox(policy);
            outbox.set_open(true);
            for text in ["a", "b", "c"] {
                assert!(push(&outbox, text).is_ready());
            }
            assert!(push(&outbox, "d").is_pending(), "{policy:?}");
            outbox.end();
            assert!(matches!(
                push(&outbox, "d"),
                Poll::Ready(Err(Error::Closing))
            ));
        }
    }
}
