//! Frames as a load generator needs them: encoded in advance, and counted when they come
//! back.

use std::io::Write as _;

use flate2::write::DeflateEncoder;

use crate::Failure;

/// The opcode of texts.
pub const TEXT: u8 = 1;

/// The opcode of binary messages.
pub const BINARY: u8 = 2;

/// The key of all frames: one is as good as another.
pub const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The FIN bit.
const FIN: u8 = 0x80;

/// The bit of compressed messages.
const RSV1: u8 = 0x40;

/// A masked frame with a whole message.
pub fn masked(opcode: u8, rsv1: bool, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![FIN | opcode | if rsv1 { RSV1 } else { 0 }];
    match payload.len() {
        len @ 0..=125 => frame.push(0x80 | len as u8),
        len @ 126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend((len as u16).to_be_bytes());
        }
        len => {
            frame.push(0x80 | 127);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    frame.extend(KEY);
    frame.extend(
        payload
            .iter()
            .zip(KEY.iter().cycle())
            .map(|(byte, key)| byte ^ key),
    );
    frame
}

/// A message compressed alone, as permessage-deflate has it.
pub fn deflated(payload: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut encoder = DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(payload)?;
    encoder.flush()?;
    let mut packed = encoder.get_ref().clone();
    packed.truncate(packed.len() - 4);
    Ok(packed)
}

/// A text of so many bytes that is like the JSON that programs exchange, another one for
/// each seed.
pub fn json(bytes: usize, seed: u32) -> String {
    let mut text = String::from("[");
    let mut n = seed.wrapping_mul(2_654_435_761);
    while text.len() < bytes {
        n = n.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (id, place, price) = (n >> 12, n >> 28, f64::from(n >> 16) / 100.0);
        text.push_str(&format!(
            "{{\"id\": {id}, \"user\": \"user{place}\", \"price\": {price:.2}, \"active\": true}}, "
        ));
    }
    text.truncate(bytes - 1);
    text.push(']');
    text
}

/// Where in a stream of unmasked frames we are.
#[derive(Debug, Default)]
pub struct Replies {
    header: [u8; 10],
    kept: usize,
    /// Bytes of a payload that are still to come.
    left: usize,
    /// The payload of a ping, as far as it has come.
    ping: Vec<u8>,
    /// Pings that have come since they were last asked for.
    pings: Vec<Vec<u8>>,
}

/// The opcodes that matter here.
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

impl Replies {
    /// How many messages, of one frame each, end in these bytes.
    pub fn count(&mut self, mut bytes: &[u8]) -> Result<usize, Failure> {
        let mut messages = 0;
        while !bytes.is_empty() {
            if self.left > 0 {
                let (taken, rest) = bytes.split_at(self.left.min(bytes.len()));
                bytes = rest;
                self.left -= taken.len();
                if self.opcode() == PING {
                    self.ping.extend_from_slice(taken);
                }
            } else {
                if self.kept == self.header.len() || self.payload_len().is_some() {
                    self.kept = 0;
                }
                self.header[self.kept] = bytes[0];
                self.kept += 1;
                bytes = &bytes[1..];
                match self.payload_len() {
                    Some(len) => self.left = len,
                    None => continue,
                }
            }
            if self.left > 0 {
                continue;
            }
            match self.opcode() {
                CLOSE => return Err("the server closed a connection".into()),
                PING => self.pings.push(std::mem::take(&mut self.ping)),
                PONG => {}
                _ => messages += 1,
            }
        }
        Ok(messages)
    }

    /// The pongs that answer the pings that have come.
    pub fn take_pongs(&mut self) -> Vec<u8> {
        self.pings
            .drain(..)
            .flat_map(|payload| masked(PONG, false, &payload))
            .collect()
    }

    fn opcode(&self) -> u8 {
        self.header[0] & 0x0f
    }

    fn payload_len(&self) -> Option<usize> {
        let header = &self.header[..self.kept];
        let (short, long) = (*header.get(1)?, &header[2..]);
        match short & 0x7f {
            126 => Some(u16::from_be_bytes(*long.first_chunk()?).into()),
            127 => Some(u64::from_be_bytes(*long.first_chunk()?) as usize),
            short => Some(short.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_counted_wherever_they_are_cut() {
        let mut stream = vec![0x81, 2, b'h', b'i', 0x82, 0, 0x82, 126, 1, 0];
        stream.extend([7; 256]);
        stream.extend([0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
        stream.extend([7; 65536]);
        stream.extend([0x89, 1, b'p', 0x89, 0, 0x8a, 1, b'x', 0x81, 0]);
        for size in [1, 2, 3, 7, 100, stream.len()] {
            let mut replies = Replies::default();
            let frames: usize = stream
                .chunks(size)
                .map(|part| replies.count(part).unwrap())
                .sum();
            assert_eq!(frames, 5);
            let pongs = [masked(PONG, false, b"p"), masked(PONG, false, b"")];
            assert_eq!(replies.take_pongs(), pongs.concat());
            assert!(replies.take_pongs().is_empty());
        }
    }
}
