//! What the frames of one direction say: fragments put together, compressed
//! messages inflated.

use super::deflate::{InflateError, Inflater};
use super::frame::{Frame, Opcode};

/// A message or a control frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// Text, binary, or that of a control frame.
    pub(crate) opcode: Opcode,
    /// The payload, put together and inflated.
    pub(crate) data: Vec<u8>,
    /// Bytes of payload on the wire.
    pub(crate) wire_len: u64,
    /// In how many frames it came.
    pub(crate) fragments: usize,
    pub(crate) compressed: bool,
    /// Whether less was kept than came.
    pub(crate) truncated: bool,
    /// Why `data` is what was on the wire instead of what it says.
    pub(crate) fault: Option<InflateError>,
}

/// Puts the frames of one direction together. Frames that break the rules are
/// items of their own.
#[derive(Debug)]
pub(crate) struct Messages {
    /// Bytes of a message that are kept.
    keep: usize,
    inflater: Option<Inflater>,
    begun: Option<Item>,
}

impl Messages {
    /// Keeps up to `keep` bytes of each message.
    pub(crate) fn new(keep: usize, inflater: Option<Inflater>) -> Self {
        Self {
            keep,
            inflater,
            begun: None,
        }
    }

    /// Takes a frame and gives what it completes.
    pub(crate) fn push(&mut self, frame: &Frame) -> Option<Item> {
        let truncated = (frame.payload.len() as u64) < frame.payload_len;
        if let Some(begun) = &mut self.begun
            && frame.opcode == Opcode::CONTINUATION
        {
            let room = self.keep - begun.data.len();
            let kept = frame.payload.len().min(room);
            begun.data.extend_from_slice(&frame.payload[..kept]);
            begun.wire_len += frame.payload_len;
            begun.fragments += 1;
            begun.truncated |= truncated || kept < frame.payload.len();
            return if frame.fin { self.finish() } else { None };
        }
        let kept = frame.payload.len().min(self.keep);
        let item = Item {
            opcode: frame.opcode,
            data: frame.payload[..kept].to_vec(),
            wire_len: frame.payload_len,
            fragments: 1,
            compressed: frame.is_compressed(),
            truncated: truncated || kept < frame.payload.len(),
            fault: None,
        };
        let is_data = matches!(frame.opcode, Opcode::TEXT | Opcode::BINARY);
        if !is_data {
            return Some(item);
        }
        self.begun = Some(item);
        if frame.fin { self.finish() } else { None }
    }

    fn finish(&mut self) -> Option<Item> {
        let mut item = self.begun.take()?;
        if item.compressed
            && !item.truncated
            && let Some(inflater) = &mut self.inflater
        {
            match inflater.inflate(&item.data, self.keep) {
                Ok(plain) => item.data = plain,
                Err(error) => item.fault = Some(error),
            }
        }
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::super::deflate::Deflater;
    use super::*;

    #[test]
    fn fragments_become_one_message_and_control_frames_pass_between_them() {
        let mut messages = Messages::new(1 << 20, None);
        let first = Frame::new(Opcode::TEXT, "Hel").unfinished();
        assert_eq!(messages.push(&first), None);
        let ping = messages.push(&Frame::new(Opcode::PING, "p")).unwrap();
        assert_eq!((ping.opcode, &ping.data[..]), (Opcode::PING, &b"p"[..]));
        let last = Frame::new(Opcode::CONTINUATION, "lo");
        let text = messages.push(&last).unwrap();
        assert_eq!((text.opcode, &text.data[..]), (Opcode::TEXT, &b"Hello"[..]));
        assert_eq!((text.fragments, text.wire_len), (2, 5));
        // One that continues nothing is told as it is.
        let stray = messages.push(&last).unwrap();
        assert_eq!(stray.opcode, Opcode::CONTINUATION);
    }

    #[test]
    fn a_compressed_message_is_inflated_and_a_large_one_cut() {
        let mut messages = Messages::new(1000, Some(Inflater::new(false)));
        let compressed = Deflater::new(15, false).deflate(b"Hello");
        let frame = Frame::new(Opcode::TEXT, compressed).rsv(0b100);
        let text = messages.push(&frame).unwrap();
        assert_eq!(text.data, b"Hello");
        let large = messages
            .push(&Frame::new(Opcode::BINARY, vec![0; 2000]))
            .unwrap();
        assert!(large.truncated);
        assert_eq!((large.data.len(), large.wire_len), (1000, 2000));
    }
}
