//! What a program sends, and why it may not.

use bytes::{BufMut as _, Bytes, BytesMut};

use crate::header::FrameHeader;
use crate::limits::Limit;
use crate::opcode::Opcode;

/// A message was not taken. Nothing of it was sent, and the connection is as
/// it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// A Close frame has been sent or received, or the transport is gone.
    #[error("expected an open connection, got one that is closing or closed")]
    Closed,
    /// More than the high-water mark waits already: transmit first.
    #[error("expected less than {high_water} bytes of output waiting, got {buffered}")]
    OutputFull {
        /// Bytes that wait.
        buffered: usize,
        /// [`crate::Limits::output_high_water`]
        high_water: usize,
    },
    /// A limit of ours, as the shared memory budget.
    #[error("expected at most {max} for the limit {limit}, got {value}")]
    LimitExceeded {
        /// Which limit.
        limit: Limit,
        /// The value that passed it.
        value: usize,
        /// The limit's value.
        max: usize,
    },
    /// A ping or pong payload of more than 125 bytes.
    #[error("expected at most 125 bytes in a ping or pong, got {len}")]
    ControlTooLong {
        /// Bytes of the payload.
        len: usize,
    },
    /// A message while the fragments of another are being sent, or a
    /// fragment of the other kind.
    #[error("expected the next fragment of the message that is being sent, got another message")]
    MessageInterrupted,
}

/// What a data message carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// UTF-8.
    Text,
    /// Bytes.
    Binary,
}

impl MessageKind {
    pub(super) fn opcode(self) -> Opcode {
        match self {
            Self::Text => Opcode::Text,
            Self::Binary => Opcode::Binary,
        }
    }
}

/// A message encoded once, to be sent over many connections. Cheap to clone.
#[derive(Clone, Debug)]
pub struct EncodedMessage {
    kind: MessageKind,
    frame: Bytes,
    header_len: usize,
}

impl EncodedMessage {
    /// A text message.
    pub fn text(text: &str) -> Self {
        Self::new(MessageKind::Text, text.as_bytes())
    }

    /// A binary message.
    pub fn binary(bytes: &[u8]) -> Self {
        Self::new(MessageKind::Binary, bytes)
    }

    fn new(kind: MessageKind, payload: &[u8]) -> Self {
        let header = FrameHeader {
            fin: true,
            opcode: kind.opcode(),
            masking_key: None,
            payload_len: payload.len() as u64,
        };
        let mut encoded = [0; FrameHeader::MAX_LEN];
        let header_len = header.encode(&mut encoded);
        let mut frame = BytesMut::with_capacity(header_len + payload.len());
        frame.put_slice(&encoded[..header_len]);
        frame.put_slice(payload);
        Self {
            kind,
            frame: frame.freeze(),
            header_len,
        }
    }

    /// Text or binary.
    pub fn kind(&self) -> MessageKind {
        self.kind
    }

    /// What the message carries.
    pub fn payload(&self) -> &[u8] {
        &self.frame[self.header_len..]
    }

    pub(super) fn frame(&self) -> &Bytes {
        &self.frame
    }
}
