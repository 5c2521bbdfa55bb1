//! Close codes and the body of the Close frame (RFC 6455 sections 5.5.1, 7.4).

use std::fmt;

use crate::Role;

/// A status code that says why a connection ends (RFC 6455 section 7.4).
///
/// Any number is a `CloseCode`; which of them may be sent or received is asked
/// of [`CloseCode::may_be_sent_by`] and [`CloseCode::may_be_received`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// 1001: the endpoint goes away, as a server that shuts down or a page left.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// 1003: a type of data that the endpoint cannot accept.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// 1005: never sent; the peer's Close frame carried no code.
    pub const NO_STATUS: Self = Self(1005);
    /// 1006: never sent; the connection ended without a Close frame.
    pub const ABNORMAL: Self = Self(1006);
    /// 1007: data inconsistent with its type, as text that is not UTF-8.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// 1008: a message that breaks the endpoint's policy.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// 1009: a message too big to process.
    pub const MESSAGE_TOO_BIG: Self = Self(1009);
    /// 1010: sent by a client that needs an extension the server did not accept.
    pub const EXTENSION_REQUIRED: Self = Self(1010);
    /// 1011: the endpoint met a condition that it did not expect.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// 1012: the service restarts (IANA registry).
    pub const SERVICE_RESTART: Self = Self(1012);
    /// 1013: the service is overloaded, try again later (IANA registry).
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 1014: a gateway got an invalid answer from upstream (IANA registry).
    pub const BAD_GATEWAY: Self = Self(1014);
    /// 1015: never sent; the TLS handshake failed.
    pub const TLS_HANDSHAKE: Self = Self(1015);

    /// The code with this number, whatever it is.
    pub const fn new(code: u16) -> Self {
        Self(code)
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }

    //= rfc6455#7.4-1, rfc6455#7.4.1-1, rfc6455#7.4.1-2, rfc6455#7.4.1-3, rfc6455#7.4.2-1
    //= rfc6455#7.4.2-2, rfc6455#7.4.2-3
    /// Whether a Close frame may carry this code on arrival: 1000 to 1003 and
    /// 1007 to 1014 as registered, 3000 to 4999 for libraries and programs.
    /// All else is reserved or undefined (RFC 6455 section 7.4.2).
    pub const fn may_be_received(self) -> bool {
        matches!(self.0, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }

    //= rfc6455#7.4.1-4
    /// Whether an endpoint in this role may send the code: what may be
    /// received, except that 1010 is the client's alone (RFC 6455 section
    /// 7.4.1).
    pub fn may_be_sent_by(self, role: Role) -> bool {
        self.may_be_received() && (self != Self::EXTENSION_REQUIRED || role == Role::Client)
    }

    /// The registered name of the code, if it has one.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            1000 => "normal closure",
            1001 => "going away",
            1002 => "protocol error",
            1003 => "unsupported data",
            1005 => "no status received",
            1006 => "abnormal closure",
            1007 => "invalid payload",
            1008 => "policy violation",
            1009 => "message too big",
            1010 => "extension required",
            1011 => "internal error",
            1012 => "service restart",
            1013 => "try again later",
            1014 => "bad gateway",
            1015 => "TLS handshake failed",
            _ => return None,
        })
    }
}

impl From<u16> for CloseCode {
    fn from(code: u16) -> Self {
        Self(code)
    }
}

impl From<CloseCode> for u16 {
    fn from(code: CloseCode) -> Self {
        code.0
    }
}

impl PartialEq<u16> for CloseCode {
    fn eq(&self, other: &u16) -> bool {
        self.0 == *other
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        match self.name() {
            Some(name) => write!(f, " ({name})"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The body of a Close frame that has one: a code and a reason of at most 123
/// bytes of UTF-8 (RFC 6455 section 5.5.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CloseFrame {
    code: CloseCode,
    reason: String,
}

impl CloseFrame {
    /// Most bytes of a reason: what a control frame holds beside the code.
    pub const MAX_REASON: usize = 123;

    /// A Close frame's body for the endpoint in this `role` to send.
    pub fn new(
        role: Role,
        code: CloseCode,
        reason: impl Into<String>,
    ) -> Result<Self, CloseFrameError> {
        let reason = reason.into();
        if !code.may_be_sent_by(role) {
            return Err(CloseFrameError::Code { code, role });
        }
        if reason.len() > Self::MAX_REASON {
            return Err(CloseFrameError::ReasonTooLong { len: reason.len() });
        }
        Ok(Self { code, reason })
    }

    /// A body whose code and reason are known to be in order.
    pub(crate) fn checked(code: CloseCode, reason: String) -> Self {
        Self { code, reason }
    }

    /// The code.
    pub fn code(&self) -> CloseCode {
        self.code
    }

    /// The reason, empty where none was given.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The reason by value.
    pub fn into_reason(self) -> String {
        self.reason
    }
}

impl fmt::Display for CloseFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.code, f)?;
        if self.reason.is_empty() {
            Ok(())
        } else {
            write!(f, ": {}", self.reason)
        }
    }
}

/// The caller asked to close with something that no Close frame can carry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseFrameError {
    /// The code is reserved, undefined, or the other role's.
    #[error(
        "expected a close code that a {role} may send (1000 to 1003, 1007 to 1014, 3000 to 4999), got {code}"
    )]
    Code {
        /// The code asked for.
        code: CloseCode,
        /// Who would have sent it.
        role: Role,
    },
    /// The reason does not fit a control frame.
    #[error("expected a close reason of at most 123 bytes, got {len}")]
    ReasonTooLong {
        /// Bytes of the reason.
        len: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    //= rfc6455#7.4.1-1, rfc6455#7.4.1-2, rfc6455#7.4.1-3, rfc6455#7.4.2-1, rfc6455#7.4.2-2 test
    //= rfc6455#7.4.2-3, rfc6455#7.4-1 test
    #[test]
    fn only_registered_and_private_codes_may_be_received() {
        let good = [
            1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999,
            4000, 4999,
        ];
        let bad = [
            0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535,
        ];
        for code in good {
            assert!(CloseCode::new(code).may_be_received(), "{code}");
        }
        for code in bad {
            assert!(!CloseCode::new(code).may_be_received(), "{code}");
        }
    }

    //= rfc6455#7.4.1-4 test
    #[test]
    fn a_server_may_receive_1010_but_not_send_it() {
        let code = CloseCode::EXTENSION_REQUIRED;
        assert!(code.may_be_received());
        assert!(code.may_be_sent_by(Role::Client));
        assert!(!code.may_be_sent_by(Role::Server));
    }

    #[test]
    fn a_reason_of_123_bytes_fits_and_one_of_124_does_not() {
        let of = |len| CloseFrame::new(Role::Client, CloseCode::NORMAL, "r".repeat(len));
        assert!(of(123).is_ok());
        assert_eq!(of(124), Err(CloseFrameError::ReasonTooLong { len: 124 }));
    }

    #[test]
    fn a_code_is_shown_with_its_name() {
        assert_eq!(CloseCode::GOING_AWAY.to_string(), "1001 (going away)");
        assert_eq!(CloseCode::new(4321).to_string(), "4321");
    }
}
