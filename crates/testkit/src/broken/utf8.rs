//! UTF-8 as it comes in, byte by byte (RFC 3629 section 4).

use super::faults::{Fault, Plan};

/// What has been seen of a text.
#[derive(Clone, Debug)]
pub(super) struct Utf8 {
    plan: Plan,
    /// Continuation bytes that the last character still needs.
    needed: u8,
    /// The range that the next of them must be in.
    lowest: u8,
    highest: u8,
}

/// The bytes are no UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotUtf8;

impl Utf8 {
    pub(super) fn new(plan: Plan) -> Self {
        Self {
            plan,
            needed: 0,
            lowest: 0x80,
            highest: 0xBF,
        }
    }

    /// Takes what comes next; fails at the first byte that no text can have there.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), NotUtf8> {
        if self.takes_all() {
            return Ok(());
        }
        bytes.iter().try_for_each(|&byte| self.push_byte(byte))
    }

    /// Whether the text may end here.
    pub(super) fn may_end(&self) -> bool {
        self.needed == 0 || self.takes_all() || self.plan.breaks(Fault::TakesTruncated)
    }

    fn takes_all(&self) -> bool {
        self.plan.breaks(Fault::TakesInvalidUtf8) || self.plan.breaks(Fault::ReplacesInvalidUtf8)
    }

    fn push_byte(&mut self, byte: u8) -> Result<(), NotUtf8> {
        if self.needed == 0 {
            return self.start(byte);
        }
        if (self.lowest..=self.highest).contains(&byte) {
            self.needed -= 1;
            (self.lowest, self.highest) = (0x80, 0xBF);
            return Ok(());
        }
        let interrupts = !(0x80..=0xBF).contains(&byte);
        if interrupts && self.plan.breaks(Fault::TakesInterrupted) {
            return self.start(byte);
        }
        Err(NotUtf8)
    }

    fn start(&mut self, byte: u8) -> Result<(), NotUtf8> {
        let overlong = self.plan.breaks(Fault::TakesOverlong);
        let surrogates = self.plan.breaks(Fault::TakesSurrogates);
        let above = self.plan.breaks(Fault::TakesAbove10ffff);
        let never = self.plan.breaks(Fault::TakesInvalidByte);
        let (needed, lowest, highest) = match byte {
            0x00..=0x7F => (0, 0x80, 0xBF),
            0xC2..=0xDF => (1, 0x80, 0xBF),
            0xC0..=0xC1 if overlong => (1, 0x80, 0xBF),
            0xE0 if !overlong => (2, 0xA0, 0xBF),
            0xED if !surrogates => (2, 0x80, 0x9F),
            0xE0..=0xEF => (2, 0x80, 0xBF),
            0xF0 if !overlong => (3, 0x90, 0xBF),
            0xF4 if !above => (3, 0x80, 0x8F),
            0xF0..=0xF4 => (3, 0x80, 0xBF),
            0xF5..=0xF7 if above => (3, 0x80, 0xBF),
            0xF8..=0xFB if never => (4, 0x80, 0xBF),
            0xFC..=0xFD if never => (5, 0x80, 0xBF),
            0xFE..=0xFF if never => (0, 0x80, 0xBF),
            0x80..=0xBF if self.plan.breaks(Fault::TakesStrayByte) => (0, 0x80, 0xBF),
            _ => return Err(NotUtf8),
        };
        (self.needed, self.lowest, self.highest) = (needed, lowest, highest);
        Ok(())
    }
}

/// Whether a whole text is what the plan takes for UTF-8.
pub(super) fn is_utf8(plan: Plan, bytes: &[u8]) -> bool {
    let mut text = Utf8::new(plan);
    text.push(bytes).is_ok() && text.may_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_utf8_is_what_the_standard_library_says() {
        // Every sequence of two bytes, and every third and fourth byte that could matter.
        let edges = [0x7F, 0x80, 0x8F, 0x90, 0xBF, 0xC0];
        for first in 0..=255u8 {
            for second in 0..=255u8 {
                for third in edges {
                    for fourth in edges {
                        let bytes = [first, second, third, fourth];
                        for len in 1..=4 {
                            let bytes = &bytes[..len];
                            let expected = std::str::from_utf8(bytes).is_ok();
                            assert_eq!(is_utf8(Plan(None), bytes), expected, "{bytes:x?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn each_fault_takes_its_own_class_and_no_other() {
        let classes: [(Fault, &[&[u8]]); 7] = [
            (Fault::TakesSurrogates, &[b"\xED\xA0\x80", b"\xED\xBF\xBF"]),
            (
                Fault::TakesOverlong,
                &[b"\xC0\xAF", b"\xE0\x80\xAF", b"\xF0\x8F\xBF\xBF"],
            ),
            (
                Fault::TakesAbove10ffff,
                &[b"\xF4\x90\x80\x80", b"\xF5\x80\x80\x80"],
            ),
            (
                Fault::TakesTruncated,
                &[b"a\xC3", b"\xE2\x82", b"\xF0\x9D\x84"],
            ),
            (Fault::TakesInterrupted, &[b"\xE2\x82a", b"\xC3\xC3\xA9"]),
            (Fault::TakesStrayByte, &[b"\x80", b"a\xBFb"]),
            (
                Fault::TakesInvalidByte,
                &[b"\xFE", b"\xFF", b"\xF8\x88\x80\x80\x80"],
            ),
        ];
        for (fault, _) in classes {
            for (class, samples) in classes {
                for sample in samples {
                    let taken = is_utf8(Plan(Some(fault)), sample);
                    assert_eq!(taken, fault == class, "{fault}: {sample:x?}");
                }
            }
        }
    }
}
