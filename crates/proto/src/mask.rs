//! Masking (RFC 6455 section 5.3).

//= rfc6455#5.3-5
/// XORs `data` with the masking key, in place. `offset` is the position of
/// `data` in the frame's payload: byte *i* of the payload meets byte *i* mod 4
/// of the key. Applying it twice restores the data.
pub fn apply_mask(data: &mut [u8], key: [u8; 4], offset: u64) {
    // The first byte of `data` meets the lowest byte.
    let key = u32::from_le_bytes(key).rotate_right((offset as u32 & 3) * 8);
    if data.len() >= 16 {
        mask_wide(data, key);
    } else if data.len() >= 4 {
        mask_words(data, key);
    } else {
        for (byte, key) in data.iter_mut().zip(key.to_le_bytes()) {
            *byte ^= key;
        }
    }
}

/// The key as seen from `len` bytes further on.
fn turned(key: u32, len: usize) -> u32 {
    key.rotate_right((len as u32 & 3) * 8)
}

/// The key, twice.
fn repeated(key: u32) -> u64 {
    u64::from(key) << 32 | u64::from(key)
}

/// Masks 16 bytes or more, in chunks of fixed sizes, which become vector
/// instructions without any `unsafe`. The last chunk may overlap the one before
/// it: it is read before anything is written.
fn mask_wide(data: &mut [u8], key: u32) {
    let turned = turned(key, data.len());
    let Some(&(mut last)) = data.last_chunk::<16>() else {
        return;
    };
    xor(&mut last, repeated(turned));
    let key = repeated(key);
    let (chunks, rest) = data.as_chunks_mut::<64>();
    for chunk in chunks {
        xor(chunk, key);
    }
    for chunk in rest.as_chunks_mut::<16>().0 {
        xor(chunk, key);
    }
    if let Some(end) = data.last_chunk_mut() {
        *end = last;
    }
}

/// Masks whole words.
fn xor<const N: usize>(data: &mut [u8; N], key: u64) {
    for word in data.as_chunks_mut().0 {
        *word = (u64::from_le_bytes(*word) ^ key).to_le_bytes();
    }
}

/// Masks 4 to 15 bytes, the same way.
fn mask_words(data: &mut [u8], key: u32) {
    let turned = turned(key, data.len());
    let Some(last) = data.last_chunk() else {
        return;
    };
    let last = u32::from_le_bytes(*last) ^ turned;
    for word in data.as_chunks_mut().0 {
        *word = (u32::from_le_bytes(*word) ^ key).to_le_bytes();
    }
    if let Some(end) = data.last_chunk_mut() {
        *end = last.to_le_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    //= rfc6455#5.3-5 test
    #[test]
    fn each_byte_meets_the_byte_of_the_key_at_its_position_modulo_four() {
        let key = [0x12, 0x34, 0x56, 0x78];
        for len in (0..=40).chain([63, 64, 65, 79, 80, 81, 127, 128, 200]) {
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
