//! What has arrived on a socket and waits for the program.

use std::collections::VecDeque;

use bytes::Bytes;
use bytestring::ByteString;
use longwire_proto::{Data, Event as ProtoEvent, MessageKind, Text};

use crate::message::{Event, Message};

/// Bytes of received messages that wait for the program where a task of its
/// own drives the socket: above it, reading stops.
const ROOM: usize = 64 << 10;

/// What a waiting message costs beside its bytes.
const ENTRY: usize = 64;

/// Pings and pongs that wait for a program which may never ask for any: beyond
/// it, the oldest is forgotten.
const CONTROLS: usize = 16;

/// An event, or a piece of a message.
#[derive(Debug)]
pub(crate) enum Arrival {
    Event(Event),
    Piece(Piece),
}

/// A piece of a message; see [`longwire_proto::Piece`].
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) kind: MessageKind,
    pub(crate) first: bool,
    pub(crate) last: bool,
    pub(crate) data: Bytes,
}

impl Arrival {
    pub(crate) fn from_proto(event: ProtoEvent<'_>) -> Self {
        Self::Event(match event {
            ProtoEvent::Text(Text::Borrowed(text)) => Event::Message(Message::from(text)),
            ProtoEvent::Text(Text::Owned(text)) => {
                Event::Message(Message::Text(ByteString::from(text)))
            }
            ProtoEvent::Binary(data) => Event::Message(Message::Binary(bytes(data))),
            ProtoEvent::Piece(piece) => {
                return Self::Piece(Piece {
                    kind: piece.kind,
                    first: piece.first,
                    last: piece.last,
                    data: bytes(piece.data),
                });
            }
            ProtoEvent::Ping(payload) => Event::Ping(Bytes::copy_from_slice(&payload)),
            ProtoEvent::Pong(payload) => Event::Pong(Bytes::copy_from_slice(&payload)),
            ProtoEvent::Closing(frame) => Event::Closing(frame),
        })
    }

    fn weight(&self) -> usize {
        match self {
            Self::Event(Event::Message(message)) => ENTRY + message.len(),
            Self::Piece(piece) => ENTRY + piece.data.len(),
            // They are few.
            Self::Event(_) => 0,
        }
    }

    fn is_control(&self) -> bool {
        matches!(self, Self::Event(Event::Ping(_) | Event::Pong(_)))
    }
}

fn bytes(data: Data<'_>) -> Bytes {
    match data {
        Data::Borrowed(bytes) => Bytes::copy_from_slice(bytes),
        Data::Owned(bytes) => bytes.into(),
    }
}

/// Arrivals in order.
#[derive(Default)]
pub(crate) struct Inbox {
    arrivals: VecDeque<Arrival>,
    len: usize,
    controls: usize,
}

impl Inbox {
    /// Whether more may be read ahead.
    pub(crate) fn has_room(&self) -> bool {
        self.len < ROOM
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.arrivals.is_empty()
    }

    /// Bytes held.
    pub(crate) fn held(&self) -> usize {
        self.len
    }

    pub(crate) fn push(&mut self, arrival: Arrival) {
        if arrival.is_control() {
            if self.controls == CONTROLS
                && let Some(oldest) = self.arrivals.iter().position(Arrival::is_control)
            {
                self.arrivals.remove(oldest);
                self.controls -= 1;
            }
            self.controls += 1;
        }
        self.len += arrival.weight();
        self.arrivals.push_back(arrival);
    }

    pub(crate) fn pop(&mut self) -> Option<Arrival> {
        let arrival = self.arrivals.pop_front()?;
        self.len -= arrival.weight();
        self.controls -= usize::from(arrival.is_control());
        Some(arrival)
    }
}

/// How a message that arrives in pieces is being received.
#[derive(Debug, Default)]
pub(crate) enum Stream {
    /// None is.
    #[default]
    Between,
    /// Piece by piece, by a reader.
    Read,
    /// Not at all: its reader is gone.
    Skipped,
    /// Into one message.
    Gathered(Vec<u8>),
}

impl Stream {
    /// Takes the next piece where the program wants whole messages: `Ok` with
    /// one that is complete, `Err` with a size above `max`.
    pub(crate) fn gather(&mut self, piece: &Piece, max: usize) -> Result<Option<Message>, usize> {
        let mut gathered = match std::mem::take(self) {
            Self::Between if piece.first => Vec::new(),
            Self::Gathered(gathered) => gathered,
            _ => {
                *self = Self::rest_skipped(piece.last);
                return Ok(None);
            }
        };
        let size = gathered.len() + piece.data.len();
        if size > max {
            *self = Self::rest_skipped(piece.last);
            return Err(size);
        }
        gathered.extend_from_slice(&piece.data);
        if !piece.last {
            *self = Self::Gathered(gathered);
            return Ok(None);
        }
        Ok(Some(match piece.kind {
            MessageKind::Binary => Message::Binary(gathered.into()),
            // The protocol has seen to it that a text is one.
            MessageKind::Text => match String::from_utf8(gathered) {
                Ok(text) => Message::Text(text.into()),
                Err(error) => Message::Binary(error.into_bytes().into()),
            },
        }))
    }

    /// Takes the next piece where the program wants pieces: whether it does
    /// want this one.
    pub(crate) fn read(&mut self, piece: &mut Piece) -> bool {
        match std::mem::take(self) {
            Self::Between if piece.first => {}
            Self::Read => {}
            // What was gathered before goes first.
            Self::Gathered(mut gathered) => {
                gathered.extend_from_slice(&piece.data);
                piece.data = gathered.into();
                piece.first = true;
            }
            _ => {
                *self = Self::rest_skipped(piece.last);
                return false;
            }
        }
        if !piece.last {
            *self = Self::Read;
        }
        true
    }

    /// Whether no message is being received.
    pub(crate) fn is_between(&self) -> bool {
        matches!(self, Self::Between)
    }

    /// Bytes held.
    pub(crate) fn held(&self) -> usize {
        match self {
            Self::Gathered(gathered) => gathered.capacity(),
            _ => 0,
        }
    }

    /// Nobody wants what is being received.
    pub(crate) fn discard(&mut self) {
        if !matches!(self, Self::Between) {
            *self = Self::Skipped;
        }
    }

    /// The reader is gone.
    pub(crate) fn skip(&mut self) {
        if let Self::Read = self {
            *self = Self::Skipped;
        }
    }

    fn rest_skipped(last: bool) -> Self {
        if last { Self::Between } else { Self::Skipped }
    }
}
