//! The header of a frame (RFC 6455 section 5.2).

use crate::Role;
use crate::error::ProtocolError;
use crate::limits::Limit;
use crate::opcode::Opcode;

/// A frame's header. RSV2 and RSV3 are always 0: no extension gives them a
/// meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Whether this is the last fragment of its message.
    pub fin: bool,
    /// The "Per-Message Compressed" bit, set on the first frame of a compressed
    /// message alone (RFC 7692 section 6).
    pub rsv1: bool,
    /// What the frame is.
    pub opcode: Opcode,
    /// The masking key, where the payload is masked.
    pub masking_key: Option<[u8; 4]>,
    /// Bytes of the payload.
    pub payload_len: u64,
}

/// What a header must obey beside the RFC's fixed rules, at this point of
/// this connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeaderRules {
    /// Who receives.
    pub(crate) role: Role,
    /// Whether an unfinished message waits for its next fragment.
    pub(crate) in_message: bool,
    /// [`crate::Limits::frame_size`].
    pub(crate) frame_size: usize,
    /// Whether permessage-deflate was agreed on.
    pub(crate) compression: bool,
}

/// The 7-bit length that says that 16 bits follow.
const LEN_16: u8 = 126;

/// The 7-bit length that says that 64 bits follow.
const LEN_64: u8 = 127;

/// RSV1 among the three reserved bits.
const RSV1: u8 = 0b100;

/// The most bytes of payload in a control frame (section 5.5).
pub const MAX_CONTROL_PAYLOAD: usize = 125;

impl FrameHeader {
    /// The most bytes of a header: 2, a 64-bit length, and a masking key.
    pub const MAX_LEN: usize = 14;

    /// Reads the header at the start of `bytes`: the header and its length,
    /// or `None` where more bytes are needed. Each byte is judged as soon as
    /// it is there, so a header that cannot become valid fails early.
    pub(crate) fn parse(
        bytes: &[u8],
        rules: HeaderRules,
    ) -> Result<Option<(Self, usize)>, ProtocolError> {
        let Some(&first) = bytes.first() else {
            return Ok(None);
        };
        let (fin, rsv1, opcode) = Self::parse_first(first, rules)?;
        let Some(&second) = bytes.get(1) else {
            return Ok(None);
        };
        //= rfc6455#5.1-2, rfc6455#5.1-5, rfc6455#5.2-3
        let masked = second & 0x80 != 0;
        match (rules.role, masked) {
            (Role::Server, false) => return Err(ProtocolError::Unmasked),
            (Role::Client, true) => return Err(ProtocolError::Masked),
            _ => {}
        }
        let short = second & 0x7f;
        //= rfc6455#5.5-1
        if opcode.is_control() && usize::from(short) > MAX_CONTROL_PAYLOAD {
            return Err(ProtocolError::ControlTooLong { opcode });
        }
        let Some((payload_len, after_len)) = Self::parse_length(bytes, short)? else {
            return Ok(None);
        };
        if payload_len > rules.frame_size as u64 && !opcode.is_control() {
            return Err(ProtocolError::limit(
                Limit::FrameSize,
                payload_len,
                rules.frame_size,
            ));
        }
        let (masking_key, len) = if masked {
            let Some(key) = bytes[after_len..].first_chunk::<4>() else {
                return Ok(None);
            };
            (Some(*key), after_len + 4)
        } else {
            (None, after_len)
        };
        let header = Self {
            fin,
            rsv1,
            opcode,
            masking_key,
            payload_len,
        };
        Ok(Some((header, len)))
    }

