//! What attackers do (RFC 6455 section 10): none of it may take a server from its
//! other clients.

use crate::check::case::Case;
use crate::check::expect::step;
use crate::check::outcome::{Level, Outcome};
use crate::check::server::Server;
use crate::check::session::{Heard, Session};
use crate::wire::{Frame, Opcode};

use super::deflate::{OFFER, RSV1};
use super::opening::{is_refused, set};

const SECURITY: &str = "RFC 6455 10.4";

/// Plain bytes of the bomb.
const BOMB: usize = 256 << 20;

/// Pings of the flood.
const PINGS: usize = 100_000;

/// Fragments of the message in crumbs.
const CRUMBS: usize = 100_000;

/// Bytes sent to a server whose echoes nobody reads: far more than the buffers of
/// two kernels.
const UNREAD: usize = 96 << 20;

/// Connections opened without a word.
const SILENT: usize = 200;

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = origins();
    cases.extend(header_bombs());
    cases.extend(data());
    cases
}

/// Which pages may open a socket (section 10.2).
fn origins() -> Vec<Case> {
    let section = "RFC 6455 10.2";
    let cross_site = |name: &str, origin: &'static str| {
        Case::server(format!("hostile.origin-{name}"), section, move |server| {
            Box::pin(async move {
                let mut request = server.request();
                set(&mut request, "Origin", origin);
                is_refused(server, &request.encode()).await
            })
        })
        .level(Level::Should)
        .sent(format!(
            "Origin: {origin}, as a browser sends it for a page of another site"
        ))
        .expected("403, unless the server is meant for pages of all sites")
    };
    vec![
        cross_site("of-another-site", "https://attacker.example"),
        cross_site("null", "null"),
        cross_site(
            "of-a-name-that-begins-alike",
            "http://127.0.0.1.attacker.example",
        ),
        Case::server("hostile.origin-same", section, |server| {
            Box::pin(async move {
                let mut request = server.request();
                let secure = server.url.starts_with("wss:");
                let scheme = if secure { "https" } else { "http" };
                set(
                    &mut request,
                    "Origin",
                    &format!("{scheme}://{}", server.host),
                );
                match server.open_with(&request).await {
                    Ok(mut session) => {
                        let outcome = session.is_alive().await;
                        server.keep_log(session.log);
                        outcome
                    }
                    Err(unopened) => Outcome::Fail(format!("no connection: {unopened}")),
                }
            })
        })
        .level(Level::Should)
        .sent("the Origin of the server itself")
        .expected("101, and an echo"),
    ]
}

/// Requests that do not end.
fn header_bombs() -> Vec<Case> {
    let bomb = |name: &str, sent: &'static str, make: fn(&Server) -> Vec<u8>| {
        Case::server(format!("hostile.{name}"), SECURITY, move |server| {
            Box::pin(async move {
                step!(is_refused(server, &make(server)).await);
                survives(server).await
            })
        })
        .level(Level::Should)
        .sent(sent)
        .expected("a status of 400 or above, or the end of the stream; others are served")
    };
    vec![
        bomb("header-of-a-mebibyte", "a field of 1 MiB", |server| {
            let mut request = server.request();
            set(&mut request, "X-Bomb", &"b".repeat(1 << 20));
            request.encode()
        }),
        bomb("headers-by-the-thousand", "20,000 fields", |server| {
            let mut request = server.request();
            let more = (0..20_000).map(|number| (format!("X-{number}"), "b".to_owned()));
            request.fields.extend(more);
            request.encode()
        }),
        bomb(
            "target-of-a-mebibyte",
            "a request target of 1 MiB",
            |server| {
                let mut request = server.request();
                let long = format!("?{}", "b".repeat(1 << 20));
                request.first_line = format!("GET {}{long} HTTP/1.1", server.resource);
                request.encode()
            },
        ),
        bomb("method-without-end", "1 MiB without a line's end", |_| {
            vec![b'G'; 1 << 20]
        }),
    ]
}

/// What a client may do once it is in.
fn data() -> Vec<Case> {
    vec![
        Case::server("hostile.bomb", "RFC 7692 8", |server| {
            Box::pin(bomb(server))
        })
        .level(Level::Should)
        .sent("256 MiB of zeros in a compressed message of some 256 KiB")
        .expected("the connection fails with 1009; others are served"),
        Case::server("hostile.ping-flood", SECURITY, |server| {
            Box::pin(ping_flood(server))
        })
        .level(Level::Should)
        .sent("100,000 Pings while no Pong is read, then a message")
        .expected(
            "Pongs (the latest will do) and the echo, or a failed connection; others are served",
        ),
        Case::server("hostile.crumbs", SECURITY, |server| {
            Box::pin(crumbs(server, b"x"))
        })
        .level(Level::Should)
        .sent("a message in 100,000 fragments of a byte")
        .expected("the echo, or the connection fails with 1008 or 1009; others are served"),
        Case::server("hostile.empty-crumbs", SECURITY, |server| {
            Box::pin(crumbs(server, b""))
        })
        .level(Level::Should)
        .sent("a message in 100,000 empty fragments")
        .expected("the echo, or the connection fails with 1008 or 1009; others are served"),
        Case::server("hostile.unread", SECURITY, |server| {
            Box::pin(unread(server))
        })
        .level(Level::Should)
        .sent("messages whose echoes are not read, up to 96 MiB")
        .expected("the server stops reading, or hangs up; others are served"),
        Case::server("hostile.silent-connections", SECURITY, |server| {
            Box::pin(silent(server))
        })
        .level(Level::Should)
        .sent("200 connections on which nothing is said")
        .expected("others are served"),
    ]
}

