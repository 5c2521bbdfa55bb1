//! Cuts the frames of a byte stream into fragments (RFC 6455 section 5.4).
//!
//! A masked payload stays as it is: each fragment has the masking key turned to
//! where it begins, so that nothing is held back or masked anew.

use std::num::NonZero;

/// The 7-bit length that says that 16 bits follow.
const LEN_16: u8 = 0x7E;

/// The 7-bit length that says that 64 bits follow.
const LEN_64: u8 = 0x7F;

/// Takes the bytes of one direction as they come, gives them with data frames
/// cut into pieces.
#[derive(Debug)]
pub(super) struct Fragmenter {
    most: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    /// A header that is not whole yet.
    Head(Vec<u8>),
    /// Within the payload of a frame that stays whole.
    Whole { rest: u64 },
    /// Within one that is cut.
    Cut(Cut),
}

#[derive(Debug)]
struct Cut {
    /// The first byte of the frame's header.
    first: u8,
    key: Option<[u8; 4]>,
    len: u64,
    taken: u64,
}

impl Fragmenter {
    /// Into fragments of `most` bytes at most.
    pub(super) fn new(most: NonZero<usize>) -> Self {
        Self {
            most: most.get() as u64,
            state: State::Head(Vec::new()),
        }
    }

    /// The bytes to write for these.
    pub(super) fn pass(&mut self, mut input: &[u8]) -> Vec<u8> {
        let mut output = Vec::with_capacity(input.len() * 2);
        while !input.is_empty() {
            match &mut self.state {
                State::Head(head) => {
                    let (&[byte], rest) = input.split_first_chunk::<1>().unwrap_or((&[0], &[]));
                    input = rest;
                    head.push(byte);
                    if let Some((len, key)) = whole_header(head) {
                        self.state = begin(head, len, key, self.most, &mut output);
                    }
                }
                State::Whole { rest } => {
                    let part = take(&mut input, *rest);
                    output.extend_from_slice(part);
                    *rest -= part.len() as u64;
                    if *rest == 0 {
                        self.state = State::Head(Vec::new());
                    }
                }
                State::Cut(cut) => {
                    if cut.taken.is_multiple_of(self.most) {
                        cut.header(self.most, &mut output);
                    }
                    let room = self.most - cut.taken % self.most;
                    let part = take(&mut input, room.min(cut.len - cut.taken));
                    output.extend_from_slice(part);
                    cut.taken += part.len() as u64;
                    if cut.taken == cut.len {
                        self.state = State::Head(Vec::new());
                    }
                }
            }
        }
        output
    }
}

impl Cut {
    /// The header of the fragment that begins here.
    fn header(&self, most: u64, output: &mut Vec<u8>) {
        let len = most.min(self.len - self.taken);
        let is_last = self.taken + len == self.len;
        // The opcode and the reserved bits are those of the first fragment alone.
        let mut first = if self.taken == 0 { self.first } else { 0 } & 0x7f;
        if is_last {
            first |= self.first & 0x80;
        }
        output.push(first);
        let mask_bit = u8::from(self.key.is_some()) << 7;
        match len {
            0..=125 => output.push(mask_bit | len as u8),
            126..=0xFFFF => {
                output.push(mask_bit | LEN_16);
                output.extend_from_slice(&(len as u16).to_be_bytes());
            }
            _ => {
                output.push(mask_bit | LEN_64);
                output.extend_from_slice(&len.to_be_bytes());
            }
        }
        if let Some(mut key) = self.key {
            key.rotate_left((self.taken % 4) as usize);
            output.extend_from_slice(&key);
        }
    }
}

/// The length and the masking key of a header, once it is whole.
fn whole_header(head: &[u8]) -> Option<(u64, Option<[u8; 4]>)> {
    let (&[_, second], rest) = head.split_first_chunk::<2>()?;
    let (len, rest) = match second & 0x7f {
        LEN_16 => {
            let (len, rest) = rest.split_first_chunk::<2>()?;
            (u64::from(u16::from_be_bytes(*len)), rest)
        }
        LEN_64 => {
            let (len, rest) = rest.split_first_chunk::<8>()?;
            (u64::from_be_bytes(*len), rest)
        }
        short => (u64::from(short), rest),
    };
    if second & 0x80 == 0 {
        return Some((len, None));
    }
    Some((len, Some(*rest.first_chunk::<4>()?)))
}

/// What follows a header: data frames that are too long are cut, everything else
/// is written as it came.
fn begin(head: &[u8], len: u64, key: Option<[u8; 4]>, most: u64, output: &mut Vec<u8>) -> State {
    let first = head.first().copied().unwrap_or_default();
    let is_data = matches!(first & 0xF, 0..=2);
    if is_data && len > most {
        return State::Cut(Cut {
            first,
            key,
            len,
            taken: 0,
        });
    }
    output.extend_from_slice(head);
    if len == 0 {
        State::Head(Vec::new())
    } else {
        State::Whole { rest: len }
    }
}

fn take<'a>(input: &mut &'a [u8], most: u64) -> &'a [u8] {
    let len = usize::try_from(most).map_or(input.len(), |most| most.min(input.len()));
    let (part, rest) = input.split_at(len);
    *input = rest;
    part
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Decoder, Frame, Opcode};

    fn frames(wire: &[u8]) -> Vec<Frame> {
        let mut decoder = Decoder::new(1 << 20);
        let mut input = wire;
        std::iter::from_fn(|| decoder.decode(&mut input)).collect()
    }

    #[test]
    fn data_frames_are_cut_and_say_the_same() {
        let sent = [
            Frame::new(Opcode::TEXT, "Hello, world")
                .rsv(0b100)
                .masked([1, 2, 3, 4]),
            Frame::new(Opcode::PING, "a ping of some length").masked([5, 6, 7, 8]),
            Frame::new(Opcode::BINARY, vec![7; 70_000]),
            Frame::new(Opcode::TEXT, ""),
            Frame::new(Opcode::BINARY, [1, 2, 3]).unfinished(),
            Frame::new(Opcode::CONTINUATION, [4; 11]),
        ];
        let wire: Vec<u8> = sent.iter().flat_map(Frame::encode).collect();
        for most in [1, 5, 126, 65_536] {
            for piece in [1, 3, 4096] {
                let mut fragmenter = Fragmenter::new(NonZero::new(most).unwrap());
                let cut: Vec<u8> = wire
                    .chunks(piece)
                    .flat_map(|piece| fragmenter.pass(piece))
                    .collect();
                let got = frames(&cut);
                let data = |frames: &[Frame]| -> Vec<u8> {
                    frames
                        .iter()
                        .flat_map(|frame| frame.payload.clone())
                        .collect()
                };
                assert_eq!(data(&got), data(&sent), "{most} {piece}");
                for frame in &got {
                    let is_short = frame.payload_len <= most as u64;
                    assert!(is_short || frame.opcode.is_control());
                }
                let marked = got.iter().filter(|frame| frame.is_compressed()).count();
                assert_eq!(marked, 1, "RSV1 is on the first fragment alone");
                let finished = |frames: &[Frame]| frames.iter().filter(|f| f.fin).count();
                assert_eq!(finished(&got), finished(&sent));
            }
        }
    }
}
