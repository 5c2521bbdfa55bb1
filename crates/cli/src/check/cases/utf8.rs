//! Text is UTF-8 (RFC 6455 sections 5.6 and 8.1, RFC 3629).

use crate::check::case::Case;
use crate::check::expect::step;
use crate::check::outcome::{Level, Outcome};
use crate::check::session::Session;
use crate::wire::{Frame, Opcode};

use super::fragment::fragments;

const SECTION: &str = "RFC 6455 8.1";

/// What ends a connection over text that is none.
const NOT_UTF8: &[u16] = &[1007];

/// Valid: the borders of each length, and code points that look forbidden.
const VALID: [(&str, &[u8]); 16] = [
    ("greek", "κόσμε".as_bytes()),
    ("mixed", "Hello-µ@ßöäüàá-UTF-8!! 漢字 𝒳 🦀".as_bytes()),
    ("nul", b"\0"),
    ("u7f", b"\x7F"),
    ("u80", b"\xC2\x80"),
    ("u7ff", b"\xDF\xBF"),
    ("u800", b"\xE0\xA0\x80"),
    ("ud7ff", b"\xED\x9F\xBF"),
    ("ue000", b"\xEE\x80\x80"),
    ("ufffd", b"\xEF\xBF\xBD"),
    ("noncharacter-ufffe", b"\xEF\xBF\xBE"),
    ("noncharacter-uffff", b"\xEF\xBF\xBF"),
    ("byte-order-mark", b"\xEF\xBB\xBFtext"),
    ("u10000", b"\xF0\x90\x80\x80"),
    ("uffff0", b"\xF3\xBF\xBF\xB0"),
    ("u10ffff", b"\xF4\x8F\xBF\xBF"),
];

/// Invalid, a sequence for each class.
const INVALID: [(&str, &[u8]); 30] = [
    ("stray-continuation-80", b"\x80"),
    ("stray-continuation-bf", b"\xBF"),
    ("stray-continuations", b"a\x80\x81\x82b"),
    ("lead-2-alone", b"\xC3"),
    ("lead-2-and-ascii", b"\xC3a"),
    ("lead-3-alone", b"\xE2"),
    ("lead-3-and-one", b"\xE2\x82"),
    ("lead-3-and-ascii", b"\xE2\x82a"),
    ("lead-4-alone", b"\xF0"),
    ("lead-4-and-one", b"\xF0\x9F"),
    ("lead-4-and-two", b"\xF0\x9F\x98"),
    ("lead-4-and-ascii", b"\xF0\x9F\x98a"),
    ("two-leads", b"\xC3\xC3\xA4"),
    ("overlong-2-nul", b"\xC0\x80"),
    ("overlong-2-slash", b"\xC0\xAF"),
    ("overlong-2-u7f", b"\xC1\xBF"),
    ("overlong-3-nul", b"\xE0\x80\x80"),
    ("overlong-3-u7ff", b"\xE0\x9F\xBF"),
    ("overlong-4-nul", b"\xF0\x80\x80\x80"),
    ("overlong-4-uffff", b"\xF0\x8F\xBF\xBF"),
    ("surrogate-ud800", b"\xED\xA0\x80"),
    ("surrogate-udfff", b"\xED\xBF\xBF"),
    ("surrogate-pair", b"\xED\xA0\xBD\xED\xB8\x80"),
    ("above-u10ffff", b"\xF4\x90\x80\x80"),
    ("lead-f5", b"\xF5\x80\x80\x80"),
    ("five-bytes", b"\xF8\x88\x80\x80\x80"),
    ("six-bytes", b"\xFC\x84\x80\x80\x80\x80"),
    ("byte-fe", b"\xFE"),
    ("byte-ff", b"\xFF"),
    ("latin-1", b"caf\xE9 au lait"),
];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, text) in VALID {
        cases.push(valid(name, text));
        cases.push(valid_in_fragments(name, text));
    }
    cases.push(
        Case::talk("utf8.valid-chopped", SECTION, |session| {
            Box::pin(async move {
                let text = VALID[1].1;
                session
                    .send_chopped(vec![Frame::new(Opcode::TEXT, text)], 1)
                    .await;
                step!(session.echo_of(Opcode::TEXT, text).await);
                session.close().await
            })
        })
        .sent("text of one to four bytes a character, a byte at a time")
        .expected("the echo"),
    );
    for (name, text) in INVALID {
        cases.push(invalid(name, text));
        cases.push(invalid_in_fragments(name, text));
    }
    cases.push(cut_off_by_the_end());
    cases.push(
        Case::talk("utf8.not-for-binary", "RFC 6455 5.6", |session| {
            Box::pin(async move {
                let data: Vec<u8> = (0..=255).collect();
                session.send(Frame::new(Opcode::BINARY, data.clone())).await;
                step!(session.echo_of(Opcode::BINARY, &data).await);
                session.close().await
            })
        })
        .sent("a binary message of all 256 bytes")
        .expected("the echo: binary is not UTF-8"),
    );
    cases.extend(fail_fast());
    cases
}

fn valid(name: &str, text: &'static [u8]) -> Case {
    Case::talk(format!("utf8.valid-{name}"), SECTION, move |session| {
        Box::pin(async move {
            session.send(Frame::new(Opcode::TEXT, text)).await;
            step!(session.echo_of(Opcode::TEXT, text).await);
            session.close().await
        })
    })
    .sent(format!("the text {:?}", String::from_utf8_lossy(text)))
    .expected("the echo")
}

