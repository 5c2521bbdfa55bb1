//! The commands: messages and control frames that the program asks for.

use std::time::Instant;

use bytes::Bytes;

use super::Connection;
use super::heartbeat::later;
use super::send::{EncodedBatch, EncodedMessage, SendError};
use crate::Role;
use crate::deflate::Deflater;
use crate::header::{FrameHeader, MAX_CONTROL_PAYLOAD};
use crate::limits::Limit;
use crate::message::{MessageKind, Payload};
use crate::opcode::Opcode;

/// A message of which fragments are still to be sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sending {
    kind: MessageKind,
    compressed: bool,
}

/// Messages up to this are too small to ask for memory for them before it is known
/// whether they have to wait.
const SMALL: usize = 1024;

impl Connection {
    /// Sends a text message.
    pub fn send_text(&mut self, text: &str) -> Result<(), SendError> {
        self.send_whole(MessageKind::Text, Payload::Lent(text.as_bytes()))
    }

    /// Sends a binary message.
    pub fn send_binary(&mut self, bytes: &[u8]) -> Result<(), SendError> {
        self.send_whole(MessageKind::Binary, Payload::Lent(bytes))
    }

    /// Sends a message without copying a large payload, where it is neither
    /// compressed nor masked. The bytes of a text must be UTF-8.
    pub fn send_bytes(&mut self, kind: MessageKind, payload: &Bytes) -> Result<(), SendError> {
        self.send_whole(kind, Payload::Shared(payload))
    }

    /// Sends a message by way of `write`, which is given the frame's header and its
    /// payload where that is neither compressed nor masked and nothing waits before
    /// it, and tells how many bytes the transport has taken: those are never copied
    /// anywhere. What is left waits as after [`Connection::send_bytes`]; whether
    /// `write` was called is told. The bytes of a text must be UTF-8.
    ///
    /// # Errors
    ///
    /// As the other commands, and nothing is written then.
    pub fn send_through(
        &mut self,
        kind: MessageKind,
        payload: Payload<'_>,
        now: Instant,
        write: impl FnOnce(&[u8], &[u8]) -> usize,
    ) -> Result<bool, SendError> {
        self.check_ready(kind, true)?;
        let len = payload.len();
        if !self.output.is_empty()
            || self.role() == Role::Client
            || self
                .deflater
                .as_deref()
                .is_some_and(|deflater| deflater.is_worth(len))
        {
            return self.send_whole(kind, payload).map(|()| false);
        }
        // Memory for what may have to wait: a small message is too little to ask.
        if len > SMALL {
            self.reserve_output(len)?;
        }
        let header = self.header(kind, len, true, false);
        let mut encoded = [0; FrameHeader::MAX_LEN];
        let header_len = header.encode(&mut encoded);
        let written = write(&encoded[..header_len], &payload);
        if written < header_len + len {
            let header = &encoded[..header_len];
            self.output.push_rest(header, payload, written);
        }
        self.note_transmitted(written, written, now);
        if len > SMALL || !self.output.is_empty() {
            self.count_output();
        }
        Ok(true)
    }

    /// Sends a message that is encoded, and compressed, once for many
    /// connections.
    pub fn send_encoded(&mut self, message: &EncodedMessage) -> Result<(), SendError> {
        let (kind, plain) = (message.kind(), message.payload());
        self.check_ready(kind, true)?;
        let packed = self
            .deflater
            .as_deref()
            .filter(|deflater| deflater.is_worth(plain.len()))
            .and_then(|deflater| message.packed(deflater.settings()));
        let rsv1 = packed.is_some();
        let frame = packed.unwrap_or_else(|| message.plain().clone());
        let header = self.next_header(kind, frame.payload().len(), true, rsv1)?;
        if self.role() == Role::Client {
            self.push_payload(header, Payload::Lent(frame.payload()));
        } else {
            self.output.push_encoded(frame.bytes());
            self.count_output();
        }
        if rsv1 && let Some(deflater) = &mut self.deflater {
            deflater.remember(plain);
            self.count_context();
        }
        Ok(())
    }

