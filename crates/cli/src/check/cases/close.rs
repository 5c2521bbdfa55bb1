//! The closing handshake (RFC 6455 sections 5.5.1, 7.1 and 7.4).

use crate::check::case::Case;
use crate::check::expect::step;
use crate::check::outcome::{Level, Outcome};
use crate::check::session::{Heard, Session};
use crate::wire::{Frame, Opcode};

/// Codes an endpoint may send: section 7.4.1, those registered since (1012 to
/// 1014), and the two ranges for libraries and programs.
const VALID: [u16; 19] = [
    1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3001, 3999, 4000,
    4001, 4500, 4999,
];

/// Codes that must not be on a wire: below 1000, reserved ones (1004, 1005, 1006,
/// 1015), those without a meaning, and above 4999.
const INVALID: [u16; 16] = [
    0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 5001, 32_768, 65_535,
];

/// Protocol errors.
const PROTOCOL: &[u16] = &[1002];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    cases.push(
        Case::talk("close.without-code", "RFC 6455 5.5.1", |session| {
            Box::pin(async move {
                session.send(Frame::new(Opcode::CLOSE, "")).await;
                session.answers_close(None).await
            })
        })
        .sent("a Close frame without a code")
        .expected("a Close frame in answer, and the end of the stream"),
    );
    for code in VALID {
        cases.push(valid_code(code));
    }
    for code in INVALID {
        cases.push(invalid_code(code));
    }
    let reasons: [(&str, String); 4] = [
        ("empty", String::new()),
        ("ascii", "going home".to_owned()),
        ("unicode", "κόσμε 🦀".to_owned()),
        ("123-bytes", "x".repeat(123)),
    ];
    for (name, reason) in reasons {
        cases.push(reason_case(name, reason));
    }
    cases.extend(malformed());
    cases.extend(after_close());
    cases
}

fn valid_code(code: u16) -> Case {
    Case::talk(
        format!("close.code-{code}"),
        "RFC 6455 7.4",
        move |session| {
            Box::pin(async move {
                step!(session.is_alive().await);
                session.send(Frame::close(code, "because")).await;
                session.answers_close(Some(code)).await
            })
        },
    )
    .sent(format!("a Close frame with the code {code}"))
    .expected("the same code in answer, and the end of the stream")
}

fn invalid_code(code: u16) -> Case {
    let level = match code {
        // Section 7.4.2 reserves them; what comes of one is left open.
        1016..=2999 | 5000.. => Level::Should,
        _ => Level::Must,
    };
    Case::talk(
        format!("close.invalid-code-{code}"),
        "RFC 6455 7.4",
        move |session| {
            Box::pin(async move {
                step!(session.is_alive().await);
                session.send(Frame::close(code, "")).await;
                match session.fails_with(PROTOCOL).await {
                    // To answer with the code it got is to take it.
                    Outcome::Lenient(why) if why.contains(&format!("Close frame {code} ")) => {
                        Outcome::Fail(why)
                    }
                    Outcome::Lenient(why) if why.contains("Close frame 1000 ") => {
                        Outcome::Fail(why)
                    }
                    outcome => outcome,
                }
            })
        },
    )
    .level(level)
    .sent(format!(
        "a Close frame with the code {code}, which must not be sent"
    ))
    .expected("the connection fails with 1002")
}

fn reason_case(name: &str, reason: String) -> Case {
    let len = reason.len();
    Case::talk(
        format!("close.reason-{name}"),
        "RFC 6455 5.5.1",
        move |session| {
            let reason = reason.clone();
            Box::pin(async move {
                session.send(Frame::close(1000, &reason)).await;
                session.answers_close(Some(1000)).await
            })
        },
    )
    .sent(format!("a Close frame with a reason of {len} bytes"))
    .expected("a Close frame in answer, and the end of the stream")
}

fn malformed() -> Vec<Case> {
    let one_byte = Case::talk("close.one-byte", "RFC 6455 5.5.1", |session| {
        Box::pin(async move {
            step!(session.is_alive().await);
            session.send(Frame::new(Opcode::CLOSE, [3])).await;
            session.fails_with(PROTOCOL).await
        })
    })
    .sent("a Close frame of one byte, half a code")
    .expected("the connection fails with 1002");
    let invalid_reason = |name: &str, reason: &'static [u8]| {
        Case::talk(
            format!("close.reason-{name}"),
            "RFC 6455 5.5.1",
            move |session| {
                Box::pin(async move {
                    step!(session.is_alive().await);
                    let mut payload = 1000_u16.to_be_bytes().to_vec();
                    payload.extend_from_slice(reason);
                    session.send(Frame::new(Opcode::CLOSE, payload)).await;
                    match session.fails_with(&[1007, 1002]).await {
                        Outcome::Lenient(why) if why.contains("Close frame 1000 ") => {
                            Outcome::Fail(why)
                        }
                        outcome => outcome,
                    }
                })
            },
        )
        .sent("a Close frame whose reason is not UTF-8")
        .expected("the connection fails with 1007 (or 1002)")
    };
    vec![
        one_byte,
        invalid_reason("not-utf8", b"bad \xFF"),
        invalid_reason("surrogate", b"bad \xED\xA0\x80"),
        invalid_reason("cut-off", b"bad \xE2\x82"),
    ]
}

