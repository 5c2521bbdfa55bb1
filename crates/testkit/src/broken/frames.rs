//! The header of a frame, read and written (RFC 6455 section 5.2).

use super::faults::{Fault, Plan};

pub(super) const CONTINUATION: u8 = 0x0;
pub(super) const TEXT: u8 = 0x1;
pub(super) const BINARY: u8 = 0x2;
pub(super) const CLOSE: u8 = 0x8;
pub(super) const PING: u8 = 0x9;
pub(super) const PONG: u8 = 0xA;

/// The three reserved bits, where they are in the first byte.
pub(super) const RSV1: u8 = 0x40;
pub(super) const RSV2: u8 = 0x20;
pub(super) const RSV3: u8 = 0x10;

/// The most bytes of a header: two, a length of eight, a masking key.
const LONGEST: usize = 14;

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) fin: bool,
    /// As they are in the first byte.
    pub(super) rsv: u8,
    pub(super) opcode: u8,
    pub(super) masking_key: Option<[u8; 4]>,
    pub(super) length: u64,
}

impl Header {
    pub(super) fn is_control(&self) -> bool {
        self.opcode & 0x8 != 0
    }
}

/// A length that section 5.2 does not allow to be written so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InvalidLength;

/// Reads a header byte by byte.
#[derive(Clone, Debug, Default)]
pub(super) struct HeaderReader {
    bytes: [u8; LONGEST],
    len: usize,
}

impl HeaderReader {
    /// Whether a header has begun.
    pub(super) fn has_begun(&self) -> bool {
        self.len > 0
    }

