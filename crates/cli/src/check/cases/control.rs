//! Control frames: their form, pings and pongs (RFC 6455 section 5.5).

use std::time::Duration;

use crate::check::case::Case;
use crate::check::expect::step;
use crate::check::outcome::Outcome;
use crate::check::session::{Heard, Session};
use crate::wire::{Frame, LengthForm, Opcode};

/// How long nothing must come where nothing should.
const QUIET: Duration = Duration::from_millis(300);

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, payload) in [
        ("empty", Vec::new()),
        ("text", b"Hello".to_vec()),
        ("binary", vec![0, 0xFF, 0xFE, 0xFD, 0x80]),
        ("125", vec![0xFE; 125]),
    ] {
        cases.push(ping(name, payload));
    }
    for (opcode, name) in [
        (Opcode::PING, "ping"),
        (Opcode::PONG, "pong"),
        (Opcode::CLOSE, "close"),
    ] {
        cases.push(too_long(opcode, name));
        cases.push(fragmented(opcode, name));
        cases.push(fragmented_over_two(opcode, name));
    }
    cases.push(
        Case::talk("control.ping-chopped", "RFC 6455 5.5.2", |session| {
            Box::pin(async move {
                let frame = Frame::new(Opcode::PING, vec![7; 125]);
                session.send_chopped(vec![frame], 1).await;
                step!(session.pong(&[7; 125]).await);
                session.close().await
            })
        })
        .sent("a Ping of 125 bytes, a byte at a time")
        .expected("a Pong with its payload"),
    );
    cases.push(
        Case::talk("control.pings-in-a-row", "RFC 6455 5.5.3", |session| {
            Box::pin(pings_in_a_row(session))
        })
        .sent("ten Pings in one write")
        .expected("ten Pongs in their order; the last alone is allowed"),
    );
    cases.push(
        Case::talk("control.pong-unasked", "RFC 6455 5.5.3", |session| {
            Box::pin(unasked_pongs(session))
        })
        .sent("Pongs that nobody asked for, empty and with a payload")
        .expected("no answer, and the connection stays"),
    );
    cases.push(
        Case::talk("control.ping-after-pong", "RFC 6455 5.5.3", |session| {
            Box::pin(async move {
                session.send(Frame::new(Opcode::PONG, "mine")).await;
                session.send(Frame::new(Opcode::PING, "yours")).await;
                match session.hear().await {
                    Heard::Item(item) if item.says(Opcode::PONG, b"mine") => {
                        step!(session.pong(b"yours").await);
                        Outcome::Lenient("the Pong was answered with a Pong".to_owned())
                    }
                    Heard::Item(item) if item.says(Opcode::PONG, b"yours") => session.close().await,
                    heard => Outcome::Fail(format!(
                        "expected a Pong with the Ping's payload, got {}",
                        heard.shown()
                    )),
                }
            })
        })
        .sent("a Pong that nobody asked for, then a Ping")
        .expected("a Pong with the Ping's payload"),
    );
    cases.push(
        Case::talk("control.long-form", "RFC 6455 5.5", |session| {
            Box::pin(async move {
                step!(session.is_alive().await);
                let frame = Frame::new(Opcode::PING, "x").length(LengthForm::Bits16);
                session.send(frame).await;
                match session.fails_with(&[1002]).await {
                    Outcome::Fail(why) => Outcome::Lenient(why),
                    outcome => outcome,
                }
            })
        })
        .sent("a Ping of one byte whose length is written in 16 bits")
        .expected("the connection fails with 1002"),
    );
    cases
}

fn ping(name: &str, payload: Vec<u8>) -> Case {
    let len = payload.len();
    Case::talk(
        format!("control.ping-{name}"),
        "RFC 6455 5.5.2",
        move |session| {
            let payload = payload.clone();
            Box::pin(async move {
                session
                    .send(Frame::new(Opcode::PING, payload.clone()))
                    .await;
                step!(session.pong(&payload).await);
                session.close().await
            })
        },
    )
    .sent(format!("a Ping of {len} bytes"))
    .expected("a Pong with the same payload")
}

fn too_long(opcode: Opcode, name: &str) -> Case {
    Case::talk(
        format!("control.{name}-126"),
        "RFC 6455 5.5",
        move |session| {
            Box::pin(async move {
                step!(session.is_alive().await);
                let mut payload = vec![b'x'; 126];
                payload[..2].copy_from_slice(&1000_u16.to_be_bytes());
                session.send(Frame::new(opcode, payload)).await;
                session.fails_with(&[1002]).await
            })
        },
    )
    .sent(format!("a {opcode} frame of 126 bytes"))
    .expected("the connection fails with 1002")
}

fn fragmented(opcode: Opcode, name: &str) -> Case {
    Case::talk(
        format!("control.{name}-unfinished"),
        "RFC 6455 5.5",
        move |session| {
            Box::pin(async move {
                step!(session.is_alive().await);
                session
                    .send(Frame::new(opcode, [3, 0xE8]).unfinished())
                    .await;
                session.fails_with(&[1002]).await
            })
        },
    )
    .sent(format!("a {opcode} frame without FIN"))
    .expected("the connection fails with 1002")
}

fn fragmented_over_two(opcode: Opcode, name: &str) -> Case {
    let id = format!("control.{name}-in-two-fragments");
    Case::talk(id, "RFC 6455 5.4", move |session| {
        Box::pin(async move {
            step!(session.is_alive().await);
            let first = Frame::new(opcode, [3, 0xE8]).unfinished();
            let second = Frame::new(Opcode::CONTINUATION, "rest");
            session.send_all(vec![first, second]).await;
            session.fails_with(&[1002]).await
        })
    })
    .sent(format!("a {opcode} frame without FIN and a continuation"))
    .expected("the connection fails with 1002")
}

async fn pings_in_a_row(session: &mut Session) -> Outcome {
    let payload = |number: u8| vec![b'0' + number; 3];
    let pings = (0..10).map(|number| Frame::new(Opcode::PING, payload(number)));
    session.send_all(pings.collect()).await;
    let mut next = 0;
    let mut skipped = false;
    while next < 10 {
        match session.hear().await {
            Heard::Item(item) if item.opcode == Opcode::PONG => {
                let Some(number) = (next..10).find(|number| item.data == payload(*number)) else {
                    return Outcome::Fail("expected the Pongs in the Pings' order".to_owned());
                };
                skipped |= number > next;
                next = number + 1;
            }
            heard => {
                return Outcome::Fail(format!("expected a Pong, got {}", heard.shown()));
            }
        }
    }
    step!(session.close().await);
    if skipped {
        let why = "the most recent Pings were answered, the others were not";
        return Outcome::Lenient(why.to_owned());
    }
    Outcome::Pass
}

async fn unasked_pongs(session: &mut Session) -> Outcome {
    session.send(Frame::new(Opcode::PONG, "")).await;
    session.send(Frame::new(Opcode::PONG, "unasked")).await;
    match session.hear_within(QUIET).await {
        Heard::Silence => session.is_alive().await,
        Heard::Item(item) if item.opcode == Opcode::PONG => {
            step!(session.is_alive().await);
            // Nobody expects one, but one may be sent at any time.
            Outcome::Lenient("the Pongs were answered with Pongs".to_owned())
        }
        heard => Outcome::Fail(format!("expected nothing, got {}", heard.shown())),
    }
}