fn valid_in_fragments(name: &str, text: &'static [u8]) -> Case {
    Case::talk(format!("utf8.split-{name}"), SECTION, move |session| {
        Box::pin(async move {
            let bytes: Vec<&[u8]> = text.chunks(1).collect();
            session.send_all(fragments(Opcode::TEXT, &bytes)).await;
            step!(session.echo_of(Opcode::TEXT, text).await);
            session.close().await
        })
    })
    .sent(format!(
        "the text {:?} in fragments of a byte, within the characters",
        String::from_utf8_lossy(text)
    ))
    .expected("the echo")
}

fn hex(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(" ")
}

fn invalid(name: &str, text: &'static [u8]) -> Case {
    Case::talk(format!("utf8.invalid-{name}"), SECTION, move |session| {
        Box::pin(async move {
            step!(session.is_alive().await);
            session.send(Frame::new(Opcode::TEXT, text)).await;
            session.fails_with(NOT_UTF8).await
        })
    })
    .sent(format!("the text {}, which is not UTF-8", hex(text)))
    .expected("the connection fails with 1007")
}

fn invalid_in_fragments(name: &str, text: &'static [u8]) -> Case {
    Case::talk(
        format!("utf8.invalid-split-{name}"),
        SECTION,
        move |session| {
            Box::pin(async move {
                step!(session.is_alive().await);
                let bytes: Vec<&[u8]> = text.chunks(1).collect();
                let mut parts: Vec<&[u8]> = vec![b"before "];
                parts.extend(bytes);
                session.send_all(fragments(Opcode::TEXT, &parts)).await;
                session.fails_with(NOT_UTF8).await
            })
        },
    )
    .sent(format!("the text {} in fragments of a byte", hex(text)))
    .expected("the connection fails with 1007")
}

fn cut_off_by_the_end() -> Case {
    Case::talk("utf8.cut-off-by-empty-fragment", SECTION, |session| {
        Box::pin(async move {
            step!(session.is_alive().await);
            session
                .send_all(fragments(Opcode::TEXT, &[b"a\xE2\x82", b""]))
                .await;
            session.fails_with(NOT_UTF8).await
        })
    })
    .sent("text that ends within a character, by an empty last fragment")
    .expected("the connection fails with 1007")
}

/// Invalid text is noticed before the message is whole.
fn fail_fast() -> Vec<Case> {
    let after_fragment = Case::talk("utf8.fail-fast-fragment", SECTION, |session| {
        Box::pin(async move {
            step!(session.is_alive().await);
            let first = Frame::new(Opcode::TEXT, b"bad \xF4\x90\x80\x80".to_vec());
            session.send(first.unfinished()).await;
            fails_before_the_rest(session, vec![Frame::new(Opcode::CONTINUATION, "x")]).await
        })
    })
    .level(Level::Should)
    .sent("a first fragment that is not UTF-8; the rest once nothing was heard")
    .expected("the connection fails with 1007 before the message is whole");
    let within_frame = Case::talk("utf8.fail-fast-frame", SECTION, |session| {
        Box::pin(async move {
            step!(session.is_alive().await);
            let frame = Frame::new(Opcode::TEXT, b"bad \xFF, and then more of it".to_vec());
            let bytes = session.proper(frame).encode();
            let (start, rest) = bytes.split_at(bytes.len() - 8);
            session.send_bytes("the start of a text frame", start).await;
            match session.fails_with(NOT_UTF8).await {
                Outcome::Fail(_) => {
                    session.send_bytes("the rest of it", rest).await;
                    late(session.fails_with(NOT_UTF8).await)
                }
                outcome => outcome,
            }
        })
    })
    .level(Level::Info)
    .sent("the part of a frame that shows that its text is not UTF-8, then the rest")
    .expected("the connection fails with 1007 before the frame is whole");
    let cut_character = Case::talk("utf8.fail-fast-cut-character", SECTION, |session| {
        Box::pin(async move {
            step!(session.is_alive().await);
            // F4 90 can begin no character, whatever follows.
            let first = Frame::new(Opcode::TEXT, b"bad \xF4\x90".to_vec());
            session.send(first.unfinished()).await;
            let rest = Frame::new(Opcode::CONTINUATION, b"\x80\x80".to_vec());
            fails_before_the_rest(session, vec![rest]).await
        })
    })
    .level(Level::Info)
    .sent("a first fragment that ends in F4 90, which begins no character")
    .expected("the connection fails with 1007 before the character is whole");
    vec![after_fragment, within_frame, cut_character]
}

async fn fails_before_the_rest(session: &mut Session, rest: Vec<Frame>) -> Outcome {
    match session.fails_with(NOT_UTF8).await {
        Outcome::Fail(_) => {
            session.send_all(rest).await;
            late(session.fails_with(NOT_UTF8).await)
        }
        outcome => outcome,
    }
}

/// That it fails is a MUST, that it does so early is not.
fn late(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Pass | Outcome::Lenient(_) => {
            Outcome::Lenient("the text was refused only once it was whole".to_owned())
        }
        outcome => outcome,
    }
}