    //= rfc6455#5.2-1, rfc6455#5.2-2, rfc6455#5.4-4, rfc6455#5.4-6, rfc6455#5.5-2
    //= rfc7692#6-1, rfc7692#6-2, rfc7692#6-3
    fn parse_first(first: u8, rules: HeaderRules) -> Result<(bool, bool, Opcode), ProtocolError> {
        let bits = first >> 4 & 0x7;
        let fin = first & 0x80 != 0;
        let opcode = Opcode::from_bits(first & 0x0f);
        let may_compress =
            rules.compression && matches!(opcode, Some(Opcode::Text | Opcode::Binary));
        let rsv1 = bits == RSV1;
        if bits != 0 && !(rsv1 && may_compress) {
            return Err(ProtocolError::ReservedBits { bits });
        }
        let opcode = opcode.ok_or(ProtocolError::ReservedOpcode {
            opcode: first & 0x0f,
        })?;
        let in_message = rules.in_message;
        match opcode {
            Opcode::Continuation if !in_message => Err(ProtocolError::UnexpectedContinuation),
            Opcode::Text | Opcode::Binary if in_message => {
                Err(ProtocolError::MessageInterrupted { opcode })
            }
            _ if opcode.is_control() && !fin => Err(ProtocolError::FragmentedControl { opcode }),
            _ => Ok((fin, rsv1, opcode)),
        }
    }

    //= rfc6455#5.2-4, rfc6455#5.2-5, rfc6455#5.2-6, rfc6455#5.2-7
    /// The payload length and the offset of what follows it.
    fn parse_length(bytes: &[u8], short: u8) -> Result<Option<(u64, usize)>, ProtocolError> {
        let rest = &bytes[2..];
        match short {
            LEN_16 => {
                let Some(long) = rest.first_chunk::<2>() else {
                    return Ok(None);
                };
                let length = u64::from(u16::from_be_bytes(*long));
                if length < 126 {
                    return Err(ProtocolError::LengthNotMinimal { length, bytes: 2 });
                }
                Ok(Some((length, 4)))
            }
            LEN_64 => {
                let Some(long) = rest.first_chunk::<8>() else {
                    return Ok(None);
                };
                let length = u64::from_be_bytes(*long);
                if length >> 63 != 0 {
                    return Err(ProtocolError::LengthTooLarge { length });
                }
                if u16::try_from(length).is_ok() {
                    return Err(ProtocolError::LengthNotMinimal { length, bytes: 8 });
                }
                Ok(Some((length, 10)))
            }
            short => Ok(Some((u64::from(short), 2))),
        }
    }

    //= rfc6455#5.2-4, rfc6455#5.2-5, rfc6455#5.3-1
    /// Writes the header with the shortest form of its length; returns how
    /// many bytes of `out` it takes.
    pub fn encode(&self, out: &mut [u8; Self::MAX_LEN]) -> usize {
        out[0] = u8::from(self.fin) << 7 | u8::from(self.rsv1) << 6 | self.opcode as u8;
        let mask_bit = if self.masking_key.is_some() { 0x80 } else { 0 };
        let mut len = match self.payload_len {
            short @ 0..=125 => {
                out[1] = mask_bit | short as u8;
                2
            }
            medium @ 126..=0xffff => {
                out[1] = mask_bit | LEN_16;
                out[2..4].copy_from_slice(&(medium as u16).to_be_bytes());
                4
            }
            long => {
                out[1] = mask_bit | LEN_64;
                out[2..10].copy_from_slice(&long.to_be_bytes());
                10
            }
        };
        if let Some(key) = self.masking_key {
            out[len..len + 4].copy_from_slice(&key);
            len += 4;
        }
        len
    }

