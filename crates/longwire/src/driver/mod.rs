//! Joins a [`Connection`] to its transport and its timer. Everything here is a
//! `poll` function, so that dropping a future that called it loses nothing.
//!
//! Read `link` (the transport), `sending` and `ending`; this file has what arrives, and
//! the time.

mod link;

mod sending;

mod ending;

use std::task::{Context, Poll, ready};
use std::time::Instant;

use longwire_proto::limits::{BudgetExhausted, Share};
use longwire_proto::{Connection, Input, Limit, MemoryBudget, TransportState};
use tokio::task::coop;

use crate::inbox::{Arrival, Inbox, Piece, Stream};
use crate::message::{Event, Message};
use crate::options::Options;
use crate::timer::Timer;
use crate::transport::{Io, now, with_scratch};
use link::{Link, Writing};

/// Bytes of answers that are gathered at most.
const GATHER: usize = 64 << 10;

/// Input that was read and not handled yet.
struct Unhandled {
    bytes: Vec<u8>,
    /// Where in `bytes` it starts.
    at: usize,
    /// Whether the program has been given something and has not come back since:
    /// it may answer.
    answering: bool,
}

pub(crate) struct Driver {
    link: Option<Link>,
    pub(crate) connection: Connection,
    unhandled: Unhandled,
    /// What the task that drives the socket has read ahead.
    inbox: Inbox,
    /// What becomes of a message that arrives in pieces.
    stream: Stream,
    /// What all of these take of the memory budget.
    share: Share,
    /// Whether messages arrive in pieces even where the program wants them
    /// whole.
    always_pieces: bool,
    timer: Timer,
    /// By when the transport of a closed connection is dropped, flushed or not.
    dropped_by: Option<Instant>,
    /// Whether nobody will read what arrives: it is dropped.
    pub(crate) discard: bool,
    /// Whether the last handle of the program is gone.
    pub(crate) released: bool,
}

impl Driver {
    /// `unhandled` is what was read behind the handshake.
    pub(crate) fn new(
        io: Io,
        mut connection: Connection,
        unhandled: Vec<u8>,
        options: &Options,
    ) -> Self {
        connection.deliver_pieces(options.message_streams);
        let budget = connection.memory_budget();
        let mut driver = Self {
            share: budget.map(MemoryBudget::share).unwrap_or_default(),
            link: Some(Link::new(io)),
            connection,
            unhandled: Unhandled {
                bytes: unhandled,
                at: 0,
                answering: false,
            },
            inbox: Inbox::default(),
            stream: Stream::default(),
            always_pieces: options.message_streams,
            timer: Timer::default(),
            dropped_by: None,
            discard: false,
            released: false,
        };
        driver.count_held();
        driver
    }

