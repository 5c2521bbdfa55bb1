//! What leaves.

use std::io::{self, ErrorKind, IoSlice};
use std::task::{Context, Poll};

use bytes::Bytes;
use longwire_proto::{Connection, EncodedBatch, MessageKind, Payload, SendError};

use super::Driver;
use super::link::{Link, Writing, poll_write_frame};
use crate::transport::now;

/// Slices given to one write.
const SLICES: usize = 16;

impl Driver {
    /// Sends a message at once where nothing waits before it, so that it is copied
    /// nowhere; or queues it.
    pub(crate) fn send(
        &mut self,
        cx: &mut Context<'_>,
        kind: MessageKind,
        payload: &Bytes,
    ) -> Result<(), SendError> {
        let Some(link) = writable(&mut self.link) else {
            return self.connection.send_bytes(kind, payload);
        };
        let payload = Payload::Shared(payload);
        self.connection
            .send_through(kind, payload, now(), |header, payload| {
                let Link { io, .. } = link;
                let written = poll_write_frame(io, cx, header, payload);
                link.note(written).unwrap_or(0)
            })?;
        self.look_at_writing();
        Ok(())
    }

    /// Sends messages that were encoded for many sockets, as [`Driver::send`] does; gives
    /// how many were taken.
    pub(crate) fn send_batch(
        &mut self,
        cx: &mut Context<'_>,
        batch: &EncodedBatch,
    ) -> Result<usize, SendError> {
        let Some(link) = writable(&mut self.link) else {
            return Err(SendError::Closed);
        };
        let taken = self.connection.send_batch(batch, now(), |frames| {
            let written = link.io.poll_write(cx, &[IoSlice::new(frames)]);
            link.note(written).unwrap_or(0)
        })?;
        self.look_at_writing();
        Ok(taken)
    }

    /// Lends the connection, and the way to its transport.
    pub(crate) fn lend<T>(
        &mut self,
        cx: &mut Context<'_>,
        work: impl FnOnce(&mut Connection, &mut dyn FnMut(&[IoSlice<'_>]) -> io::Result<usize>) -> T,
    ) -> T {
        let Some(link) = writable(&mut self.link) else {
            let mut gone = |_: &[IoSlice<'_>]| Err(ErrorKind::NotConnected.into());
            return work(&mut self.connection, &mut gone);
        };
        let mut write = |slices: &[IoSlice<'_>]| {
            let written = link.io.poll_write(cx, slices);
            link.note(written)
        };
        let result = work(&mut self.connection, &mut write);
        self.look_at_writing();
        result
    }

    /// Has the connection know where a write has failed.
    fn look_at_writing(&mut self) {
        let link = self.link.as_ref();
        if link.is_some_and(|link| link.writing == Writing::Failed) {
            self.connection.handle_output_failed(now());
        }
    }

    /// Writes all that waits. Ready when nothing does, be it because the
    /// transport is gone.
    #[inline]
    pub(crate) fn poll_transmit(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let flushed = self.link.as_ref().is_none_or(|link| link.flushed);
        if flushed && self.connection.buffered() == 0 {
            return Poll::Ready(());
        }
        self.poll_transmit_rest(cx)
    }

    fn poll_transmit_rest(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(link) = &mut self.link else {
            return Poll::Ready(());
        };
        if link.writing == Writing::Failed {
            return Poll::Ready(());
        }
        loop {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let filled = self.connection.poll_transmit(&mut slices);
            if filled == 0 {
                break;
            }
            match link.io.poll_write(cx, &slices[..filled]) {
                Poll::Pending => return Poll::Pending,
                written @ Poll::Ready(_) => {
                    let Ok(count) = link.note(written) else {
                        self.connection.handle_output_failed(now());
                        return Poll::Ready(());
                    };
                    self.connection.handle_transmitted(count, now());
                }
            }
        }
        if !link.flushed {
            match link.io.poll_flush(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) => link.flushed = true,
                Poll::Ready(Err(error)) => {
                    tracing::debug!(%error, "flushing failed");
                    link.fail();
                    self.connection.handle_output_failed(now());
                }
            }
        }
        Poll::Ready(())
    }

    /// Writes until less than the high-water mark waits; keeps time meanwhile,
    /// so that a peer that reads nothing is found out.
    pub(crate) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if !self.connection.is_open() || !self.connection.is_output_full() {
                return Poll::Ready(());
            }
            if self.poll_transmit(cx).is_pending() && self.connection.is_output_full() {
                if self.poll_timer(cx).is_ready() {
                    continue;
                }
                return Poll::Pending;
            }
        }
    }

    /// Writes until nothing waits; keeps time meanwhile.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.poll_transmit(cx).is_ready() {
                return Poll::Ready(());
            }
            if self.poll_timer(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

/// The transport, where it can be written to.
fn writable(link: &mut Option<Link>) -> Option<&mut Link> {
    link.as_mut().filter(|link| link.writing == Writing::Open)
}
