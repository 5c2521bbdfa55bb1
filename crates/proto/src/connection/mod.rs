//! The protocol after the handshake, as one state machine for both roles
//! (RFC 6455 sections 5 to 8).
//!
//! [`Connection`] has its methods in four classes: `handle_*` take what
//! happened (input, its end, transmission, a timeout), commands ask for
//! something to be sent, `poll_*` and `next_timeout` tell what to do next, and
//! getters tell how things are. To drive one:
//!
//! 1. hand what arrives to [`Connection::handle_input`] until it gives `None`,
//!    with the next step in between where [`Connection::should_transmit`];
//! 2. write what [`Connection::poll_transmit`] gives and report it to
//!    [`Connection::handle_transmitted`];
//! 3. at [`Connection::next_timeout`] call [`Connection::handle_timeout`];
//! 4. do with the transport what [`Connection::transport_state`] says.
//!
//! Read `heartbeat`, `statistics`, `config`, `control`, `output`, `send` and `sending` (what
//! goes out), then `closing` for the end of a connection; this file has the rest.

mod heartbeat;

mod statistics;

mod config;

mod control;

mod output;

mod send;

mod sending;

mod closing;

use std::fmt;
use std::io::IoSlice;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use config::Config;
pub use heartbeat::Heartbeat;
pub use send::{EncodedBatch, EncodedMessage, SendError};
pub use statistics::Statistics;

use crate::Role;
use crate::assembler::{Assembled, Assembler};
use crate::close::CloseFrame;
use crate::deflate::{Agreement, Deflater, Inflater};
use crate::error::ProtocolError;
use crate::frame::{FrameDecoder, Input};
use crate::header::HeaderRules;
use crate::limits::{BudgetExhausted, Limit, MemoryBudget, Share};
use crate::message::{ControlPayload, Data, MessageKind, Piece, Text};
use crate::opcode::Opcode;
use crate::utf8::validate;
use closing::State;
use heartbeat::{Due, Pulse, later};
use output::Output;
use sending::Sending;

/// The least bytes of a payload that are read where they belong.
const DIRECT: usize = 16 << 10;

/// Gives a new masking key for each frame, from a cryptographically secure
/// generator (RFC 6455 sections 5.3 and 10.3).
pub type MaskingKeys = Box<dyn FnMut() -> [u8; 4] + Send>;

