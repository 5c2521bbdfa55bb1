//! The future of a message that is sent.

use std::pin::Pin;
use std::task::{Context, Poll};

use super::{Outgoing, Shared};
use crate::error::Result;

/// Sends what it holds, and holds it until it is taken. Small, as it is part of what a
/// program's task takes while it waits for messages.
#[must_use = "futures do nothing unless they are awaited"]
pub(super) struct Sending<'a> {
    shared: &'a Shared,
    outgoing: Option<Outgoing>,
    /// Whether it may be an answer that leaves with others.
    answers: bool,
    waits: bool,
}

impl<'a> Sending<'a> {
    pub(super) fn new(shared: &'a Shared, outgoing: Outgoing) -> Self {
        Self {
            shared,
            outgoing: Some(outgoing),
            answers: false,
            waits: false,
        }
    }

    /// By who receives on the same socket.
    pub(super) fn answer(mut self) -> Self {
        self.answers = true;
        self
    }

    /// What was not taken, of a future that has been polled.
    pub(super) fn take(&mut self) -> Option<Outgoing> {
        self.outgoing.take()
    }
}

impl Future for Sending<'_> {
    type Output = Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let this = self.get_mut();
        if this.answers
            && let Some(Outgoing::Message(message)) = &this.outgoing
            && this.shared.gather(cx, message)
        {
            this.outgoing = None;
            return Poll::Ready(Ok(()));
        }
        let sent = this.shared.poll_send(cx, &mut this.outgoing);
        this.waits = sent.is_pending();
        sent
    }
}

impl Drop for Sending<'_> {
    fn drop(&mut self) {
        if self.waits {
            // The task that gave up is not kept in mind.
            self.shared.wake_all();
        }
    }
}
