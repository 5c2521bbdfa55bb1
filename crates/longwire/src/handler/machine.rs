//! A connection and its handler, whatever the transport is.

use std::time::Instant;

use longwire_proto::limits::{BudgetExhausted, Share};
use longwire_proto::{
    CloseCode, CloseFrame, Closed, Connection, Data, EncodedBatch, Event, Input, Limit,
    MemoryBudget, Role, SendError, Text, TransportState,
};

use super::{Context, Guarded, Handler, MessageRef, Wire};
use crate::socket::Delivery;

/// A connection and its handler. Small while nothing goes on.
pub(crate) struct Machine {
    pub(crate) connection: Connection,
    handler: Guarded,
    /// What was read while the peer did not take what it is answered with.
    unhandled: Option<Box<Unhandled>>,
    /// Whether the kernel has not taken all it was given.
    blocked: bool,
}

struct Unhandled {
    bytes: Vec<u8>,
    share: Share,
}

/// What is to be done with the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Read on.
    Read,
    /// Wait until more can be written.
    Wait,
    /// Shut down writing, and read on.
    ShutDown,
    /// Drop it.
    Drop,
}

impl Machine {
    pub(crate) fn new(connection: Connection, handler: Guarded) -> Self {
        Self {
            connection,
            handler,
            unhandled: None,
            blocked: false,
        }
    }

    /// The connection is open, and this was read behind the handshake.
    pub(crate) fn open(&mut self, bytes: &mut [u8], mut wire: Wire<'_>, now: Instant) -> Flow {
        self.call(&mut wire, now, Handler::open);
        self.handle(bytes, &mut wire, now);
        self.flush(&mut wire, now)
    }

    /// These bytes were read.
    pub(crate) fn read(&mut self, bytes: &mut [u8], mut wire: Wire<'_>, now: Instant) -> Flow {
        wire.set_blocked(self.blocked);
        self.handle(bytes, &mut wire, now);
        self.flush(&mut wire, now)
    }

    /// Where what follows is read into, if that is the buffer of a large message. A peer
    /// that does not take its answers is not read so.
    pub(crate) fn payload_buffer(&mut self) -> Option<&mut Vec<u8>> {
        if self.unhandled.is_some() || self.connection.is_output_full() {
            return None;
        }
        self.connection.payload_buffer()
    }

    /// What follows has been read into that buffer.
    pub(crate) fn read_payload(&mut self, mut wire: Wire<'_>, now: Instant) -> Flow {
        wire.set_blocked(self.blocked);
        let (event, mut beyond) = self.connection.handle_payload(now);
        if let Some(event) = event {
            self.hand_out(&event, &mut wire, now);
        }
        self.handle(&mut beyond, &mut wire, now);
        self.flush(&mut wire, now)
    }

    /// The transport takes more.
    pub(crate) fn write(&mut self, mut wire: Wire<'_>, now: Instant) -> Flow {
        self.flush(&mut wire, now)
    }

    /// The peer has ended its side.
    pub(crate) fn end_input(&mut self, wire: Wire<'_>, now: Instant) -> Flow {
        self.connection.handle_input_end();
        self.write(wire, now)
    }

    /// The transport broke.
    pub(crate) fn lose(&mut self) -> Flow {
        self.connection.handle_transport_lost();
        self.flow()
    }

    /// The time is `now`.
    pub(crate) fn time(&mut self, mut wire: Wire<'_>, now: Instant) -> Flow {
        wire.set_blocked(self.blocked);
        self.connection.handle_timeout(now);
        self.flush(&mut wire, now)
    }

    /// Closes the connection with this code, as the server wants it.
    pub(crate) fn close(
        &mut self,
        code: CloseCode,
        reason: &str,
        mut wire: Wire<'_>,
        now: Instant,
    ) -> Flow {
        wire.set_blocked(self.blocked);
        let frame = CloseFrame::new(Role::Server, code, reason).ok();
        self.connection.close(frame.as_ref(), now);
        self.flush(&mut wire, now)
    }

