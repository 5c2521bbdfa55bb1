//! What may be expected of a peer, and what it means where something else comes.

use std::time::Duration;

use super::outcome::Outcome;
use super::session::{Heard, Playing, Session};
use crate::wire::{Frame, Item, Opcode};

/// A message in a few words.
fn shown(item: &Item) -> String {
    let fault = item
        .fault
        .map_or_else(String::new, |fault| format!(", {fault}"));
    if item.opcode == Opcode::CLOSE {
        return match item.data.split_first_chunk::<2>() {
            Some((code, reason)) => {
                let reason = String::from_utf8_lossy(reason);
                format!("a Close frame {} {reason:?}", u16::from_be_bytes(*code))
            }
            None => "a Close frame without a code".to_owned(),
        };
    }
    let opcode = item.opcode;
    let len = item.data.len();
    let start: String = String::from_utf8_lossy(&item.data[..len.min(24)]).into_owned();
    let more = if len > 24 { "…" } else { "" };
    format!("{opcode} of {len} bytes {start:?}{more}{fault}")
}

impl Heard {
    /// What was heard, in a few words.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Item(item) => shown(item),
            Self::End => "the end of the stream".to_owned(),
            Self::Reset(error) => format!("a lost stream ({error})"),
            Self::Silence => "nothing".to_owned(),
        }
    }
}

/// The code of a Close frame, `None` for one without.
fn close_code(item: &Item) -> Option<u16> {
    item.data
        .first_chunk::<2>()
        .map(|code| u16::from_be_bytes(*code))
}

impl Item {
    /// Whether it is this message, in good order.
    pub(crate) fn says(&self, opcode: Opcode, data: &[u8]) -> bool {
        self.opcode == opcode && self.fault.is_none() && self.data == data
    }
}

/// Whether a Close frame has a code that may be on a wire (sections 7.4.1, 7.4.2).
fn has_an_allowed_code(close: &Item) -> Outcome {
    match close_code(close) {
        None if close.data.is_empty() => Outcome::Pass,
        Some(1000..=1003 | 1007..=1014 | 3000..=4999) => Outcome::Pass,
        // Not assigned yet, which may change.
        Some(code @ 1016..=2999) => Outcome::Lenient(format!(
            "got a Close frame with the code {code}, which means nothing"
        )),
        _ => Outcome::Fail(format!(
            "expected a code that may be sent, got {}",
            shown(close)
        )),
    }
}

/// How long a peer has to answer a farewell that nobody judges.
const FAREWELL: Duration = Duration::from_millis(300);

/// Gives up on a case where a step did not go as expected.
macro_rules! step {
    ($outcome:expr) => {
        match $outcome {
            Outcome::Pass => {}
            other => return other,
        }
    };
}

pub(crate) use step;

impl Session {
    /// The message comes back as it was sent.
    pub(crate) async fn echo_of(&mut self, opcode: Opcode, data: &[u8]) -> Outcome {
        let heard = loop {
            match self.hear().await {
                Heard::Item(item) if item.says(opcode, data) => return Outcome::Pass,
                // One that was not asked for is allowed (section 5.5.3).
                Heard::Item(item) if item.opcode == Opcode::PONG => {}
                heard => break heard,
            }
        };
        let (len, got) = (data.len(), heard.shown());
        Outcome::Fail(format!(
            "expected the echo, {opcode} of {len} bytes, got {got}"
        ))
    }

    /// A Pong with this payload comes.
    pub(crate) async fn pong(&mut self, data: &[u8]) -> Outcome {
        match self.hear().await {
            Heard::Item(item) if item.says(Opcode::PONG, data) => Outcome::Pass,
            heard => {
                let len = data.len();
                let got = heard.shown();
                Outcome::Fail(format!(
                    "expected a Pong with the Ping's {len} bytes, got {got}"
                ))
            }
        }
    }

    /// A Pong for a Ping that was sent before `rest` of a message; where it only comes
    /// behind that (section 5.5.2 asks for as soon as is practical), that is lenient.
    pub(crate) async fn pong_before(&mut self, data: &[u8], rest: Vec<Frame>) -> Outcome {
        match self.hear().await {
            Heard::Item(item) if item.says(Opcode::PONG, data) => {
                self.send_all(rest).await;
                Outcome::Pass
            }
            Heard::Silence => {
                self.send_all(rest).await;
                step!(self.pong(data).await);
                Outcome::Lenient("the Ping was answered only when the message was whole".to_owned())
            }
            heard => {
                let got = heard.shown();
                Outcome::Fail(format!("expected a Pong with the Ping's bytes, got {got}"))
            }
        }
    }

