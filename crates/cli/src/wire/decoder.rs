//! Frames from a stream of bytes, whatever they are.

use super::frame::{Frame, LengthForm, Opcode, mask};

/// Takes bytes as they come and gives the frames in them. It judges nothing: any
/// two bytes begin a frame.
#[derive(Debug)]
pub(crate) struct Decoder {
    /// Bytes of each payload that are kept; the rest is counted.
    keep: usize,
    /// A header that is not whole yet.
    head: Vec<u8>,
    /// A frame whose payload is not whole yet, and how much of it has come.
    begun: Option<(Frame, u64)>,
}

impl Decoder {
    /// A decoder that keeps up to `keep` bytes of each payload.
    pub(crate) fn new(keep: usize) -> Self {
        Self {
            keep,
            head: Vec::new(),
            begun: None,
        }
    }

    /// Whether the bytes so far end within a frame.
    pub(crate) fn is_within_a_frame(&self) -> bool {
        self.begun.is_some() || !self.head.is_empty()
    }

    /// Takes bytes from the front of `input` up to the end of a frame, and gives
    /// that frame; `None` once all is taken.
    pub(crate) fn decode(&mut self, input: &mut &[u8]) -> Option<Frame> {
        loop {
            if let Some((frame, taken)) = &mut self.begun {
                let rest = frame.payload_len - *taken;
                let len = usize::try_from(rest).map_or(input.len(), |rest| rest.min(input.len()));
                let (part, after) = input.split_at(len);
                *input = after;
                let start = frame.payload.len();
                let kept = part.len().min(self.keep - start);
                frame.payload.extend_from_slice(&part[..kept]);
                if let Some(key) = frame.masking_key {
                    mask(&mut frame.payload[start..], key, *taken);
                }
                *taken += part.len() as u64;
                if *taken < frame.payload_len {
                    return None;
                }
                return self.begun.take().map(|(frame, _)| frame);
            }
            let (&byte, after) = input.split_first()?;
            *input = after;
            self.head.push(byte);
            if let Some(frame) = header(&self.head) {
                self.head.clear();
                self.begun = Some((frame, 0));
            }
        }
    }
}

/// The frame that a whole header begins.
fn header(bytes: &[u8]) -> Option<Frame> {
    let (&[first, second], rest) = bytes.split_first_chunk::<2>()?;
    let short = second & 0x7f;
    let (payload_len, length_form, rest) = match short {
        126 => {
            let (len, rest) = rest.split_first_chunk::<2>()?;
            let len = u64::from(u16::from_be_bytes(*len));
            (
                len,
                if len < 126 {
                    LengthForm::Bits16
                } else {
                    LengthForm::Minimal
                },
                rest,
            )
        }
        127 => {
            let (len, rest) = rest.split_first_chunk::<8>()?;
            let len = u64::from_be_bytes(*len);
            let minimal = len > 0xFFFF;
            (
                len,
                if minimal {
                    LengthForm::Minimal
                } else {
                    LengthForm::Bits64
                },
                rest,
            )
        }
        short => (u64::from(short), LengthForm::Minimal, rest),
    };
    let masking_key = if second & 0x80 == 0 {
        None
    } else {
        Some(*rest.first_chunk::<4>()?)
    };
    Some(Frame {
        fin: first & 0x80 != 0,
        rsv: first >> 4 & 0b111,
        opcode: Opcode(first & 0xF),
        masking_key,
        length_form,
        payload_len,
        payload: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames() -> Vec<Frame> {
        vec![
            Frame::new(Opcode::TEXT, "Hello"),
            Frame::new(Opcode::PING, ""),
            Frame::new(Opcode(0xF), vec![1; 126])
                .rsv(0b011)
                .unfinished(),
            Frame::new(Opcode::BINARY, vec![2; 70_000]).masked([1, 2, 3, 4]),
            Frame::new(Opcode::BINARY, [3]).length(LengthForm::Bits64),
            Frame::close(1000, "bye").masked([9, 8, 7, 6]),
        ]
    }

    #[test]
    fn what_was_encoded_is_decoded_in_pieces_of_any_size() {
        let wire: Vec<u8> = frames().iter().flat_map(Frame::encode).collect();
        for size in [1, 2, 3, 7, 4096, wire.len()] {
            let mut decoder = Decoder::new(1 << 20);
            let mut seen = Vec::new();
            for mut piece in wire.chunks(size) {
                while let Some(frame) = decoder.decode(&mut piece) {
                    seen.push(frame);
                }
            }
            assert_eq!(seen, frames(), "in pieces of {size}");
            assert!(!decoder.is_within_a_frame());
        }
    }

    #[test]
    fn a_payload_is_kept_up_to_the_limit_and_counted_beyond_it() {
        let wire = Frame::new(Opcode::BINARY, vec![5; 1000])
            .masked([1; 4])
            .encode();
        let mut decoder = Decoder::new(10);
        let frame = decoder.decode(&mut &wire[..]).unwrap();
        assert_eq!((frame.payload_len, frame.payload), (1000, vec![5; 10]));
    }

    #[test]
    fn a_claimed_length_reserves_nothing() {
        let wire = Frame::new(Opcode::BINARY, [1]).length(LengthForm::Claimed(u64::MAX));
        let mut decoder = Decoder::new(usize::MAX);
        assert_eq!(decoder.decode(&mut &wire.encode()[..]), None);
        assert!(decoder.is_within_a_frame());
    }
}
