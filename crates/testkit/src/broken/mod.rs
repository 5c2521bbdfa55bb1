//! An echo server and an echo client that keep RFC 6455 and RFC 7692, and can be
//! told to break any one rule of them: what a conformance tester is tried on.
//!
//! Nothing here uses Longwire, so that a tester made of it meets foreign code.
//! Written to be read and not to be fast: a thread for each connection, one byte
//! of a frame's header at a time.
//!
//! Read `faults` first, the list of what can be broken. Bottom-up after it:
//! `utf8` (text as it comes in), `frames` (RFC 6455 section 5.2), `close_codes`
//! (section 7.4), `deflate` and `negotiation` (RFC 7692), `http` (requests and
//! responses as text), `accept` (section 4.2, the server's handshake), `session`
//! (an open connection, whichever side), `stream` (moves its bytes and keeps its
//! deadlines), `server` and `client`.

pub mod faults;

mod utf8;

mod frames;

mod close_codes;

mod deflate;

mod negotiation;

mod http;

mod accept;

mod messages;

mod session;

mod stream;

pub mod server;

pub mod client;

pub use faults::{FAULTS, Fault, Level, Plan, Role};

#[cfg(test)]
mod tests;
