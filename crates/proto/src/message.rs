//! Messages assembled from frames (RFC 6455 sections 5.4 and 6.2).
//!
//! A message that lies whole in the input is handed out as a borrow of it. One
//! that does not is gathered in a buffer that grows with what arrived, never
//! with what was announced.

use std::fmt;
use std::ops::Deref;

use crate::error::ProtocolError;
use crate::frame::Piece;
use crate::header::MAX_CONTROL_PAYLOAD;
use crate::limits::{Limit, Limits, Share};
use crate::opcode::Opcode;
use crate::utf8::{Utf8Error, Utf8Validator, validate};

/// The text of a message: borrowed where it lay whole in the input.
#[derive(Debug, PartialEq, Eq)]
pub enum Text<'a> {
    /// In the caller's input buffer.
    Borrowed(&'a str),
    /// In a buffer of its own.
    Owned(String),
}

impl Text<'_> {
    /// The text by value, copied where it is borrowed.
    pub fn into_string(self) -> String {
        match self {
            Self::Borrowed(text) => text.to_owned(),
            Self::Owned(text) => text,
        }
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Owned(text) => text,
        }
    }
}

/// The bytes of a binary message: borrowed where they lay whole in the input.
#[derive(Debug, PartialEq, Eq)]
pub enum Data<'a> {
    /// In the caller's input buffer.
    Borrowed(&'a mut [u8]),
    /// In a buffer of their own.
    Owned(Vec<u8>),
}

impl Data<'_> {
    /// The bytes by value, copied where they are borrowed.
    pub fn into_vec(self) -> Vec<u8> {
        match self {
            Self::Borrowed(bytes) => bytes.to_vec(),
            Self::Owned(bytes) => bytes,
        }
    }
}

impl Deref for Data<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }
}

/// The payload of a control frame: at most 125 bytes, held in place.
#[derive(Clone, Copy)]
pub struct ControlPayload {
    bytes: [u8; MAX_CONTROL_PAYLOAD],
    len: u8,
}

impl ControlPayload {
    /// An empty payload.
    pub(crate) const EMPTY: Self = Self {
        bytes: [0; MAX_CONTROL_PAYLOAD],
        len: 0,
    };

    /// Appends what a frame's header has announced: never past 125 bytes.
    fn extend(&mut self, data: &[u8]) {
        let start = usize::from(self.len);
        let end = (start + data.len()).min(MAX_CONTROL_PAYLOAD);
        self.bytes[start..end].copy_from_slice(&data[..end - start]);
        self.len = end as u8;
    }
}

impl Deref for ControlPayload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl PartialEq for ControlPayload {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for ControlPayload {}

impl fmt::Debug for ControlPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

/// What the frames make up.
#[derive(Debug)]
pub(crate) enum Assembled<'a> {
    Text(Text<'a>),
    Binary(Data<'a>),
    Control(Opcode, ControlPayload),
}

/// A data message of which some is still to come.
#[derive(Debug)]
struct Unfinished {
    buffer: Vec<u8>,
    /// Bytes announced by the headers so far.
    announced: u64,
    fragments: usize,
    /// `Some` for text.
    utf8: Option<Utf8Validator>,
}

/// The least bytes a buffer grows by, so that few tiny pieces do not make many
/// allocations, nor many connections hold much.
const LEAST_GROWTH: usize = 1024;

/// Puts pieces of frames together.
#[derive(Debug)]
pub(crate) struct Assembler {
    unfinished: Option<Box<Unfinished>>,
    /// The payload of a control frame that did not arrive at once.
    control: Option<Box<ControlPayload>>,
    share: Share,
}

impl Assembler {
    pub(crate) fn new(share: Share) -> Self {
        Self {
            unfinished: None,
            control: None,
            share,
        }
    }

    /// Whether a message waits for its next fragment or the rest of its last.
    pub(crate) fn in_message(&self) -> bool {
        self.unfinished.is_some()
    }

    //= rfc6455#5.4-7, rfc6455#5.4-9, rfc6455#5.4-12, rfc6455#6.2-3
    //= rfc6455#6.2-5
    /// Takes the next piece; gives what it completes.
    pub(crate) fn push<'a>(
        &mut self,
        piece: Piece<'a>,
        limits: &Limits,
    ) -> Result<Option<Assembled<'a>>, ProtocolError> {
        if piece.header.opcode.is_control() {
            return Ok(self.push_control(&piece));
        }
        if piece.first {
            self.begin_frame(&piece, limits)?;
        }
        match self.unfinished.as_deref_mut() {
            None => {
                let Piece { header, data, .. } = piece;
                whole(header.opcode, data).map(Some)
            }
            Some(unfinished) => {
                unfinished.append(&piece, limits, &mut self.share)?;
                if !(piece.last && piece.header.fin) {
                    return Ok(None);
                }
                match self.unfinished.take() {
                    None => Ok(None),
                    Some(finished) => {
                        // What is handed out is the program's, not ours to count.
                        self.share.resize(0)?;
                        finished.finish().map(Some)
                    }
                }
            }
        }
    }

