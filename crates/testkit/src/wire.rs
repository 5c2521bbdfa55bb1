//! Frames written by hand, as a peer sends them.

use longwire_proto::mask::apply_mask;
use longwire_proto::{FrameHeader, Opcode};

/// A frame, masked where there is a key.
pub fn frame(fin: bool, opcode: Opcode, payload: &[u8], masking_key: Option<[u8; 4]>) -> Vec<u8> {
    let mut header = [0; FrameHeader::MAX_LEN];
    let len = FrameHeader {
        fin,
        rsv1: false,
        opcode,
        masking_key,
        payload_len: payload.len() as u64,
    }
    .encode(&mut header);
    let mut frame = [&header[..len], payload].concat();
    if let Some(key) = masking_key {
        apply_mask(&mut frame[len..], key, 0);
    }
    frame
}
