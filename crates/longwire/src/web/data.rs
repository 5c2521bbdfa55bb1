//! What is sent and received.

use bytes::Bytes;
use bytestring::ByteString;
use longwire_proto::MessageKind;

use crate::message::Message;

/// Raw data that does not change (File API, section 3). Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blob {
    bytes: Bytes,
    content_type: String,
}

impl Blob {
    /// A blob of these bytes, without a type.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self {
            bytes: bytes.into(),
            content_type: String::new(),
        }
    }

    /// The blob with a type, such as `image/png`.
    #[must_use]
    pub fn with_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = content_type.into();
        self
    }

    /// Its size in bytes.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Its type; empty where there is none.
    pub fn content_type(&self) -> &str {
        &self.content_type
    }

    /// Its bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

/// How binary messages are handed out (section 3.1, `BinaryType`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BinaryType {
    /// As a [`Blob`].
    #[default]
    Blob,
    /// As bytes.
    ArrayBuffer,
}

/// What a message carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// A text.
    Text(ByteString),
    /// Binary data as a blob.
    Blob(Blob),
    /// Binary data as bytes.
    ArrayBuffer(Bytes),
}

impl Data {
    /// How many bytes it has, a text in UTF-8.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Blob(blob) => blob.size(),
            Self::ArrayBuffer(bytes) => bytes.len(),
        }
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The text, where it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The bytes, a text's in UTF-8.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Blob(blob) => blob.bytes(),
            Self::ArrayBuffer(bytes) => bytes,
        }
    }

    pub(super) fn from_message(message: Message, binary_type: BinaryType) -> Self {
        match (message.kind(), binary_type) {
            (MessageKind::Text, _) => match message {
                Message::Text(text) => Self::Text(text),
                Message::Binary(bytes) => Self::ArrayBuffer(bytes),
            },
            (MessageKind::Binary, BinaryType::Blob) => Self::Blob(Blob::new(message.into_bytes())),
            (MessageKind::Binary, BinaryType::ArrayBuffer) => {
                Self::ArrayBuffer(message.into_bytes())
            }
        }
    }

    pub(super) fn into_message(self) -> Message {
        match self {
            Self::Text(text) => Message::Text(text),
            Self::Blob(blob) => Message::Binary(blob.bytes),
            Self::ArrayBuffer(bytes) => Message::Binary(bytes),
        }
    }
}

impl From<&str> for Data {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Data {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<ByteString> for Data {
    fn from(text: ByteString) -> Self {
        Self::Text(text)
    }
}

impl From<Blob> for Data {
    fn from(blob: Blob) -> Self {
        Self::Blob(blob)
    }
}

impl From<Bytes> for Data {
    fn from(bytes: Bytes) -> Self {
        Self::ArrayBuffer(bytes)
    }
}

impl From<Vec<u8>> for Data {
    fn from(bytes: Vec<u8>) -> Self {
        Self::ArrayBuffer(bytes.into())
    }
}

impl From<&[u8]> for Data {
    fn from(bytes: &[u8]) -> Self {
        Self::ArrayBuffer(Bytes::copy_from_slice(bytes))
    }
}

/// The subprotocols that a constructor is given: one, several, or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protocols(pub(super) Vec<String>);

impl From<&str> for Protocols {
    fn from(one: &str) -> Self {
        Self(vec![one.to_owned()])
    }
}

impl From<String> for Protocols {
    fn from(one: String) -> Self {
        Self(vec![one])
    }
}

impl<S: Into<String>> From<Vec<S>> for Protocols {
    fn from(several: Vec<S>) -> Self {
        Self(several.into_iter().map(Into::into).collect())
    }
}

impl<S: Into<String>, const N: usize> From<[S; N]> for Protocols {
    fn from(several: [S; N]) -> Self {
        Self(several.into_iter().map(Into::into).collect())
    }
}