    /// Forgets what is unfinished: nothing more will be handed out.
    pub(crate) fn clear(&mut self) {
        self.unfinished = None;
        self.control = None;
        // Shrinking cannot fail.
        let _ = self.share.resize(0);
    }

    fn push_control<'a>(&mut self, piece: &Piece<'a>) -> Option<Assembled<'a>> {
        let opcode = piece.header.opcode;
        if piece.first && piece.last {
            let mut payload = ControlPayload::EMPTY;
            payload.extend(piece.data);
            return Some(Assembled::Control(opcode, payload));
        }
        let payload = self
            .control
            .get_or_insert_with(|| Box::new(ControlPayload::EMPTY));
        payload.extend(piece.data);
        if !piece.last {
            return None;
        }
        let payload = self.control.take()?;
        Some(Assembled::Control(opcode, *payload))
    }

    //= rfc6455#10.4-1
    /// Judges a data frame by its header, and opens a message unless the piece
    /// is one.
    fn begin_frame(&mut self, piece: &Piece<'_>, limits: &Limits) -> Result<(), ProtocolError> {
        let header = piece.header;
        let before = self.unfinished.as_deref().map_or(0, |u| u.announced);
        let announced = before.saturating_add(header.payload_len);
        if announced > limits.message_size as u64 {
            return Err(ProtocolError::limit(
                Limit::MessageSize,
                announced,
                limits.message_size,
            ));
        }
        match self.unfinished.as_deref_mut() {
            Some(unfinished) => {
                unfinished.announced = announced;
                unfinished.fragments += 1;
                if unfinished.fragments > limits.fragments {
                    return Err(ProtocolError::limit(
                        Limit::Fragments,
                        unfinished.fragments as u64,
                        limits.fragments,
                    ));
                }
            }
            None if piece.last && header.fin => {}
            None => {
                self.unfinished = Some(Box::new(Unfinished {
                    buffer: Vec::new(),
                    announced,
                    fragments: 1,
                    utf8: (header.opcode == Opcode::Text).then(Utf8Validator::new),
                }));
            }
        }
        Ok(())
    }
}

//= rfc6455#5.6-1, rfc6455#5.6-2
/// A message that is a single piece.
fn whole(opcode: Opcode, data: &mut [u8]) -> Result<Assembled<'_>, ProtocolError> {
    if opcode == Opcode::Text {
        let text = validate(data).map_err(invalid)?;
        Ok(Assembled::Text(Text::Borrowed(text)))
    } else {
        Ok(Assembled::Binary(Data::Borrowed(data)))
    }
}

impl Unfinished {
    //= rfc6455#5.4-5
    fn append(
        &mut self,
        piece: &Piece<'_>,
        limits: &Limits,
        share: &mut Share,
    ) -> Result<(), ProtocolError> {
        if let Some(utf8) = &mut self.utf8 {
            utf8.push(piece.data).map_err(invalid)?;
        }
        let needed = self.buffer.len() + piece.data.len();
        if needed > self.buffer.capacity() {
            // Where the whole length is known there is no need to pass it.
            let most = if piece.header.fin {
                usize::try_from(self.announced).unwrap_or(usize::MAX)
            } else {
                limits.message_size
            };
            let capacity = (self.buffer.capacity() * 2)
                .max(LEAST_GROWTH)
                .min(most)
                .max(needed);
            share.resize(capacity)?;
            self.buffer.reserve_exact(capacity - self.buffer.len());
        }
        self.buffer.extend_from_slice(piece.data);
        Ok(())
    }

    fn finish(self) -> Result<Assembled<'static>, ProtocolError> {
        let mut buffer = self.buffer;
        // A program that keeps the message keeps about its bytes, no more.
        if buffer.capacity() - buffer.len() > buffer.len() / 4 {
            buffer.shrink_to_fit();
        }
        let Some(mut utf8) = self.utf8 else {
            return Ok(Assembled::Binary(Data::Owned(buffer)));
        };
        utf8.finish().map_err(invalid)?;
        match String::from_utf8(buffer) {
            Ok(text) => Ok(Assembled::Text(Text::Owned(text))),
            Err(error) => Err(ProtocolError::InvalidUtf8 {
                at: error.utf8_error().valid_up_to() as u64,
            }),
        }
    }
}

fn invalid(error: Utf8Error) -> ProtocolError {
    ProtocolError::InvalidUtf8 { at: error.at }
}
