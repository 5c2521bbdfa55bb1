//! `bufferedAmount`: bytes of payload that the network has not taken, without framing
//! (section 3.1).

use std::collections::VecDeque;
use std::ops::Range;

/// Messages that are not transmitted yet.
#[derive(Debug, Default)]
pub(super) struct Buffered {
    sent: VecDeque<Sent>,
    /// Bytes of payload in all of them.
    sent_len: u64,
    /// Bytes given to `send` that will never be transmitted.
    unsent: u64,
}

/// A message on its way.
#[derive(Clone, Debug)]
struct Sent {
    /// Where its frames are in the stream of all frames.
    frames: Range<u64>,
    /// Bytes of its payload.
    len: u64,
}

impl Buffered {
    /// A message of so many bytes, and where in the stream of frames it is, if it is
    /// sent.
    pub(super) fn add(&mut self, len: u64, sent: Option<Range<u64>>) {
        match sent {
            Some(frames) => {
                self.sent_len += len;
                self.sent.push_back(Sent { frames, len });
            }
            None => self.unsent += len,
        }
    }

    /// Bytes that wait to be transmitted, of a stream of which so much has been.
    pub(super) fn waiting(&mut self, transmitted: u64) -> u64 {
        while let Some(first) = self.sent.front() {
            if first.frames.end > transmitted {
                return self.sent_len - first.len + first.left(transmitted);
            }
            self.sent_len -= first.len;
            self.sent.pop_front();
        }
        0
    }

    /// As [`Buffered::waiting`], with those that will never be transmitted.
    pub(super) fn amount(&mut self, transmitted: u64) -> u64 {
        self.waiting(transmitted) + self.unsent
    }
}

impl Sent {
    /// Bytes of the payload that are not transmitted. Where a message is partly so,
    /// its frame's header, or its compression, counts in proportion.
    fn left(&self, transmitted: u64) -> u64 {
        let Range { start, end } = self.frames;
        let size = u128::from(end - start);
        let left = u128::from(end.saturating_sub(transmitted.max(start)));
        if size == 0 {
            return 0;
        }
        // Not above `len`, which is a u64.
        (u128::from(self.len) * left).div_ceil(size) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_counts_in_proportion_to_what_is_left_of_its_frame() {
        let mut buffered = Buffered::default();
        buffered.add(100, Some(10..120));
        buffered.add(7, None);
        buffered.add(20, Some(130..136));
        for (transmitted, waiting) in [
            (0, 120),
            (10, 120),
            (65, 70),
            (119, 21),
            (120, 20),
            (133, 10),
            (136, 0),
        ] {
            assert_eq!(buffered.waiting(transmitted), waiting, "{transmitted}");
            assert_eq!(buffered.amount(transmitted), waiting + 7);
        }
    }
}
