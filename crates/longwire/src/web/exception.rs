//! What the standard's algorithms throw.

use std::fmt;

/// A `DOMException` of the Web IDL standard, section 2.8.1, as a Rust error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {message}")]
pub struct DomException {
    name: ExceptionName,
    message: String,
}

/// The names of the exceptions that are thrown here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExceptionName {
    /// A URL, a subprotocol or a reason that does not match what is expected.
    SyntaxError,
    /// A close code that a program may not give.
    InvalidAccessError,
    /// The object is in the wrong state.
    InvalidStateError,
    /// The program has given the operation up.
    AbortError,
}

impl fmt::Display for ExceptionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SyntaxError => "SyntaxError",
            Self::InvalidAccessError => "InvalidAccessError",
            Self::InvalidStateError => "InvalidStateError",
            Self::AbortError => "AbortError",
        })
    }
}

impl DomException {
    /// An exception with this name and message.
    pub fn new(name: ExceptionName, message: impl Into<String>) -> Self {
        Self {
            name,
            message: message.into(),
        }
    }

    pub(super) fn syntax(message: impl Into<String>) -> Self {
        Self::new(ExceptionName::SyntaxError, message)
    }

    pub(super) fn invalid_access(message: impl Into<String>) -> Self {
        Self::new(ExceptionName::InvalidAccessError, message)
    }

    pub(super) fn invalid_state(message: impl Into<String>) -> Self {
        Self::new(ExceptionName::InvalidStateError, message)
    }

    /// By what name programs know it.
    pub fn name(&self) -> ExceptionName {
        self.name
    }

    /// What it says.
    pub fn message(&self) -> &str {
        &self.message
    }
}

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
        let frame = super::checks::close_frame(close_code, &reason)?;
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