    /// The header, with its last byte.
    pub(super) fn push(&mut self, plan: Plan, byte: u8) -> Result<Option<Header>, InvalidLength> {
        self.bytes[self.len] = byte;
        self.len += 1;
        let [first, second, rest @ ..] = &self.bytes;
        if self.len < 2 {
            return Ok(None);
        }
        let length_bytes = match second & 0x7F {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let key_bytes = if second & 0x80 == 0 { 0 } else { 4 };
        let length_is_new = self.len == 2 + length_bytes;
        if self.len < 2 + length_bytes {
            return Ok(None);
        }
        let length = length(plan, second & 0x7F, &rest[..length_bytes]);
        // Told as soon as it is seen: the key may never come.
        let length = if length_is_new || key_bytes == 0 {
            length?
        } else {
            length.unwrap_or(0)
        };
        if self.len < 2 + length_bytes + key_bytes {
            return Ok(None);
        }
        let key = &rest[length_bytes..length_bytes + key_bytes];
        let header = Header {
            fin: first & 0x80 != 0,
            rsv: first & 0x70,
            opcode: first & 0x0F,
            masking_key: key.try_into().ok(),
            length,
        };
        self.len = 0;
        Ok(Some(header))
    }
}

fn length(plan: Plan, short: u8, bytes: &[u8]) -> Result<u64, InvalidLength> {
    if let Ok(bytes) = <[u8; 2]>::try_from(bytes) {
        let length = u16::from_be_bytes(bytes);
        if length < 126 && !plan.breaks(Fault::TakesLongForm16) {
            return Err(InvalidLength);
        }
        let swaps = plan.breaks(Fault::SwapsLength16);
        let length = if swaps { length.swap_bytes() } else { length };
        return Ok(length.into());
    }
    let Ok(bytes) = <[u8; 8]>::try_from(bytes) else {
        return Ok(short.into());
    };
    let length = u64::from_be_bytes(bytes);
    let top = length >> 63 != 0;
    if top && !plan.breaks(Fault::TakesTopBit) {
        return Err(InvalidLength);
    }
    if length <= 0xFFFF && !plan.breaks(Fault::TakesLongForm64) {
        return Err(InvalidLength);
    }
    Ok(length & !(1 << 63))
}

/// Writes a frame of these first bits, masked where a key is given.
pub(super) fn write(
    plan: Plan,
    out: &mut Vec<u8>,
    first: u8,
    payload: &[u8],
    masking_key: Option<[u8; 4]>,
) {
    let mask_bit = if masking_key.is_some() { 0x80 } else { 0 };
    let len = payload.len();
    let (form, len) = match len {
        125 if plan.breaks(Fault::Writes125In16) => (126, 125),
        126 if plan.breaks(Fault::Writes126In7) => (126, usize::MAX),
        127 if plan.breaks(Fault::Writes127In7) => (127, usize::MAX),
        0xFFFF if plan.breaks(Fault::Writes65535In64) => (127, len),
        0x1_0000 if plan.breaks(Fault::Writes65536In16) => (126, 0),
        0..126 => (len as u8, len),
        126..0x1_0000 => (126, len),
        _ => (127, len),
    };
    out.extend([first, mask_bit | form]);
    // Where the length stands in 7 bits that mean something else, none follows.
    match form {
        126 if len != usize::MAX => out.extend((len as u16).to_be_bytes()),
        127 if len != usize::MAX => out.extend((len as u64).to_be_bytes()),
        _ => {}
    }
    out.extend(masking_key.into_iter().flatten());
    let start = out.len();
    out.extend_from_slice(payload);
    if let Some(key) = masking_key {
        mask(&mut out[start..], key, 0);
    }
}

/// Masks, or unmasks, what starts at this offset of a payload (section 5.3).
pub(super) fn mask(bytes: &mut [u8], key: [u8; 4], offset: u64) {
    let turned = key.iter().cycle().skip((offset % 4) as usize);
    for (byte, key) in bytes.iter_mut().zip(turned) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(plan: Plan, bytes: &[u8]) -> Result<Option<Header>, InvalidLength> {
        let mut reader = HeaderReader::default();
        for (at, &byte) in bytes.iter().enumerate() {
            if let Some(header) = reader.push(plan, byte)? {
                assert_eq!(at + 1, bytes.len());
                return Ok(Some(header));
            }
        }
        Ok(None)
    }

    #[test]
    fn the_examples_of_the_rfc_are_read_and_written() {
        // Section 5.7.
        let mut out = Vec::new();
        write(
            Plan(None),
            &mut out,
            0x81,
            b"Hello",
            Some([0x37, 0xfa, 0x21, 0x3d]),
        );
        assert_eq!(out, b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
        let header = read(Plan(None), &out[..6]).unwrap().unwrap();
        assert_eq!((header.fin, header.opcode, header.length), (true, TEXT, 5));
        assert_eq!(header.masking_key, Some([0x37, 0xfa, 0x21, 0x3d]));
        let long = read(Plan(None), b"\x82\x7F\0\0\0\0\0\x01\0\0")
            .unwrap()
            .unwrap();
        assert_eq!((long.opcode, long.length), (BINARY, 65536));
    }

    #[test]
    fn each_border_is_written_as_short_as_can_be_and_read_again() {
        for len in [0, 1, 125, 126, 127, 65535, 65536] {
            let mut out = Vec::new();
            write(Plan(None), &mut out, 0x82, &vec![7; len], None);
            let head = out.len() - len;
            assert_eq!(
                head,
                if len < 126 {
                    2
                } else if len < 65536 {
                    4
                } else {
                    10
                }
            );
            let header = read(Plan(None), &out[..head]).unwrap().unwrap();
            assert_eq!(header.length, len as u64);
        }
    }

    #[test]
    fn lengths_that_are_too_long_or_negative_are_told() {
        for (bytes, fault) in [
            (&b"\x82\x7E\x00\x7D"[..], Fault::TakesLongForm16),
            (b"\x82\x7F\0\0\0\0\0\0\xFF\xFF", Fault::TakesLongForm64),
            (b"\x82\x7F\x80\0\0\0\0\x01\0\0", Fault::TakesTopBit),
        ] {
            assert_eq!(read(Plan(None), bytes), Err(InvalidLength));
            assert!(read(Plan(Some(fault)), bytes).unwrap().is_some());
        }
    }
}
