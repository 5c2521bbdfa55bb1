//! permessage-deflate: what is agreed on, and what the data says (RFC 7692).

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::check::case::Case;
use crate::check::expect::step;
use crate::check::outcome::{Level, Outcome};
use crate::check::session::{Heard, Session};
use crate::wire::{Frame, Opcode};

use super::fragment::fragments;

const DATA: &str = "RFC 7692 7.2";

/// What most clients offer.
pub(crate) const OFFER: &str = "permessage-deflate; client_max_window_bits";

/// "Per-Message Compressed".
pub(crate) const RSV1: u8 = 0b100;

/// A case in a connection with compression.
fn case<F>(id: impl Into<String>, section: &'static str, run: F) -> Case
where
    F: for<'s> Fn(&'s mut Session) -> futures_util::future::BoxFuture<'s, Outcome>
        + Send
        + Sync
        + 'static,
{
    Case::talk(id.into(), section, run).offering(OFFER)
}

/// Bytes that no compressor makes smaller.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    StdRng::seed_from_u64(len as u64).fill_bytes(&mut bytes);
    bytes
}

/// Words that any compressor makes smaller.
fn words(len: usize) -> Vec<u8> {
    b"the quick brown fox jumps over the lazy dog, and again, "
        .iter()
        .copied()
        .cycle()
        .take(len)
        .collect()
}

/// The frames of a compressed message, cut at these places of its payload.
fn compressed(session: &mut Session, opcode: Opcode, plain: &[u8], piece: usize) -> Vec<Frame> {
    let payload = session.compress(plain);
    let parts: Vec<&[u8]> = payload.chunks(piece.max(1)).collect();
    let mut frames = fragments(opcode, &parts);
    if let Some(first) = frames.first_mut() {
        first.rsv = RSV1;
    }
    frames
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for len in [0, 1, 125, 126, 127, 1000, 65_535, 65_536, 500_000] {
        for (opcode, kind) in [(Opcode::TEXT, "text"), (Opcode::BINARY, "noise")] {
            cases.push(echo(kind, opcode, len));
        }
    }
    for piece in [1, 2, 5, 100] {
        cases.push(in_fragments(piece));
    }
    cases.extend(examples());
    cases.extend(reserved_bits());
    cases.extend(mixed());
    cases.extend(broken());
    cases
}

fn echo(kind: &str, opcode: Opcode, len: usize) -> Case {
    case(format!("deflate.{kind}-{len}"), DATA, move |session| {
        Box::pin(async move {
            let plain = match opcode {
                Opcode::TEXT => words(len),
                _ => noise(len),
            };
            // Twice: the second may refer to the first.
            for _ in 0..2 {
                let frames = compressed(session, opcode, &plain, usize::MAX);
                session.send_all(frames).await;
                step!(session.echo_of(opcode, &plain).await);
            }
            session.close().await
        })
    })
    .sent(format!(
        "a compressed {opcode} message of {len} bytes, twice"
    ))
    .expected("the echoes, compressed or not")
}

fn in_fragments(piece: usize) -> Case {
    case(
        format!("deflate.fragments-of-{piece}"),
        DATA,
        move |session| {
            Box::pin(async move {
                let plain = "κόσμε and words, words, words 🦀 ".repeat(20);
                let frames = compressed(session, Opcode::TEXT, plain.as_bytes(), piece);
                session.send_all(frames).await;
                step!(session.echo_of(Opcode::TEXT, plain.as_bytes()).await);
                session.close().await
            })
        },
    )
    .sent(format!("a compressed text in fragments of {piece} bytes"))
    .expected("the echo of the whole")
}