    /// Sends messages that were encoded for many connections, by way of `write` as
    /// [`Connection::send_through`] does. Gives how many of them were taken: where they
    /// are sent one by one, there may be room for some alone.
    ///
    /// # Errors
    ///
    /// As the other commands, where none was taken.
    pub fn send_batch(
        &mut self,
        batch: &EncodedBatch,
        now: Instant,
        write: impl FnOnce(&[u8]) -> usize,
    ) -> Result<usize, SendError> {
        let Some(first) = batch.messages().first() else {
            return Ok(0);
        };
        self.check_ready(first.kind(), true)?;
        let direct = self.output.is_empty() && self.deflater.is_none();
        if !direct || self.role() == Role::Client {
            for (taken, message) in batch.messages().iter().enumerate() {
                match self.send_encoded(message) {
                    Err(_) if taken > 0 => return Ok(taken),
                    result => result?,
                }
            }
            return Ok(batch.messages().len());
        }
        let frames = batch.plain();
        self.messages_sent += batch.messages().len() as u64;
        let written = write(frames);
        if written == frames.len() {
            self.note_transmitted(written, written, now);
        } else {
            self.output.push_encoded(frames);
            let data = self.output.advance(written);
            self.note_transmitted(written, data, now);
            self.demand_output(now);
        }
        Ok(batch.messages().len())
    }

    //= rfc6455#5.4-8, rfc7692#6.1-3
    /// Sends a fragment of a message (RFC 6455 section 5.4): the first of each
    /// message has its kind, those after must repeat it, `fin` marks the last.
    /// Fragments of a text may end inside a code point.
    pub fn send_fragment(
        &mut self,
        kind: MessageKind,
        payload: &[u8],
        fin: bool,
    ) -> Result<(), SendError> {
        if self.sending.is_none() && fin {
            return self.send_whole(kind, Payload::Lent(payload));
        }
        self.check_ready(kind, false)?;
        // How long the message will be is not known: it is worth a try.
        let compressed = self
            .sending
            .map_or(self.deflater.is_some(), |sending| sending.compressed);
        let rsv1 = compressed && self.sending.is_none();
        let Some(mut deflater) = self.deflater.take_if(|_| compressed) else {
            let header = self.next_header(kind, payload.len(), fin, rsv1)?;
            self.push_payload(header, Payload::Lent(payload));
            self.sending = (!fin).then_some(Sending { kind, compressed });
            return Ok(());
        };
        let sent = deflater.compress_fragment(payload, fin, |packed| {
            let header = self.next_header(kind, packed.len(), fin, rsv1)?;
            self.push_payload(header, Payload::Lent(packed));
            self.sending = (!fin).then_some(Sending { kind, compressed });
            Ok(())
        });
        self.deflater = Some(deflater);
        self.count_context();
        sent
    }

    fn send_whole(&mut self, kind: MessageKind, payload: Payload<'_>) -> Result<(), SendError> {
        self.check_ready(kind, true)?;
        let len = payload.len();
        let Some(mut deflater) = self.deflater.take_if(|deflater| deflater.is_worth(len)) else {
            let header = self.next_header(kind, len, true, false)?;
            self.push_payload(header, payload);
            return Ok(());
        };
        let sent = deflater.compress(&payload, |packed| {
            if let Some(packed) = packed {
                let header = self.next_header(kind, packed.len(), true, true)?;
                self.push_payload(header, Payload::Lent(packed));
            } else {
                let header = self.next_header(kind, len, true, false)?;
                self.push_payload(header, payload);
            }
            Ok(())
        });
        self.deflater = Some(deflater);
        self.count_context();
        sent
    }

    fn push_payload(&mut self, header: FrameHeader, payload: Payload<'_>) {
        match payload {
            Payload::Shared(bytes) if header.masking_key.is_none() => {
                self.output.push_bytes(header, bytes);
            }
            payload => self.output.push(header, &payload),
        }
        self.count_output();
    }

    /// Counts what the output holds. Memory taken in advance is given back
    /// where there is none to spare.
    pub(super) fn count_output(&mut self) {
        if self.output_share.resize(self.output.held()).is_err() {
            self.output.shrink();
            // A few control frames may be more than there is room for.
            let _ = self.output_share.resize(self.output.held());
        }
    }

    /// Counts what the context for sending holds. Where there is no memory for
    /// it, it is given up.
    fn count_context(&mut self) {
        let held = self.deflater.as_deref().map_or(0, Deflater::held);
        if self.context_share.resize(held).is_err() {
            self.forget_context();
        }
    }

    /// When the context for sending has been unused for long enough.
    pub(super) fn context_timeout(&self) -> Option<Instant> {
        let idle = self.config.compression.idle_timeout?;
        let held = self.deflater.as_deref().map_or(0, Deflater::held);
        (held > 0).then(|| later(self.last_sent, idle))
    }

    pub(super) fn forget_context(&mut self) {
        if let Some(deflater) = &mut self.deflater {
            deflater.forget();
        }
        // Shrinking cannot fail.
        let _ = self.context_share.resize(0);
    }