    /// Sends messages that were encoded for many sockets; the crowd's way.
    pub(crate) fn deliver(
        &mut self,
        batch: &EncodedBatch,
        mut wire: Wire<'_>,
        now: Instant,
    ) -> Delivery {
        let messages = batch.messages();
        let mut sent = 0;
        while sent < messages.len() && !self.blocked {
            if !self.connection.is_open() {
                return Delivery::Gone;
            }
            let taken = if sent == 0 {
                wire.send_batch(&mut self.connection, batch, now)
            } else {
                let rest = EncodedBatch::new(messages[sent..].to_vec());
                wire.send_batch(&mut self.connection, &rest, now)
            };
            self.blocked = wire.is_blocked();
            match taken {
                // There may be room again.
                Ok(taken) if taken > 0 => sent += taken,
                Err(SendError::LimitExceeded { limit, value, max }) => {
                    self.connection.refuse(limit, value, max, now);
                    wire.flush(&mut self.connection, now);
                    self.blocked = wire.is_blocked();
                    return Delivery::Gone;
                }
                _ => break,
            }
        }
        Delivery::Taken(sent)
    }

    /// Whether it waits until more can be written.
    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// Tells the handler how the connection ended.
    pub(crate) fn end(mut self) -> Option<Closed> {
        let closed = self.connection.closed()?;
        self.handler.end(closed);
        Some(closed.clone())
    }

    fn call(
        &mut self,
        wire: &mut Wire<'_>,
        now: Instant,
        what: impl FnOnce(&mut dyn Handler, &mut Context<'_>),
    ) {
        let mut context = Context {
            connection: &mut self.connection,
            wire: wire.lend(),
            now,
        };
        self.handler.call(&mut context, what);
    }

    /// Hands out the messages in these bytes. Where the peer takes too little, the rest
    /// waits.
    fn handle(&mut self, bytes: &mut [u8], wire: &mut Wire<'_>, now: Instant) {
        if self.unhandled.is_some() {
            return self.keep(bytes, now);
        }
        let mut input = Input::new(bytes);
        loop {
            if self.connection.is_open() && self.connection.is_output_full() {
                wire.flush(&mut self.connection, now);
                if self.connection.is_output_full() && !input.is_empty() {
                    return self.keep(input.as_slice(), now);
                }
            }
            if self.connection.should_transmit() {
                wire.flush(&mut self.connection, now);
            }
            let Some(event) = self.connection.handle_input(&mut input, now) else {
                return;
            };
            self.hand_out(&event, wire, now);
        }
    }

    fn hand_out(&mut self, event: &Event<'_>, wire: &mut Wire<'_>, now: Instant) {
        let message = match event {
            Event::Text(Text::Borrowed(text)) => MessageRef::Text(text),
            Event::Text(Text::Owned(text)) => MessageRef::Text(text),
            Event::Binary(Data::Borrowed(bytes)) => MessageRef::Binary(bytes),
            Event::Binary(Data::Owned(bytes)) => MessageRef::Binary(bytes),
            _ => return,
        };
        self.call(wire, now, |handler, context| {
            handler.message(context, message);
        });
    }

    /// Keeps what was read until there is room for answers. Where the budget has no memory
    /// for it, the connection fails.
    fn keep(&mut self, bytes: &[u8], now: Instant) {
        let budget = self.connection.memory_budget();
        let unhandled = self.unhandled.get_or_insert_with(|| {
            Box::new(Unhandled {
                bytes: Vec::new(),
                share: budget.map(MemoryBudget::share).unwrap_or_default(),
            })
        });
        let held = unhandled.bytes.len() + bytes.len();
        if let Err(BudgetExhausted { used, total, .. }) = unhandled.share.resize(held) {
            self.unhandled = None;
            let limit = Limit::MemoryBudget;
            return self.connection.refuse(limit, used, total, now);
        }
        unhandled.bytes.reserve_exact(bytes.len());
        unhandled.bytes.extend_from_slice(bytes);
    }

    /// Writes what can be written. Where that was all, what waited for it goes on.
    fn flush(&mut self, wire: &mut Wire<'_>, now: Instant) -> Flow {
        loop {
            let waited = self.blocked;
            wire.flush(&mut self.connection, now);
            self.blocked = wire.is_blocked();
            if self.blocked {
                return self.flow();
            }
            if waited && self.connection.is_open() {
                self.call(wire, now, Handler::drain);
                continue;
            }
            let Some(mut unhandled) = self.unhandled.take() else {
                return self.flow();
            };
            self.handle(&mut unhandled.bytes, wire, now);
        }
    }

    /// What is to be done with the transport.
    pub(crate) fn flow(&self) -> Flow {
        match self.connection.transport_state() {
            TransportState::Closed => Flow::Drop,
            TransportState::ShutDown => Flow::ShutDown,
            TransportState::Open if self.unhandled.is_some() => Flow::Wait,
            TransportState::Open => Flow::Read,
        }
    }
}
