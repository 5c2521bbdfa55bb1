//! Random bytes and words that can be made again from the same seed: what an answer
//! must look like need not be kept.

/// What random words are made of: common ones, so that they compress as text does.
const WORDS: [&str; 32] = [
    "about", "after", "answer", "before", "change", "every", "follow", "great", "house", "into",
    "learn", "letter", "light", "little", "much", "never", "number", "other", "people", "place",
    "river", "second", "sentence", "small", "sound", "still", "there", "thing", "under", "water",
    "where", "world",
];

/// A small generator (SplitMix64): fast, and good enough for payloads.
#[derive(Clone, Copy, Debug)]
pub(in crate::bench) struct Chance(u64);

impl Chance {
    pub(in crate::bench) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(in crate::bench) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(in crate::bench) fn bytes(&mut self, count: usize, to: &mut Vec<u8>) {
        let end = to.len() + count;
        while to.len() < end {
            to.extend_from_slice(&self.next().to_le_bytes());
        }
        to.truncate(end);
    }

    pub(in crate::bench) fn word(&mut self) -> &'static str {
        WORDS[(self.next() % WORDS.len() as u64) as usize]
    }
}
