//! What a server agrees to (RFC 7692 sections 5 and 7.1).

use crate::check::case::Case;
use crate::check::expect::step;
use crate::check::outcome::{Level, Outcome};
use crate::check::server::{Server, Unopened};
use crate::check::session::{Heard, Session};
use crate::wire::{Frame, Opcode};

use super::deflate::{RSV1, noise};

const PARAMETERS: &str = "RFC 7692 7.1";

const FIELD: &str = "Sec-WebSocket-Extensions";

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, offer) in DECLINED {
        cases.push(declined(name, offer));
    }
    for (name, offer) in TAKEN {
        cases.push(taken(name, offer));
    }
    for bits in 8..=15 {
        cases.push(server_window(bits));
    }
    cases.push(server_no_context());
    cases
}

/// Offers that a server has to decline.
const DECLINED: [(&str, &str); 15] = [
    ("unknown-parameter", "permessage-deflate; longwire"),
    (
        "unknown-parameter-with-value",
        "permessage-deflate; longwire=1",
    ),
    (
        "server-context-with-value",
        "permessage-deflate; server_no_context_takeover=1",
    ),
    (
        "client-context-with-value",
        "permessage-deflate; client_no_context_takeover=true",
    ),
    (
        "server-context-twice",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
    ),
    (
        "client-window-twice",
        "permessage-deflate; client_max_window_bits=10; client_max_window_bits=10",
    ),
    (
        "server-window-without-value",
        "permessage-deflate; server_max_window_bits",
    ),
    (
        "server-window-7",
        "permessage-deflate; server_max_window_bits=7",
    ),
    (
        "server-window-16",
        "permessage-deflate; server_max_window_bits=16",
    ),
    (
        "server-window-08",
        "permessage-deflate; server_max_window_bits=08",
    ),
    (
        "server-window-word",
        "permessage-deflate; server_max_window_bits=max",
    ),
    (
        "server-window-negative",
        "permessage-deflate; server_max_window_bits=-10",
    ),
    (
        "client-window-7",
        "permessage-deflate; client_max_window_bits=7",
    ),
    (
        "client-window-16",
        "permessage-deflate; client_max_window_bits=16",
    ),
    (
        "client-window-010",
        "permessage-deflate; client_max_window_bits=010",
    ),
];

/// Offers that a server with the extension may well take.
const TAKEN: [(&str, &str); 10] = [
    ("plain", "permessage-deflate"),
    (
        "client-window",
        "permessage-deflate; client_max_window_bits",
    ),
    (
        "client-window-10",
        "permessage-deflate; client_max_window_bits=10",
    ),
    (
        "client-context",
        "permessage-deflate; client_no_context_takeover",
    ),
    (
        "both-contexts",
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    ),
    (
        "quoted-value",
        "permessage-deflate; client_max_window_bits=\"12\"",
    ),
    (
        "spaces",
        "permessage-deflate ;  client_no_context_takeover ; server_no_context_takeover",
    ),
    (
        "second-choice",
        "permessage-deflate; server_max_window_bits=99, permessage-deflate",
    ),
    (
        "behind-an-unknown-one",
        "x-longwire-check, permessage-deflate; client_max_window_bits",
    ),
    (
        "all-parameters",
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
         server_max_window_bits=12; client_max_window_bits=12",
    ),
];

/// A session with this offer; the extension that was agreed on.
async fn open(server: &Server, offer: &str) -> Result<(Session, Option<String>), Unopened> {
    let session = server.open(Some(offer)).await?;
    let agreed: Vec<&str> = session.head.all(FIELD).collect();
    let agreed = (!agreed.is_empty()).then(|| agreed.join(", "));
    Ok((session, agreed))
}

fn declined(name: &str, offer: &'static str) -> Case {
    Case::server(
        format!("agreement.declines-{name}"),
        PARAMETERS,
        move |server| {
            Box::pin(async move {
                match open(server, offer).await {
                    Ok((mut session, None)) => {
                        let outcome = session.is_alive().await;
                        server.keep_log(session.log);
                        outcome
                    }
                    Ok((session, Some(agreed))) => {
                        server.keep_log(session.log);
                        Outcome::Fail(format!("expected no extension, got {agreed:?}"))
                    }
                    Err(Unopened::Refused(head)) => Outcome::Lenient(format!(
                        "expected 101 without the extension, got {}",
                        head.first_line
                    )),
                    Err(unopened) => unopened.into(),
                }
            })
        },
    )
    .sent(format!("the offer {offer}"))
    .expected("101 without the extension")
}

fn taken(name: &str, offer: &'static str) -> Case {
    Case::server(
        format!("agreement.takes-{name}"),
        PARAMETERS,
        move |server| {
            Box::pin(async move {
                let (mut session, agreed) = match open(server, offer).await {
                    Ok(opened) => opened,
                    Err(unopened) => return unopened.into(),
                };
                let outcome = match agreed {
                    None => Outcome::Skip("the server did not agree to compression".to_owned()),
                    Some(agreed) => match answers(offer, &agreed) {
                        Ok(()) => compressed_echo(&mut session).await,
                        Err(why) => Outcome::Fail(why),
                    },
                };
                server.keep_log(session.log);
                outcome
            })
        },
    )
    .sent(format!("the offer {offer}"))
    .expected("an answer that fits the offer, and compressed messages echoed")
}

