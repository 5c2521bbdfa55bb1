//! The behaviour tests of Longwire: one binary, a module for each subject.

mod support;

mod pki;

mod proxies;

mod socket;

mod socket_end;

mod gathering;

mod unattended;

mod streams;

mod client;

mod server;

mod handshake;

mod handler;

mod threads;

mod topic;

mod topic_end;

mod tls;

mod http2;

mod http2_limits;

mod embedded;

mod event_loop;

mod operation;

mod way;

mod observer;

mod reconnect;

mod web;

mod web_end;

mod web_codes;

mod web_stream;

// A plot's numbers are small.
#[allow(clippy::cast_precision_loss, clippy::cast_sign_loss)]
mod herd;

mod crowd;

mod peers;

mod broken;

mod conformance;

mod layers;

mod simulation;

mod properties;
