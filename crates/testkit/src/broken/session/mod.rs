//! An open connection that echoes: bytes in, bytes out, no clock and no socket
//! (RFC 6455 sections 5 to 7).
//!
//! `checks` is what a frame's header must be, `control` what control frames are
//! answered with, and how a connection fails.

mod checks;

mod control;

use super::deflate::{Deflate, InflateError, Params};
use super::faults::{Fault, Plan};
use super::frames::{
    self, BINARY, CLOSE, CONTINUATION, Header, HeaderReader, PING, PONG, RSV1, RSV2, TEXT,
};
use super::messages::Echo;
use super::utf8::{Utf8, is_utf8};

/// Bytes that a message may have by default.
const MOST_MESSAGE: usize = 16 << 20;

/// The same for a peer without a limit.
const FAR_MOST_MESSAGE: usize = 1 << 30;

/// Bytes that a control frame may have (section 5.5).
const MOST_CONTROL: u64 = 125;

/// The same for a peer that takes longer ones.
const FAR_MOST_CONTROL: u64 = 64 << 10;

/// Pings whose answers a peer that is late keeps.
const MOST_LATE: usize = 64;

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Messages come and go.
    Open,
    /// Both sides have sent a Close frame, or the peer's was one too many.
    Closed,
    /// The peer broke a rule and was told so.
    Failed,
}

/// Why a connection is failed (section 7.1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    Protocol,
    Utf8,
    Deflate,
    TooBig,
}

/// A frame whose payload is coming in.
#[derive(Debug)]
struct Frame {
    header: Header,
    /// Bytes of the payload that have come.
    offset: u64,
    /// The payload of a control frame.
    control: Vec<u8>,
}

/// A message whose fragments are coming in.
#[derive(Debug)]
struct Incoming {
    opcode: u8,
    compressed: bool,
    payload: Vec<u8>,
    text: Utf8,
    fragments: usize,
}

/// One side of an open connection.
#[derive(Debug)]
pub(super) struct Session {
    plan: Plan,
    is_server: bool,
    deflate: Option<Deflate>,
    header: HeaderReader,
    frame: Option<Frame>,
    message: Option<Incoming>,
    echo: Echo,
    late: Vec<Vec<u8>>,
    phase: Phase,
    /// Bytes that a message may have, compressed or not.
    pub(super) limit: usize,
    /// What is to be sent.
    pub(super) out: Vec<u8>,
}

