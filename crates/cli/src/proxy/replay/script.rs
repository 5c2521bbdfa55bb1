//! What a recording says is to be said, and to be answered.

use std::collections::BTreeMap;
use std::path::Path;

use longwire::Message;

use super::super::event;
use super::super::event::{Event, Exchange, Side, What, seconds};
use super::super::redact::REDACTED;
use super::source;

/// Bytes of messages that are held at most.
const MOST_SCRIPT: usize = 512 << 20;

/// What is played.
#[derive(Debug, Default)]
pub(super) struct Script {
    /// In the order in which it happened.
    pub(super) steps: Vec<Step>,
    pub(super) connections: BTreeMap<u64, Recorded>,
}

/// A connection of the recording.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    /// Path and query.
    pub(super) target: String,
    /// What the client offered.
    pub(super) subprotocols: Vec<String>,
    pub(super) answers: Vec<Answer>,
    /// Messages of the client's.
    pub(super) sent: usize,
}

/// Something that happens.
#[derive(Debug)]
pub(super) struct Step {
    /// Seconds since the recording began.
    pub(super) at: f64,
    pub(super) conn: u64,
    pub(super) action: Action,
}

#[derive(Debug)]
pub(super) enum Action {
    Open,
    Send(Message),
    Ping(Vec<u8>),
    /// The client's Close frame, and its code where it has one.
    Close(Option<(u16, String)>),
    /// So many answers have come.
    Answered(usize),
    /// The connection is over.
    End,
}

/// What came from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Text(String),
    Binary(Vec<u8>),
    /// Its Close frame, with its code where it had one.
    Close(Option<u16>),
    /// Another status than 101.
    Refused(u16),
    /// The connection broke.
    Lost,
}

impl Script {
    /// From a file, of these connections or all.
    pub(super) fn read(path: &Path, only: &[u64]) -> Result<Self, String> {
        let mut script = Self::default();
        let mut size = 0;
        let mut began = None;
        let each = |event: Event| {
            if !only.is_empty() && !only.contains(&event.conn) {
                return Ok(());
            }
            let at = seconds(&event.at).unwrap_or_default();
            let at = at - *began.get_or_insert(at);
            script.event(event, at.max(0.0), &mut size)
        };
        source::each(path, |_| {}, each)?;
        if script.connections.is_empty() {
            let of = if only.is_empty() {
                ""
            } else {
                " of those asked for"
            };
            return Err(format!(
                "expected a connection{of} in {}, found none (`longwire replay {0}` shows it)",
                path.display()
            ));
        }
        Ok(script)
    }

    fn event(&mut self, event: Event, at: f64, size: &mut usize) -> Result<(), String> {
        let conn = event.conn;
        let action = match event.what {
            What::Open(exchange) => {
                self.connections.insert(conn, opened(&exchange));
                let status = exchange.response.head().status();
                self.steps.push(Step {
                    at,
                    conn,
                    action: Action::Open,
                });
                match status {
                    Some(101) => return Ok(()),
                    status => self.answer(conn, Answer::Refused(status.unwrap_or_default())),
                }
            }
            What::Message(message) => {
                if message.payload.truncated || message.fault.is_some() {
                    return Err(format!(
                        "a message of connection {conn} at {:.3} s was not recorded whole: \
                         record with a larger --keep, or play others with --connection",
                        event.t
                    ));
                }
                *size += message.payload.bytes().map_or(0, |bytes| bytes.len());
                if *size > MOST_SCRIPT {
                    return Err(format!(
                        "the recording has more than {} MiB of messages: play a part with --connection",
                        MOST_SCRIPT >> 20
                    ));
                }
                self.message(conn, message)
            }
            What::End(_) => Some(Action::End),
            What::Http(_) | What::Frame(_) => None,
        };
        // What belongs to no handshake of the recording cannot be played.
        if let Some(action) = action
            && self.connections.contains_key(&conn)
        {
            self.steps.push(Step { at, conn, action });
        }
        Ok(())
    }

    fn message(&mut self, conn: u64, message: event::Message) -> Option<Action> {
        let from = message.from?;
        let bytes = message.payload.bytes()?;
        let text = |bytes| String::from_utf8(bytes).ok();
        match (from, message.opcode.as_str()) {
            (Side::Client, "text") => {
                self.connections.get_mut(&conn)?.sent += 1;
                Some(Action::Send(Message::text(text(bytes)?)))
            }
            (Side::Client, "binary") => {
                self.connections.get_mut(&conn)?.sent += 1;
                Some(Action::Send(Message::binary(bytes)))
            }
            (Side::Client, "ping") => Some(Action::Ping(bytes)),
            (Side::Client, "close") => {
                let reason = message.reason.unwrap_or_default();
                Some(Action::Close(message.code.map(|code| (code, reason))))
            }
            (Side::Server, "text") => self.answer(conn, Answer::Text(text(bytes)?)),
            (Side::Server, "binary") => self.answer(conn, Answer::Binary(bytes)),
            (Side::Server, "close") => self.answer(conn, Answer::Close(message.code)),
            _ => None,
        }
    }

    fn answer(&mut self, conn: u64, answer: Answer) -> Option<Action> {
        let answers = &mut self.connections.get_mut(&conn)?.answers;
        answers.push(answer);
        Some(Action::Answered(answers.len()))
    }
}

fn opened(exchange: &Exchange) -> Recorded {
    let request = exchange.request.head();
    let (_, target) = request.request().unwrap_or(("GET", "/"));
    let subprotocols = request
        .all("Sec-WebSocket-Protocol")
        .flat_map(|offer| offer.split(','))
        .map(|name| name.trim().to_owned())
        .filter(|name| name != REDACTED);
    Recorded {
        target: target.to_owned(),
        subprotocols: subprotocols.collect(),
        ..Recorded::default()
    }
}
