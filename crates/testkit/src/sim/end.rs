//! One end: a connection, and what its program does.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use longwire_proto::{CloseCode, CloseFrame, Connection, Event, Input, MessageKind, SendError};

/// What a program does next.
#[derive(Clone, Debug)]
pub enum Step {
    /// Sends a message in one piece.
    Send(MessageKind, Vec<u8>),
    /// Sends a message in these fragments.
    Fragments(MessageKind, Vec<Vec<u8>>),
    /// Sends a ping.
    Ping(Vec<u8>),
    /// Waits.
    Wait(Duration),
    /// Waits until so many messages have been received.
    Receive(usize),
    /// Closes, with a code and a reason where there is one.
    Close(Option<(u16, String)>),
}

/// What a program is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A ping.
    Ping(Vec<u8>),
    /// A pong.
    Pong(Vec<u8>),
    /// The peer's Close frame.
    Closing(Option<(u16, String)>),
}

impl Seen {
    fn of(event: Event<'_>) -> Self {
        match event {
            Event::Text(text) => Self::Text(text.into_string()),
            Event::Binary(data) => Self::Binary(data.into_vec()),
            // The simulation asks for none.
            Event::Piece(piece) => Self::Binary(piece.data.into_vec()),
            Event::Ping(payload) => Self::Ping(payload.to_vec()),
            Event::Pong(payload) => Self::Pong(payload.to_vec()),
            Event::Closing(frame) => {
                Self::Closing(frame.map(|f| (f.code().get(), f.reason().to_owned())))
            }
        }
    }

    fn is_message(&self) -> bool {
        matches!(self, Self::Text(_) | Self::Binary(_))
    }
}

/// A connection, its program's script, and what came of it.
#[derive(Debug)]
pub struct End {
    /// The engine.
    pub connection: Connection,
    /// What its program has still to do.
    pub script: VecDeque<Step>,
    /// Whether its program reads what arrives.
    pub reads: bool,
    /// What its program was told, and when.
    pub seen: Vec<(Instant, Seen)>,
    /// The messages that were taken to be sent.
    pub sent: Vec<Seen>,
    /// The most bytes of output that waited.
    pub most_buffered: usize,
    /// Bytes written to the line, for a look at the frames.
    pub wire: Vec<u8>,
    waiting_until: Option<Instant>,
    fragments: VecDeque<Vec<u8>>,
    pub(super) shut: bool,
    pub(super) dropped: bool,
}

impl End {
    /// An end whose program does this, and reads what arrives.
    pub fn new(connection: Connection, script: impl IntoIterator<Item = Step>) -> Self {
        Self {
            connection,
            script: script.into_iter().collect(),
            reads: true,
            seen: Vec::new(),
            sent: Vec::new(),
            most_buffered: 0,
            wire: Vec::new(),
            waiting_until: None,
            fragments: VecDeque::new(),
            shut: false,
            dropped: false,
        }
    }

    /// The messages received.
    pub fn received(&self) -> Vec<&Seen> {
        self.seen
            .iter()
            .map(|(_, seen)| seen)
            .filter(|seen| seen.is_message())
            .collect()
    }

    pub(super) fn take_input(&mut self, bytes: &mut [u8], now: Instant) {
        let mut input = Input::new(bytes);
        while let Some(event) = self.connection.handle_input(&mut input, now) {
            self.seen.push((now, Seen::of(event)));
        }
        assert!(input.is_empty(), "all input is consumed");
    }

    /// Does what can be done of the script.
    pub(super) fn play(&mut self, now: Instant) {
        while let Some(step) = self.script.front().cloned() {
            if !self.connection.is_open() {
                self.script.clear();
                return;
            }
            if !self.step(step, now) {
                return;
            }
            self.script.pop_front();
            self.most_buffered = self.most_buffered.max(self.connection.buffered());
        }
    }

    /// When the script goes on by itself.
    pub(super) fn next(&self) -> Option<Instant> {
        self.waiting_until
    }

    /// Whether the step is done.
    fn step(&mut self, step: Step, now: Instant) -> bool {
        match step {
            Step::Send(kind, payload) => {
                let result = match kind {
                    MessageKind::Text => {
                        let text = std::str::from_utf8(&payload).unwrap_or_default();
                        self.connection.send_text(text)
                    }
                    MessageKind::Binary => self.connection.send_binary(&payload),
                };
                self.is_sent(&result, kind, payload)
            }
            Step::Fragments(kind, pieces) => {
                if self.fragments.is_empty() {
                    self.fragments = pieces.iter().cloned().collect();
                }
                while let Some(piece) = self.fragments.front() {
                    let fin = self.fragments.len() == 1;
                    match self.connection.send_fragment(kind, piece, fin) {
                        Err(SendError::OutputFull { .. }) => return false,
                        result => assert_eq!(result, Ok(())),
                    }
                    self.fragments.pop_front();
                }
                self.is_sent(&Ok(()), kind, pieces.concat())
            }
            Step::Ping(payload) => match self.connection.ping(&payload) {
                Err(SendError::LimitExceeded { .. }) => false,
                result => {
                    assert_eq!(result, Ok(()));
                    true
                }
            },
            Step::Wait(duration) => {
                let until = *self.waiting_until.get_or_insert(now + duration);
                if now < until {
                    return false;
                }
                self.waiting_until = None;
                true
            }
            Step::Receive(count) => self.received().len() >= count,
            Step::Close(frame) => {
                let role = self.connection.role();
                let frame =
                    frame.map(|(code, reason)| CloseFrame::new(role, CloseCode::new(code), reason));
                let frame = frame.transpose();
                assert!(frame.is_ok(), "{frame:?}");
                self.connection.close(frame.ok().flatten().as_ref(), now);
                true
            }
        }
    }

    fn is_sent(
        &mut self,
        result: &Result<(), SendError>,
        kind: MessageKind,
        payload: Vec<u8>,
    ) -> bool {
        if matches!(result, Err(SendError::OutputFull { .. })) {
            return false;
        }
        assert_eq!(*result, Ok(()));
        self.sent.push(match kind {
            MessageKind::Text => Seen::Text(String::from_utf8_lossy(&payload).into_owned()),
            MessageKind::Binary => Seen::Binary(payload),
        });
        true
    }
}
