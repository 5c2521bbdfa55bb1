//! The protocol after the handshake, as one state machine for both roles
//! (RFC 6455 sections 5 to 8).
//!
//! [`Connection`] has its methods in four classes: `handle_*` take what
//! happened (input, its end, transmission, a timeout), commands ask for
//! something to be sent, `poll_*` and `next_timeout` tell what to do next, and
//! getters tell how things are. To drive one:
//!
//! 1. hand what arrives to [`Connection::handle_input`] until it gives `None`;
//! 2. write what [`Connection::poll_transmit`] gives and report it to
//!    [`Connection::handle_transmitted`];
//! 3. at [`Connection::next_timeout`] call [`Connection::handle_timeout`];
//! 4. do with the transport what [`Connection::transport_state`] says.
//!
//! Read `heartbeat`, `config`, `send`, `output`, then `closing` for the end of
//! a connection; this file has the rest.

mod heartbeat;

mod config;

mod output;

mod send;

mod closing;

use std::fmt;
use std::io::IoSlice;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

pub use config::Config;
pub use heartbeat::Heartbeat;
pub use send::{EncodedMessage, MessageKind, SendError};

use crate::Role;
use crate::close::CloseFrame;
use crate::error::ProtocolError;
use crate::frame::{FrameDecoder, Input};
use crate::header::{FrameHeader, HeaderRules, MAX_CONTROL_PAYLOAD};
use crate::limits::{Limit, Share};
use crate::message::{Assembled, Assembler, ControlPayload, Data, Text};
use crate::opcode::Opcode;
use closing::State;
use heartbeat::{Due, Pulse, later};
use output::Output;

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
    /// A ping. It is answered already.
    Ping(ControlPayload),
    /// A pong, asked for or not.
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
    output: Output,
    output_share: Share,
    /// The kind of the message whose fragments are being sent.
    sending: Option<MessageKind>,
    pulse: Option<Pulse>,
    /// When a message was last sent, or a piece of one last received.
    last_message: Instant,
    /// Whether a message was queued since output was last transmitted.
    message_queued: bool,
    /// Bytes received, to tell progress by.
    received: u64,
    /// Bytes sent, to tell progress by.
    transmitted: u64,
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
            assembler: Assembler::new(share()),
            output: Output::default(),
            output_share: share(),
            sending: None,
            pulse: config.heartbeat.map(|settings| Pulse::new(settings, now)),
            last_message: now,
            message_queued: false,
            received: 0,
            transmitted: 0,
            input_ended: false,
            config,
        }
    }

    // Getters.

    /// Which end this is.
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
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open)
    }

    /// Bytes of output that wait for the transport.
    pub fn buffered(&self) -> usize {
        self.output.len()
    }

    /// Whether so much output waits that no message is taken.
    pub fn is_output_full(&self) -> bool {
        self.output.len() >= self.config.limits.output_high_water
    }

    /// Whether so many control frames wait that the transport should get them
    /// before more input is handled.
    pub fn should_transmit(&self) -> bool {
        self.output.control_frames() > self.config.limits.queued_control_frames / 2
    }

    /// How long the peer took to answer the last ping of the heartbeat.
    pub fn latency(&self) -> Option<Duration> {
        self.pulse.as_ref().and_then(Pulse::latency)
    }

    // What happened.

    //= rfc6455#6.2-1, rfc6455#10.7-1
    //= rfc6455#5.4-13
    /// Takes the next event out of `input`. `None` says that all of it is
    /// consumed; what is unfinished is kept. Call again until then, with the
    /// output transmitted in between where [`Connection::should_transmit`].
    pub fn handle_input<'a>(&mut self, input: &mut Input<'a>, now: Instant) -> Option<Event<'a>> {
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
                Ok(Step::Done(Assembled::Control(opcode, payload))) => {
                    self.handle_control(opcode, payload, now)
                }
                Err(error) => Err(error),
            };
            match result {
                Ok(event) => return Some(event),
                Err(error) => self.fail(error, now),
            }
        }
    }

    fn next_assembled<'a>(
        &mut self,
        input: &mut Input<'a>,
        now: Instant,
    ) -> Result<Step<'a>, ProtocolError> {
        let rules = HeaderRules {
            role: self.role(),
            in_message: self.assembler.in_message(),
            frame_size: self.config.limits.frame_size,
        };
        let Some(piece) = self.decoder.next(input, rules)? else {
            return Ok(Step::Starved);
        };
        if !piece.header.opcode.is_control() {
            self.last_message = now;
        }
        let assembled = self.assembler.push(piece, &self.config.limits)?;
        Ok(assembled.map_or(Step::Unfinished, Step::Done))
    }

    //= rfc6455#5.5.2-1, rfc6455#5.5.3-1, rfc6455#6.2-2
    fn handle_control(
        &mut self,
        opcode: Opcode,
        payload: ControlPayload,
        now: Instant,
    ) -> Result<Event<'static>, ProtocolError> {
        match opcode {
            Opcode::Ping => {
                if self.is_open() {
                    self.queue_control(Opcode::Pong, &payload)?;
                }
                Ok(Event::Ping(payload))
            }
            Opcode::Pong => {
                if let Some(pulse) = &mut self.pulse {
                    pulse.handle_pong(&payload, now);
                }
                Ok(Event::Pong(payload))
            }
            _ => self.handle_close(&payload, now).map(Event::Closing),
        }
    }

    /// The transport has taken the next `count` bytes of output.
    pub fn handle_transmitted(&mut self, count: usize, now: Instant) {
        self.output.advance(count);
        self.transmitted += count as u64;
        if std::mem::take(&mut self.message_queued) {
            self.last_message = now;
        }
        // Shrinking cannot fail.
        let _ = self.output_share.resize(self.output.len());
        self.finish_if_done();
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
        let due = match &mut self.pulse {
            Some(pulse) => pulse.handle_timeout(now, self.received + self.transmitted),
            None => return,
        };
        match due {
            Due::Nothing => {}
            // Where no ping fits, the peer has plenty to answer already.
            Due::Ping(payload) => drop(self.queue_control(Opcode::Ping, &payload)),
            Due::Dead => self.declare_dead(now),
        }
    }

    /// When to call [`Connection::handle_timeout`], if at all.
    pub fn next_timeout(&self) -> Option<Instant> {
        if !self.is_open() {
            return self.state.deadline();
        }
        let ping = self.pulse.as_ref().map(Pulse::next_timeout);
        let idle = self
            .config
            .idle_timeout
            .map(|timeout| later(self.last_message, timeout));
        match (ping, idle) {
            (Some(ping), Some(idle)) => Some(ping.min(idle)),
            (ping, idle) => ping.or(idle),
        }
    }

    // Output.

    //= rfc6455#6.1-6
    /// Fills `slices` with the bytes to write next; returns how many slices it
    /// filled. Report what was written to [`Connection::handle_transmitted`].
    pub fn poll_transmit<'s>(&'s self, slices: &mut [IoSlice<'s>]) -> usize {
        self.output.fill(slices)
    }

    // Commands.

    /// Sends a text message.
    pub fn send_text(&mut self, text: &str) -> Result<(), SendError> {
        self.send_whole(MessageKind::Text, text.as_bytes())
    }

    /// Sends a binary message.
    pub fn send_binary(&mut self, bytes: &[u8]) -> Result<(), SendError> {
        self.send_whole(MessageKind::Binary, bytes)
    }

    /// Sends a message without copying a large payload, where no mask has to
    /// be applied to it. The bytes of a text must be UTF-8.
    pub fn send_bytes(&mut self, kind: MessageKind, payload: Bytes) -> Result<(), SendError> {
        if self.role() == Role::Client {
            return self.send_whole(kind, &payload);
        }
        let header = self.whole_header(kind, payload.len())?;
        self.output.push_bytes(header, payload);
        Ok(())
    }

    /// Sends a message that was encoded once for many connections.
    pub fn send_encoded(&mut self, message: &EncodedMessage) -> Result<(), SendError> {
        if self.role() == Role::Client {
            return self.send_whole(message.kind(), message.payload());
        }
        self.whole_header(message.kind(), message.payload().len())?;
        self.output.push_encoded(message.frame());
        Ok(())
    }

    //= rfc6455#5.4-8
    /// Sends a fragment of a message (RFC 6455 section 5.4): the first of each
    /// message has its kind, those after must repeat it, `fin` marks the last.
    /// Fragments of a text may end inside a code point.
    pub fn send_fragment(
        &mut self,
        kind: MessageKind,
        payload: &[u8],
        fin: bool,
    ) -> Result<(), SendError> {
        let header = self.next_header(kind, payload.len(), fin)?;
        self.output.push(header, payload);
        Ok(())
    }

    fn send_whole(&mut self, kind: MessageKind, payload: &[u8]) -> Result<(), SendError> {
        let header = self.whole_header(kind, payload.len())?;
        self.output.push(header, payload);
        Ok(())
    }

    //= rfc6455#5.5.2-3, rfc6455#5.5.2-4
    /// Sends a ping with a payload of at most 125 bytes.
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.send_control(Opcode::Ping, payload)
    }

    //= rfc6455#5.5.3-3
    /// Sends a pong that nobody asked for (RFC 6455 section 5.5.3).
    pub fn pong(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.send_control(Opcode::Pong, payload)
    }

    fn send_control(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), SendError> {
        if !self.is_open() {
            return Err(SendError::Closed);
        }
        let len = payload.len();
        if len > MAX_CONTROL_PAYLOAD {
            return Err(SendError::ControlTooLong { len });
        }
        self.queue_control(opcode, payload)
            .map_err(|_| SendError::LimitExceeded {
                limit: Limit::QueuedControlFrames,
                value: self.output.control_frames() + 1,
                max: self.config.limits.queued_control_frames,
            })
    }

    fn whole_header(&mut self, kind: MessageKind, len: usize) -> Result<FrameHeader, SendError> {
        if self.is_open() && self.sending.is_some() {
            return Err(SendError::MessageInterrupted);
        }
        self.next_header(kind, len, true)
    }

    //= rfc6455#5.1-7, rfc6455#5.4-1, rfc6455#5.4-2, rfc6455#5.4-6, rfc6455#5.5.1-6
    //= rfc6455#6.1-1, rfc6455#6.1-2, rfc6455#6.1-3, rfc6455#6.1-4
    //= rfc6455#6.1-7, rfc6455#6.1-8
    /// The header of the next data frame, if it may be sent now; its bytes are
    /// counted then.
    fn next_header(
        &mut self,
        kind: MessageKind,
        len: usize,
        fin: bool,
    ) -> Result<FrameHeader, SendError> {
        if !self.is_open() {
            return Err(SendError::Closed);
        }
        let high_water = self.config.limits.output_high_water;
        let buffered = self.output.len();
        if self.is_output_full() {
            return Err(SendError::OutputFull {
                buffered,
                high_water,
            });
        }
        let opcode = match self.sending {
            None => kind.opcode(),
            Some(sending) if sending == kind => Opcode::Continuation,
            Some(_) => return Err(SendError::MessageInterrupted),
        };
        let needed = buffered + len + FrameHeader::MAX_LEN;
        self.output_share
            .resize(needed)
            .map_err(|exhausted| SendError::LimitExceeded {
                limit: Limit::MemoryBudget,
                value: exhausted.used,
                max: exhausted.total,
            })?;
        self.message_queued = true;
        self.sending = (!fin).then_some(kind);
        Ok(FrameHeader {
            fin,
            opcode,
            masking_key: self.next_masking_key(),
            payload_len: len as u64,
        })
    }

    //= rfc6455#5.1-1, rfc6455#5.1-4, rfc6455#5.3-2, rfc6455#10.3-1, rfc6455#10.3-2
    //= rfc6455#6.1-5
    fn next_masking_key(&mut self) -> Option<[u8; 4]> {
        self.masking_keys.as_mut().map(|next| next())
    }

    fn queue_control(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), ProtocolError> {
        let max = self.config.limits.queued_control_frames;
        let count = self.output.control_frames() + 1;
        if count > max {
            return Err(ProtocolError::limit(
                Limit::QueuedControlFrames,
                count as u64,
                max,
            ));
        }
        let key = self.next_masking_key();
        self.output.push_control(opcode, key, payload);
        Ok(())
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