/// The examples that the RFC prints, each a payload of its own.
const EXAMPLES: [(&str, &str, &[u8], &[u8]); 6] = [
    (
        "example-one-block",
        "RFC 7692 7.2.3.1",
        &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
        b"Hello",
    ),
    (
        "example-stored-block",
        "RFC 7692 7.2.3.3",
        &[
            0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00,
        ],
        b"Hello",
    ),
    (
        "example-final-block",
        "RFC 7692 7.2.3.4",
        &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
        b"Hello",
    ),
    (
        "example-two-blocks",
        "RFC 7692 7.2.3.5",
        &[
            0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00,
        ],
        b"Hello",
    ),
    ("example-empty", "RFC 7692 7.2.3.6", &[0x00], b""),
    (
        "example-empty-fixed-block",
        "RFC 7692 7.2.3.6",
        &[0x02, 0x00],
        b"",
    ),
];

fn examples() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, section, payload, plain) in EXAMPLES {
        cases.push(
            case(format!("deflate.{name}"), section, move |session| {
                Box::pin(async move {
                    session
                        .send(Frame::new(Opcode::TEXT, payload).rsv(RSV1))
                        .await;
                    step!(session.echo_of(Opcode::TEXT, plain).await);
                    session.close().await
                })
            })
            .sent("a compressed text as the RFC prints it")
            .expected(format!("the echo {:?}", String::from_utf8_lossy(plain))),
        );
    }
    cases.push(
        case(
            "deflate.example-in-two-fragments",
            "RFC 7692 7.2.3.1",
            |session| {
                Box::pin(async move {
                    let first = Frame::new(Opcode::TEXT, [0xf2, 0x48, 0xcd]).rsv(RSV1);
                    session.send(first.unfinished()).await;
                    let rest = [0xc9, 0xc9, 0x07, 0x00];
                    session.send(Frame::new(Opcode::CONTINUATION, rest)).await;
                    step!(session.echo_of(Opcode::TEXT, b"Hello").await);
                    session.close().await
                })
            },
        )
        .sent("the RFC's \"Hello\" in two fragments, RSV1 on the first")
        .expected("the echo"),
    );
    cases.push(
        case(
            "deflate.example-shared-window",
            "RFC 7692 7.2.3.2",
            |session| {
                Box::pin(async move {
                    if !session.may_refer_back() {
                        let why = "the sender has no context takeover here";
                        return Outcome::Skip(why.to_owned());
                    }
                    for payload in [
                        &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00][..],
                        &[0xf2, 0x00, 0x11, 0x00, 0x00],
                    ] {
                        session
                            .send(Frame::new(Opcode::TEXT, payload).rsv(RSV1))
                            .await;
                        step!(session.echo_of(Opcode::TEXT, b"Hello").await);
                    }
                    session.close().await
                })
            },
        )
        .sent("the RFC's \"Hello\" twice, the second referring to the first")
        .expected("the echo, twice"),
    );
    cases.push(
        case("deflate.no-bytes-at-all", DATA, |session| {
            Box::pin(async move {
                session.send(Frame::new(Opcode::TEXT, "").rsv(RSV1)).await;
                step!(session.echo_of(Opcode::TEXT, b"").await);
                session.close().await
            })
        })
        .level(Level::Info)
        .sent("a compressed text without a byte of payload")
        .expected("the echo of an empty text: the tail alone is a block"),
    );
    cases
}

