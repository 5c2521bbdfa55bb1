//! What a program sends, and why it may not.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::{BufMut as _, Bytes, BytesMut};

use crate::deflate::{Settings, compress_alone};
use crate::header::FrameHeader;
use crate::limits::Limit;
use crate::message::MessageKind;

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

/// A message encoded once, to be sent over many connections, and compressed
/// once for all whose compression has the same settings. Cheap to clone.
#[derive(Clone, Debug)]
pub struct EncodedMessage {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    kind: MessageKind,
    plain: EncodedFrame,
    /// The compressed forms asked for so far; `None` where it is not smaller.
    packed: Mutex<Vec<(Settings, Option<EncodedFrame>)>>,
}

/// An unmasked frame.
#[derive(Clone, Debug)]
pub(super) struct EncodedFrame {
    bytes: Bytes,
    header_len: usize,
}

impl EncodedFrame {
    fn new(kind: MessageKind, rsv1: bool, payload: &[u8]) -> Self {
        let header = FrameHeader {
            fin: true,
            rsv1,
            opcode: kind.opcode(),
            masking_key: None,
            payload_len: payload.len() as u64,
        };
        let mut encoded = [0; FrameHeader::MAX_LEN];
        let header_len = header.encode(&mut encoded);
        let mut bytes = BytesMut::with_capacity(header_len + payload.len());
        bytes.put_slice(&encoded[..header_len]);
        bytes.put_slice(payload);
        Self {
            bytes: bytes.freeze(),
            header_len,
        }
    }

    pub(super) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    pub(super) fn payload(&self) -> &[u8] {
        &self.bytes[self.header_len..]
    }
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
        Self {
            shared: Arc::new(Shared {
                kind,
                plain: EncodedFrame::new(kind, false, payload),
                packed: Mutex::default(),
            }),
        }
    }

    /// Text or binary.
    pub fn kind(&self) -> MessageKind {
        self.shared.kind
    }

    /// What the message carries.
    pub fn payload(&self) -> &[u8] {
        self.shared.plain.payload()
    }

    pub(super) fn plain(&self) -> &EncodedFrame {
        &self.shared.plain
    }

    /// The compressed form for these settings, made where it is not there yet.
    pub(super) fn packed(&self, settings: Settings) -> Option<EncodedFrame> {
        let packed = &self.shared.packed;
        let mut packed = packed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, frame)) = packed.iter().find(|(known, _)| *known == settings) {
            return frame.clone();
        }
        let frame = compress_alone(settings, self.payload())
            .map(|payload| EncodedFrame::new(self.kind(), true, &payload));
        packed.push((settings, frame.clone()));
        frame
    }
}

impl From<&str> for EncodedMessage {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<&[u8]> for EncodedMessage {
    fn from(bytes: &[u8]) -> Self {
        Self::binary(bytes)
    }
}

impl From<&Self> for EncodedMessage {
    fn from(message: &Self) -> Self {
        message.clone()
    }
}

/// Messages that are sent together over many connections.
#[derive(Debug)]
pub struct EncodedBatch {
    messages: Vec<EncodedMessage>,
    /// All of them, neither compressed nor masked.
    plain: OnceLock<Bytes>,
}

impl EncodedBatch {
    /// These messages, in this order.
    pub fn new(messages: Vec<EncodedMessage>) -> Self {
        Self {
            messages,
            plain: OnceLock::new(),
        }
    }

    /// The messages.
    pub fn messages(&self) -> &[EncodedMessage] {
        &self.messages
    }

    /// The frames of all messages.
    pub(super) fn plain(&self) -> &Bytes {
        self.plain.get_or_init(|| match self.messages.as_slice() {
            [one] => one.plain().bytes().clone(),
            many => {
                let frames = many.iter().map(|message| message.plain().bytes());
                let mut all = BytesMut::with_capacity(frames.clone().map(Bytes::len).sum());
                frames.for_each(|frame| all.put_slice(frame));
                all.freeze()
            }
        })
    }
}
