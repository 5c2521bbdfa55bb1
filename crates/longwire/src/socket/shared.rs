//! The driver of a socket as its handles and its keeper share it.
//!
//! A lock is held only during a `poll`, never across an await. Whoever polls
//! does so with one waker that wakes all who wait: the receiving handle, the
//! sending ones, and the keeper, the task that finishes what a program left
//! (output that did not fit, the closing handshake of a dropped socket) and,
//! where that is chosen, drives the socket all the time.

use std::io::{self, IoSlice};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use longwire_proto::{
    CloseCode, CloseFrame, Closed, Connection, EncodedBatch, MessageKind, SendError,
};

use super::waiters::Waiters;
use crate::driver::{Driver, Wanted};
use crate::error::{Error, Result};
use crate::inbox::Piece;
use crate::message::{Event, Message};
use crate::options::Drive;
use crate::transport::now;

pub(crate) struct Shared {
    driver: Mutex<Driver>,
    waiters: Arc<Waiters>,
    /// Wakes all that wait.
    waker: Waker,
    /// Whether there may be more of what was read at once: spares a look.
    gathering: AtomicBool,
    drive: Drive,
}

/// A panic while the lock was held leaves a driver that is as good as any:
/// its state changes in whole steps.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn new(driver: Driver, drive: Drive) -> Arc<Self> {
        let waiters = Arc::new(Waiters::default());
        Arc::new(Self {
            driver: Mutex::new(driver),
            waker: Waker::from(waiters.clone()),
            waiters,
            gathering: AtomicBool::new(false),
            drive,
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut Driver, &mut Context<'_>) -> T) -> T {
        let mut driver = lock(&self.driver);
        let before = driver.news();
        let result = work(&mut driver, &mut Context::from_waker(&self.waker));
        let changed = driver.news() != before;
        drop(driver);
        if changed {
            // Others wait for something else now, or for another instant.
            self.wake_all();
        }
        result
    }

    pub(crate) fn connection<T>(&self, ask: impl FnOnce(&mut Connection) -> T) -> T {
        ask(&mut lock(&self.driver).connection)
    }

    pub(crate) fn wake_all(&self) {
        self.waker.wake_by_ref();
    }

    /// Has the keeper run soon, where it does not run in this task anyway.
    fn leave_to_keeper(&self, cx: &Context<'_>) {
        if !self.waiters.keeps(cx) {
            self.waiters.wake_keeper();
        }
    }

    /// The task of the keeper, which is to be told before anything else is polled.
    pub(crate) fn keep_in(&self, cx: &Context<'_>) {
        self.waiters.wait_as_keeper(cx);
    }

    /// The next of several messages that were read at once, which nobody has to wait for.
    pub(super) fn next_gathered(&self) -> Option<Message> {
        if !self.gathering.load(Ordering::Relaxed) {
            return None;
        }
        let mut driver = lock(&self.driver);
        let message = driver.next_gathered();
        self.gathering
            .store(driver.is_gathering(), Ordering::Relaxed);
        message
    }

    /// Takes an answer to one of them, which leaves with the others. The program comes
    /// back for more, or its task, which is the keeper's too, does something else.
    pub(super) fn gather(&self, cx: &Context<'_>, message: &Message) -> bool {
        let here = !self.waiters.is_apart() && self.waiters.keeps(cx);
        if !here || !self.gathering.load(Ordering::Relaxed) {
            return false;
        }
        let mut driver = lock(&self.driver);
        driver.is_gathering()
            && driver
                .connection
                .send_bytes(message.kind(), message.bytes())
                .is_ok()
    }

    /// The next event; `None` at the end of the connection.
    pub(crate) fn poll_event(&self, cx: &Context<'_>, wanted: Wanted) -> Poll<Option<Event>> {
        self.poll_received(cx, |driver, cx| driver.poll_event(cx, wanted))
    }

    /// The next piece of a message that is read as a stream.
    pub(crate) fn poll_piece(&self, cx: &Context<'_>) -> Poll<Option<Piece>> {
        self.poll_received(cx, Driver::poll_piece)
    }

    fn poll_received<T>(
        &self,
        cx: &Context<'_>,
        poll: impl FnOnce(&mut Driver, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        // Said before looking, so that nothing falls in between.
        self.waiters.wait_as_receiver(cx);
        let (received, made_room) = self.with(|driver, cx| {
            let had_room = driver.has_room();
            let received = poll(driver, cx);
            self.gathering
                .store(driver.is_gathering(), Ordering::Relaxed);
            (received, !had_room && driver.has_room())
        });
        if made_room {
            self.waiters.wake_keeper();
        }
        if received.is_ready() {
            self.stop_waiting_as_receiver(cx);
        }
        received
    }

    /// The program has got what it waited for and may do something else now:
    /// reading is the keeper's.
    fn stop_waiting_as_receiver(&self, cx: &Context<'_>) {
        self.waiters.stop_receiving();
        // A keeper in the same task has its turn when the program waits.
        if self.drive == Drive::Caller {
            self.leave_to_keeper(cx);
        }
    }

    /// The reader of a message is gone before its end.
    pub(crate) fn skip_stream(&self) {
        lock(&self.driver).skip_stream();
    }

    /// Waits until a message is taken. `None` in `message` says that it was, also
    /// where what follows is an error.
    pub(crate) fn poll_send(
        &self,
        cx: &Context<'_>,
        message: &mut Option<Outgoing>,
    ) -> Poll<Result<()>> {
        let sent = self.look(cx, |driver, driven| {
            // An answer waits for those that follow it, but what others send does not.
            let gather = driver.is_gathering() && self.waiters.receives(cx);
            let result = Self::send_with(driver, driven, message, gather);
            // What is left to write is the keeper's.
            let left = driver.connection.buffered() > 0;
            result.map(|result| (result, left))
        });
        sent.map(|(result, left)| {
            if left {
                self.leave_to_keeper(cx);
            }
            result
        })
    }

    /// Looks whether what this task waits for is there.
    fn look<T>(
        &self,
        cx: &Context<'_>,
        mut look: impl FnMut(&mut Driver, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let looked = self.with(&mut look);
        if looked.is_ready() {
            return looked;
        }
        self.waiters.wait(cx);
        // Once more, so that nothing falls between looking and waiting.
        self.with(look)
    }

    fn send_with(
        driver: &mut Driver,
        cx: &mut Context<'_>,
        message: &mut Option<Outgoing>,
        gather: bool,
    ) -> Poll<Result<()>> {
        if let Some(waiting) = message {
            // A message goes out whole: not between another's fragments,
            // whose end wakes us.
            let other = waiting.starts_message() && driver.connection.is_in_message();
            if other && driver.connection.is_open() {
                return Poll::Pending;
            }
            if driver.poll_room(cx).is_pending() {
                return Poll::Pending;
            }
            match waiting {
                Outgoing::Message(message) if !gather => driver
                    .send(cx, message.kind(), message.bytes())
                    .map_err(|error| told(error, &driver.connection))?,
                waiting => enqueue(&mut driver.connection, waiting)?,
            }
            *message = None;
            if gather && driver.is_gathering() {
                return Poll::Ready(Ok(()));
            }
        }
        if driver.poll_transmit(cx).is_pending()
            && driver.connection.is_output_full()
            && driver.poll_room(cx).is_pending()
        {
            return Poll::Pending;
        }
        if driver.has_lost_output() {
            return Poll::Ready(Err(no_longer_open(&driver.connection)));
        }
        Poll::Ready(Ok(()))
    }

    /// Takes a message without writing it, for a sink that is ready.
    pub(crate) fn start_send(&self, message: &Outgoing) -> Result<()> {
        self.connection(|connection| enqueue(connection, message))
    }

    /// Takes a message without writing it; gives where in the stream of frames it is.
    pub(super) fn queue(&self, message: &Outgoing) -> Result<Range<u64>> {
        self.connection(|connection| {
            let (from, _) = connection.message_offsets();
            enqueue(connection, message)?;
            Ok(from..connection.message_offsets().0)
        })
    }

    /// As [`Shared::queue`], what `send` sends.
    pub(super) fn queue_with(
        &self,
        send: impl FnOnce(&mut Connection) -> std::result::Result<(), SendError>,
    ) -> Result<Range<u64>> {
        self.connection(|connection| {
            let (from, _) = connection.message_offsets();
            send(connection).map_err(|error| told(error, connection))?;
            Ok(from..connection.message_offsets().0)
        })
    }

    /// Waits until so much of the stream of frames has been taken.
    pub(super) fn poll_transmitted(&self, cx: &Context<'_>, offset: u64) -> Poll<Result<()>> {
        self.look(cx, |driver, cx| {
            let _ = driver.poll_transmit(cx);
            if driver.connection.message_offsets().1 >= offset {
                return Poll::Ready(Ok(()));
            }
            if driver.has_lost_output() || driver.connection.closed().is_some() {
                return Poll::Ready(Err(no_longer_open(&driver.connection)));
            }
            Poll::Pending
        })
    }

    /// Lends the connection and the way to its transport, and tells whether more is to
    /// come at once. What is left to write is the keeper's.
    pub(super) fn lend<T>(
        &self,
        work: impl FnOnce(&mut Connection, &mut Write<'_>, bool, Instant) -> T,
    ) -> T {
        let (result, left) = self.with(|driver, cx| {
            let more = driver.is_gathering();
            let result = driver.lend(cx, |connection, write| work(connection, write, more, now()));
            let left = !more && driver.poll_transmit(cx).is_pending();
            (result, left)
        });
        if left {
            self.waiters.wake_keeper();
        }
        result
    }

    /// Sends messages that were encoded for many sockets, where nothing waits before
    /// them: as many as there is room for. Where that is not all, what `again` gives is
    /// woken when there may be more.
    pub(crate) fn deliver(&self, batch: &EncodedBatch, again: &dyn Fn() -> Waker) -> Delivery {
        let messages = batch.messages();
        let mut sent = 0;
        let mut waits = false;
        loop {
            let delivery = if sent == 0 {
                self.try_deliver(batch)
            } else {
                self.try_deliver(&EncodedBatch::new(messages[sent..].to_vec()))
            };
            match delivery {
                Delivery::Gone => return Delivery::Gone,
                Delivery::Taken(0) if waits => return Delivery::Taken(sent),
                Delivery::Taken(0) => {
                    // Once more, so that nothing falls between looking and waiting.
                    self.waiters.wait(&Context::from_waker(&again()));
                    waits = true;
                }
                // There may be room again.
                Delivery::Taken(count) => sent += count,
            }
            if sent == messages.len() {
                return Delivery::Taken(sent);
            }
        }
    }

    fn try_deliver(&self, batch: &EncodedBatch) -> Delivery {
        let (delivery, left) = self.with(|driver, cx| {
            if !driver.connection.is_open() || driver.has_lost_output() {
                return (Delivery::Gone, false);
            }
            let waits = driver.poll_transmit(cx).is_pending();
            let delivery = if waits || driver.connection.is_in_message() {
                Delivery::Taken(0)
            } else {
                match driver.send_batch(cx, batch) {
                    Ok(taken) => Delivery::Taken(taken),
                    Err(SendError::Closed) => Delivery::Gone,
                    // As where a batch that is sent as it is has to wait.
                    Err(SendError::LimitExceeded { limit, value, max }) => {
                        driver.connection.refuse(limit, value, max, now());
                        Delivery::Gone
                    }
                    Err(_) => Delivery::Taken(0),
                }
            };
            (delivery, driver.poll_transmit(cx).is_pending())
        });
        if left {
            self.waiters.wake_keeper();
        }
        delivery
    }

    /// Writes what can be written now. The rest is the keeper's.
    pub(crate) fn write_now(&self) {
        let left = self.with(|driver, cx| {
            let _ = driver.poll_transmit(cx);
            driver.connection.buffered() > 0
        });
        if left {
            self.waiters.wake_keeper();
        }
    }

    pub(crate) fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        self.look(cx, |driver, cx| {
            if driver.connection.is_in_message() && driver.connection.is_open() {
                return Poll::Pending;
            }
            driver.poll_room(cx)
        })
    }

    pub(crate) fn poll_flush(&self, cx: &Context<'_>) -> Poll<Result<()>> {
        self.look(cx, |driver, cx| {
            let flushed = driver.poll_flush(cx);
            if driver.has_lost_output() {
                return Poll::Ready(Err(no_longer_open(&driver.connection)));
            }
            flushed.map(Ok)
        })
    }

    /// Starts the closing handshake and writes what can be written now.
    pub(crate) fn close(&self, frame: Option<&CloseFrame>) {
        self.with(|driver, cx| {
            driver.connection.close(frame, now());
            let _ = driver.poll_transmit(cx);
        });
        self.wake_all();
    }

    /// Drives to the end of the connection; what still arrives is dropped where
    /// `discard` says so.
    pub(crate) fn poll_closed(&self, cx: &Context<'_>, discard: bool) -> Poll<Closed> {
        self.look(cx, |driver, cx| {
            if discard {
                driver.discard_input();
                if driver.poll_drive(cx).is_pending() {
                    return Poll::Pending;
                }
            }
            match driver.connection.closed() {
                Some(closed) => Poll::Ready(closed.clone()),
                None => Poll::Pending,
            }
        })
    }

    /// What the keeper does. Ready once the program let go of the socket, or the
    /// connection has ended.
    pub(crate) fn poll_keep(&self, cx: &Context<'_>) -> Poll<()> {
        self.waiters.wait_as_keeper(cx);
        let attended = self.waiters.is_receiving() && self.drive == Drive::Caller;
        if attended && lock(&self.driver).is_at_rest() {
            return Poll::Pending;
        }
        // Where nobody waits for messages, pings have still to be answered, and a
        // peer that is gone to be noticed.
        let unattended = !attended;
        self.with(|driver, cx| {
            driver.stop_gathering();
            if unattended || driver.discard || !driver.connection.is_open() {
                let _ = driver.poll_drive(cx);
            } else {
                let _ = driver.poll_transmit(cx);
            }
            if driver.released || driver.has_ended() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
    }

    /// Drops the transport: time is up.
    pub(crate) fn cut(&self) {
        self.with(|driver, _| driver.cut());
        self.wake_all();
    }

    /// Ends the connection with this code, whatever the program still holds of
    /// it, and drives it there.
    pub(crate) async fn finish(&self, code: CloseCode) -> Closed {
        // What has arrived before the end is still the program's to read.
        if let Some(closed) = self.connection(|connection| connection.closed().cloned()) {
            std::future::poll_fn(|cx| {
                self.waiters.wait_as_keeper(cx);
                self.with(Driver::poll_drive)
            })
            .await;
            return closed;
        }
        let role = self.connection(|connection| connection.role());
        self.close(CloseFrame::new(role, code, "").ok().as_ref());
        std::future::poll_fn(|cx| {
            self.waiters.wait_as_keeper(cx);
            self.poll_closed(cx, true)
        })
        .await
    }

    /// Nobody will read what arrives: the keeper takes over.
    pub(super) fn discard(&self) {
        self.with(|driver, _| driver.discard_input());
        self.waiters.wake_keeper();
    }

    /// The last handle is gone: the keeper takes over.
    pub(super) fn release(&self) {
        lock(&self.driver).released = true;
        self.wake_all();
    }
}

/// Takes what it can of these bytes, without waiting.
pub(crate) type Write<'a> = dyn FnMut(&[IoSlice<'_>]) -> io::Result<usize> + 'a;

/// What became of messages for many sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// So many of them were taken.
    Taken(usize),
    /// The connection takes nothing any more.
    Gone,
}

/// What a program sends.
pub(crate) enum Outgoing {
    Message(Message),
    Encoded(longwire_proto::EncodedMessage),
    /// A fragment of a message.
    Fragment {
        kind: MessageKind,
        payload: bytes::Bytes,
        first: bool,
        fin: bool,
    },
    Ping(bytes::Bytes),
    Pong(bytes::Bytes),
}

impl Outgoing {
    /// Whether a message starts with this, which can only be where none has
    /// begun.
    fn starts_message(&self) -> bool {
        match self {
            Self::Message(_) | Self::Encoded(_) => true,
            Self::Fragment { first, .. } => *first,
            Self::Ping(_) | Self::Pong(_) => false,
        }
    }
}

fn enqueue(connection: &mut Connection, outgoing: &Outgoing) -> Result<()> {
    let result = match outgoing {
        Outgoing::Message(message) => {
            let kind = message.kind();
            connection.send_bytes(kind, message.bytes())
        }
        Outgoing::Encoded(message) => connection.send_encoded(message),
        Outgoing::Fragment {
            kind, payload, fin, ..
        } => connection.send_fragment(*kind, payload, *fin),
        Outgoing::Ping(payload) => connection.ping(payload),
        Outgoing::Pong(payload) => connection.pong(payload),
    };
    result.map_err(|error| told(error, connection))
}

fn told(error: SendError, connection: &Connection) -> Error {
    match error {
        SendError::Closed => no_longer_open(connection),
        error => Error::Send(error),
    }
}

fn no_longer_open(connection: &Connection) -> Error {
    match connection.closed() {
        Some(closed) => Error::closed(closed.clone()),
        None => Error::Closing,
    }
}

#[cfg(test)]
mod tests {
    use super::super::sending::Sending;
    use super::*;

    #[test]
    fn what_a_socket_holds_while_it_waits_is_small() {
        let size = size_of::<Shared>();
        assert!(size <= 600, "{size} bytes");
        // It is part of a program's task.
        let size = size_of::<Sending<'_>>();
        assert!(size <= 72, "{size} bytes");
    }
}