fn reserved_bits() -> Vec<Case> {
    let wrong = |name: &str, what: &'static str, frames: fn() -> Vec<Frame>| {
        case(format!("deflate.{name}"), "RFC 7692 6", move |session| {
            Box::pin(async move {
                step!(session.is_alive().await);
                session.send_all(frames()).await;
                session.fails_with(&[1002]).await
            })
        })
        .sent(what)
        .expected("the connection fails with 1002")
    };
    vec![
        wrong(
            "rsv1-on-continuation",
            "RSV1 on a continuation frame",
            || {
                vec![
                    Frame::new(Opcode::TEXT, "a").unfinished(),
                    Frame::new(Opcode::CONTINUATION, "b").rsv(RSV1),
                ]
            },
        ),
        wrong(
            "rsv1-on-both-fragments",
            "RSV1 on the first fragment and on the second",
            || {
                vec![
                    Frame::new(Opcode::TEXT, [0xf2, 0x48])
                        .rsv(RSV1)
                        .unfinished(),
                    Frame::new(Opcode::CONTINUATION, [0xcd, 0xc9, 0xc9, 0x07, 0x00]).rsv(RSV1),
                ]
            },
        ),
        wrong("rsv1-on-ping", "RSV1 on a Ping", || {
            vec![Frame::new(Opcode::PING, "x").rsv(RSV1)]
        }),
        wrong("rsv1-on-close", "RSV1 on a Close frame", || {
            vec![Frame::close(1000, "").rsv(RSV1)]
        }),
        wrong("rsv2-beside", "RSV1 and RSV2 on a compressed text", || {
            vec![Frame::new(Opcode::TEXT, EXAMPLES[0].2).rsv(RSV1 | 0b010)]
        }),
        wrong("rsv3-beside", "RSV1 and RSV3 on a compressed text", || {
            vec![Frame::new(Opcode::TEXT, EXAMPLES[0].2).rsv(RSV1 | 0b001)]
        }),
        case("deflate.own-bits", "RFC 7692 6", |session| {
            Box::pin(own_bits(session))
        })
        .sent("a text that is well compressed, a Ping")
        .expected("RSV1 on the first frame of a compressed answer alone, and on no other frame"),
    ]
}

async fn own_bits(session: &mut Session) -> Outcome {
    let plain = words(200_000);
    let frames = compressed(session, Opcode::TEXT, &plain, usize::MAX);
    session.send_all(frames).await;
    step!(session.echo_of(Opcode::TEXT, &plain).await);
    session.send(Frame::new(Opcode::PING, "p")).await;
    step!(session.close().await);
    for frame in session.take_frames() {
        let is_first = matches!(frame.opcode, Opcode::TEXT | Opcode::BINARY);
        if frame.rsv & 0b011 != 0 || (frame.rsv != 0 && !is_first) {
            let (bits, opcode) = (frame.rsv, frame.opcode);
            return Outcome::Fail(format!(
                "expected no reserved bits on {opcode}, got {bits:03b}"
            ));
        }
    }
    Outcome::Pass
}

/// Messages of all kinds in one connection.
fn mixed() -> Vec<Case> {
    vec![
        case("deflate.plain-between", "RFC 7692 6", |session| {
            Box::pin(async move {
                for round in 0..3 {
                    let plain = words(100 + round);
                    let frames = compressed(session, Opcode::TEXT, &plain, usize::MAX);
                    session.send_all(frames).await;
                    step!(session.echo_of(Opcode::TEXT, &plain).await);
                    session.send(Frame::new(Opcode::TEXT, plain.clone())).await;
                    step!(session.echo_of(Opcode::TEXT, &plain).await);
                }
                session.close().await
            })
        })
        .sent("compressed messages and plain ones in turns")
        .expected("the echo of each"),
        case("deflate.ping-between-fragments", DATA, |session| {
            Box::pin(async move {
                let plain = words(500);
                let mut frames = compressed(session, Opcode::TEXT, &plain, 10);
                let rest = frames.split_off(1);
                session.send_all(frames).await;
                session.send(Frame::new(Opcode::PING, "between")).await;
                let answered = session.pong_before(b"between", rest).await;
                if let Outcome::Fail(_) = answered {
                    return answered;
                }
                step!(session.echo_of(Opcode::TEXT, &plain).await);
                step!(session.close().await);
                answered
            })
        })
        .sent("a compressed text in fragments with a Ping between them")
        .expected("the Pong, then the echo"),
        case("deflate.hundreds", DATA, |session| {
            Box::pin(async move {
                for number in 0..300 {
                    let plain = match number % 3 {
                        0 => words(number * 7),
                        1 => format!("{{\"number\":{number},\"text\":\"again and again\"}}").into(),
                        _ => noise(number).iter().map(|byte| byte & 0x7F).collect(),
                    };
                    let frames = compressed(session, Opcode::TEXT, &plain, usize::MAX);
                    session.send_all(frames).await;
                    step!(session.echo_of(Opcode::TEXT, &plain).await);
                }
                session.close().await
            })
        })
        .sent("300 compressed messages that refer to those before where they may")
        .expected("the echo of each"),
        case("deflate.far-back", "RFC 7692 7.1.2", |session| {
            Box::pin(async move {
                // The second half lies as far back as a window of 32 KiB reaches.
                let half = noise(30_000);
                for _ in 0..3 {
                    let frames = compressed(session, Opcode::BINARY, &half, usize::MAX);
                    session.send_all(frames).await;
                    step!(session.echo_of(Opcode::BINARY, &half).await);
                }
                session.close().await
            })
        })
        .sent("30,000 bytes of noise three times, the later ones referring far back where they may")
        .expected("the echo of each"),
        case("deflate.chopped", DATA, |session| {
            Box::pin(async move {
                let plain = words(3000);
                let frames = compressed(session, Opcode::TEXT, &plain, usize::MAX);
                session.send_chopped(frames, 1).await;
                step!(session.echo_of(Opcode::TEXT, &plain).await);
                session.close().await
            })
        })
        .sent("a compressed text, a byte at a time")
        .expected("the echo"),
    ]
}

