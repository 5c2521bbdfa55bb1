//! How a connection ended (RFC 6455 sections 7.1.4 to 7.1.6).

use std::fmt;

use crate::close::CloseCode;
use crate::error::ProtocolError;

//= rfc6455#7.1.4-1, rfc6455#7.1.5-1, rfc6455#7.1.6-1
/// The one description of a connection's end, whatever the way.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Closed {
    /// The code of the peer's Close frame, 1005 where that had none, 1006
    /// where no Close frame came (RFC 6455 section 7.1.5).
    pub code: CloseCode,
    /// The reason of the peer's Close frame, empty where there is none.
    pub reason: String,
    /// Whether both Close frames were exchanged (RFC 6455 section 7.1.4).
    pub clean: bool,
    /// What made the connection end.
    pub by: ClosedBy,
}

impl Closed {
    /// An end without a closing handshake: 1006 (RFC 6455 section 7.1.5).
    pub fn abnormal(by: ClosedBy) -> Self {
        Self {
            code: CloseCode::ABNORMAL,
            reason: String::new(),
            clean: false,
            by,
        }
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if !self.reason.is_empty() {
            write!(f, " {:?}", self.reason)?;
        }
        write!(f, ", {}", self.by)
    }
}

/// What made a connection end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClosedBy {
    /// This end sent its Close frame first.
    Local,
    /// The peer sent its Close frame first.
    Peer,
    /// The peer broke the protocol or a limit, and this end failed the
    /// connection (RFC 6455 section 7.1.7).
    Failure(ProtocolError),
    /// The peer did not do something in time.
    Timeout(TimeoutKind),
    /// The transport ended or broke before the closing handshake was done.
    Lost,
}

impl fmt::Display for ClosedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("closed by this end"),
            Self::Peer => f.write_str("closed by the peer"),
            Self::Failure(error) => write!(f, "failed by this end: {error}"),
            Self::Timeout(kind) => write!(f, "{kind}"),
            Self::Lost => f.write_str("the connection was lost"),
        }
    }
}

/// What the peer did not do in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TimeoutKind {
    /// Answer a ping.
    Heartbeat,
    /// Exchange any message.
    Idle,
    /// Answer our Close frame.
    Close,
}

impl fmt::Display for TimeoutKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Heartbeat => "the peer did not answer a ping in time",
            Self::Idle => "no message passed for too long",
            Self::Close => "the peer did not answer the Close frame in time",
        })
    }
}
