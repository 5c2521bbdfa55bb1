//! What a [`super::WebSocket`] tells.

use super::data::Data;

/// The state of a connection (section 3.1, `readyState`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum ReadyState {
    /// The connection has not been established yet.
    #[default]
    Connecting = 0,
    /// It is established, and messages pass.
    Open = 1,
    /// It is going through the closing handshake, or was told to close.
    Closing = 2,
    /// It is closed, or could not be opened.
    Closed = 3,
}

/// What happened (section 4, "Feedback from the protocol").
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// `open`: the connection is established.
    Open,
    /// `message`: a message has been received.
    Message(MessageEvent),
    /// `error`: the connection failed. Why is for the log alone.
    Error,
    /// `close`: the connection is closed. Nothing follows.
    Close(CloseEvent),
}

/// A message, and whom it is from (HTML, section 9.1).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageEvent {
    /// What was sent.
    pub data: Data,
    /// The origin of the server's URL, such as `wss://example.com`.
    pub origin: String,
}

/// How a connection ended (section 6, `CloseEvent`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloseEvent {
    /// Whether the closing handshake was completed.
    pub was_clean: bool,
    /// The server's close code; 1005 where it gave none, 1006 where the connection
    /// ended otherwise.
    pub code: u16,
    /// The server's reason.
    pub reason: String,
}
