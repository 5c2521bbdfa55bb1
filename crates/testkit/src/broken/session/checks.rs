//! What the header of a frame must be (RFC 6455 sections 5.2 to 5.5).

use super::super::faults::Fault;
use super::super::frames::{BINARY, CLOSE, CONTINUATION, Header, PONG, RSV1, RSV2, RSV3};
use super::super::utf8::Utf8;
use super::{FAR_MOST_CONTROL, FAR_MOST_MESSAGE, Failure, Incoming, MOST_CONTROL, Session};

impl Session {
    fn check_reserved(&self, header: &Header) -> Result<(), Failure> {
        self.ensure(header.rsv & RSV2 == 0, Fault::TakesRsv2)?;
        self.ensure(header.rsv & RSV3 == 0, Fault::TakesRsv3)
    }

    pub(super) fn check_control(&self, header: &Header) -> Result<(), Failure> {
        self.check_reserved(header)?;
        let rsv1 = if self.deflate.is_some() {
            Fault::TakesRsv1OnControl
        } else {
            Fault::TakesRsv1
        };
        self.ensure(header.rsv & RSV1 == 0, rsv1)?;
        let is_known = (CLOSE..=PONG).contains(&header.opcode);
        self.ensure(is_known, Fault::TakesReservedControl)?;
        self.ensure(header.fin, Fault::TakesFragmentedControl)?;
        self.ensure(header.length <= MOST_CONTROL, Fault::TakesLongControl)?;
        let refuses = self.plan.breaks(Fault::FailsInterleavedControl);
        if header.length > FAR_MOST_CONTROL || (refuses && self.message.is_some()) {
            return Err(Failure::Protocol);
        }
        Ok(())
    }

    pub(super) fn check_data(&mut self, header: &Header) -> Result<(), Failure> {
        self.check_reserved(header)?;
        let is_reserved = header.opcode > BINARY;
        self.ensure(!is_reserved, Fault::TakesReservedData)?;
        if self.refuses_length(header.length) {
            return Err(Failure::Protocol);
        }
        if is_reserved {
            return self.check_size(header.length);
        }
        let is_compressed = header.rsv & RSV1 != 0;
        let starts = header.opcode != CONTINUATION;
        if self.message.is_some() {
            self.check_continues(starts, is_compressed)?;
        } else {
            self.check_starts(starts, is_compressed)?;
            self.message = Some(Incoming {
                opcode: if starts { header.opcode } else { BINARY },
                compressed: is_compressed && self.deflate.is_some(),
                payload: Vec::new(),
                text: Utf8::new(self.plan),
                fragments: 1,
            });
        }
        self.check_size(header.length)
    }

    fn check_continues(&mut self, starts: bool, rsv1: bool) -> Result<(), Failure> {
        let Some(message) = &mut self.message else {
            return Ok(());
        };
        message.fragments += 1;
        let many = message.fragments >= 8 && self.plan.breaks(Fault::FailsManyFragments);
        let takes = if message.compressed {
            Fault::TakesRsv1OnContinuation
        } else if self.deflate.is_some() {
            Fault::TakesLateRsv1
        } else {
            Fault::TakesRsv1
        };
        self.ensure(!starts, Fault::TakesNestedMessage)?;
        self.ensure(!rsv1, takes)?;
        if many { Err(Failure::Protocol) } else { Ok(()) }
    }

    fn check_starts(&self, starts: bool, rsv1: bool) -> Result<(), Failure> {
        self.ensure(starts, Fault::TakesStrayContinuation)?;
        self.ensure(!rsv1 || self.deflate.is_some(), Fault::TakesRsv1)?;
        let uncompressed = self.deflate.is_some() && !rsv1;
        if uncompressed && self.plan.breaks(Fault::FailsUncompressed) {
            return Err(Failure::Protocol);
        }
        Ok(())
    }

    fn refuses_length(&self, length: u64) -> bool {
        let fault = match length {
            125 => Fault::Refuses125,
            126 => Fault::Refuses126,
            127 => Fault::Refuses127,
            0xFFFF => Fault::Refuses65535,
            0x1_0000 => Fault::Refuses65536,
            _ => return false,
        };
        self.plan.breaks(fault)
    }

    /// Nothing is kept of a message that is announced to be too big.
    fn check_size(&self, length: u64) -> Result<(), Failure> {
        let has = self.message.as_ref().map_or(0, |message| {
            // What it inflates to is looked at as it comes.
            if message.compressed {
                0
            } else {
                message.payload.len()
            }
        });
        let most = self.limit(false) - has.min(self.limit(false));
        if length > most as u64 {
            Err(Failure::TooBig)
        } else {
            Ok(())
        }
    }

    pub(super) fn limit(&self, compressed: bool) -> usize {
        let bombs = compressed && self.plan.breaks(Fault::BombWithoutLimit);
        if bombs || self.plan.breaks(Fault::NoLimit) {
            FAR_MOST_MESSAGE
        } else {
            self.limit
        }
    }
}
