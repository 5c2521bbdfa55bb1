//! Frames decoded in place from whatever bytes arrive (RFC 6455 section 5.2).
//!
//! The decoder keeps at most one unfinished header; payloads are unmasked
//! where they lie and handed on at once, whole or in pieces.

use std::fmt;

use crate::Role;
use crate::error::ProtocolError;
use crate::header::{FrameHeader, HeaderRules};
use crate::mask::apply_mask;
use crate::opcode::{MessageKind, Opcode};

/// The first byte of a text message in one frame.
const TEXT_ALONE: u8 = 0x80 | Opcode::Text as u8;

/// The first byte of a binary message in one frame.
const BINARY_ALONE: u8 = 0x80 | Opcode::Binary as u8;

/// The bit of the second byte that says that the payload is masked.
const MASKED: u8 = 0x80;

/// Bytes that arrived and are not consumed yet. What is handed out of them
/// borrows from the caller's buffer, not from this cursor, so a connection can
/// be written to while a message from its input is still in use.
#[derive(Default)]
pub struct Input<'a> {
    rest: &'a mut [u8],
}

impl<'a> Input<'a> {
    /// All of `bytes`, which will be unmasked in place.
    pub fn new(bytes: &'a mut [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Bytes not consumed yet.
    pub fn len(&self) -> usize {
        self.rest.len()
    }

    /// Whether everything is consumed.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What is not consumed yet.
    pub fn as_slice(&self) -> &[u8] {
        self.rest
    }

    /// Consumes at most `count` bytes.
    fn take(&mut self, count: usize) -> &'a mut [u8] {
        let rest = std::mem::take(&mut self.rest);
        let (taken, rest) = rest.split_at_mut(count.min(rest.len()));
        self.rest = rest;
        taken
    }

    pub(crate) fn discard(&mut self) {
        self.rest = &mut [];
    }
}

impl fmt::Debug for Input<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input").field("len", &self.len()).finish()
    }
}

//= rfc6455#10.3-3
/// Appends a frame to `out`; returns its length, which is that of the header
/// and the payload given. `header` may announce a payload that follows
/// elsewhere.
pub(crate) fn encode_frame(out: &mut Vec<u8>, header: FrameHeader, payload: &[u8]) -> usize {
    let mut encoded = [0; FrameHeader::MAX_LEN];
    let len = header.encode(&mut encoded);
    out.reserve(len + payload.len());
    out.extend_from_slice(&encoded[..len]);
    let start = out.len();
    out.extend_from_slice(payload);
    if let Some(key) = header.masking_key {
        apply_mask(&mut out[start..], key, 0);
    }
    len + payload.len()
}

/// A part of a frame: the first one as soon as the header is complete, even
/// where no payload is there yet.
#[derive(Debug)]
pub(crate) struct FramePiece<'a> {
    pub(crate) header: FrameHeader,
    /// Whether this is the frame's first piece.
    pub(crate) first: bool,
    /// Whether the frame ends with this piece.
    pub(crate) last: bool,
    /// Unmasked payload.
    pub(crate) data: &'a mut [u8],
}

/// Where in a frame the decoder is.
#[derive(Debug)]
enum Position {
    /// In a header, of which this many bytes are kept.
    Header { kept: usize },
    /// In a payload, this many bytes of which have been handed on.
    Payload { header: FrameHeader, done: u64 },
}

/// Cuts a stream of bytes into [`FramePiece`]s.
#[derive(Debug)]
pub(crate) struct FrameDecoder {
    position: Position,
    kept: [u8; FrameHeader::MAX_LEN],
}

impl FrameDecoder {
    pub(crate) fn new() -> Self {
        Self {
            position: Position::Header { kept: 0 },
            kept: [0; FrameHeader::MAX_LEN],
        }
    }

    /// Whether the stream may end here without cutting a frame.
    pub(crate) fn is_between_frames(&self) -> bool {
        matches!(self.position, Position::Header { kept: 0 })
    }