/// Whether what was agreed on may be said to this offer (section 7.1).
fn answers(offer: &str, agreed: &str) -> Result<(), String> {
    let mut parts = agreed.split(';').map(str::trim);
    if parts.next() != Some("permessage-deflate") || agreed.contains(',') {
        return Err(format!("expected permessage-deflate, got {agreed:?}"));
    }
    let mut seen: Vec<&str> = Vec::new();
    for part in parts {
        let (name, value) = match part.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim().trim_matches('"'))),
            None => (part, None),
        };
        let bits = value.and_then(|value| value.parse::<u8>().ok());
        let has_good_bits = bits.is_some_and(|bits| (8..=15).contains(&bits));
        let is_good = match name {
            "server_no_context_takeover" | "client_no_context_takeover" => value.is_none(),
            "server_max_window_bits" => has_good_bits,
            "client_max_window_bits" => has_good_bits && offer.contains("client_max_window_bits"),
            _ => false,
        };
        if !is_good || seen.contains(&name) {
            return Err(format!(
                "expected parameters that fit the offer, got {agreed:?}"
            ));
        }
        seen.push(name);
    }
    Ok(())
}

async fn compressed_echo(session: &mut Session) -> Outcome {
    for round in 0..3 {
        let plain = format!("round {round} of words that come again and again and again");
        let payload = session.compress(plain.as_bytes());
        session
            .send(Frame::new(Opcode::TEXT, payload).rsv(RSV1))
            .await;
        step!(session.echo_of(Opcode::TEXT, plain.as_bytes()).await);
    }
    session.close().await
}

/// Whether the server, asked for a window, refers no further back than that: a
/// block of noise comes again behind more noise than the window holds, so that
/// only a larger one could save its bytes.
fn server_window(bits: u8) -> Case {
    let id = format!("agreement.server-window-{bits}");
    Case::server(id, "RFC 7692 7.1.2.1", move |server| {
        Box::pin(async move {
            let offer = format!("permessage-deflate; server_max_window_bits={bits}");
            let (mut session, agreed) = match open(server, &offer).await {
                Ok(opened) => opened,
                Err(unopened) => return unopened.into(),
            };
            let outcome = match agreed {
                None => Outcome::Skip("the server did not agree to that window".to_owned()),
                Some(agreed) => window_is_kept(&mut session, &agreed, bits).await,
            };
            server.keep_log(session.log);
            outcome
        })
    })
    .sent(format!(
        "the offer server_max_window_bits={bits}; noise that comes again beyond that window"
    ))
    .expected(format!(
        "an answer with server_max_window_bits of at most {bits}, and no longer references"
    ))
}

async fn window_is_kept(session: &mut Session, agreed: &str, bits: u8) -> Outcome {
    let told = session.deflate.map(|params| params.server_max_window_bits);
    let names_it = agreed.contains("server_max_window_bits");
    if !names_it || told.is_none_or(|told| told > bits) {
        return Outcome::Fail(format!(
            "expected server_max_window_bits of at most {bits} in the answer, got {agreed:?}"
        ));
    }
    refers_no_further_back(session, bits).await
}

/// Whether the peer's echo of noise that comes again beyond a window costs its
/// bytes twice; then a closing handshake.
pub(crate) async fn refers_no_further_back(session: &mut Session, bits: u8) -> Outcome {
    let block = noise(600);
    // Beyond the window asked for, and well within the largest.
    let between = noise(3 << (bits - 1));
    let plain = [&block[..], &between, &block].concat();
    session
        .send(Frame::new(Opcode::BINARY, plain.clone()))
        .await;
    let item = match session.hear().await {
        Heard::Item(item) if item.says(Opcode::BINARY, &plain) => item,
        heard => return Outcome::Fail(format!("expected the echo, got {}", heard.shown())),
    };
    if item.compressed && item.wire_len + 300 < plain.len() as u64 {
        return Outcome::Fail(format!(
            "expected no reference beyond 2^{bits} bytes, but {} bytes of noise took {}",
            plain.len(),
            item.wire_len
        ));
    }
    session.close().await
}

fn server_no_context() -> Case {
    Case::server(
        "agreement.server-no-context",
        "RFC 7692 7.1.1.1",
        |server| {
            Box::pin(async move {
                let offer = "permessage-deflate; server_no_context_takeover";
                let (mut session, agreed) = match open(server, offer).await {
                    Ok(opened) => opened,
                    Err(unopened) => return unopened.into(),
                };
                let outcome = match agreed {
                    None => Outcome::Skip("the server did not agree to compression".to_owned()),
                    Some(agreed) if !agreed.contains("server_no_context_takeover") => {
                        Outcome::Fail(format!(
                            "expected server_no_context_takeover in the answer, got {agreed:?}"
                        ))
                    }
                    Some(_) => context_is_not_kept(&mut session).await,
                };
                server.keep_log(session.log);
                outcome
            })
        },
    )
    .level(Level::Must)
    .sent("the offer server_no_context_takeover; the same noise three times")
    .expected("an answer with it, and messages that refer to none before")
}

async fn context_is_not_kept(session: &mut Session) -> Outcome {
    let plain = noise(1000);
    for _ in 0..3 {
        session
            .send(Frame::new(Opcode::BINARY, plain.clone()))
            .await;
        match session.hear().await {
            Heard::Item(item) if item.opcode == Opcode::BINARY && item.wire_len < 500 => {
                return Outcome::Fail(format!(
                    "expected a message on its own, but 1000 bytes of noise took {}",
                    item.wire_len
                ));
            }
            Heard::Item(item) if item.says(Opcode::BINARY, &plain) => {}
            heard => return Outcome::Fail(format!("expected the echo, got {}", heard.shown())),
        }
    }
    session.close().await
}
