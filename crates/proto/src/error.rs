//! What a peer can do wrong after the handshake, and the code that answers it.

use crate::close::CloseCode;
use crate::limits::{BudgetExhausted, Limit};
use crate::opcode::Opcode;

/// The peer broke RFC 6455 or passed one of our limits: the connection is
/// failed with [`ProtocolError::close_code`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A reserved bit is set that no negotiated extension gives a meaning to in
    /// this frame (section 5.2).
    #[error(
        "expected no reserved bit without a meaning in this frame, got RSV1 to RSV3 of {bits:03b}"
    )]
    ReservedBits {
        /// The three bits, RSV1 the highest.
        bits: u8,
    },
    /// An opcode that has no meaning (section 5.2).
    #[error("expected an opcode of 0, 1, 2, 8, 9 or 10, got {opcode}")]
    ReservedOpcode {
        /// The opcode's four bits.
        opcode: u8,
    },
    /// A client sent a frame without masking it (section 5.1).
    #[error("expected each of the client's frames to be masked, got an unmasked one")]
    Unmasked,
    /// A server sent a masked frame (section 5.1).
    #[error("expected none of the server's frames to be masked, got a masked one")]
    Masked,
    /// The payload length could have been written in fewer bytes (section 5.2).
    #[error("expected the payload length in its shortest form, got {length} in {bytes} bytes")]
    LengthNotMinimal {
        /// The length.
        length: u64,
        /// Bytes used to write it: 2 or 8.
        bytes: u8,
    },
    /// The highest bit of a 64-bit length is set (section 5.2).
    #[error("expected a payload length of at most 63 bits, got {length:#018x}")]
    LengthTooLarge {
        /// The 64 bits.
        length: u64,
    },
    /// A control frame without FIN (section 5.5).
    #[error("expected a {opcode} frame in one piece, got one without FIN")]
    FragmentedControl {
        /// Its opcode.
        opcode: Opcode,
    },
    /// A control frame with a payload of more than 125 bytes (section 5.5).
    #[error("expected a {opcode} frame of at most 125 bytes, got a longer one")]
    ControlTooLong {
        /// Its opcode.
        opcode: Opcode,
    },
    /// A continuation frame, and no message is being continued (section 5.4).
    #[error("expected the start of a message, got a continuation frame")]
    UnexpectedContinuation,
    /// A new message before the last fragment of the one before (section 5.4).
    #[error("expected a continuation frame of the unfinished message, got a {opcode} frame")]
    MessageInterrupted {
        /// The new message's opcode.
        opcode: Opcode,
    },
    /// A text message that is not UTF-8 (section 8.1).
    #[error("expected UTF-8 in a text message, got an invalid sequence at byte {at}")]
    InvalidUtf8 {
        /// Offset in the message of the sequence's first byte.
        at: u64,
    },
    /// A Close frame of one byte: a code has two (section 5.5.1).
    #[error("expected a Close frame of 0 or at least 2 bytes, got 1")]
    CloseTooShort,
    /// A code that no Close frame may carry (section 7.4).
    #[error(
        "expected a close code of 1000 to 1003, 1007 to 1014 or 3000 to 4999, got {}",
        code.get()
    )]
    CloseCode {
        /// The code.
        code: CloseCode,
    },
    /// A compressed message that cannot be decompressed (RFC 7692 section 7.2.2).
    #[error("expected DEFLATE data in a compressed message, got {0}")]
    Deflate(DeflateFault),
    /// A close reason that is not UTF-8 (section 5.5.1).
    #[error("expected UTF-8 in the close reason, got an invalid sequence at byte {at}")]
    CloseReason {
        /// Offset in the reason of the sequence's first byte.
        at: u64,
    },
    /// One of our limits (section 10.4).
    #[error("expected at most {max} for the limit {limit}, got {value}")]
    LimitExceeded {
        /// Which limit.
        limit: Limit,
        /// The value that passed it.
        value: u64,
        /// The limit's value.
        max: u64,
    },
}

/// What is wrong with a compressed message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum DeflateFault {
    /// Bytes that no compressor writes, or that refer to what is too far back.
    #[error("invalid data")]
    Invalid,
    /// The message ends inside a block.
    #[error("a block that does not end")]
    Truncated,
    /// DEFLATE streams without end that have next to nothing in them.
    #[error("too many streams in one message")]
    Streams,
}

impl ProtocolError {
    //= rfc6455#5.1-3, rfc6455#5.1-6, rfc6455#7.1.7-3, rfc6455#10.7-3
    /// The code that the connection is failed with.
    pub fn close_code(&self) -> CloseCode {
        match self {
            Self::InvalidUtf8 { .. } | Self::CloseReason { .. } | Self::Deflate(_) => {
                CloseCode::INVALID_PAYLOAD
            }
            Self::LimitExceeded { limit, .. } => match limit {
                Limit::MessageSize | Limit::FrameSize => CloseCode::MESSAGE_TOO_BIG,
                Limit::MemoryBudget => CloseCode::TRY_AGAIN_LATER,
                _ => CloseCode::POLICY_VIOLATION,
            },
            _ => CloseCode::PROTOCOL_ERROR,
        }
    }

    pub(crate) fn limit(limit: Limit, value: u64, max: usize) -> Self {
        Self::LimitExceeded {
            limit,
            value,
            max: max as u64,
        }
    }
}

impl From<BudgetExhausted> for ProtocolError {
    fn from(exhausted: BudgetExhausted) -> Self {
        Self::limit(Limit::MemoryBudget, exhausted.used as u64, exhausted.total)
    }
}