/// What arrived. Messages that lay whole in the input borrow from it.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A text message.
    Text(Text<'a>),
    /// A binary message.
    Binary(Data<'a>),
    /// A piece of a message, after [`Connection::deliver_pieces`].
    Piece(Piece<'a>),
    /// A ping. Its pong is queued already.
    Ping(ControlPayload),
    /// A pong, asked for or not, that answers no ping of the heartbeat.
    Pong(ControlPayload),
    /// The peer's Close frame, with its body if it has one. Nothing follows.
    Closing(Option<CloseFrame>),
}

/// What is to be done with the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportState {
    /// Read and write.
    Open,
    /// Shut down writing, all is written; go on reading until the end.
    ShutDown,
    /// Drop it.
    Closed,
}

/// One WebSocket connection; see the [module](self).
pub struct Connection {
    config: Arc<Config>,
    /// What makes the keys: a client's alone.
    masking_keys: Option<MaskingKeys>,
    state: State,
    decoder: FrameDecoder,
    assembler: Assembler,
    /// Whether messages are handed out in pieces.
    pieces: bool,
    agreement: Option<Agreement>,
    /// What compresses, where that is agreed on.
    deflater: Option<Box<Deflater>>,
    /// The budget, or a part of it, that all of the shares are of.
    memory_budget: Option<MemoryBudget>,
    /// What the deflater holds between messages.
    context_share: Share,
    output: Output,
    output_share: Share,
    /// The message whose fragments are being sent.
    sending: Option<Sending>,
    pulse: Option<Pulse>,
    /// When a piece of a message was last sent or received.
    last_message: Instant,
    /// When a piece of a message was last sent.
    last_sent: Instant,
    /// Bytes received, to tell progress by.
    received: u64,
    /// Bytes sent, to tell progress by.
    transmitted: u64,
    /// Those of them that were not of pings and pongs.
    data_transmitted: u64,
    messages_received: u64,
    messages_sent: u64,
    input_ended: bool,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("role", &self.role())
            .field("state", &self.state)
            .field("buffered", &self.output.len())
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// The server's end, its handshake done.
    pub fn server(config: impl Into<Arc<Config>>, now: Instant) -> Self {
        Self::new(config.into(), None, now)
    }

    /// The client's end, its handshake done.
    pub fn client(config: impl Into<Arc<Config>>, masking_keys: MaskingKeys, now: Instant) -> Self {
        Self::new(config.into(), Some(masking_keys), now)
    }

    fn new(config: Arc<Config>, masking_keys: Option<MaskingKeys>, now: Instant) -> Self {
        let share = || Share::new(config.memory_budget.clone());
        Self {
            masking_keys,
            state: State::Open,
            decoder: FrameDecoder::new(),
            assembler: Assembler::new(share(), share()),
            pieces: false,
            agreement: None,
            deflater: None,
            memory_budget: config.memory_budget.clone(),
            context_share: share(),
            output: Output::default(),
            output_share: share(),
            sending: None,
            pulse: config.heartbeat.map(|settings| Pulse::new(settings, now)),
            last_message: now,
            last_sent: now,
            received: 0,
            transmitted: 0,
            data_transmitted: 0,
            messages_received: 0,
            messages_sent: 0,
            input_ended: false,
            config,
        }
    }

    /// The connection with a part of the budget that the settings have, as
    /// [`MemoryBudget::part`] gives it.
    #[must_use]
    pub fn with_memory_budget(mut self, budget: Option<MemoryBudget>) -> Self {
        let share = || Share::new(budget.clone());
        self.assembler = Assembler::new(share(), share());
        self.context_share = share();
        self.output_share = share();
        self.memory_budget = budget;
        let agreement = self.agreement;
        self.with_compression(agreement)
    }

    /// The connection with compression as the handshake has agreed on it.
    #[must_use]
    pub fn with_compression(mut self, agreement: Option<Agreement>) -> Self {
        self.agreement = agreement;
        if let Some(agreement) = agreement {
            let incoming = agreement.direction(self.role().peer());
            let outgoing = agreement.direction(self.role());
            let window = incoming.takeover.then_some(incoming.window_bits);
            self.assembler.set_inflater(Inflater::new(window));
            let deflater = Deflater::new(&self.config.compression, outgoing);
            self.deflater = Some(Box::new(deflater));
        }
        self
    }

    // Getters.

    /// Which end this is.
    #[inline]
    pub fn role(&self) -> Role {
        if self.masking_keys.is_some() {
            Role::Client
        } else {
            Role::Server
        }
    }

    /// The settings.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// Whether messages may be sent: no Close frame has been sent or received.
    #[inline]
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open)
    }

    /// What the connection's memory is counted against.
    pub fn memory_budget(&self) -> Option<&MemoryBudget> {
        self.memory_budget.as_ref()
    }

    /// What was agreed on compression.
    pub fn compression(&self) -> Option<&Agreement> {
        self.agreement.as_ref()
    }

    /// Whether fragments of a message are being sent, so that no other may.
    #[inline]
    pub fn is_in_message(&self) -> bool {
        self.sending.is_some()
    }

    /// Bytes of output that wait for the transport.
    #[inline]
    pub fn buffered(&self) -> usize {
        self.output.len()
    }

    /// Whether pings or pongs wait for the transport.
    #[inline]
    pub fn has_control_output(&self) -> bool {
        self.output.has_control()
    }

    /// How far the messages sent reach in the stream of all their frames, pings
    /// and pongs left out, and how much of that the transport has taken: both in
    /// bytes since the connection was opened.
    pub fn message_offsets(&self) -> (u64, u64) {
        let taken = self.data_transmitted;
        (taken + self.output.data_len() as u64, taken)
    }

    /// Whether so much output waits that no message is taken.
    #[inline]
    pub fn is_output_full(&self) -> bool {
        // A single message is always taken where nothing waits.
        self.output.len() >= self.config.limits.output_high_water.max(1)
    }

    /// Whether so many control frames wait that the transport should get them
    /// before more input is handled.
    #[inline]
    pub fn should_transmit(&self) -> bool {
        self.output.pongs() > self.config.limits.queued_control_frames / 2
    }

    /// How long the peer took to answer the last ping of the heartbeat.
    pub fn latency(&self) -> Option<Duration> {
        self.pulse.as_ref().and_then(Pulse::latency)
    }

    /// What has passed so far.
    pub fn statistics(&self) -> Statistics {
        Statistics {
            messages_received: self.messages_received,
            messages_sent: self.messages_sent,
            bytes_received: self.received,
            bytes_sent: self.transmitted,
        }
    }

    /// Hands out messages in pieces from now on, or no longer: as they arrive,
    /// whatever their size, with [`Event::Piece`]. A message of which a piece has
    /// been handed out stays in pieces to its end. The limits of messages and
    /// frames do not count for pieces, of which nothing is held.
    pub fn deliver_pieces(&mut self, pieces: bool) {
        self.pieces = pieces;
    }

    // What happened.

    //= rfc6455#6.2-1, rfc6455#10.7-1
    //= rfc6455#5.4-13
    /// Takes the next event out of `input`. `None` says that all of it is
    /// consumed; what is unfinished is kept. Call again until then, with the
    /// output transmitted in between where [`Connection::should_transmit`].
    pub fn handle_input<'a>(&mut self, input: &mut Input<'a>, now: Instant) -> Option<Event<'a>> {
        if input.is_empty() {
            return None;
        }
        if let Some(event) = self.handle_message(input, now) {
            return Some(event);
        }
        loop {
            if !self.state.reads_frames() {
                self.received += input.len() as u64;
                input.discard();
                return None;
            }
            let before = input.len();
            let assembled = self.next_assembled(input, now);
            self.received += (before - input.len()) as u64;
            let result = match assembled {
                Ok(Step::Starved) => return None,
                Ok(Step::Unfinished) => continue,
                Ok(Step::Done(Assembled::Text(text))) => return Some(Event::Text(text)),
                Ok(Step::Done(Assembled::Binary(data))) => return Some(Event::Binary(data)),
                Ok(Step::Done(Assembled::Piece(piece))) => return Some(Event::Piece(piece)),
                Ok(Step::Done(Assembled::Control(opcode, payload))) => {
                    self.handle_control(opcode, payload, now)
                }
                Err(error) => Err(error),
            };
            match result {
                Ok(Some(event)) => return Some(event),
                Ok(None) => {}
                Err(error) => self.fail(error, now),
            }
        }
    }

    /// Whether [`Connection::payload_buffer`] may have one to give.
    #[inline]
    pub fn wants_payload(&self) -> bool {
        let left = self.decoder.payload_left();
        left.is_some_and(|left| left >= DIRECT as u64) && !self.pieces && self.state.reads_frames()
    }

    /// The buffer of a large message that is arriving: what the transport reads into its
    /// spare capacity, and [`Connection::handle_payload`] is told of next, is copied
    /// nowhere. `None` where what comes next has to go to [`Connection::handle_input`].
    pub fn payload_buffer(&mut self) -> Option<&mut Vec<u8>> {
        if !self.wants_payload() {
            return None;
        }
        self.assembler.payload_buffer(DIRECT, &self.config.limits)
    }

    //= rfc6455#6.2-1
    /// Takes what was read into the buffer that [`Connection::payload_buffer`] has given.
    /// What was read beyond the frame is given back, to be handled next.
    pub fn handle_payload(&mut self, now: Instant) -> (Option<Event<'static>>, Vec<u8>) {
        let left = self.decoder.payload_left();
        let assembled = self.assembler.push_payload(&mut self.decoder);
        let taken = left.unwrap_or(0) - self.decoder.payload_left().unwrap_or(0);
        self.received += taken;
        self.last_message = now;
        match assembled {
            Ok((Some(Assembled::Text(text)), beyond)) => {
                self.messages_received += 1;
                (Some(Event::Text(text)), beyond)
            }
            Ok((Some(Assembled::Binary(data)), beyond)) => {
                self.messages_received += 1;
                (Some(Event::Binary(data)), beyond)
            }
            Ok((_, beyond)) => (None, beyond),
            Err(error) => {
                self.fail(error, now);
                (None, Vec::new())
            }
        }
    }

    /// The short way of what most frames are: whole messages.
    fn handle_message<'a>(&mut self, input: &mut Input<'a>, now: Instant) -> Option<Event<'a>> {
        if !self.state.reads_frames() || self.pieces || self.assembler.in_message() {
            return None;
        }
        let before = input.len();
        let limits = &self.config.limits;
        let most = limits.frame_size.min(limits.message_size);
        let (kind, data) = self.decoder.next_message(input, self.role(), most)?;
        self.received += (before - input.len()) as u64;
        self.last_message = now;
        if kind == MessageKind::Binary {
            self.messages_received += 1;
            return Some(Event::Binary(Data::Borrowed(data)));
        }
        match validate(data) {
            Ok(text) => {
                self.messages_received += 1;
                Some(Event::Text(Text::Borrowed(text)))
            }
            Err(error) => {
                self.fail(error.into(), now);
                None
            }
        }
    }

    fn next_assembled<'a>(
        &mut self,
        input: &mut Input<'a>,
        now: Instant,
    ) -> Result<Step<'a>, ProtocolError> {
        // Nothing of a message that is handed out in pieces is held.
        let frame_size = if self.assembler.in_pieces(self.pieces) {
            usize::MAX
        } else {
            self.config.limits.frame_size
        };
        let rules = HeaderRules {
            role: self.role(),
            in_message: self.assembler.in_message(),
            frame_size,
            compression: self.assembler.may_inflate(),
        };
        let most = |header: &_| self.assembler.piece_size(header, self.pieces);
        let Some(piece) = self.decoder.next(input, rules, most)? else {
            return Ok(Step::Starved);
        };
        if !piece.header.opcode.is_control() {
            self.last_message = now;
        }
        let assembled = self
            .assembler
            .push(piece, &self.config.limits, self.pieces)?;
        match &assembled {
            Some(Assembled::Text(_) | Assembled::Binary(_)) => self.messages_received += 1,
            Some(Assembled::Piece(piece)) if piece.last => self.messages_received += 1,
            _ => {}
        }
        Ok(assembled.map_or(Step::Unfinished, Step::Done))
    }

    //= rfc6455#5.5.2-1, rfc6455#6.2-2
    fn handle_control(
        &mut self,
        opcode: Opcode,
        payload: ControlPayload,
        now: Instant,
    ) -> Result<Option<Event<'static>>, ProtocolError> {
        Ok(Some(match opcode {
            Opcode::Ping => {
                if self.state.writes_frames() {
                    self.queue_pong(&payload);
                }
                Event::Ping(payload)
            }
            Opcode::Pong => {
                // What the heartbeat asked for is nobody else's.
                if let Some(pulse) = &mut self.pulse
                    && pulse.handle_pong(&payload, now)
                {
                    return Ok(None);
                }
                Event::Pong(payload)
            }
            _ => Event::Closing(self.handle_close(&payload, now)?),
        }))
    }

    /// The transport has taken the next `count` bytes of output, as they were
    /// when [`Connection::poll_transmit`] last gave them: call nothing else
    /// between these two.
    pub fn handle_transmitted(&mut self, count: usize, now: Instant) {
        let count = count.min(self.output.len());
        let data = self.output.advance(count);
        self.note_transmitted(count, data, now);
        self.count_output();
        self.finish_if_done();
    }

    /// Takes back what [`Connection::send_through`] was told to be taken by the
    /// transport and was not: whole frames, the last ones sent, of which the transport
    /// has the first `sent` bytes. Where the budget has no memory for the rest, the
    /// connection fails.
    pub fn put_back(&mut self, frames: &[u8], sent: usize, now: Instant) {
        let sent = sent.min(frames.len());
        let left = (frames.len() - sent) as u64;
        self.transmitted = self.transmitted.saturating_sub(left);
        self.data_transmitted = self.data_transmitted.saturating_sub(left);
        self.output.put_back(frames, sent);
        self.demand_output(now);
    }

    /// Counts output that waits already. Where there is no memory for it, the connection
    /// fails.
    fn demand_output(&mut self, now: Instant) {
        let held = self.output.held();
        if let Err(BudgetExhausted { used, total, .. }) = self.output_share.resize(held) {
            self.refuse(Limit::MemoryBudget, used, total, now);
        }
    }

    /// So many bytes are sent, and so many of them were of messages.
    fn note_transmitted(&mut self, count: usize, data: usize, now: Instant) {
        self.transmitted += count as u64;
        self.data_transmitted += data as u64;
        if data > 0 {
            self.last_message = now;
            self.last_sent = now;
        }
    }

    /// The time is `now`: does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.handle_closing_timeout(now);
        if !self.is_open() {
            return;
        }
        if let Some(idle) = self.config.idle_timeout
            && now >= later(self.last_message, idle)
        {
            return self.close_idle(now);
        }
        if self.context_timeout().is_some_and(|at| now >= at) {
            self.forget_context();
        }
        let due = match (&mut self.pulse, self.config.heartbeat) {
            (Some(pulse), Some(settings)) => {
                pulse.handle_timeout(settings, now, self.received + self.transmitted)
            }
            _ => return,
        };
        match due {
            Due::Nothing => {}
            // One at a time, which no limit stands against.
            Due::Ping(payload) => self.queue_control(Opcode::Ping, &payload),
            Due::Dead => self.declare_dead(now),
        }
    }

    /// When to call [`Connection::handle_timeout`], if at all.
    pub fn next_timeout(&self) -> Option<Instant> {
        if !self.is_open() {
            return self.state.deadline();
        }
        let mut next = self.pulse.as_ref().map(Pulse::next_timeout);
        let mut sooner = |at: Option<Instant>| {
            if let Some(at) = at {
                next = Some(next.map_or(at, |next| next.min(at)));
            }
        };
        if let Some(timeout) = self.config.idle_timeout {
            sooner(Some(later(self.last_message, timeout)));
        }
        if self.deflater.is_some() {
            sooner(self.context_timeout());
        }
        next
    }

    // Output.

    //= rfc6455#6.1-6
    /// Fills `slices` with the bytes to write next; returns how many slices it
    /// filled. Report what was written to [`Connection::handle_transmitted`].
    pub fn poll_transmit<'s>(&'s self, slices: &mut [IoSlice<'s>]) -> usize {
        self.output.fill(slices)
    }
}

/// What a piece of input came to.
enum Step<'a> {
    /// All input is consumed.
    Starved,
    /// A message goes on.
    Unfinished,
    Done(Assembled<'a>),
}

#[cfg(test)]
mod tests;