    /// Bytes of the whole frame whose header starts `bytes`, which hold at
    /// least that header and were written by [`FrameHeader::encode`].
    pub(crate) fn encoded_frame_len(bytes: &[u8]) -> usize {
        let (payload, len) = match bytes[1] & 0x7f {
            LEN_16 => (usize::from(u16::from_be_bytes([bytes[2], bytes[3]])), 4),
            LEN_64 => {
                let mut long = [0; 8];
                long.copy_from_slice(&bytes[2..10]);
                (u64::from_be_bytes(long) as usize, 10)
            }
            short => (usize::from(short), 2),
        };
        let key = if bytes[1] & 0x80 == 0 { 0 } else { 4 };
        len + key + payload
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: HeaderRules = HeaderRules {
        role: Role::Client,
        in_message: false,
        frame_size: usize::MAX,
        compression: false,
    };

    fn parse(bytes: &[u8]) -> Result<Option<(FrameHeader, usize)>, ProtocolError> {
        FrameHeader::parse(bytes, RULES)
    }

    //= rfc6455#5.2-3, rfc6455#5.2-4, rfc6455#5.2-5, rfc6455#5.2-7, rfc6455#5.3-1 test
    #[test]
    fn a_header_round_trips_at_each_border_of_the_length_forms() {
        let lengths = [
            (0, 2),
            (1, 2),
            (125, 2),
            (126, 4),
            (127, 4),
            (0xffff, 4),
            (0x1_0000, 10),
            (u64::MAX >> 1, 10),
        ];
        for (payload_len, len) in lengths {
            for masking_key in [None, Some([1, 2, 3, 4])] {
                let header = FrameHeader {
                    fin: true,
                    rsv1: false,
                    opcode: Opcode::Binary,
                    masking_key,
                    payload_len,
                };
                let rules = HeaderRules {
                    role: if masking_key.is_some() {
                        Role::Server
                    } else {
                        Role::Client
                    },
                    ..RULES
                };
                let len = len + masking_key.map_or(0, |_| 4);
                let mut out = [0; FrameHeader::MAX_LEN];
                assert_eq!(header.encode(&mut out), len);
                assert_eq!(FrameHeader::parse(&out, rules), Ok(Some((header, len))));
                for cut in 0..len {
                    assert_eq!(FrameHeader::parse(&out[..cut], rules), Ok(None));
                }
            }
        }
    }

    //= rfc6455#5.2-5 test
    #[test]
    fn a_length_not_in_its_shortest_form_is_refused() {
        for length in [0_u16, 1, 125] {
            let mut bytes = vec![0x82, 126];
            bytes.extend(length.to_be_bytes());
            let expected = ProtocolError::LengthNotMinimal {
                length: length.into(),
                bytes: 2,
            };
            assert_eq!(parse(&bytes), Err(expected));
        }
        for length in [0_u64, 125, 126, 0xffff] {
            let mut bytes = vec![0x82, 127];
            bytes.extend(length.to_be_bytes());
            let expected = ProtocolError::LengthNotMinimal { length, bytes: 8 };
            assert_eq!(parse(&bytes), Err(expected));
        }
    }

    //= rfc6455#5.2-6 test
    #[test]
    fn a_length_of_64_bits_is_refused_and_overflows_nothing() {
        for length in [1 << 63, u64::MAX] {
            let mut bytes = vec![0x82, 127];
            bytes.extend(length.to_be_bytes());
            assert_eq!(parse(&bytes), Err(ProtocolError::LengthTooLarge { length }));
        }
    }

    //= rfc6455#5.2-1, rfc6455#5.2-2 test
    #[test]
    fn each_reserved_bit_and_each_reserved_opcode_is_refused_on_the_first_byte() {
        for bits in 1..8 {
            assert_eq!(
                parse(&[0x81 | bits << 4]),
                Err(ProtocolError::ReservedBits { bits })
            );
        }
        for opcode in [3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf] {
            assert_eq!(
                parse(&[0x80 | opcode]),
                Err(ProtocolError::ReservedOpcode { opcode })
            );
        }
    }

    //= rfc6455#5.4-4, rfc6455#5.5-1, rfc6455#5.5-2 test
    #[test]
    fn a_control_frame_is_never_fragmented_and_never_above_125_bytes() {
        for opcode in [Opcode::Close, Opcode::Ping, Opcode::Pong] {
            assert_eq!(
                parse(&[opcode as u8]),
                Err(ProtocolError::FragmentedControl { opcode })
            );
            assert!(parse(&[0x80 | opcode as u8, 125]).is_ok());
            for short in [126, 127] {
                assert_eq!(
                    parse(&[0x80 | opcode as u8, short]),
                    Err(ProtocolError::ControlTooLong { opcode })
                );
            }
        }
    }

    #[test]
    fn a_frame_above_the_frame_size_is_refused_on_its_header() {
        let rules = HeaderRules {
            frame_size: 1000,
            ..RULES
        };
        assert!(FrameHeader::parse(&[0x82, 126, 3, 0xe8], rules).is_ok());
        assert_eq!(
            FrameHeader::parse(&[0x82, 126, 3, 0xe9], rules),
            Err(ProtocolError::limit(Limit::FrameSize, 1001, 1000))
        );
    }
}
