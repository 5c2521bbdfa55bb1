//! Control frames and the end of a connection (RFC 6455 sections 5.5 and 7).

use super::super::close_codes;
use super::super::faults::{Fault, Plan};
use super::super::frames::{CLOSE, PONG, RSV1, TEXT};
use super::super::utf8::is_utf8;
use super::{Failure, MOST_LATE, Phase, Session};

impl Session {
    pub(super) fn ping(&mut self, payload: Vec<u8>) -> Result<(), Failure> {
        if payload.len() == 125 && self.plan.breaks(Fault::RefusesPing125) {
            return Err(Failure::Protocol);
        }
        if self.phase != Phase::Open && !self.plan.breaks(Fault::PongsAfterClose) {
            return Ok(());
        }
        if self.plan.breaks(Fault::PongsLastOnly) {
            self.late = vec![payload];
            return Ok(());
        }
        let within = self.message.is_some();
        if within && self.plan.breaks(Fault::PongsLate) && self.late.len() < MOST_LATE {
            self.late.push(payload);
            return Ok(());
        }
        if self.plan.breaks(Fault::NoPong) {
            return Ok(());
        }
        let payload = match self.plan.0 {
            Some(Fault::WrongPong) => b"wrong".to_vec(),
            Some(Fault::EmptyPong) => Vec::new(),
            _ => payload,
        };
        let fin = if self.plan.breaks(Fault::WritesFragmentedPong) {
            0
        } else {
            0x80
        };
        let rsv = if self.deflate.is_some() && self.plan.breaks(Fault::WritesRsv1OnPong) {
            RSV1
        } else {
            0
        };
        self.write(fin | rsv | PONG, &payload);
        Ok(())
    }

    pub(super) fn pong(&mut self, payload: &[u8]) -> Result<(), Failure> {
        if self.plan.breaks(Fault::FailsPong) {
            return Err(Failure::Protocol);
        }
        if self.plan.breaks(Fault::AnswersPongs) {
            self.write(0x80 | PONG, payload);
        }
        Ok(())
    }

    pub(super) fn close(&mut self, payload: &[u8]) -> Result<(), Failure> {
        let plan = self.plan;
        if plan.breaks(Fault::IgnoresClose) || self.phase != Phase::Open {
            return Ok(());
        }
        let mut answer = payload
            .first_chunk::<2>()
            .map(|code| u16::from_be_bytes(*code));
        let reason = payload.get(2..).unwrap_or_default();
        self.ensure(payload.len() != 1, Fault::TakesClose1Byte)?;
        if let Some(code) = answer
            && !close_codes::is_taken(plan, code)
        {
            return Err(Failure::Protocol);
        }
        if !is_utf8(Plan(None), reason) && !plan.breaks(Fault::TakesInvalidReason) {
            return Err(Failure::Utf8);
        }
        let refused = (payload.is_empty() && plan.breaks(Fault::RefusesEmptyClose))
            || (reason.len() == 123 && plan.breaks(Fault::RefusesReason123));
        if refused {
            return Err(Failure::Protocol);
        }
        self.phase = Phase::Closed;
        match plan.0 {
            Some(Fault::DropsAtClose) => return Ok(()),
            Some(Fault::AnswersOtherCode) if answer == Some(1000) => answer = Some(1001),
            Some(Fault::AnswersOtherCode) => answer = Some(1000),
            Some(Fault::Answers1005) if answer.is_none() => answer = Some(1005),
            _ => {}
        }
        let answer = answer.map(u16::to_be_bytes);
        self.write(0x80 | CLOSE, answer.as_ref().map_or(&[], |code| &code[..]));
        if plan.breaks(Fault::DataAfterClose) {
            self.write(0x80 | TEXT, b"after the end");
        }
        Ok(())
    }

    pub(super) fn fail(&mut self, failure: Failure) {
        self.phase = Phase::Failed;
        self.message = None;
        let code: u16 = match (failure, self.plan.0) {
            (_, Some(Fault::FailsWithoutClose)) => return,
            (_, Some(Fault::FailsWith1000)) => 1000,
            (Failure::Protocol, Some(Fault::WrongCodeForProtocol))
            | (Failure::TooBig, Some(Fault::WrongCodeForTooBig)) => 1008,
            (Failure::Utf8, Some(Fault::WrongCodeForUtf8)) | (Failure::Protocol, _) => 1002,
            (Failure::Utf8 | Failure::Deflate, _) => 1007,
            (Failure::TooBig, _) => 1009,
        };
        self.write(0x80 | CLOSE, &code.to_be_bytes());
    }
}
