//! What messages carry: borrowed from the input where they lie whole in it.

use std::fmt;
use std::ops::Deref;

use bytes::Bytes;

use crate::header::MAX_CONTROL_PAYLOAD;
pub use crate::opcode::MessageKind;

/// A piece of a message that is handed out as it arrives.
#[derive(Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// What the message carries. Pieces of a text may end inside a code point.
    pub kind: MessageKind,
    /// Whether the message starts with this piece.
    pub first: bool,
    /// Whether the message ends with this piece.
    pub last: bool,
    /// The bytes, none at most in the last piece.
    pub data: Data<'a>,
}

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
    pub(crate) fn extend(&mut self, data: &[u8]) {
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

/// A payload as the program has it.
#[derive(Clone, Copy, Debug)]
pub enum Payload<'a> {
    /// Copied where it has to wait.
    Lent(&'a [u8]),
    /// Referred to where it has to wait and is large.
    Shared(&'a Bytes),
}

impl Deref for Payload<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Lent(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}