    /// The next event, messages whole; `None` once the connection is closed and
    /// the transport dropped.
    pub(crate) fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
        wanted: Wanted,
    ) -> Poll<Option<Event>> {
        self.connection.deliver_pieces(self.always_pieces);
        loop {
            let piece = match ready!(self.poll_arrival(cx, wanted)) {
                None => return Poll::Ready(None),
                Some(Arrival::Event(event)) => return Poll::Ready(Some(event)),
                Some(Arrival::Piece(piece)) => piece,
            };
            let max = self.connection.config().limits.message_size;
            match self.stream.gather(&piece, max) {
                Ok(message) => {
                    self.count_held();
                    if let Some(message) = message {
                        return Poll::Ready(Some(Event::Message(message)));
                    }
                }
                Err(size) => self.connection.refuse(Limit::MessageSize, size, max, now()),
            }
        }
    }

    /// The next message as a stream: its first piece, or all of it where it has
    /// arrived already.
    pub(crate) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Piece>> {
        self.connection.deliver_pieces(true);
        loop {
            match ready!(self.poll_arrival(cx, Wanted::Messages)) {
                None => return Poll::Ready(None),
                Some(Arrival::Piece(mut piece)) => {
                    let wanted = self.stream.read(&mut piece);
                    self.count_held();
                    if wanted {
                        return Poll::Ready(Some(piece));
                    }
                }
                Some(Arrival::Event(Event::Message(message))) => {
                    return Poll::Ready(Some(Piece {
                        kind: message.kind(),
                        first: true,
                        last: true,
                        data: message.into_bytes(),
                    }));
                }
                Some(Arrival::Event(_)) => {}
            }
        }
    }

    /// The rest of the message that is being read as a stream is not wanted.
    pub(crate) fn skip_stream(&mut self) {
        self.stream.skip();
    }

    fn poll_arrival(&mut self, cx: &mut Context<'_>, wanted: Wanted) -> Poll<Option<Arrival>> {
        while let Some(arrival) = self.inbox.pop() {
            self.count_held();
            if wanted.includes(&arrival) {
                self.unhandled.answering = true;
                return Poll::Ready(Some(arrival));
            }
        }
        self.poll_input(cx, wanted)
    }

    /// Counts what waits for the program. Where the budget has no memory for it,
    /// the connection fails: nothing more will come.
    fn count_held(&mut self) {
        let held = self.inbox.held() + self.stream.held() + self.unhandled.bytes.capacity();
        if let Err(BudgetExhausted { used, total, .. }) = self.share.resize(held) {
            let limit = Limit::MemoryBudget;
            self.connection.refuse(limit, used, total, now());
        }
    }

    /// Whether the inbox has room again, having been full before an event was
    /// taken from it.
    pub(crate) fn has_room(&self) -> bool {
        self.inbox.has_room()
    }

    /// Writes, reads and keeps time for a program that does not wait for
    /// events now; what arrives waits for it, bounded. Ready once closed.
    pub(crate) fn poll_drive(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if !self.discard && !self.has_room() {
                let blocked = self.poll_transmit(cx).is_pending();
                if self.poll_end(cx, blocked).is_ready() {
                    return Poll::Ready(());
                }
                // Pongs may wait behind what is not read, so an open connection
                // is not judged; one that is closing has its time.
                if self.connection.is_open() || self.poll_timer(cx).is_pending() {
                    return Poll::Pending;
                }
                continue;
            }
            match self.poll_input(cx, Wanted::All) {
                Poll::Ready(Some(arrival)) if !self.discard => {
                    self.inbox.push(arrival);
                    self.count_held();
                }
                Poll::Ready(Some(_)) => {}
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Whether the connection is closed and its transport dropped.
    pub(crate) fn has_ended(&self) -> bool {
        self.link.is_none() && self.connection.closed().is_some()
    }

    /// Drops the transport, whatever is left to say.
    pub(crate) fn cut(&mut self) {
        self.link = None;
        self.timer.clear();
        self.connection.handle_transport_lost();
    }

    /// Whether something that was to be sent is lost.
    pub(crate) fn has_lost_output(&self) -> bool {
        match &self.link {
            Some(link) => link.writing == Writing::Failed,
            None => self.connection.closed().is_some_and(|closed| !closed.clean),
        }
    }

    /// What other tasks than the one that polls must hear of when it changes.
    #[inline]
    pub(crate) fn news(&self) -> (bool, bool, bool, TransportState) {
        let open = self.connection.is_open();
        let state = if open {
            TransportState::Open
        } else {
            self.connection.transport_state()
        };
        let in_message = self.connection.is_in_message();
        (open, in_message, self.inbox.is_empty(), state)
    }

    /// Forgets what the program will not read.
    pub(crate) fn discard_input(&mut self) {
        self.discard = true;
        self.inbox = Inbox::default();
        self.stream.discard();
        self.count_held();
    }

    /// Whether what is sent now had better wait a moment: the program answers
    /// messages that were read at once, and all answers fit one write. What waits
    /// leaves when the program comes back for more, or is not busy any more.
    pub(crate) fn is_gathering(&self) -> bool {
        self.unhandled.answering
            && !(self.unhandled.bytes.is_empty() && self.inbox.is_empty())
            && self.connection.buffered() < GATHER
            && self.connection.is_open()
            && !self.connection.should_transmit()
    }

    /// The next message of those that were read at once, where nothing else is to be done
    /// before it.
    pub(crate) fn next_gathered(&mut self) -> Option<Message> {
        if !self.is_gathering()
            || !self.inbox.is_empty()
            || self.always_pieces
            || !self.stream.is_between()
            || self.connection.has_control_output()
        {
            return None;
        }
        self.connection.deliver_pieces(false);
        match self.handle_unhandled()? {
            Arrival::Event(Event::Message(message)) => Some(message),
            other => {
                self.inbox.push(other);
                self.count_held();
                None
            }
        }
    }

    /// The program does something else now.
    pub(crate) fn stop_gathering(&mut self) {
        self.unhandled.answering = false;
    }

    /// Whether there is nothing to do but to wait for what the program has asked.
    pub(crate) fn is_at_rest(&self) -> bool {
        let flushed = self.link.as_ref().is_some_and(|link| link.flushed);
        flushed
            && !self.discard
            && !self.released
            && self.connection.is_open()
            && self.connection.buffered() == 0
    }

    //= rfc6455#5.5.2-2, rfc6455#5.5.1-8
    fn poll_input(&mut self, cx: &mut Context<'_>, wanted: Wanted) -> Poll<Option<Arrival>> {
        loop {
            // Answers to what was read at once leave together, but not too many.
            let gather = !self.unhandled.bytes.is_empty() && !self.connection.should_transmit();
            let blocked = !gather && self.poll_transmit(cx).is_pending();
            if blocked && !coop::has_budget_remaining() {
                // The transport may take more: this task's turn is over.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let mut event = self.handle_unhandled();
            if event.is_none() {
                if self.poll_end(cx, blocked).is_ready() {
                    return Poll::Ready(None);
                }
                event = match self.poll_read(cx) {
                    // What comes behind the end is only taken out of the way, a
                    // piece at a turn.
                    Poll::Ready(_) if self.connection.closed().is_some() => {
                        cx.waker().wake_by_ref();
                        return self.poll_end(cx, blocked).map(|()| None);
                    }
                    Poll::Ready(event) => event,
                    Poll::Pending => match self.poll_quiet(cx, blocked) {
                        Poll::Ready(()) => continue,
                        Poll::Pending => return Poll::Pending,
                    },
                };
            }
            match event {
                Some(event) if wanted.includes(&event) => {
                    // The program may take its time: no pong waits for it.
                    if self.connection.has_control_output() {
                        let _ = self.poll_transmit(cx);
                    }
                    self.unhandled.answering = true;
                    return Poll::Ready(Some(event));
                }
                _ => {}
            }
            // A peer that sends without end must not stop the clock of a
            // connection that is closing.
            if !self.connection.is_open() {
                let _ = self.poll_timer(cx);
            }
        }
    }

    /// Nothing is there to read. Ready where something happened all the same.
    fn poll_quiet(&mut self, cx: &mut Context<'_>, blocked: bool) -> Poll<()> {
        if !coop::has_budget_remaining() {
            // There may be: this task's turn is over.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.connection.buffered() > 0 && !blocked && self.poll_transmit(cx).is_ready() {
            return Poll::Ready(());
        }
        // Time is asked last: a pong that has come counts.
        self.poll_timer(cx)
    }

    /// One read, and the first event in what it brought.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Option<Arrival>> {
        let Some(link) = &mut self.link else {
            self.connection.handle_input_end();
            return Poll::Ready(None);
        };
        if link.read_ended {
            // What is left is to write, and time.
            return Poll::Pending;
        }
        if let Some(buffer) = self.connection.payload_buffer() {
            let read = ready!(link.io.poll_read_into(cx, buffer));
            return Poll::Ready(self.count_read(read).and_then(|_| {
                let (event, beyond) = self.connection.handle_payload(now());
                self.keep_unhandled(&beyond);
                event.map(Arrival::from_proto)
            }));
        }
        with_scratch(|scratch| {
            let Some(link) = &mut self.link else {
                return Poll::Pending;
            };
            let read = ready!(link.io.poll_read(cx, scratch));
            Poll::Ready(self.count_read(read).and_then(|count| {
                let mut input = Input::new(&mut scratch[..count]);
                let event = self.handle_input(&mut input);
                self.keep_unhandled(input.as_slice());
                event
            }))
        })
    }

    fn keep_unhandled(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.unhandled.bytes.reserve_exact(bytes.len());
            self.unhandled.bytes.extend_from_slice(bytes);
            self.count_held();
        }
    }

    /// How many bytes a read has brought, if any.
    fn count_read(&mut self, read: std::io::Result<usize>) -> Option<usize> {
        match read {
            Ok(0) => {
                if let Some(link) = &mut self.link {
                    link.read_ended = true;
                }
                self.connection.handle_input_end();
                None
            }
            Ok(count) => Some(count),
            Err(error) => {
                tracing::debug!(%error, "reading failed");
                if let Some(link) = &mut self.link {
                    link.writing = Writing::Failed;
                }
                self.connection.handle_transport_lost();
                None
            }
        }
    }

    fn handle_unhandled(&mut self) -> Option<Arrival> {
        let Unhandled { bytes, at, .. } = &mut self.unhandled;
        if bytes.is_empty() {
            return None;
        }
        let (mut bytes, handled) = (std::mem::take(bytes), *at);
        let mut input = Input::new(&mut bytes[handled..]);
        let event = self.handle_input(&mut input);
        let left = input.len();
        if left > 0 {
            self.unhandled.at = bytes.len() - left;
            self.unhandled.bytes = bytes;
        } else {
            self.unhandled.at = 0;
            self.count_held();
        }
        event
    }

    fn handle_input(&mut self, input: &mut Input<'_>) -> Option<Arrival> {
        let event = self.connection.handle_input(input, now());
        event.map(Arrival::from_proto)
    }

    /// Ready where time has passed that the connection was told of.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = self.connection.next_timeout() else {
            return Poll::Pending;
        };
        if self.timer.waits_for(at) {
            return Poll::Pending;
        }
        let now = now();
        if at <= now {
            self.connection.handle_timeout(now);
            return Poll::Ready(());
        }
        if self.timer.poll(cx, at).is_pending() {
            return Poll::Pending;
        }
        // The timer was set for an instant that has been put off since.
        self.timer.clear();
        ready!(self.timer.poll(cx, at));
        self.connection.handle_timeout(at);
        Poll::Ready(())
    }
}

/// What a program waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Messages,
    All,
}

impl Wanted {
    fn includes(self, arrival: &Arrival) -> bool {
        let is_message = matches!(
            arrival,
            Arrival::Event(Event::Message(_)) | Arrival::Piece(_)
        );
        self == Self::All || is_message
    }
}
