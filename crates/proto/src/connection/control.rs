//! Control frames that wait for the transport, in the order in which they were
//! queued.

use crate::frame::encode_frame;
use crate::header::FrameHeader;
use crate::opcode::Opcode;

/// Bytes of sent frames that are kept before the rest is moved up: a lane that
/// never runs empty must not grow.
const COMPACT: usize = 4 << 10;

#[derive(Debug, Default)]
pub(super) struct ControlLane {
    frames: Vec<u8>,
    /// Bytes of `frames` that are sent.
    sent: usize,
    /// Where the first frame starts that is not all sent.
    start: usize,
    /// Pings that are not all sent.
    pings: usize,
    /// Pongs that are not all sent.
    pongs: usize,
}

impl ControlLane {
    /// The bytes that wait.
    pub(super) fn unsent(&self) -> &[u8] {
        &self.frames[self.sent..]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Bytes of memory held.
    pub(super) fn held(&self) -> usize {
        self.frames.capacity()
    }

    pub(super) fn pings(&self) -> usize {
        self.pings
    }

    pub(super) fn pongs(&self) -> usize {
        self.pongs
    }

    pub(super) fn push(&mut self, header: FrameHeader, payload: &[u8]) {
        encode_frame(&mut self.frames, header, payload);
        self.count(header.opcode, |count| *count += 1);
    }

    //= rfc6455#5.5.3-2
    /// Takes out the newest pong of which nothing is sent. Says whether there
    /// was one.
    pub(super) fn remove_newest_pong(&mut self) -> bool {
        let mut newest = None;
        let mut at = self.start;
        while at < self.frames.len() {
            let end = self.frame_end(at);
            if at >= self.sent && self.opcode(at) == Some(Opcode::Pong) {
                newest = Some(at..end);
            }
            at = end;
        }
        let Some(newest) = newest else {
            return false;
        };
        self.frames.drain(newest);
        self.pongs -= 1;
        true
    }

    /// Forgets the next bytes, at most `count`: they are sent. Gives how many
    /// that were.
    pub(super) fn advance(&mut self, count: usize) -> usize {
        let count = count.min(self.unsent().len());
        self.sent += count;
        while self.start < self.sent {
            let end = self.frame_end(self.start);
            if end > self.sent {
                break;
            }
            if let Some(opcode) = self.opcode(self.start) {
                self.count(opcode, |count| *count -= 1);
            }
            self.start = end;
        }
        if self.sent == self.frames.len() {
            // An idle connection owns no buffer.
            *self = Self::default();
        } else if self.start >= COMPACT {
            self.frames.drain(..self.start);
            self.sent -= self.start;
            self.start = 0;
        }
        count
    }

    /// Drops the frames of which nothing is sent.
    pub(super) fn drop_unsent(&mut self) {
        let mut at = self.start;
        if at < self.sent {
            at = self.frame_end(at);
        }
        let keep = at;
        while at < self.frames.len() {
            if let Some(opcode) = self.opcode(at) {
                self.count(opcode, |count| *count -= 1);
            }
            at = self.frame_end(at);
        }
        self.frames.truncate(keep);
        if self.unsent().is_empty() {
            *self = Self::default();
        }
    }

    fn count(&mut self, opcode: Opcode, change: impl FnOnce(&mut usize)) {
        match opcode {
            Opcode::Ping => change(&mut self.pings),
            Opcode::Pong => change(&mut self.pongs),
            _ => {}
        }
    }

    fn opcode(&self, at: usize) -> Option<Opcode> {
        Opcode::from_bits(self.frames[at] & 0x0f)
    }

    fn frame_end(&self, at: usize) -> usize {
        at + FrameHeader::encoded_frame_len(&self.frames[at..])
    }
}
