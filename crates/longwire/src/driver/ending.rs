//! How a connection and its transport end.

use std::task::{Context, Poll};
use std::time::Duration;

use longwire_proto::TransportState;

use super::Driver;
use super::link::Writing;
use crate::transport::now;

/// The longest that a transport is kept for its last bytes, whatever the
/// setting.
const MOST: Duration = Duration::from_hours(1);

impl Driver {
    //= rfc6455#5.5.1-11, rfc6455#5.5.1-12, rfc6455#7.1.2-2, rfc6455#7.1.1-2
    /// Does with the transport what the connection asks for. Ready once it is
    /// dropped.
    #[inline]
    pub(super) fn poll_end(&mut self, cx: &mut Context<'_>, blocked: bool) -> Poll<()> {
        if self.connection.is_open() {
            return Poll::Pending;
        }
        self.poll_closing(cx, blocked)
    }

    fn poll_closing(&mut self, cx: &mut Context<'_>, blocked: bool) -> Poll<()> {
        match self.connection.transport_state() {
            TransportState::Closed => {
                // The end of the stream is told where there is still one.
                if self.poll_last_words(cx).is_pending() {
                    return Poll::Pending;
                }
                self.link = None;
                self.timer.clear();
                return Poll::Ready(());
            }
            TransportState::ShutDown if !blocked => self.shut_down(cx),
            _ => {}
        }
        Poll::Pending
    }

    /// A layered stream holds what it was given to write: it gets the time of
    /// the closing handshake to let go of it.
    fn poll_last_words(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(link) = &mut self.link else {
            return Poll::Ready(());
        };
        if link.writing == Writing::Failed {
            return Poll::Ready(());
        }
        if !link.flushed {
            link.flushed = link.io.poll_flush(cx).is_ready();
        }
        if link.flushed && link.io.poll_shutdown(cx).is_ready() {
            return Poll::Ready(());
        }
        let at = *self
            .dropped_by
            .get_or_insert_with(|| now() + self.connection.config().close_timeout.min(MOST));
        self.timer.clear();
        if now() >= at {
            return Poll::Ready(());
        }
        self.timer.poll(cx, at)
    }

    //= rfc6455#7.1.1-1
    fn shut_down(&mut self, cx: &mut Context<'_>) {
        if let Some(link) = &mut self.link
            && link.writing != Writing::Shut
            // Where it has to wait, the waker brings us here again.
            && link.io.poll_shutdown(cx).is_ready()
        {
            link.writing = Writing::Shut;
        }
    }
}
