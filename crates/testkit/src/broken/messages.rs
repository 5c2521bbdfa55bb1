//! What an echo answers to the messages it has.

use super::faults::{Fault, Plan};
use super::frames::{BINARY, TEXT};

/// The most bytes that a peer answers which cuts large messages.
const CUT: usize = 0xFFFF;

/// The byte order mark, in UTF-8.
const BOM: &[u8] = b"\xEF\xBB\xBF";

/// A whole message: its opcode, and its payload, plain.
pub(super) type Message = (u8, Vec<u8>);

/// Turns messages into answers.
#[derive(Debug)]
pub(super) struct Echo {
    plan: Plan,
    /// A message that waits for the next.
    held: Option<Message>,
}

impl Echo {
    pub(super) fn new(plan: Plan) -> Self {
        Self { plan, held: None }
    }

    /// The answers to a message; `more` says whether something came with it.
    pub(super) fn answer(&mut self, message: Message, more: bool) -> Vec<Message> {
        let plan = self.plan;
        let (mut opcode, mut payload) = message;
        if payload.is_empty() && plan.breaks(Fault::DropsEmpty) {
            return Vec::new();
        }
        match opcode {
            TEXT if plan.breaks(Fault::TextAsBinary) => opcode = BINARY,
            BINARY if plan.breaks(Fault::BinaryAsText) => opcode = TEXT,
            TEXT if plan.breaks(Fault::ReplacesInvalidUtf8) => {
                payload = String::from_utf8_lossy(&payload).into_owned().into_bytes();
            }
            TEXT if payload.starts_with(BOM) && plan.breaks(Fault::StripsBom) => {
                payload.drain(..BOM.len());
            }
            _ => {}
        }
        if plan.breaks(Fault::CutsLarge) {
            payload.truncate(CUT);
        }
        let message = (opcode, payload);
        match self.held.take() {
            Some(held) if plan.breaks(Fault::Merges) => {
                vec![(held.0, [held.1, message.1].concat())]
            }
            Some(held) => vec![message, held],
            None if more && (plan.breaks(Fault::Merges) || plan.breaks(Fault::LosesOrder)) => {
                self.held = Some(message);
                Vec::new()
            }
            None => vec![message],
        }
    }

    /// What is still held, when nothing more has come.
    pub(super) fn release(&mut self) -> Option<Message> {
        self.held.take()
    }
}