    /// The next frame where it is what most are: a message of its own that is not
    /// compressed, has at most `most` bytes, and is whole in the input. All others
    /// are left for [`FrameDecoder::next`] to judge.
    pub(crate) fn next_message<'a>(
        &mut self,
        input: &mut Input<'a>,
        receiver: Role,
        most: usize,
    ) -> Option<(MessageKind, &'a mut [u8])> {
        if !self.is_between_frames() {
            return None;
        }
        let (&[first, second], rest) = input.as_slice().split_first_chunk()?;
        let kind = match first {
            TEXT_ALONE => MessageKind::Text,
            BINARY_ALONE => MessageKind::Binary,
            _ => return None,
        };
        let masked = second & MASKED != 0;
        if masked != (receiver == Role::Server) {
            return None;
        }
        let (len, key_at) = match second & !MASKED {
            short @ 0..=125 => (usize::from(short), 2),
            126 => {
                let len = u16::from_be_bytes(*rest.first_chunk()?);
                (Some(len).filter(|&len| len > 125)?.into(), 4)
            }
            _ => return None,
        };
        let start = key_at + if masked { 4 } else { 0 };
        if len > most || input.len() < start + len {
            return None;
        }
        let (header, payload) = input.take(start + len).split_at_mut(start);
        if masked && let Some(&key) = header[key_at..].first_chunk() {
            apply_mask(payload, key, 0);
        }
        Some((kind, payload))
    }

    /// Bytes of a payload that are still to come, where all of its header is there.
    pub(crate) fn payload_left(&self) -> Option<u64> {
        match &self.position {
            Position::Header { .. } => None,
            Position::Payload { header, done } => Some(header.payload_len - done),
        }
    }

    /// Takes the next bytes of a payload where they already are what they belong to. Gives
    /// how many of them do, and whether they end a message.
    pub(crate) fn next_payload(&mut self, data: &mut [u8]) -> (usize, bool) {
        let Position::Payload { header, done } = &mut self.position else {
            return (0, false);
        };
        let left = usize::try_from(header.payload_len - *done).unwrap_or(usize::MAX);
        let taken = left.min(data.len());
        if let Some(key) = header.masking_key {
            apply_mask(&mut data[..taken], key, *done);
        }
        *done += taken as u64;
        let last = *done == header.payload_len;
        let ends_message = last && header.fin;
        if last {
            self.position = Position::Header { kept: 0 };
        }
        (taken, ends_message)
    }

    //= rfc6455#6.2-1, rfc6455#6.2-4
    /// The next piece, or `None` where more input is needed: all of it has been
    /// consumed then. `most` tells how many bytes of a frame may come at once.
    pub(crate) fn next<'a>(
        &mut self,
        input: &mut Input<'a>,
        rules: HeaderRules,
        most: impl FnOnce(&FrameHeader) -> usize,
    ) -> Result<Option<FramePiece<'a>>, ProtocolError> {
        let (header, done) = match self.position {
            Position::Payload { header, done } => {
                if input.is_empty() {
                    return Ok(None);
                }
                (header, done)
            }
            Position::Header { kept } => match self.header(input, kept, rules)? {
                Some(header) => (header, 0),
                None => return Ok(None),
            },
        };
        let left = usize::try_from(header.payload_len - done).unwrap_or(usize::MAX);
        let data = input.take(left.min(most(&header)));
        if let Some(key) = header.masking_key {
            apply_mask(data, key, done);
        }
        let now_done = done + data.len() as u64;
        let last = now_done == header.payload_len;
        let first = matches!(self.position, Position::Header { .. });
        self.position = if last {
            Position::Header { kept: 0 }
        } else {
            Position::Payload {
                header,
                done: now_done,
            }
        };
        Ok(Some(FramePiece {
            header,
            first,
            last,
            data,
        }))
    }

    /// A complete header, or `None` with what there is of it kept.
    fn header(
        &mut self,
        input: &mut Input<'_>,
        kept: usize,
        rules: HeaderRules,
    ) -> Result<Option<FrameHeader>, ProtocolError> {
        if kept == 0 {
            if let Some((header, len)) = FrameHeader::parse(input.as_slice(), rules)? {
                input.take(len);
                return Ok(Some(header));
            }
            return Ok(self.keep(input, 0));
        }
        // The input continues a header: judge it together with what was kept.
        let available = input.len().min(FrameHeader::MAX_LEN - kept);
        self.kept[kept..kept + available].copy_from_slice(&input.as_slice()[..available]);
        match FrameHeader::parse(&self.kept[..kept + available], rules)? {
            Some((header, len)) => {
                input.take(len - kept);
                Ok(Some(header))
            }
            None => Ok(self.keep(input, kept)),
        }
    }

    fn keep(&mut self, input: &mut Input<'_>, kept: usize) -> Option<FrameHeader> {
        let more = input.take(FrameHeader::MAX_LEN - kept);
        self.kept[kept..kept + more.len()].copy_from_slice(more);
        self.position = Position::Header {
            kept: kept + more.len(),
        };
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Opcode, Role};

    const RULES: HeaderRules = HeaderRules {
        role: Role::Server,
        in_message: false,
        frame_size: usize::MAX,
        compression: false,
    };

    /// "Hello" in a masked frame (RFC 6455 section 5.7), twice.
    const TWO: [u8; 22] = *b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\
                             \x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";

    #[test]
    fn a_frame_is_whole_where_the_input_has_all_of_it() {
        let mut bytes = TWO;
        let mut input = Input::new(&mut bytes);
        let mut decoder = FrameDecoder::new();
        for _ in 0..2 {
            let piece = decoder
                .next(&mut input, RULES, |_| usize::MAX)
                .unwrap()
                .unwrap();
            assert_eq!(piece.data, b"Hello");
            assert!(piece.first && piece.last && piece.header.fin);
            assert_eq!(piece.header.opcode, Opcode::Text);
        }
        assert!(
            decoder
                .next(&mut input, RULES, |_| usize::MAX)
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn frames_cut_at_each_byte_give_the_same_payload() {
        for size in 1..TWO.len() {
            let mut bytes = TWO;
            let mut decoder = FrameDecoder::new();
            let mut payload = Vec::new();
            let mut frames = 0;
            for part in bytes.chunks_mut(size) {
                let mut input = Input::new(part);
                while let Some(piece) = decoder.next(&mut input, RULES, |_| usize::MAX).unwrap() {
                    payload.extend_from_slice(piece.data);
                    frames += usize::from(piece.last);
                }
                assert!(input.is_empty());
            }
            assert_eq!((payload.as_slice(), frames), (&b"HelloHello"[..], 2));
            assert!(decoder.is_between_frames());
        }
    }

    #[test]
    fn a_header_alone_is_told_before_its_payload() {
        let mut bytes = *b"\x82\x85\x37\xfa\x21\x3d";
        let mut decoder = FrameDecoder::new();
        let mut input = Input::new(&mut bytes);
        let piece = decoder
            .next(&mut input, RULES, |_| usize::MAX)
            .unwrap()
            .unwrap();
        assert!(piece.first && !piece.last && piece.data.is_empty());
        assert!(
            decoder
                .next(&mut input, RULES, |_| usize::MAX)
                .unwrap()
                .is_none()
        );
        assert!(!decoder.is_between_frames());
    }

    #[test]
    fn an_empty_frame_is_one_piece() {
        let mut bytes = *b"\x81\x80\x37\xfa\x21\x3d";
        let mut input = Input::new(&mut bytes);
        let piece = FrameDecoder::new()
            .next(&mut input, RULES, |_| usize::MAX)
            .unwrap()
            .unwrap();
        assert!(piece.first && piece.last && piece.data.is_empty());
    }
}
