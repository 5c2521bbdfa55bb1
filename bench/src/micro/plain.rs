//! What is done to bytes wherever they come from: copied, masked, checked to be UTF-8.

use std::hint::black_box;

use longwire_proto::mask::apply_mask;
use longwire_proto::utf8::validate;

use super::{Case, count};
use crate::stopwatch::Work;
use crate::wire::KEY;

/// Text of characters of one to four bytes.
const MIXED: &str = "Wörter, слова, λέξεις, 言葉 and 🐎🐎. ";

/// The copy of pieces from one block to another: about what memory allows.
pub struct Copying {
    from: Vec<u8>,
    to: Vec<u8>,
    bytes: usize,
}

impl Copying {
    /// Of the pieces of a case with so many bytes.
    pub fn of(bytes: usize) -> Self {
        let all = Self::len(bytes);
        Self {
            from: vec![b'x'; all],
            to: vec![0; all],
            bytes,
        }
    }

    /// The bytes of all pieces.
    pub fn len(bytes: usize) -> usize {
        bytes * count(bytes)
    }
}

impl Work for Copying {
    fn pass(&mut self) -> usize {
        let from = black_box(&self.from).chunks_exact(self.bytes);
        for (to, from) in self.to.chunks_exact_mut(self.bytes).zip(from) {
            to.copy_from_slice(from);
            black_box(to);
        }
        self.to.len()
    }
}

struct Owning {
    block: Vec<u8>,
    bytes: usize,
}

impl Work for Owning {
    fn pass(&mut self) -> usize {
        let pieces = black_box(&self.block).chunks_exact(self.bytes);
        pieces.map(|piece| black_box(piece.to_vec()).len()).sum()
    }
}

/// Copies in memory of their own, given back at once: what a message costs that the
/// program owns, however it is decoded.
pub fn owning(bytes: usize) -> Case {
    let block = vec![b'x'; bytes * count(bytes)];
    Case::new("copy, owned", bytes, Owning { block, bytes })
}

struct Masking {
    block: Vec<u8>,
    bytes: usize,
}

impl Work for Masking {
    fn pass(&mut self) -> usize {
        for piece in self.block.chunks_exact_mut(self.bytes) {
            apply_mask(black_box(piece), black_box(KEY), 0);
        }
        self.block.len()
    }
}

/// Masking in place.
pub fn masking(bytes: usize) -> Case {
    let block = vec![b'x'; bytes * count(bytes)];
    Case::new("mask", bytes, Masking { block, bytes })
}

struct Validation {
    block: Vec<u8>,
    bytes: usize,
}

impl Work for Validation {
    fn pass(&mut self) -> usize {
        let texts = self.block.chunks_exact(self.bytes);
        texts
            .filter_map(|text| black_box(validate(black_box(text))).ok())
            .map(str::len)
            .sum()
    }
}

/// The validation of texts.
pub fn utf8(bytes: usize, mixed: bool) -> Case {
    let (name, text) = if mixed {
        ("UTF-8, mixed", self::mixed(bytes))
    } else {
        ("UTF-8, ASCII", "x".repeat(bytes))
    };
    let block = text.repeat(count(bytes)).into_bytes();
    Case::new(name, bytes, Validation { block, bytes })
}

/// A text of exactly so many bytes.
fn mixed(bytes: usize) -> String {
    let mut text = String::with_capacity(bytes);
    for next in MIXED.chars().cycle() {
        if text.len() + next.len_utf8() > bytes {
            break;
        }
        text.push(next);
    }
    let rest = bytes - text.len();
    text + &"x".repeat(rest)
}
