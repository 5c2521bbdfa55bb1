//! Decodes a copy of what one side of a connection sends.

use std::sync::Arc;
use std::time::Instant;

use super::event::{FrameSeen, Message, Side, What};
use super::sink::{Clock, Sink};
use crate::wire::{Decoder, DeflateParams, Frame, Inflater, Messages, Opcode};

/// Looks at the bytes of one direction and tells what is in them.
#[derive(Debug)]
pub(super) struct Tap {
    from: Side,
    conn: u64,
    clock: Clock,
    sink: Arc<Sink>,
    keep: usize,
    with_frames: bool,
    decoder: Decoder,
    messages: Messages,
    deflate: Deflate,
    closed: Option<Closed>,
}

/// A side's Close frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Closed {
    pub(super) at: Instant,
    pub(super) code: Option<u16>,
}

/// Whether compressed messages can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deflate {
    /// It was not agreed on.
    Off,
    /// Each message on its own, or with what went before.
    On { no_context_takeover: bool },
    /// What went before is not known, so neither is what follows.
    Lost,
}

/// What a tap keeps and tells.
#[derive(Clone, Copy, Debug)]
pub(super) struct TapOptions {
    /// Bytes of a message that are kept.
    pub(super) keep: usize,
    /// Whether frames are told too.
    pub(super) frames: bool,
}

impl Tap {
    pub(super) fn new(
        from: Side,
        conn: u64,
        clock: Clock,
        sink: Arc<Sink>,
        options: TapOptions,
        params: Option<DeflateParams>,
    ) -> Self {
        let deflate = params.map_or(Deflate::Off, |params| Deflate::On {
            no_context_takeover: match from {
                Side::Client => params.client_no_context_takeover,
                Side::Server => params.server_no_context_takeover,
            },
        });
        Self {
            from,
            conn,
            clock,
            sink,
            keep: options.keep,
            with_frames: options.frames,
            decoder: Decoder::new(options.keep),
            messages: Messages::new(options.keep, inflater(deflate)),
            deflate,
            closed: None,
        }
    }

    /// The Close frame, where one has passed.
    pub(super) fn closed(&self) -> Option<Closed> {
        self.closed
    }

    /// Looks at bytes that pass. Behind each data message it asks whether that was
    /// the last, and gives where it ends.
    pub(super) fn pass(
        &mut self,
        bytes: &[u8],
        mut is_last: impl FnMut() -> bool,
    ) -> Option<usize> {
        let mut rest = bytes;
        while let Some(frame) = self.decoder.decode(&mut rest) {
            if self.frame(&frame) && is_last() {
                return Some(bytes.len() - rest.len());
            }
        }
        None
    }

    /// Whether the bytes so far end within a frame.
    pub(super) fn is_within_a_frame(&self) -> bool {
        self.decoder.is_within_a_frame()
    }

    /// Whether the frame ends a data message.
    fn frame(&mut self, frame: &Frame) -> bool {
        if self.with_frames {
            let seen = FrameSeen::new(self.from, frame);
            self.clock.tell(&self.sink, self.conn, What::Frame(seen));
        }
        let Some(item) = self.messages.push(frame) else {
            return false;
        };
        let mut fault = item.fault.map(|fault| fault.to_string());
        if item.compressed && self.deflate == Deflate::Lost {
            fault = Some("an earlier message it refers to is not known".to_owned());
        } else if item.compressed && item.truncated {
            fault = Some(format!("compressed, and longer than {} bytes", self.keep));
        }
        let is_data = matches!(item.opcode, Opcode::TEXT | Opcode::BINARY);
        let what = Message::new(self.from, &item, frame.masking_key.is_some(), fault);
        if item.opcode == Opcode::CLOSE && self.closed.is_none() {
            self.closed = Some(Closed {
                at: Instant::now(),
                code: what.code,
            });
        }
        let is_faulty = what.fault.is_some();
        self.clock.tell(&self.sink, self.conn, What::Message(what));
        if is_data && item.compressed && is_faulty {
            self.lose_context();
        }
        is_data
    }

    /// A message could not be inflated to its end.
    fn lose_context(&mut self) {
        if matches!(
            self.deflate,
            Deflate::On {
                no_context_takeover: false
            }
        ) {
            self.deflate = Deflate::Lost;
        }
        self.messages = Messages::new(self.keep, inflater(self.deflate));
    }
}

fn inflater(deflate: Deflate) -> Option<Inflater> {
    match deflate {
        Deflate::On {
            no_context_takeover,
        } => Some(Inflater::new(no_context_takeover)),
        Deflate::Off | Deflate::Lost => None,
    }
}
