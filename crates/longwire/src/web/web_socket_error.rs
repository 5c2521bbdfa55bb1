//! The `WebSocketError` interface.

use super::checks::close_frame;
use super::exception::DomException;

/// Why a [`super::WebSocketStream`] ended, or is to end: a close code and a reason
/// (`WebSocketError`).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("WebSocketError: {message}")]
pub struct WebSocketError {
    message: String,
    close_code: Option<u16>,
    reason: String,
}

impl WebSocketError {
    //= whatwg#websocketerror-1, whatwg#websocketerror-2
    /// An error that a program gives as a reason to cancel or abort a stream: its
    /// code and reason are those that the connection is closed with. A reason without
    /// a code has the code 1000.
    ///
    /// # Errors
    ///
    /// An `InvalidAccessError` for a code other than 1000 and 3000 to 4999, a
    /// `SyntaxError` for a reason of more than 123 bytes in UTF-8.
    pub fn new(
        message: impl Into<String>,
        close_code: Option<u16>,
        reason: impl Into<String>,
    ) -> Result<Self, DomException> {
        let reason = reason.into();
        let frame = close_frame(close_code, &reason)?;
        Ok(Self {
            message: message.into(),
            close_code: frame.map(|frame| frame.code().get()),
            reason,
        })
    }

    /// What the protocol has told.
    pub(super) fn told(message: &str, close_code: Option<u16>, reason: String) -> Self {
        Self {
            message: message.to_owned(),
            close_code,
            reason,
        }
    }

    /// What it says.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The close code (`closeCode`).
    pub fn close_code(&self) -> Option<u16> {
        self.close_code
    }

    /// The reason; empty where there is none.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}
