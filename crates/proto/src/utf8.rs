//! UTF-8 checked as it arrives (RFC 6455 section 8.1): a text message fails on
//! the first byte that cannot be part of any valid text, wherever reads and
//! fragments end.

use crate::error::ProtocolError;

/// Pieces at least this long are checked with SIMD; shorter ones are faster
/// without.
const SIMD_FROM: usize = 64;

/// The state between two pieces: the bytes of a code point that a piece ended
/// in the middle of.
#[derive(Clone, Debug, Default)]
pub struct Utf8Validator {
    carry: [u8; 4],
    carried: usize,
    /// Bytes checked and found good, without the carried ones.
    valid: u64,
}

/// The text is not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid UTF-8 at byte {at}")]
pub struct Utf8Error {
    /// Offset in the whole text of the first byte of the bad sequence.
    pub at: u64,
}

impl Utf8Validator {
    /// A validator at the start of a text.
    pub fn new() -> Self {
        Self::default()
    }

    //= rfc6455#8.1-1, rfc6455#5.6-1
    /// Checks the next piece of the text.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<(), Utf8Error> {
        while self.carried > 0 {
            let Some((&next, rest)) = bytes.split_first() else {
                return Ok(());
            };
            bytes = rest;
            self.carry[self.carried] = next;
            self.carried += 1;
            match std::str::from_utf8(&self.carry[..self.carried]) {
                Ok(_) => {
                    self.valid += self.carried as u64;
                    self.carried = 0;
                }
                // Still the beginning of a code point.
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Err(Utf8Error { at: self.valid }),
            }
        }
        let (good, error_len) = check(bytes);
        self.valid += good as u64;
        match error_len {
            None => {
                let rest = &bytes[good..];
                self.carry[..rest.len()].copy_from_slice(rest);
                self.carried = rest.len();
                Ok(())
            }
            Some(_) => Err(Utf8Error { at: self.valid }),
        }
    }

    /// Checks that the text does not end in the middle of a code point, and
    /// starts over.
    pub fn finish(&mut self) -> Result<(), Utf8Error> {
        let Self { carried, valid, .. } = std::mem::take(self);
        if carried == 0 {
            Ok(())
        } else {
            Err(Utf8Error { at: valid })
        }
    }
}

/// How many bytes are good, and `Some` where a bad sequence follows them. At
/// most 3 bytes of an unfinished code point follow them otherwise.
fn check(bytes: &[u8]) -> (usize, Option<usize>) {
    if bytes.len() >= SIMD_FROM {
        match simdutf8::compat::from_utf8(bytes) {
            Ok(_) => (bytes.len(), None),
            Err(error) => (error.valid_up_to(), error.error_len()),
        }
    } else {
        match std::str::from_utf8(bytes) {
            Ok(_) => (bytes.len(), None),
            Err(error) => (error.valid_up_to(), error.error_len()),
        }
    }
}

/// Checks a whole text at once.
pub fn validate(bytes: &[u8]) -> Result<&str, Utf8Error> {
    let at = if bytes.len() >= SIMD_FROM {
        match simdutf8::compat::from_utf8(bytes) {
            Ok(text) => return Ok(text),
            Err(error) => error.valid_up_to(),
        }
    } else {
        match std::str::from_utf8(bytes) {
            Ok(text) => return Ok(text),
            Err(error) => error.valid_up_to(),
        }
    };
    Err(Utf8Error { at: at as u64 })
}

impl From<Utf8Error> for ProtocolError {
    fn from(error: Utf8Error) -> Self {
        Self::InvalidUtf8 { at: error.at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pieces of each size, the text long enough that SIMD takes part.
    fn in_pieces(text: &[u8], size: usize) -> Result<(), Utf8Error> {
        let mut validator = Utf8Validator::new();
        for piece in text.chunks(size) {
            validator.push(piece)?;
        }
        validator.finish()
    }

    //= rfc6455#5.6-1 test
    #[test]
    fn a_valid_text_passes_however_it_is_cut() {
        let text = "κόσμε 𝄞 \u{10FFFF}\u{0}é日本語".repeat(9);
        for size in 1..=text.len() {
            assert_eq!(in_pieces(text.as_bytes(), size), Ok(()), "size {size}");
        }
    }

    //= rfc6455#8.1-1, rfc6455#5.6-1 test
    #[test]
    fn every_invalid_class_fails_at_its_first_byte_however_it_is_cut() {
        let bad: [&[u8]; 14] = [
            b"\x80",             // a continuation byte alone
            b"\xbf",             // the last continuation byte
            b"\xc0\x80",         // overlong, two bytes
            b"\xc1\xbf",         // overlong, two bytes
            b"\xe0\x80\x80",     // overlong, three bytes
            b"\xf0\x80\x80\x80", // overlong, four bytes
            b"\xed\xa0\x80",     // a high surrogate
            b"\xed\xbf\xbf",     // a low surrogate
            b"\xf4\x90\x80\x80", // above U+10FFFF
            b"\xf5",             // never a lead byte
            b"\xff",             // never a byte
            b"\xce a",           // lead byte, then ASCII
            b"\xe2\x28\xa1",     // second byte wrong
            b"\xf0\x9f\x28\x8c", // third byte wrong
        ];
        for prefix in [0, 1, 63, 64, 130] {
            for sequence in bad {
                let mut text = vec![b'a'; prefix];
                text.extend_from_slice(sequence);
                text.extend_from_slice(b"tail");
                for size in 1..=text.len() {
                    let got = in_pieces(&text, size).unwrap_err();
                    assert_eq!(got.at, prefix as u64, "{sequence:x?} in pieces of {size}");
                }
                assert_eq!(validate(&text).unwrap_err().at, prefix as u64);
            }
        }
    }

    #[test]
    fn a_text_that_ends_inside_a_code_point_fails_only_at_its_end() {
        for unfinished in [&b"\xce"[..], b"\xe2\x82", b"\xf0\x9f\x98"] {
            let mut validator = Utf8Validator::new();
            assert_eq!(validator.push(b"ab"), Ok(()));
            assert_eq!(validator.push(unfinished), Ok(()));
            assert_eq!(validator.finish(), Err(Utf8Error { at: 2 }));
        }
    }

    #[test]
    fn an_impossible_second_byte_fails_at_once_and_not_at_the_end_of_the_sequence() {
        let mut validator = Utf8Validator::new();
        assert_eq!(validator.push(b"\xf4"), Ok(()));
        assert_eq!(validator.push(b"\x90"), Err(Utf8Error { at: 0 }));
    }
}
