//! How far back DEFLATE data refers (RFC 1951): a reader of its own, since the
//! decompressor takes every distance up to the largest window.

/// The largest distance in `packed`, which a flush has ended.
pub(super) fn farthest(packed: &[u8]) -> usize {
    let mut bits = Bits { packed, at: 0 };
    let mut farthest = 0;
    while bits.left() >= 3 {
        bits.take(1);
        match bits.take(2) {
            0 => {
                bits.at = bits.at.next_multiple_of(8);
                if bits.left() < 32 {
                    break;
                }
                let len = bits.take(16);
                bits.take(16);
                bits.at += len * 8;
            }
            1 => {
                let mut lengths = [8; 288];
                lengths[144..256].fill(9);
                lengths[256..280].fill(7);
                farthest = farthest.max(block(&mut bits, &lengths, &[5; 30]));
            }
            2 => {
                let (lengths, distances) = tables(&mut bits);
                farthest = farthest.max(block(&mut bits, &lengths, &distances));
            }
            _ => panic!("expected a block"),
        }
    }
    farthest
}

struct Bits<'p> {
    packed: &'p [u8],
    at: usize,
}

impl Bits<'_> {
    fn left(&self) -> usize {
        self.packed.len() * 8 - self.at
    }

    /// The next `count` bits, the first the lowest.
    fn take(&mut self, count: usize) -> usize {
        (0..count).fold(0, |value, i| {
            let bit = self.packed[self.at / 8] >> (self.at % 8) & 1;
            self.at += 1;
            value | usize::from(bit) << i
        })
    }

    /// The next symbol of a canonical Huffman code.
    fn symbol(&mut self, lengths: &[u8]) -> usize {
        let (mut code, mut first) = (0, 0);
        for len in 1..=15 {
            code = code << 1 | self.take(1);
            let of_len = |l: &&u8| usize::from(**l) == len;
            let count = lengths.iter().filter(of_len).count();
            if code < first + count {
                let mut symbols = lengths.iter().enumerate();
                let nth = symbols
                    .by_ref()
                    .filter(|(_, l)| usize::from(**l) == len)
                    .nth(code - first);
                return nth.map_or(0, |(symbol, _)| symbol);
            }
            first = (first + count) << 1;
        }
        panic!("expected a symbol");
    }
}

fn tables(bits: &mut Bits<'_>) -> (Vec<u8>, Vec<u8>) {
    const ORDER: [usize; 19] = [
        16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
    ];
    let (literals, distances, codes) = (bits.take(5) + 257, bits.take(5) + 1, bits.take(4) + 4);
    let mut of_codes = [0; 19];
    for at in &ORDER[..codes] {
        of_codes[*at] = bits.take(3) as u8;
    }
    let mut lengths = Vec::new();
    while lengths.len() < literals + distances {
        let (value, count) = match bits.symbol(&of_codes) {
            16 => (lengths[lengths.len() - 1], bits.take(2) + 3),
            17 => (0, bits.take(3) + 3),
            18 => (0, bits.take(7) + 11),
            len => (len as u8, 1),
        };
        lengths.extend(std::iter::repeat_n(value, count));
    }
    let distances = lengths.split_off(literals);
    (lengths, distances)
}

/// Reads a block; gives its largest distance.
fn block(bits: &mut Bits<'_>, lengths: &[u8], distances: &[u8]) -> usize {
    let mut farthest = 0;
    loop {
        match bits.symbol(lengths) {
            0..=255 => {}
            256 => return farthest,
            length => {
                let extra = match length {
                    265..=284 => (length - 261) / 4,
                    _ => 0,
                };
                bits.take(extra);
                let symbol = bits.symbol(distances);
                let extra = (symbol / 2).saturating_sub(1);
                let base = if symbol < 2 {
                    symbol
                } else {
                    (2 + symbol % 2) << extra
                };
                farthest = farthest.max(base + bits.take(extra) + 1);
            }
        }
    }
}