/// Data that is wrong.
fn broken() -> Vec<Case> {
    let invalid = |name: &str, what: &'static str, payload: &'static [u8]| {
        case(format!("deflate.{name}"), DATA, move |session| {
            Box::pin(async move {
                step!(session.is_alive().await);
                session
                    .send(Frame::new(Opcode::BINARY, payload).rsv(RSV1))
                    .await;
                session.fails_with(&[1002, 1007]).await
            })
        })
        .sent(what)
        .expected("the connection fails with 1002 or 1007")
    };
    vec![
        invalid("invalid-data", "bytes that are no DEFLATE", &[0xFF; 16]),
        invalid(
            "invalid-block-type",
            "a block of the reserved type",
            &[0x06, 0, 0],
        ),
        invalid(
            "invalid-stored-length",
            "a stored block whose length and its complement disagree",
            &[0x00, 0x05, 0x00, 0x00, 0x00, 1, 2, 3, 4, 5],
        ),
        invalid(
            "invalid-distance",
            "a reference to before the first byte",
            &[0x4A, 0x04, 0xF0, 0x07, 0x00],
        )
        .level(Level::Info),
        case("deflate.invalid-utf8", "RFC 6455 8.1", |session| {
            Box::pin(async move {
                step!(session.is_alive().await);
                let frames = compressed(session, Opcode::TEXT, b"not \xF0\x28 text", usize::MAX);
                session.send_all(frames).await;
                session.fails_with(&[1007]).await
            })
        })
        .sent("a compressed text that is not UTF-8 once it is inflated")
        .expected("the connection fails with 1007"),
        case("deflate.invalid-then-nothing", DATA, |session| {
            Box::pin(async move {
                step!(session.is_alive().await);
                let bad = Frame::new(Opcode::BINARY, [0xFF; 16]).rsv(RSV1);
                session
                    .send_all(vec![bad, Frame::new(Opcode::TEXT, "late")])
                    .await;
                match session.fails_with(&[1002, 1007]).await {
                    Outcome::Fail(why) => Outcome::Fail(why),
                    outcome => match session.hear().await {
                        Heard::Item(item) if !item.opcode.is_control() => {
                            let why = "a message was echoed after the connection had failed";
                            Outcome::Fail(why.to_owned())
                        }
                        _ => outcome,
                    },
                }
            })
        })
        .sent("invalid data and a plain message in one write")
        .expected("the connection fails; the message is not echoed"),
    ]
}
