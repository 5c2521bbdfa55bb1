//! Fragmentation (RFC 6455 section 5.4).

use crate::check::case::Case;
use crate::check::expect::step;
use crate::check::outcome::Outcome;
use crate::check::session::Session;
use crate::wire::{Frame, Opcode};

const SECTION: &str = "RFC 6455 5.4";

/// Protocol errors.
const PROTOCOL: &[u16] = &[1002];

/// The frames of a message with these fragments.
pub(crate) fn fragments(opcode: Opcode, parts: &[&[u8]]) -> Vec<Frame> {
    let last = parts.len().saturating_sub(1);
    let frame = |(at, part): (usize, &&[u8])| {
        let opcode = if at == 0 {
            opcode
        } else {
            Opcode::CONTINUATION
        };
        let frame = Frame::new(opcode, *part);
        if at == last {
            frame
        } else {
            frame.unfinished()
        }
    };
    parts.iter().enumerate().map(frame).collect()
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let shapes: [(&str, &[&[u8]]); 7] = [
        ("two", &[b"Hel", b"lo"]),
        ("three", &[b"a", b"bc", b"d"]),
        ("empty-first", &[b"", b"Hello"]),
        ("empty-middle", &[b"Hel", b"", b"lo"]),
        ("empty-last", &[b"Hello", b""]),
        ("all-empty", &[b"", b"", b""]),
        ("single-bytes", &[b"H", b"e", b"l", b"l", b"o"]),
    ];
    for (name, parts) in shapes {
        for (opcode, kind) in [(Opcode::TEXT, "text"), (Opcode::BINARY, "binary")] {
            cases.push(whole(
                format!("fragment.{kind}-{name}"),
                opcode,
                parts,
                None,
            ));
        }
        let id = format!("fragment.{name}-chopped");
        cases.push(whole(id, Opcode::TEXT, parts, Some(1)));
    }
    cases.extend(wrong_orders());
    cases.extend(interleaved());
    cases
}

fn whole(id: String, opcode: Opcode, parts: &'static [&'static [u8]], chop: Option<usize>) -> Case {
    let how = if chop.is_some() {
        ", a byte at a time"
    } else {
        ""
    };
    let count = parts.len();
    Case::talk(id, SECTION, move |session| {
        Box::pin(async move {
            let frames = fragments(opcode, parts);
            match chop {
                None => session.send_all(frames).await,
                Some(size) => session.send_chopped(frames, size).await,
            }
            step!(session.echo_of(opcode, &parts.concat()).await);
            session.close().await
        })
    })
    .sent(format!("a {opcode} message in {count} fragments{how}"))
    .expected("the echo of the whole")
}

/// Sequences that no message can have.
fn wrong_orders() -> Vec<Case> {
    let text = |payload: &'static str| Frame::new(Opcode::TEXT, payload);
    let more = |payload: &'static str| Frame::new(Opcode::CONTINUATION, payload);
    let binary = |payload: &'static str| Frame::new(Opcode::BINARY, payload);
    let table: Vec<(&str, &str, Vec<Frame>)> = vec![
        (
            "continuation-first",
            "a final continuation frame where no message has begun",
            vec![more("a")],
        ),
        (
            "continuation-first-unfinished",
            "a continuation frame without FIN where no message has begun",
            vec![more("a").unfinished()],
        ),
        (
            "continuation-after-end",
            "a message in two fragments, then a continuation frame",
            vec![text("a").unfinished(), more("b"), more("c")],
        ),
        (
            "continuation-after-whole",
            "a whole message, then a continuation frame",
            vec![text("a"), more("b")],
        ),
        (
            "text-within-text",
            "a text frame within a fragmented text",
            vec![text("a").unfinished(), text("b")],
        ),
        (
            "text-within-text-unfinished",
            "a text frame without FIN within a fragmented text",
            vec![text("a").unfinished(), text("b").unfinished()],
        ),
        (
            "binary-within-text",
            "a binary frame within a fragmented text",
            vec![text("a").unfinished(), binary("b")],
        ),
        (
            "text-within-binary",
            "a text frame within a fragmented binary message",
            vec![binary("a").unfinished(), text("b")],
        ),
    ];
    let case = |(name, sent, frames): (&str, &'static str, Vec<Frame>)| {
        Case::talk(format!("fragment.{name}"), SECTION, move |session| {
            let frames = frames.clone();
            Box::pin(async move {
                step!(session.is_alive().await);
                // Each in a write of its own; whole messages before the fault may
                // be echoed, what is at fault may not.
                let last = frames.len() - 1;
                for (at, frame) in frames.into_iter().enumerate() {
                    let is_message = frame.fin && at < last;
                    session.send(frame).await;
                    if is_message {
                        step!(echo_of_any(session).await);
                    }
                }
                session.fails_with(PROTOCOL).await
            })
        })
        .sent(sent)
        .expected("the connection fails with 1002")
    };
    table.into_iter().map(case).collect()
}

