//! A frame, valid or not, and its bytes (RFC 6455 section 5.2).

use std::fmt;

/// The four bits that say what a frame is; eleven of the sixteen values are
/// reserved or control frames that no RFC defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Opcode(pub(crate) u8);

impl Opcode {
    pub(crate) const CONTINUATION: Self = Self(0x0);
    pub(crate) const TEXT: Self = Self(0x1);
    pub(crate) const BINARY: Self = Self(0x2);
    pub(crate) const CLOSE: Self = Self(0x8);
    pub(crate) const PING: Self = Self(0x9);
    pub(crate) const PONG: Self = Self(0xA);

    /// Whether it is one of a control frame, defined or not.
    pub(crate) fn is_control(self) -> bool {
        self.0 & 0x8 != 0
    }

    /// Its name, for the six that have one.
    pub(crate) fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::CONTINUATION => "continuation",
            Self::TEXT => "text",
            Self::BINARY => "binary",
            Self::CLOSE => "close",
            Self::PING => "ping",
            Self::PONG => "pong",
            _ => return None,
        })
    }
}

impl fmt::Display for Opcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => f.pad(&format!("opcode 0x{:X}", self.0)),
        }
    }
}

/// How the length of a payload is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LengthForm {
    /// As short as can be: what section 5.2 asks for.
    #[default]
    Minimal,
    /// In 16 bits, however short it is.
    Bits16,
    /// In 64 bits, however short it is.
    Bits64,
    /// This number in 64 bits, whatever the payload is.
    Claimed(u64),
}

/// A frame as it is on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) fin: bool,
    /// RSV1, RSV2, RSV3 as the lowest three bits: RSV1 is `0b100`.
    pub(crate) rsv: u8,
    pub(crate) opcode: Opcode,
    /// The masking key, where the payload is masked on the wire. `payload` is
    /// always plain.
    pub(crate) masking_key: Option<[u8; 4]>,
    pub(crate) length_form: LengthForm,
    /// Bytes the header announces: more than `payload` has where the decoder was
    /// told to keep less.
    pub(crate) payload_len: u64,
    pub(crate) payload: Vec<u8>,
}

/// The 7-bit length that says that 16 bits follow.
const LEN_16: u8 = 0x7E;

/// The 7-bit length that says that 64 bits follow.
const LEN_64: u8 = 0x7F;

/// RSV1 among the three reserved bits: "Per-Message Compressed" (RFC 7692
/// section 6).
pub(crate) const RSV1: u8 = 0b100;

impl Frame {
    /// A final frame, unmasked.
    pub(crate) fn new(opcode: Opcode, payload: impl Into<Vec<u8>>) -> Self {
        let payload = payload.into();
        Self {
            fin: true,
            rsv: 0,
            opcode,
            masking_key: None,
            length_form: LengthForm::Minimal,
            payload_len: payload.len() as u64,
            payload,
        }
    }

    /// A Close frame with a code and a reason.
    pub(crate) fn close(code: u16, reason: &str) -> Self {
        let mut payload = code.to_be_bytes().to_vec();
        payload.extend_from_slice(reason.as_bytes());
        Self::new(Opcode::CLOSE, payload)
    }

    /// The same, one of more fragments that follow.
    pub(crate) fn unfinished(mut self) -> Self {
        self.fin = false;
        self
    }

    /// The same with these reserved bits.
    pub(crate) fn rsv(mut self, bits: u8) -> Self {
        self.rsv = bits;
        self
    }

    /// The same, masked.
    pub(crate) fn masked(mut self, key: [u8; 4]) -> Self {
        self.masking_key = Some(key);
        self
    }

    /// The same with its length written in this form.
    pub(crate) fn length(mut self, form: LengthForm) -> Self {
        self.length_form = form;
        self
    }

    /// Whether it is marked as compressed.
    pub(crate) fn is_compressed(&self) -> bool {
        self.rsv & RSV1 != 0
    }

    /// The code and the reason of a Close frame that has them.
    pub(crate) fn close_code(&self) -> Option<(u16, String)> {
        let (code, reason) = self.payload.split_first_chunk::<2>()?;
        let reason = String::from_utf8_lossy(reason).into_owned();
        (self.opcode == Opcode::CLOSE).then(|| (u16::from_be_bytes(*code), reason))
    }

    /// Its bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.payload.len() + 14);
        bytes.push(u8::from(self.fin) << 7 | (self.rsv & 0b111) << 4 | self.opcode.0 & 0xF);
        let mask_bit = u8::from(self.masking_key.is_some()) << 7;
        let len = self.payload.len() as u64;
        match (self.length_form, len) {
            (LengthForm::Minimal, 0..=125) => bytes.push(mask_bit | len as u8),
            (LengthForm::Minimal, 126..=0xFFFF) | (LengthForm::Bits16, _) => {
                bytes.push(mask_bit | LEN_16);
                bytes.extend_from_slice(&(len as u16).to_be_bytes());
            }
            (LengthForm::Minimal | LengthForm::Bits64, _) => {
                bytes.push(mask_bit | LEN_64);
                bytes.extend_from_slice(&len.to_be_bytes());
            }
            (LengthForm::Claimed(claimed), _) => {
                bytes.push(mask_bit | LEN_64);
                bytes.extend_from_slice(&claimed.to_be_bytes());
            }
        }
        let start = bytes.len();
        if let Some(key) = self.masking_key {
            bytes.extend_from_slice(&key);
            bytes.extend_from_slice(&self.payload);
            mask(&mut bytes[start + 4..], key, 0);
        } else {
            bytes.extend_from_slice(&self.payload);
        }
        bytes
    }
}

/// Masks a payload, or unmasks it, from this offset of it on (section 5.3).
pub(crate) fn mask(payload: &mut [u8], key: [u8; 4], offset: u64) {
    for (index, byte) in (offset as usize..).zip(payload) {
        *byte ^= key[index % 4];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_rfc_are_encoded_as_printed() {
        // Section 5.7.
        let hello = Frame::new(Opcode::TEXT, "Hello");
        assert_eq!(hello.encode(), b"\x81\x05Hello");
        let masked = hello.masked([0x37, 0xfa, 0x21, 0x3d]).encode();
        assert_eq!(
            masked,
            [
                0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58
            ]
        );
        let fragment = Frame::new(Opcode::TEXT, "Hel").unfinished();
        assert_eq!(fragment.encode(), b"\x01\x03Hel");
        let long = Frame::new(Opcode::BINARY, vec![0; 256]).encode();
        assert_eq!(long[..4], [0x82, 0x7E, 0x01, 0x00]);
        let longer = Frame::new(Opcode::BINARY, vec![0; 65536]).encode();
        assert_eq!(longer[..10], [0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn a_length_is_written_as_it_is_asked_for() {
        let frame = Frame::new(Opcode::BINARY, [7]);
        let with = |form| frame.clone().length(form).encode();
        assert_eq!(with(LengthForm::Bits16), [0x82, 126, 0, 1, 7]);
        assert_eq!(
            with(LengthForm::Bits64),
            [0x82, 127, 0, 0, 0, 0, 0, 0, 0, 1, 7]
        );
        let claimed = with(LengthForm::Claimed(1 << 63));
        assert_eq!(claimed, [0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0, 7]);
    }
}
