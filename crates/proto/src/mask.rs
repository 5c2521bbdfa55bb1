//! Masking (RFC 6455 section 5.3).

//= rfc6455#5.3-5
/// XORs `data` with the masking key, in place. `offset` is the position of
/// `data` in the frame's payload: byte *i* of the payload meets byte *i* mod 4
/// of the key. Applying it twice restores the data.
pub fn apply_mask(data: &mut [u8], key: [u8; 4], offset: u64) {
    let mut rotated = [0; 4];
    for (i, byte) in rotated.iter_mut().enumerate() {
        *byte = key[(offset as usize).wrapping_add(i) & 3];
    }
    // Whole chunks of a fixed size become vector instructions without any
    // `unsafe`; the key repeated to that size stays in registers.
    let mut chunks = data.chunks_exact_mut(64);
    if chunks.len() > 0 {
        let mut wide = [0; 64];
        for (i, byte) in wide.iter_mut().enumerate() {
            *byte = rotated[i & 3];
        }
        for chunk in &mut chunks {
            for (byte, key) in chunk.iter_mut().zip(&wide) {
                *byte ^= key;
            }
        }
    }
    let key = u32::from_ne_bytes(rotated);
    let key = u64::from(key) << 32 | u64::from(key);
    let (words, rest) = chunks.into_remainder().as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ key).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key.to_ne_bytes()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    //= rfc6455#5.3-5 test
    #[test]
    fn each_byte_meets_the_byte_of_the_key_at_its_position_modulo_four() {
        let key = [0x12, 0x34, 0x56, 0x78];
        for len in [0, 1, 3, 4, 63, 64, 65, 127, 128, 200] {
            for offset in 0..9_u64 {
                let plain: Vec<u8> = (0..len).map(|i: u32| (i * 7 % 256) as u8).collect();
                let mut masked = plain.clone();
                apply_mask(&mut masked, key, offset);
                for (i, (&masked, &plain)) in masked.iter().zip(&plain).enumerate() {
                    assert_eq!(masked, plain ^ key[(i + offset as usize) % 4]);
                }
                apply_mask(&mut masked, key, offset);
                assert_eq!(masked, plain);
            }
        }
    }
}
