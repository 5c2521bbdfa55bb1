//! That each fault breaks its own rule and no other, without a tester.

mod probes;

mod session;

mod handshake;