/// A connection of somebody else's works.
async fn survives(server: &Server) -> Outcome {
    let mut session = match server.open(None).await {
        Ok(session) => session,
        Err(unopened) => {
            return Outcome::Fail(format!("afterwards, no other connection: {unopened}"));
        }
    };
    let outcome = session.is_alive().await;
    server.keep_log(session.log);
    match outcome {
        Outcome::Fail(why) => Outcome::Fail(format!("afterwards, in another connection: {why}")),
        outcome => outcome,
    }
}

/// Ends a case whose connection is done with: others must be served.
async fn afterwards(server: &Server, session: Session, outcome: Outcome) -> Outcome {
    server.keep_log(session.log);
    match survives(server).await {
        Outcome::Pass => outcome,
        failed => failed,
    }
}

async fn bomb(server: &Server) -> Outcome {
    let mut session = match server.open(Some(OFFER)).await {
        Ok(session) if session.deflate.is_none() => {
            server.keep_log(session.log);
            return Outcome::Skip("the server did not agree to compression".to_owned());
        }
        Ok(session) => session,
        Err(unopened) => return unopened.into(),
    };
    // A task of its own thread: it keeps a processor busy for a while.
    let made = tokio::task::spawn_blocking(move || {
        let payload = session.compress(&vec![0; BOMB]);
        (session, payload)
    });
    let Ok((mut session, payload)) = made.await else {
        return Outcome::Skip("the bomb could not be made".to_owned());
    };
    session.patience *= 5;
    session
        .send(Frame::new(Opcode::BINARY, payload).rsv(RSV1))
        .await;
    let outcome = match session.fails_with(&[1009]).await {
        Outcome::Fail(why) => Outcome::Fail(format!("{why} (the bomb went off)")),
        outcome => outcome,
    };
    afterwards(server, session, outcome).await
}

async fn ping_flood(server: &Server) -> Outcome {
    let mut session = match server.open(None).await {
        Ok(session) => session,
        Err(unopened) => return unopened.into(),
    };
    let mut flood = Vec::new();
    for number in 0..PINGS {
        let frame = Frame::new(Opcode::PING, format!("{number:0100}"));
        flood.extend_from_slice(&session.proper(frame).encode());
    }
    let taken = session.send_unread("100,000 Pings", &flood).await;
    // What the server did not take, so as to hold no more Pongs, it may take while
    // they are read.
    session.patience *= 5;
    session
        .send_bytes("the rest of them", &flood[taken..])
        .await;
    session
        .send(Frame::new(Opcode::TEXT, "after the flood"))
        .await;
    let outcome = loop {
        match session.hear().await {
            Heard::Item(item) if item.opcode == Opcode::PONG => {}
            Heard::Item(item) if item.data == b"after the flood" => break Outcome::Pass,
            Heard::Item(item) if item.opcode == Opcode::CLOSE => break Outcome::Pass,
            Heard::End | Heard::Reset(_) => break Outcome::Pass,
            heard => {
                let got = heard.shown();
                break Outcome::Fail(format!("expected Pongs and the echo, got {got}"));
            }
        }
    };
    afterwards(server, session, outcome).await
}

async fn crumbs(server: &Server, crumb: &[u8]) -> Outcome {
    let mut session = match server.open(None).await {
        Ok(session) => session,
        Err(unopened) => return unopened.into(),
    };
    session.patience *= 5;
    let mut bytes = Vec::new();
    for number in 0..CRUMBS {
        let opcode = match number {
            0 => Opcode::BINARY,
            _ => Opcode::CONTINUATION,
        };
        let frame = Frame::new(opcode, crumb);
        let is_last = number + 1 == CRUMBS;
        let frame = if is_last { frame } else { frame.unfinished() };
        bytes.extend_from_slice(&session.proper(frame).encode());
    }
    session.send_bytes("a message in crumbs", &bytes).await;
    let outcome = match session.hear().await {
        Heard::Item(item) if item.data == crumb.repeat(CRUMBS) => Outcome::Pass,
        Heard::Item(item) if item.opcode == Opcode::CLOSE => match item.data.first_chunk::<2>() {
            Some(code) if [1008, 1009].contains(&u16::from_be_bytes(*code)) => Outcome::Pass,
            _ => {
                let got = Heard::Item(item).shown();
                Outcome::Lenient(format!("expected the echo, 1008 or 1009, got {got}"))
            }
        },
        heard @ (Heard::End | Heard::Reset(_)) => {
            let got = heard.shown();
            Outcome::Lenient(format!("expected the echo, 1008 or 1009, got {got}"))
        }
        heard => Outcome::Fail(format!("expected the echo, got {}", heard.shown())),
    };
    afterwards(server, session, outcome).await
}

async fn unread(server: &Server) -> Outcome {
    let mut session = match server.open(None).await {
        Ok(session) => session,
        Err(unopened) => return unopened.into(),
    };
    let frame = Frame::new(Opcode::BINARY, vec![0x5A; 64 << 10]);
    let bytes = session.proper(frame).encode();
    let mut taken = 0;
    while taken < UNREAD {
        let written = session.send_unread("64 KiB, unread", &bytes).await;
        taken += written;
        if written < bytes.len() {
            break;
        }
    }
    let outcome = if taken < UNREAD {
        Outcome::Pass
    } else {
        let mib = UNREAD >> 20;
        Outcome::Fail(format!(
            "the server took {mib} MiB whose echoes nobody read"
        ))
    };
    afterwards(server, session, outcome).await
}

async fn silent(server: &Server) -> Outcome {
    let mut streams = Vec::new();
    for _ in 0..SILENT {
        match server.dial().await {
            Ok(stream) => streams.push(stream),
            // A server may well refuse so many.
            Err(_) => break,
        }
    }
    let outcome = survives(server).await;
    drop(streams);
    outcome
}
