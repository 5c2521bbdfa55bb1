//! What makes a message the one it is: its number, its connection, its time.
//!
//! With it a message can be made again, to compare an answer with, instead of
//! being kept; and written as a token it is found again in what a server wraps
//! around it.

use std::io::{self, Write};

/// Bytes of a token: `lw`, the run, the sequence and the time in hex, with dots.
pub(in crate::bench) const TOKEN_BYTES: usize = 34;

/// Where the parts of a token are.
const RUN: std::ops::Range<usize> = 2..10;
const SEQUENCE: std::ops::Range<usize> = 11..21;
const TIME: std::ops::Range<usize> = 22..34;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::bench) struct Stamp {
    /// The run of the program, so that it does not take another's messages for its own.
    pub(in crate::bench) run: u32,
    pub(in crate::bench) connection: u32,
    pub(in crate::bench) sequence: u64,
    /// Nanoseconds from the start of the run to when the message was due.
    pub(in crate::bench) nanos: u64,
    /// The start of the run in milliseconds since 1970.
    started: u64,
}

impl Stamp {
    pub(in crate::bench) fn new(
        run: u32,
        connection: u32,
        sequence: u64,
        nanos: u64,
        started: u64,
    ) -> Self {
        Self {
            run,
            connection,
            sequence,
            nanos,
            started,
        }
    }

    /// Where the randomness of the message starts.
    pub(in crate::bench) fn seed(&self) -> u64 {
        (u64::from(self.run) << 32 | u64::from(self.connection))
            ^ self.sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    pub(in crate::bench) fn unix_millis(&self) -> u64 {
        self.started + self.nanos / 1_000_000
    }

    /// Connection and sequence in 16 hexadecimal digits.
    pub(in crate::bench) fn write_number(&self, to: &mut impl Write) -> io::Result<()> {
        let (connection, sequence) = (self.connection, self.sequence & 0xff_ffff_ffff);
        write!(to, "{:06x}{sequence:010x}", connection & 0xff_ffff)
    }

    pub(in crate::bench) fn write_token(&self, to: &mut impl Write) -> io::Result<()> {
        let (run, nanos) = (self.run, self.nanos & TIME_BITS);
        let sequence = self.sequence & 0xff_ffff_ffff;
        write!(to, "lw{run:08x}.{sequence:010x}.{nanos:012x}")
    }
}

/// The bits of the time that a token has room for: those of 78 hours.
const TIME_BITS: u64 = (1 << 48) - 1;

/// The time of a token with the bits that it had no room for: the last such time
/// before `now`.
pub(in crate::bench) fn whole_time(time: u64, now: u64) -> u64 {
    now - (now.wrapping_sub(time) & TIME_BITS).min(now)
}

/// The sequence and the time of a token of this run, wherever it is in `bytes`.
pub(in crate::bench) fn find_token(
    finder: &memchr::memmem::Finder<'_>,
    bytes: &[u8],
) -> Option<(u64, u64)> {
    let token = bytes.get(finder.find(bytes)?..)?.get(..TOKEN_BYTES)?;
    let number = |range| {
        let digits = std::str::from_utf8(token.get::<std::ops::Range<usize>>(range)?).ok()?;
        u64::from_str_radix(digits, 16).ok()
    };
    let dotted = token.get(RUN.end) == Some(&b'.') && token.get(SEQUENCE.end) == Some(&b'.');
    dotted.then(|| Some((number(SEQUENCE)?, number(TIME)?)))?
}

/// Looks for the tokens of a run.
pub(in crate::bench) fn token_finder(run: u32) -> memchr::memmem::Finder<'static> {
    memchr::memmem::Finder::new(format!("lw{run:08x}").as_bytes()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_in_what_is_wrapped_around_it() {
        let mut message = b"<p>".to_vec();
        Stamp::new(0xabc, 0, 77, 1234, 0)
            .write_token(&mut message)
            .unwrap();
        assert_eq!(message.len(), 3 + TOKEN_BYTES);
        message.extend_from_slice(b"</p>");
        assert_eq!(find_token(&token_finder(0xabc), &message), Some((77, 1234)));
        assert_eq!(find_token(&token_finder(0xabd), &message), None);
        for end in 0..message.len() - 4 {
            assert_eq!(find_token(&token_finder(0xabc), &message[..end]), None);
        }
    }

    #[test]
    fn a_time_of_a_long_run_is_made_whole() {
        let day = 86_400_000_000_000;
        for now in [1_000, day, 4 * day, 40 * day] {
            for before in [0, 1, 1_000] {
                let time = now - before;
                assert_eq!(whole_time(time & TIME_BITS, now), time);
            }
        }
    }

    #[test]
    fn a_number_has_sixteen_digits() {
        let mut number = Vec::new();
        Stamp::new(1, 10, 255, 0, 0)
            .write_number(&mut number)
            .unwrap();
        assert_eq!(number, b"00000a00000000ff");
    }
}
