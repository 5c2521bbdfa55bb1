//! The LZ77 window of one direction: the last bytes of what was compressed.

/// The bytes of the largest window (RFC 7692 section 7.1.2).
pub(crate) const MAX_WINDOW: usize = 1 << super::MAX_WINDOW_BITS;

/// The last bytes of a stream, up to a fixed number.
#[derive(Debug)]
pub(crate) struct Window {
    bytes: Vec<u8>,
    max: usize,
}

impl Window {
    pub(crate) fn new(bits: u8) -> Self {
        Self {
            bytes: Vec::new(),
            max: 1 << bits,
        }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes of memory held.
    pub(crate) fn held(&self) -> usize {
        self.bytes.capacity()
    }

    /// Appends `bytes`; forgets what is too far back.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if bytes.len() >= self.max {
            self.bytes.clear();
            self.grow(self.max);
            self.bytes
                .extend_from_slice(&bytes[bytes.len() - self.max..]);
            return;
        }
        let over = (self.bytes.len() + bytes.len()).saturating_sub(self.max);
        self.bytes.drain(..over);
        self.grow(self.bytes.len() + bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn clear(&mut self) {
        self.bytes = Vec::new();
    }

    /// Room for `needed` bytes, and not more than the window can ever have.
    fn grow(&mut self, needed: usize) {
        if needed > self.bytes.capacity() {
            let capacity = needed.next_power_of_two().min(self.max);
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_holds_the_last_bytes_and_no_more_memory_than_they_take() {
        let all: Vec<u8> = (0..3000_u32).map(|i| i as u8).collect();
        for step in [1, 7, 255, 256, 257, 1000] {
            let mut window = Window::new(8);
            for (i, part) in all.chunks(step).enumerate() {
                window.push(part);
                let seen = &all[..(i * step + part.len())];
                let expected = &seen[seen.len().saturating_sub(256)..];
                assert_eq!(window.as_slice(), expected);
                assert!(window.held() <= 256);
            }
        }
    }

    #[test]
    fn a_cleared_window_holds_nothing() {
        let mut window = Window::new(15);
        window.push(b"abc");
        window.clear();
        assert_eq!((window.as_slice(), window.held()), (&b""[..], 0));
    }
}
