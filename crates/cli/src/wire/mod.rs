//! WebSocket as bytes, for tools that look at a wire or break its rules: the
//! library's own engine neither makes nor takes what is not allowed, and a tester
//! must not share its faults.
//!
//! Read `frame` (RFC 6455 section 5.2), `decoder` (frames from a stream of bytes),
//! `deflate` (RFC 7692), `head` (the HTTP around it), `messages` (what the frames
//! of one direction say).

mod frame;

mod decoder;

mod deflate;

mod head;

mod messages;

pub(crate) use decoder::Decoder;
pub(crate) use deflate::{DeflateParams, Deflater, Inflater};
pub(crate) use frame::{Frame, LengthForm, Opcode};
pub(crate) use head::{Head, HeadError, accept_for_key, read_head, shown};
pub(crate) use messages::{Item, Messages};
