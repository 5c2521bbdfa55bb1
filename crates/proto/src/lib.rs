//! The WebSocket protocol as a state machine: no I/O, no clock, no
//! randomness, no async.
//!
//! [`Connection`] is the protocol after the handshake, for both roles: it is
//! given the bytes that arrived and the current instant, and hands back
//! events, the bytes to send and the next deadline. [`handshake`] is what
//! comes before it. Every decision of RFC 6455 is made in this crate; sockets,
//! timers and HTTP belong to whoever drives it, such as the `longwire` crate.
//!
//! ```
//! use std::time::Instant;
//! use longwire_proto::{Config, Connection, Event, Input};
//!
//! let now = Instant::now();
//! let mut server = Connection::server(Config::default(), now);
//! // A masked "Hello", as in RFC 6455 section 5.7.
//! let mut bytes = *b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
//! let mut input = Input::new(&mut bytes);
//! match server.handle_input(&mut input, now) {
//!     Some(Event::Text(text)) => assert_eq!(&*text, "Hello"),
//!     other => panic!("expected a text, got {other:?}"),
//! }
//! ```
//!
//! The modules, bottom-up; each uses only those above it in this list, and
//! this is the order to read them in.

pub mod limits;

pub mod close;

pub mod opcode;

mod error;

mod closed;

pub mod mask;

pub mod utf8;

pub mod header;

pub mod http;

pub mod deflate;

pub mod frame;

pub mod message;

mod assembler;

pub mod handshake;

pub mod connection;

pub use close::{CloseCode, CloseFrame, CloseFrameError};
pub use closed::{Closed, ClosedBy, TimeoutKind};
pub use connection::{
    Config, Connection, EncodedBatch, EncodedMessage, Event, Heartbeat, MaskingKeys, SendError,
    Statistics, TransportState,
};

pub use deflate::{Agreement, Compression, CompressionConfig};
pub use error::{DeflateFault, ProtocolError};
pub use frame::Input;
pub use header::FrameHeader;
pub use limits::{Limit, Limits, MemoryBudget};
pub use message::{Data, MessageKind, Payload, Piece, Text};
pub use opcode::Opcode;

/// Which end of the connection this is (RFC 6455 section 1.3): a client
/// masks what it sends, a server does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The end that opened the connection.
    Client,
    /// The end that accepted it.
    Server,
}

impl Role {
    /// The other end.
    #[must_use]
    pub fn peer(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Client => "client",
            Self::Server => "server",
        })
    }
}
