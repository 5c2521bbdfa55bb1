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
