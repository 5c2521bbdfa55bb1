//! The bits of a frame's header (RFC 6455 section 5.2), and masking (5.1, 5.3).

use crate::check::case::Case;
use crate::check::expect::step;
use crate::check::log::describe;
use crate::check::outcome::Outcome;
use crate::check::session::{Playing, Session};
use crate::wire::{Frame, LengthForm, Opcode};

/// Protocol errors.
const PROTOCOL: &[u16] = &[1002];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (bits, name) in [
        (0b100, "rsv1"),
        (0b010, "rsv2"),
        (0b001, "rsv3"),
        (0b111, "rsv-all"),
    ] {
        for (opcode, on) in [
            (Opcode::TEXT, "text"),
            (Opcode::BINARY, "binary"),
            (Opcode::PING, "ping"),
            (Opcode::CLOSE, "close"),
        ] {
            cases.push(reserved_bits(bits, name, opcode, on));
        }
        cases.push(reserved_bits_on_a_continuation(bits, name));
    }
    for opcode in (0x3..=0x7).chain(0xB..=0xF) {
        cases.push(reserved_opcode(opcode));
    }
    cases.push(wrongly_masked());
    cases.push(right_masking());
    cases.push(own_frames());
    cases.push(
        Case::talk("framing.mask-zero", "RFC 6455 5.3", |session| {
            Box::pin(masking_key_of_zeros(session))
        })
        .sent("text masked with the key 00 00 00 00, where the tester is the client")
        .expected("the echo: any key is one"),
    );
    cases.push(
        Case::talk("framing.mask-every-offset", "RFC 6455 5.3", |session| {
            Box::pin(masks_of_every_length(session))
        })
        .sent("binary messages of 0 to 32 bytes of changing values")
        .expected("each is echoed as it was"),
    );
    cases
}

fn reserved_bits(bits: u8, name: &str, opcode: Opcode, on: &str) -> Case {
    let payload: &[u8] = if opcode == Opcode::CLOSE {
        &[3, 0xE8]
    } else {
        b"reserved"
    };
    Case::talk(
        format!("framing.{name}-{on}"),
        "RFC 6455 5.2",
        move |session| {
            Box::pin(async move {
                // What came before must be good.
                step!(session.is_alive().await);
                session.send(Frame::new(opcode, payload).rsv(bits)).await;
                session.fails_with(PROTOCOL).await
            })
        },
    )
    .sent(format!(
        "a {opcode} frame with the reserved bits {bits:03b}, no extension agreed on"
    ))
    .expected("the connection fails with 1002")
}

fn reserved_bits_on_a_continuation(bits: u8, name: &str) -> Case {
    let id = format!("framing.{name}-continuation");
    Case::talk(id, "RFC 6455 5.2", move |session| {
        Box::pin(async move {
            session
                .send(Frame::new(Opcode::TEXT, "a").unfinished())
                .await;
            session
                .send(Frame::new(Opcode::CONTINUATION, "b").rsv(bits))
                .await;
            session.fails_with(PROTOCOL).await
        })
    })
    .sent(format!(
        "a continuation frame with the reserved bits {bits:03b}"
    ))
    .expected("the connection fails with 1002")
}

fn reserved_opcode(opcode: u8) -> Case {
    Case::talk(
        format!("framing.opcode-{opcode:x}"),
        "RFC 6455 5.2",
        move |session| {
            Box::pin(async move {
                step!(session.is_alive().await);
                session.send(Frame::new(Opcode(opcode), "reserved")).await;
                session.fails_with(PROTOCOL).await
            })
        },
    )
    .sent(format!("a frame with the reserved opcode 0x{opcode:X}"))
    .expected("the connection fails with 1002")
}