/// The echo of a message, whatever it is.
async fn echo_of_any(session: &mut Session) -> Outcome {
    use crate::check::session::Heard;
    match session.hear().await {
        Heard::Item(item) if !item.opcode.is_control() => Outcome::Pass,
        heard => Outcome::Fail(format!("expected an echo, got {}", heard.shown())),
    }
}

/// Control frames between fragments.
fn interleaved() -> Vec<Case> {
    vec![
        Case::talk("fragment.ping-between", SECTION, |session| {
            Box::pin(async move {
                session
                    .send(Frame::new(Opcode::TEXT, "Hel").unfinished())
                    .await;
                session.send(Frame::new(Opcode::PING, "between")).await;
                let rest = vec![Frame::new(Opcode::CONTINUATION, "lo")];
                let answered = session.pong_before(b"between", rest).await;
                if let Outcome::Fail(_) = answered {
                    return answered;
                }
                step!(session.echo_of(Opcode::TEXT, b"Hello").await);
                step!(session.close().await);
                answered
            })
        })
        .sent("a Ping between two fragments, the second only after its Pong")
        .expected("the Pong before the message is whole, then the echo"),
        Case::talk("fragment.pings-between-each", SECTION, |session| {
            Box::pin(async move {
                let mut frames = vec![Frame::new(Opcode::BINARY, [0]).unfinished()];
                for number in 1..5 {
                    frames.push(Frame::new(Opcode::PING, [number]));
                    let frame = Frame::new(Opcode::CONTINUATION, [number]);
                    frames.push(if number == 4 {
                        frame
                    } else {
                        frame.unfinished()
                    });
                }
                session.send_all(frames).await;
                // When the Pongs come is for another case, and so is whether they do.
                step!(session.echo_of(Opcode::BINARY, &[0, 1, 2, 3, 4]).await);
                session.close().await
            })
        })
        .sent("a Ping between each two of five fragments, in one write")
        .expected("the echo of the whole"),
        Case::talk("fragment.pong-between", SECTION, |session| {
            Box::pin(async move {
                session
                    .send(Frame::new(Opcode::TEXT, "Hel").unfinished())
                    .await;
                session.send(Frame::new(Opcode::PONG, "unasked")).await;
                session.send(Frame::new(Opcode::CONTINUATION, "lo")).await;
                step!(session.echo_of(Opcode::TEXT, b"Hello").await);
                session.close().await
            })
        })
        .sent("a Pong that nobody asked for between two fragments")
        .expected("the echo of the whole"),
        Case::talk("fragment.close-between", SECTION, |session| {
            Box::pin(async move {
                session
                    .send(Frame::new(Opcode::TEXT, "Hel").unfinished())
                    .await;
                session.send(Frame::close(1000, "")).await;
                session.answers_close(Some(1000)).await
            })
        })
        .sent("a Close frame between two fragments")
        .expected("a Close frame in answer; nothing of the message"),
        Case::talk("fragment.all-in-one-write", SECTION, |session| {
            Box::pin(async move {
                let mut frames = fragments(Opcode::TEXT, &[b"on", b"e"]);
                frames.extend(fragments(Opcode::BINARY, &[b"t", b"w", b"o"]));
                frames.push(Frame::new(Opcode::TEXT, "three"));
                session.send_all(frames).await;
                step!(session.echo_of(Opcode::TEXT, b"one").await);
                step!(session.echo_of(Opcode::BINARY, b"two").await);
                step!(session.echo_of(Opcode::TEXT, b"three").await);
                session.close().await
            })
        })
        .sent("three messages, two of them in fragments, in one write")
        .expected("three echoes in their order"),
    ]
}