/// What comes behind a Close frame is of no account.
fn after_close() -> Vec<Case> {
    let behind = |name: &str, what: &'static str, frames: Vec<Frame>| {
        Case::talk(
            format!("close.then-{name}"),
            "RFC 6455 5.5.1",
            move |session| {
                let mut all = vec![Frame::close(1000, "")];
                all.extend(frames.iter().cloned());
                Box::pin(async move {
                    session.send_all(all).await;
                    only_the_close_frame(session).await
                })
            },
        )
        .sent(format!("a Close frame and, in the same write, {what}"))
        .expected("one Close frame in answer and nothing else")
    };
    vec![
        behind(
            "text",
            "a text message",
            vec![Frame::new(Opcode::TEXT, "late")],
        ),
        behind("ping", "a Ping", vec![Frame::new(Opcode::PING, "late")]),
        behind("close", "another Close frame", vec![Frame::close(1001, "")]),
        behind(
            "garbage",
            "a frame with reserved bits",
            vec![Frame::new(Opcode(0x3), "late").rsv(0b111)],
        ),
        Case::talk("close.answers-come-first", "RFC 6455 5.5.1", |session| {
            Box::pin(async move {
                let frames = vec![
                    Frame::new(Opcode::TEXT, "one"),
                    Frame::new(Opcode::TEXT, "two"),
                    Frame::close(1000, ""),
                ];
                session.send_all(frames).await;
                step!(session.echo_of(Opcode::TEXT, b"one").await);
                step!(session.echo_of(Opcode::TEXT, b"two").await);
                session.answers_close(Some(1000)).await
            })
        })
        // The Close frame SHOULD be answered as soon as practical: at once is right
        // too.
        .level(Level::Info)
        .sent("two messages and a Close frame in one write")
        .expected("two echoes, then the Close frame; or the Close frame at once"),
        Case::talk("close.chopped", "RFC 6455 5.5.1", |session| {
            Box::pin(async move {
                session
                    .send_chopped(vec![Frame::close(1000, "in pieces")], 1)
                    .await;
                session.answers_close(Some(1000)).await
            })
        })
        .sent("a Close frame, a byte at a time")
        .expected("a Close frame in answer, and the end of the stream"),
        Case::talk("close.stream-ends", "RFC 6455 7.1.5", |session| {
            Box::pin(async move {
                step!(session.is_alive().await);
                session.hang_up().await;
                ends_too(session).await
            })
        })
        .level(Level::Should)
        .sent("the end of the stream, without a Close frame")
        .expected("the end of the peer's stream too"),
        Case::talk(
            "close.stream-ends-within-frame",
            "RFC 6455 7.1.5",
            |session| {
                Box::pin(async move {
                    step!(session.is_alive().await);
                    let bytes = session
                        .proper(Frame::new(Opcode::TEXT, "half a frame"))
                        .encode();
                    let half = &bytes[..bytes.len() - 5];
                    session.send_bytes("half a frame", half).await;
                    session.hang_up().await;
                    ends_too(session).await
                })
            },
        )
        .level(Level::Should)
        .sent("half a frame, then the end of the stream")
        .expected("the end of the peer's stream; nothing of the message"),
    ]
}

async fn only_the_close_frame(session: &mut Session) -> Outcome {
    match session.hear().await {
        Heard::Item(item) if item.opcode == Opcode::CLOSE => session.ends_after_close().await,
        heard => Outcome::Fail(format!("expected a Close frame, got {}", heard.shown())),
    }
}

/// The peer may say farewell, then its stream ends.
async fn ends_too(session: &mut Session) -> Outcome {
    loop {
        match session.hear().await {
            Heard::End | Heard::Reset(_) => return Outcome::Pass,
            Heard::Item(item) if item.opcode.is_control() => {}
            heard => {
                let got = heard.shown();
                return Outcome::Fail(format!("expected the end of the stream, got {got}"));
            }
        }
    }
}