    //= rfc6455#5.5.2-3, rfc6455#5.5.2-4
    /// Sends a ping with a payload of at most 125 bytes.
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.send_control(Opcode::Ping, payload)?;
        if let Some(pulse) = &mut self.pulse {
            pulse.handle_other_ping();
        }
        Ok(())
    }

    //= rfc6455#5.5.3-3
    /// Sends a pong that nobody asked for (RFC 6455 section 5.5.3).
    pub fn pong(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.send_control(Opcode::Pong, payload)
    }

    fn send_control(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), SendError> {
        if !self.is_open() {
            return Err(SendError::Closed);
        }
        let len = payload.len();
        if len > MAX_CONTROL_PAYLOAD {
            return Err(SendError::ControlTooLong { len });
        }
        let queued = if opcode == Opcode::Ping {
            self.output.pings()
        } else {
            self.output.pongs()
        };
        let max = self.config.limits.queued_control_frames;
        if queued >= max {
            return Err(SendError::LimitExceeded {
                limit: Limit::QueuedControlFrames,
                value: queued + 1,
                max,
            });
        }
        self.queue_control(opcode, payload);
        Ok(())
    }

    //= rfc6455#5.1-7, rfc6455#5.4-1, rfc6455#5.4-2, rfc6455#5.4-6, rfc6455#5.5.1-6
    //= rfc6455#6.1-1, rfc6455#6.1-2, rfc6455#6.1-3
    /// Whether a data frame may be sent now.
    fn check_ready(&self, kind: MessageKind, whole: bool) -> Result<(), SendError> {
        if !self.is_open() {
            return Err(SendError::Closed);
        }
        if self
            .sending
            .is_some_and(|sending| whole || sending.kind != kind)
        {
            return Err(SendError::MessageInterrupted);
        }
        if self.is_output_full() {
            return Err(SendError::OutputFull {
                buffered: self.output.len(),
                high_water: self.config.limits.output_high_water,
            });
        }
        Ok(())
    }

    //= rfc6455#6.1-4, rfc6455#6.1-7, rfc6455#6.1-8
    /// The header of the next data frame, whose bytes are counted.
    fn next_header(
        &mut self,
        kind: MessageKind,
        len: usize,
        fin: bool,
        rsv1: bool,
    ) -> Result<FrameHeader, SendError> {
        if !self.output.has_room(len) {
            self.reserve_output(len)?;
        }
        Ok(self.header(kind, len, fin, rsv1))
    }

    fn header(&mut self, kind: MessageKind, len: usize, fin: bool, rsv1: bool) -> FrameHeader {
        self.messages_sent += u64::from(fin);
        FrameHeader {
            fin,
            rsv1,
            opcode: if self.sending.is_some() {
                Opcode::Continuation
            } else {
                kind.opcode()
            },
            masking_key: self.next_masking_key(),
            payload_len: len as u64,
        }
    }

    /// Takes memory for another frame from the budget.
    fn reserve_output(&mut self, len: usize) -> Result<(), SendError> {
        let needed = self.output.held() + len + FrameHeader::MAX_LEN;
        self.output_share
            .resize(needed)
            .map_err(|exhausted| SendError::LimitExceeded {
                limit: Limit::MemoryBudget,
                value: exhausted.used,
                max: exhausted.total,
            })
    }

    //= rfc6455#5.1-1, rfc6455#5.1-4, rfc6455#5.3-2, rfc6455#10.3-1, rfc6455#10.3-2
    //= rfc6455#6.1-5
    pub(super) fn next_masking_key(&mut self) -> Option<[u8; 4]> {
        self.masking_keys.as_mut().map(|next| next())
    }

    //= rfc6455#5.5.2-1, rfc6455#5.5.3-1, rfc6455#5.5.3-2
    /// Answers a ping. Where many answers wait, the newest of them gives way:
    /// a peer that does not read makes us hold no more.
    pub(super) fn queue_pong(&mut self, payload: &[u8]) {
        let needed = self.output.held() + FrameHeader::MAX_LEN + payload.len();
        let max = self.config.limits.queued_control_frames;
        if self.output.pongs() >= max || self.output_share.resize(needed).is_err() {
            self.output.remove_newest_pong();
        }
        self.queue_control(Opcode::Pong, payload);
    }

    /// Queues a ping or pong, whatever waits already.
    pub(super) fn queue_control(&mut self, opcode: Opcode, payload: &[u8]) {
        let header = FrameHeader {
            fin: true,
            rsv1: false,
            opcode,
            masking_key: self.next_masking_key(),
            payload_len: payload.len() as u64,
        };
        self.output.push_control(header, payload);
        self.count_output();
    }
}