fn wrongly_masked() -> Case {
    Case::talk("framing.mask-wrong", "RFC 6455 5.1", |session| {
        Box::pin(async move {
            step!(session.is_alive().await);
            let frame = Frame::new(Opcode::TEXT, "wrongly masked");
            let frame = match session.playing {
                Playing::Client => frame,
                Playing::Server => frame.masked([1, 2, 3, 4]),
            };
            session.send_as_it_is(frame).await;
            session.fails_with(PROTOCOL).await
        })
    })
    .sent("to a server a frame that is not masked, to a client one that is")
    .expected("the connection fails with 1002")
}

fn right_masking() -> Case {
    Case::talk("framing.mask-own", "RFC 6455 5.1", |session| {
        Box::pin(async move {
            session.send(Frame::new(Opcode::TEXT, "one")).await;
            step!(session.echo_of(Opcode::TEXT, b"one").await);
            session.send(Frame::new(Opcode::PING, "two")).await;
            step!(session.close().await);
            own_frames_are_masked_rightly(session)
        })
    })
    .sent("a message, a Ping and a Close frame")
    .expected("a server's answers are not masked, a client's are")
}

/// Whether the frames of the peer are masked as its role asks.
fn own_frames_are_masked_rightly(session: &mut Session) -> Outcome {
    let should = session.playing == Playing::Server;
    for frame in session.take_frames() {
        if frame.masking_key.is_some() != should {
            let opcode = frame.opcode;
            let (want, got) = if should { ("a", "none") } else { ("no", "one") };
            return Outcome::Fail(format!(
                "expected {want} masking key on {opcode}, got {got}"
            ));
        }
    }
    Outcome::Pass
}

/// Looks at the headers of all that the peer sends.
fn own_frames() -> Case {
    Case::talk("framing.own-frames", "RFC 6455 5.2", |session| {
        Box::pin(async move {
            for len in [0, 5, 200, 70_000] {
                let text = "x".repeat(len);
                session
                    .send(Frame::new(Opcode::TEXT, text.as_bytes()))
                    .await;
                step!(session.echo_of(Opcode::TEXT, text.as_bytes()).await);
            }
            session.send(Frame::new(Opcode::PING, "two")).await;
            step!(session.close().await);
            headers_are_good(&session.take_frames())
        })
    })
    .sent("messages of several sizes, a Ping and a Close frame")
    .expected(
        "frames without reserved bits, of known opcodes, with lengths as short as can be; \
         control frames final and of at most 125 bytes; fragments in order",
    )
}

fn headers_are_good(frames: &[Frame]) -> Outcome {
    let mut in_message = false;
    for frame in frames {
        let opcode = frame.opcode;
        let is_continuation = opcode == Opcode::CONTINUATION;
        let fault = if frame.rsv != 0 {
            Some("no reserved bits")
        } else if opcode.name().is_none() {
            Some("a known opcode")
        } else if frame.length_form != LengthForm::Minimal {
            Some("the shortest form of its length")
        } else if opcode.is_control() && (!frame.fin || frame.payload_len > 125) {
            Some("a control frame that is final and of at most 125 bytes")
        } else if !opcode.is_control() && is_continuation != in_message {
            Some("the fragments of a message one after the other")
        } else {
            None
        };
        if let Some(expected) = fault {
            let got = describe(frame);
            return Outcome::Fail(format!("expected {expected}, got {got}"));
        }
        if !opcode.is_control() {
            in_message = !frame.fin;
        }
    }
    Outcome::Pass
}

async fn masking_key_of_zeros(session: &mut Session) -> Outcome {
    let frame = Frame::new(Opcode::TEXT, "zeros");
    let frame = match session.playing {
        Playing::Client => frame.masked([0; 4]),
        Playing::Server => frame,
    };
    session.send_as_it_is(frame).await;
    session.echo_of(Opcode::TEXT, b"zeros").await
}

async fn masks_of_every_length(session: &mut Session) -> Outcome {
    for len in 0..=32_u8 {
        let data: Vec<u8> = (0..len).map(|at| at.wrapping_mul(37) ^ len).collect();
        session.send(Frame::new(Opcode::BINARY, data.clone())).await;
        step!(session.echo_of(Opcode::BINARY, &data).await);
    }
    session.close().await
}