impl Session {
    pub(super) fn new(plan: Plan, is_server: bool, deflate: Option<Params>) -> Self {
        Self {
            plan,
            is_server,
            deflate: deflate.map(|params| Deflate::new(plan, is_server, params)),
            header: HeaderReader::default(),
            frame: None,
            message: None,
            echo: Echo::new(plan),
            late: Vec::new(),
            phase: Phase::Open,
            limit: MOST_MESSAGE,
            out: Vec::new(),
        }
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether a frame has begun and not ended.
    pub(super) fn is_within_frame(&self) -> bool {
        self.frame.is_some() || self.header.has_begun()
    }

    /// Takes what has come. What is to be sent for it is no more than the largest
    /// message for each few bytes of compressed input, and no more than came
    /// otherwise.
    pub(super) fn receive(&mut self, mut bytes: &[u8]) {
        while self.is_listening() {
            let Some((&first, rest)) = bytes.split_first() else {
                break;
            };
            let result = if let Some(frame) = self.frame.take() {
                let left = frame.header.length - frame.offset;
                let most = bytes.len();
                let len = usize::try_from(left).map_or(most, |left| left.min(most));
                let (piece, rest) = bytes.split_at(len);
                bytes = rest;
                self.payload(frame, piece, !rest.is_empty())
            } else {
                bytes = rest;
                match self.header.push(self.plan, first) {
                    Ok(None) => Ok(()),
                    Ok(Some(header)) => self.begin(header, !rest.is_empty()),
                    Err(_) => Err(Failure::Protocol),
                }
            };
            if let Err(failure) = result {
                self.fail(failure);
            }
        }
        if let Some((opcode, payload)) = self.echo.release() {
            self.send(opcode, &payload);
        }
        if self.plan.breaks(Fault::PongsLastOnly) {
            self.send_late();
        }
    }

    fn send_late(&mut self) {
        for ping in std::mem::take(&mut self.late) {
            self.write(0x80 | PONG, &ping);
        }
    }

    fn is_listening(&self) -> bool {
        let goes_on = [Fault::EchoesAfterClose, Fault::PongsAfterClose];
        match self.phase {
            Phase::Open => true,
            Phase::Closed => goes_on.into_iter().any(|fault| self.plan.breaks(fault)),
            Phase::Failed => false,
        }
    }

    /// Looks at a header, all of it before any of the payload.
    fn begin(&mut self, header: Header, more: bool) -> Result<(), Failure> {
        if header.is_control() {
            self.check_control(&header)?;
        } else {
            self.check_data(&header)?;
        }
        let (unmasked, fault) = if self.is_server {
            (header.masking_key.is_none(), Fault::TakesUnmasked)
        } else {
            (header.masking_key.is_some(), Fault::TakesMasked)
        };
        self.ensure(!unmasked, fault)?;
        let frame = Frame {
            header,
            offset: 0,
            control: Vec::new(),
        };
        self.payload(frame, &[], more)
    }

    fn ensure(&self, holds: bool, fault: Fault) -> Result<(), Failure> {
        if holds || self.plan.breaks(fault) {
            Ok(())
        } else {
            Err(Failure::Protocol)
        }
    }

    /// Takes a piece of a frame's payload, or ends the frame.
    fn payload(&mut self, mut frame: Frame, piece: &[u8], more: bool) -> Result<(), Failure> {
        let mut piece = piece.to_vec();
        if let Some(key) = frame.header.masking_key {
            frames::mask(&mut piece, key, frame.offset);
        }
        frame.offset += piece.len() as u64;
        let has_ended = frame.offset == frame.header.length;
        if frame.header.is_control() {
            frame.control.extend_from_slice(&piece);
        } else if frame.header.opcode <= BINARY {
            self.data(&piece)?;
        }
        if !has_ended {
            self.frame = Some(frame);
            return Ok(());
        }
        match frame.header.opcode {
            CLOSE => self.close(&frame.control),
            PING => self.ping(frame.control),
            PONG => self.pong(&frame.control),
            CONTINUATION | TEXT | BINARY => self.end_fragment(&frame.header, more),
            _ => Ok(()),
        }
    }

    fn data(&mut self, piece: &[u8]) -> Result<(), Failure> {
        let compressed = self
            .message
            .as_ref()
            .is_some_and(|message| message.compressed);
        let limit = self.limit(compressed);
        let (Some(message), plan) = (&mut self.message, self.plan) else {
            return Ok(());
        };
        let start = message.payload.len();
        match &mut self.deflate {
            Some(deflate) if message.compressed && !piece.is_empty() => {
                let inflated = deflate.inflate(piece, &mut message.payload, limit);
                inflated.or_else(|error| forgive(plan, error))?;
            }
            _ => message.payload.extend_from_slice(piece),
        }
        let new = message.payload.get(start..).unwrap_or_default();
        check_text(
            plan,
            message.opcode,
            message.compressed,
            &mut message.text,
            new,
        )
    }

    fn end_fragment(&mut self, header: &Header, more: bool) -> Result<(), Failure> {
        let plan = self.plan;
        let limit = self.limit(true);
        let Some(message) = &mut self.message else {
            return Ok(());
        };
        let is_empty = header.length == 0 && (!header.fin || header.opcode == CONTINUATION);
        if is_empty && plan.breaks(Fault::FailsEmptyFragment) {
            return Err(Failure::Protocol);
        }
        let ends = header.fin || (is_empty && plan.breaks(Fault::EndsAtEmptyFragment));
        let splits = plan.breaks(Fault::ValidatesFragments);
        if message.opcode == TEXT && splits && !message.text.may_end() {
            return Err(Failure::Utf8);
        }
        let by_fragment = plan.breaks(Fault::InflatesFragments);
        if let Some(deflate) = &mut self.deflate
            && message.compressed
            && (ends || by_fragment)
        {
            let start = message.payload.len();
            let ended = deflate.end_message(&mut message.payload, limit);
            ended.or_else(|error| forgive(plan, error))?;
            if by_fragment && !ends {
                deflate.forget();
            }
            let new = message.payload.get(start..).unwrap_or_default();
            check_text(
                plan,
                message.opcode,
                message.compressed,
                &mut message.text,
                new,
            )?;
        }
        if !ends && plan.breaks(Fault::EchoesFragments) {
            let piece = (message.opcode, std::mem::take(&mut message.payload));
            self.answer(piece, more);
            return Ok(());
        }
        if ends { self.end_message(more) } else { Ok(()) }
    }

    fn end_message(&mut self, more: bool) -> Result<(), Failure> {
        let Some(message) = self.message.take() else {
            return Ok(());
        };
        if message.opcode == TEXT {
            let forgiven =
                message.compressed && self.plan.breaks(Fault::TakesCompressedInvalidUtf8);
            let late = self.plan.breaks(Fault::NotFailFast);
            let is_text = if late {
                is_utf8(self.plan, &message.payload)
            } else {
                message.text.may_end()
            };
            if !(is_text || forgiven) || self.refuses_characters(&message.payload) {
                return Err(Failure::Utf8);
            }
        }
        let drops = self.plan.breaks(Fault::DropsFragmentedMessages) && message.fragments > 1;
        if !drops {
            self.answer((message.opcode, message.payload), more);
        }
        self.send_late();
        Ok(())
    }

    fn refuses_characters(&self, text: &[u8]) -> bool {
        let has = |character: &[u8]| {
            text.windows(character.len())
                .any(|window| window == character)
        };
        let non_characters = has(b"\xEF\xBF\xBE") || has(b"\xEF\xBF\xBF");
        (non_characters && self.plan.breaks(Fault::RefusesNonCharacters))
            || (has(b"\0") && self.plan.breaks(Fault::RefusesNul))
    }

    fn answer(&mut self, message: (u8, Vec<u8>), more: bool) {
        let echoes = self.phase == Phase::Open || self.plan.breaks(Fault::EchoesAfterClose);
        if !echoes {
            return;
        }
        for (opcode, payload) in self.echo.answer(message, more) {
            self.send(opcode, &payload);
        }
    }

    /// Sends a message in one frame, compressed where that was agreed on.
    fn send(&mut self, opcode: u8, payload: &[u8]) {
        let false_rsv1 = self.plan.breaks(Fault::FalseRsv1);
        let first = 0x80 | opcode;
        match &mut self.deflate {
            Some(_) if false_rsv1 => self.write(first | RSV1, payload),
            Some(deflate) => {
                let compressed = deflate.compress(payload);
                let rsv1 = if self.plan.breaks(Fault::NoRsv1) {
                    0
                } else {
                    RSV1
                };
                self.write(first | rsv1, &compressed);
            }
            None => self.write(first, payload),
        }
    }

    fn write(&mut self, first: u8, payload: &[u8]) {
        let masks = if self.is_server {
            self.plan.breaks(Fault::MasksFrames)
        } else {
            !self.plan.breaks(Fault::DoesNotMask)
        };
        let key = if self.plan.breaks(Fault::SameMaskingKey) {
            *b"same"
        } else {
            rand::random()
        };
        let rsv2 = if self.plan.breaks(Fault::WritesRsv2) {
            RSV2
        } else {
            0
        };
        frames::write(
            self.plan,
            &mut self.out,
            first | rsv2,
            payload,
            masks.then_some(key),
        );
    }
}

/// Fails at the first byte that is no text, in a text.
fn check_text(
    plan: Plan,
    opcode: u8,
    compressed: bool,
    text: &mut Utf8,
    new: &[u8],
) -> Result<(), Failure> {
    let forgiven = compressed && plan.breaks(Fault::TakesCompressedInvalidUtf8);
    if opcode != TEXT || forgiven || plan.breaks(Fault::NotFailFast) {
        return Ok(());
    }
    text.push(new).map_err(|_| Failure::Utf8)
}

fn forgive(plan: Plan, error: InflateError) -> Result<(), Failure> {
    match error {
        InflateError::TooBig => Err(Failure::TooBig),
        InflateError::Invalid if plan.breaks(Fault::TakesInvalidDeflate) => Ok(()),
        InflateError::Invalid => Err(Failure::Deflate),
    }
}
