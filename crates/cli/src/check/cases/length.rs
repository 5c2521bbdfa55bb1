//! Payload lengths, at each border and in each form (RFC 6455 section 5.2).

use crate::check::case::Case;
use crate::check::expect::step;
use crate::check::outcome::{Level, Outcome};
use crate::check::session::{Heard, Session};
use crate::wire::{Frame, LengthForm, Opcode};

/// Where the form of the length changes, and what lies beside.
const BORDERS: [usize; 14] = [
    0, 1, 2, 124, 125, 126, 127, 128, 255, 256, 65_534, 65_535, 65_536, 65_537,
];

/// In how many bytes a write is made, beside all at once.
const CHOPS: [usize; 3] = [1, 997, 16 << 10];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for len in BORDERS {
        for (opcode, name) in [(Opcode::TEXT, "text"), (Opcode::BINARY, "binary")] {
            cases.push(echo(format!("length.{name}-{len}"), opcode, len, None));
        }
    }
    for (len, chop) in [125, 126, 65_535, 65_536]
        .into_iter()
        .flat_map(|len| CHOPS.map(|chop| (len, chop)))
        // A byte at a time for a frame that large proves nothing new.
        .filter(|(len, chop)| *chop > 1 || *len < 1000)
    {
        let id = format!("length.binary-{len}-chopped-{chop}");
        cases.push(echo(id, Opcode::BINARY, len, Some(chop)));
    }
    for (form, bits) in [(LengthForm::Bits16, 16), (LengthForm::Bits64, 64)] {
        for len in [0, 125, 126, 65_535] {
            if bits == 64 || len <= 125 {
                cases.push(longer_than_needed(len, form, bits));
            }
        }
    }
    cases.push(
        Case::talk("length.top-bit", "RFC 6455 5.2", |session| {
            Box::pin(claims(session, 1 << 63))
        })
        .sent("a frame whose 64-bit length has its most significant bit set")
        .expected("the connection fails with 1002 or 1009 before a payload comes"),
    );
    cases.push(
        Case::talk("length.enormous", "RFC 6455 10.4", |session| {
            Box::pin(claims(session, i64::MAX as u64))
        })
        .level(Level::Info)
        .sent("a frame that announces 2^63 - 1 bytes, and a few of them")
        .expected("the connection fails with 1009: nobody can hold that"),
    );
    cases.push(
        Case::talk("length.answers-minimal", "RFC 6455 5.2", |session| {
            Box::pin(answers_are_minimal(session))
        })
        .sent("messages at each border")
        .expected("the answers' lengths are in the shortest form"),
    );
    cases
}

/// A payload whose bytes tell where they are.
pub(crate) fn pattern(opcode: Opcode, len: usize) -> Vec<u8> {
    let letter = |at: usize| match opcode {
        Opcode::TEXT => b'a' + (at % 23) as u8,
        _ => (at % 251) as u8,
    };
    (0..len).map(letter).collect()
}

fn echo(id: String, opcode: Opcode, len: usize, chop: Option<usize>) -> Case {
    let how = chop.map_or_else(String::new, |chop| format!(", in writes of {chop} bytes"));
    Case::talk(id, "RFC 6455 5.2", move |session| {
        Box::pin(async move {
            let data = pattern(opcode, len);
            let frame = Frame::new(opcode, data.clone());
            match chop {
                None => session.send(frame).await,
                Some(size) => session.send_chopped(vec![frame], size).await,
            }
            step!(session.echo_of(opcode, &data).await);
            session.close().await
        })
    })
    .sent(format!("a {opcode} message of {len} bytes{how}"))
    .expected("the echo")
}

fn longer_than_needed(len: usize, form: LengthForm, bits: u32) -> Case {
    let id = format!("length.{bits}-bits-for-{len}");
    Case::talk(id, "RFC 6455 5.2", move |session| {
        Box::pin(async move {
            step!(session.is_alive().await);
            let data = pattern(Opcode::BINARY, len);
            let frame = Frame::new(Opcode::BINARY, data.clone()).length(form);
            session.send(frame).await;
            match session.fails_with(&[1002]).await {
                Outcome::Fail(why) => Outcome::Lenient(why),
                outcome => outcome,
            }
        })
    })
    .sent(format!(
        "a frame of {len} bytes whose length is written in {bits} bits"
    ))
    .expected("the connection fails with 1002: a length MUST be as short as can be")
}

async fn claims(session: &mut Session, len: u64) -> Outcome {
    step!(session.is_alive().await);
    let form = LengthForm::Claimed(len);
    session
        .send(Frame::new(Opcode::BINARY, [1, 2, 3]).length(form))
        .await;
    session.fails_with(&[1002, 1009]).await
}

async fn answers_are_minimal(session: &mut Session) -> Outcome {
    for len in BORDERS {
        let data = pattern(Opcode::BINARY, len);
        session.send(Frame::new(Opcode::BINARY, data)).await;
        if let heard @ (Heard::End | Heard::Silence | Heard::Reset(_)) = session.hear().await {
            return Outcome::Fail(format!("expected the echo, got {}", heard.shown()));
        }
    }
    let mut frames = session.take_frames().into_iter();
    match frames.find(|frame| frame.length_form != LengthForm::Minimal) {
        Some(frame) => Outcome::Fail(format!(
            "expected the shortest form of the length {}, got a longer one",
            frame.payload_len
        )),
        None => Outcome::Pass,
    }
}
