//! Messages that have arrived and wait for the program.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::sync::mpsc::error::SendError;
use tokio::sync::{Notify, mpsc};

use crate::error::Result;
use crate::message::Message;

/// Received messages that wait for the program, beside those that the socket
/// itself holds. Above it, the socket is not read.
const MESSAGES: usize = 16;

/// Bytes kept of connections that have ended before the program has read all.
/// What is above is lost, as is what a broken connection did not bring.
const LEFT_OVER: usize = 1 << 20;

/// What waits.
#[derive(Debug, Default)]
struct Waiting {
    messages: AtomicUsize,
    bytes: AtomicUsize,
    taken: Notify,
}

impl Waiting {
    fn forget(&self, message: &Message) {
        self.messages.fetch_sub(1, Ordering::AcqRel);
        self.bytes.fetch_sub(message.len(), Ordering::AcqRel);
    }
}

/// The task's end.
#[derive(Debug)]
pub(super) struct InboxSender {
    sender: mpsc::UnboundedSender<Result<Message>>,
    waiting: Arc<Waiting>,
}

/// The program's end.
#[derive(Debug)]
pub(super) struct Inbox {
    receiver: mpsc::UnboundedReceiver<Result<Message>>,
    waiting: Arc<Waiting>,
}

pub(super) fn inbox() -> (InboxSender, Inbox) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let waiting = Arc::new(Waiting::default());
    let inbox = Inbox {
        receiver,
        waiting: waiting.clone(),
    };
    (InboxSender { sender, waiting }, inbox)
}

impl InboxSender {
    /// Ready where the program has room for another message, or takes none any
    /// more.
    pub(super) async fn room(&self) {
        loop {
            let taken = self.waiting.taken.notified();
            let waiting = self.waiting.messages.load(Ordering::Acquire);
            if waiting < MESSAGES || self.sender.is_closed() {
                return;
            }
            taken.await;
        }
    }

    /// Hands on a message, or how it all ended. Where nobody reads, nobody is
    /// told.
    pub(super) fn push(&self, message: Result<Message>) {
        if let Ok(message) = &message {
            self.waiting.messages.fetch_add(1, Ordering::AcqRel);
            self.waiting
                .bytes
                .fetch_add(message.len(), Ordering::AcqRel);
        }
        if let Err(SendError(Ok(message))) = self.sender.send(message) {
            self.waiting.forget(&message);
        }
    }

    /// Hands on what a connection that has ended left: whether it was kept.
    pub(super) fn push_left_over(&self, message: Message) -> bool {
        let kept = self.waiting.bytes.load(Ordering::Acquire) + message.len() <= LEFT_OVER;
        if kept {
            self.push(Ok(message));
        }
        kept
    }
}

impl Inbox {
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Message>>> {
        let next = self.receiver.poll_recv(cx);
        if let Poll::Ready(Some(Ok(message))) = &next {
            self.waiting.forget(message);
            self.waiting.taken.notify_one();
        }
        next
    }

    pub(super) async fn next(&mut self) -> Option<Result<Message>> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        // Nobody reads: what comes is thrown away, and need not wait.
        self.receiver.close();
        self.waiting.taken.notify_one();
    }
}
