//! How large a message may be (RFC 6455 section 10.4): the tester only finds out.

use crate::check::case::Case;
use crate::check::outcome::{Level, Outcome};
use crate::check::session::{Heard, Session};
use crate::wire::{Frame, Opcode};

use super::length::pattern;

pub(crate) fn cases() -> Vec<Case> {
    let sizes = [(1, "1-mib"), (4, "4-mib"), (16, "16-mib"), (32, "32-mib")];
    let case = |(mib, name): (usize, &str)| {
        Case::talk(format!("limits.{name}"), "RFC 6455 10.4", move |session| {
            Box::pin(large(session, mib << 20))
        })
        .level(Level::Info)
        .sent(format!("a binary message of {mib} MiB in one frame"))
        .expected("the echo, or the connection fails with 1009")
    };
    sizes.into_iter().map(case).collect()
}

async fn large(session: &mut Session, len: usize) -> Outcome {
    let data = pattern(Opcode::BINARY, len);
    session.patience *= 5;
    session.send(Frame::new(Opcode::BINARY, data.clone())).await;
    match session.hear().await {
        Heard::Item(item) if item.opcode == Opcode::BINARY && item.data == data => Outcome::Pass,
        Heard::Item(item) if item.opcode == Opcode::CLOSE => {
            let heard = Heard::Item(item);
            Outcome::Info(format!("too large for the peer: {}", heard.shown()))
        }
        heard => Outcome::Fail(format!("expected the echo or 1009, got {}", heard.shown())),
    }
}