    /// The connection is as good as before: a message is echoed.
    pub(crate) async fn is_alive(&mut self) -> Outcome {
        self.send(Frame::new(Opcode::TEXT, "still there?")).await;
        match self.echo_of(Opcode::TEXT, b"still there?").await {
            Outcome::Fail(why) => Outcome::Fail(format!("the connection is not as before: {why}")),
            outcome => outcome,
        }
    }

    /// The peer fails the connection (section 7.1.7): with one of these codes, or
    /// leniently with another or none. An answer to what it should have refused is
    /// none.
    pub(crate) async fn fails_with(&mut self, codes: &[u16]) -> Outcome {
        let wanted = || {
            let codes: Vec<String> = codes.iter().map(u16::to_string).collect();
            format!(
                "expected the connection to fail with {}",
                codes.join(" or ")
            )
        };
        match self.hear().await {
            Heard::Item(item) if item.opcode == Opcode::CLOSE => {
                step!(has_an_allowed_code(&item));
                step!(self.ends_after_failure().await);
                match close_code(&item) {
                    Some(code) if codes.contains(&code) => Outcome::Pass,
                    _ => Outcome::Lenient(format!("{}, got {}", wanted(), shown(&item))),
                }
            }
            Heard::End | Heard::Reset(_) => Outcome::Lenient(format!(
                "{}, got the end of the stream without a Close frame",
                wanted()
            )),
            heard @ (Heard::Silence | Heard::Item(_)) => {
                Outcome::Fail(format!("{}, got {}", wanted(), heard.shown()))
            }
        }
    }

    /// After it failed the connection, nothing more may come but its end (section
    /// 7.1.7). A server closes the stream at once or when the Close frame is
    /// answered, a client may wait for the server to do so (7.1.1).
    async fn ends_after_failure(&mut self) -> Outcome {
        self.send(Frame::close(1000, "")).await;
        if self.playing == Playing::Server {
            self.hang_up().await;
        }
        match self.hear().await {
            Heard::End | Heard::Reset(_) => Outcome::Pass,
            heard => Outcome::Fail(format!(
                "expected the stream to end after the peer's own Close frame, got {}",
                heard.shown()
            )),
        }
    }

    /// The peer answers a Close frame with one of its own that has this code, or
    /// leniently another, and the stream ends; nothing else comes.
    pub(crate) async fn answers_close(&mut self, code: Option<u16>) -> Outcome {
        let wanted = || match code {
            Some(code) => format!("expected a Close frame {code} in answer"),
            None => "expected a Close frame without a code in answer".to_owned(),
        };
        let answer = loop {
            match self.hear().await {
                Heard::Item(item) if item.opcode == Opcode::CLOSE => break item,
                Heard::Item(item) if item.opcode == Opcode::PONG => {}
                heard => return Outcome::Fail(format!("{}, got {}", wanted(), heard.shown())),
            }
        };
        step!(has_an_allowed_code(&answer));
        step!(self.ends_after_close().await);
        let got = close_code(&answer);
        // 1000 for none and for what it got is how many put it.
        if got == code || (code.is_none() && got == Some(1000)) {
            return Outcome::Pass;
        }
        Outcome::Lenient(format!("{}, got {}", wanted(), shown(&answer)))
    }

    /// After the closing handshake the server ends the stream first (section
    /// 7.1.1); a client waits for it.
    pub(crate) async fn ends_after_close(&mut self) -> Outcome {
        if self.playing == Playing::Server {
            self.hang_up().await;
        }
        match self.hear().await {
            Heard::End => Outcome::Pass,
            Heard::Reset(error) => Outcome::Lenient(format!(
                "expected the stream to end after the closing handshake, but it was reset: {error}"
            )),
            heard => Outcome::Fail(format!(
                "expected the stream to end after the closing handshake, got {}",
                heard.shown()
            )),
        }
    }

    /// Says farewell at the end of a case. How the peer takes it is for the cases of
    /// closing to judge.
    pub(crate) async fn close(&mut self) -> Outcome {
        self.send(Frame::close(1000, "")).await;
        while let Heard::Item(item) = self.hear_within(FAREWELL).await {
            // A client waits for the server to end the stream (section 7.1.1).
            if item.opcode == Opcode::CLOSE && self.playing == Playing::Server {
                self.hang_up().await;
            }
        }
        Outcome::Pass
    }
}
