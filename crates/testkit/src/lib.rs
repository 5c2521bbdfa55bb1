//! What the tests of Longwire are made of.
//!
//! Bottom-up: [`spec`] reads the requirement lists under `spec/` and the
//! markers in the code; [`layers`] finds modules that use one above them;
//! [`wire`] has frames written by hand; [`sim`] is a network under a virtual clock;
//! [`peers`] starts WebSocket programs that we did not write; [`broken`] is a server and a
//! client that break a rule when asked to; [`check_client`] has the library's client tested.

pub mod spec;

pub mod layers;

pub mod wire;

pub mod sim;

pub mod peers;

pub mod broken;

pub mod check_client;

pub use longwire_proto::handshake::accept_for_key;
