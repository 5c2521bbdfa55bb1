//! How a client takes answers to its opening handshake, good and bad (RFC 6455
//! section 4.1).

use std::time::Instant;

use crate::check::accept::accepting;
use crate::check::answer::{Answer, Then};
use crate::check::case::Case;
use crate::check::client::Client;
use crate::check::expect::step;
use crate::check::outcome::{Level, Outcome};
use crate::check::session::{Heard, Session};
use crate::wire::{Frame, Head, Opcode, accept_for_key};

const ACCEPT: &str = "Sec-WebSocket-Accept";
const PROTOCOL: &str = "Sec-WebSocket-Protocol";

/// What a client that is asked for subprotocols offers.
pub(crate) const NAMES: &[&str] = &["chat", "superchat"];

/// Sets a field that the answer has.
fn set(answer: &mut Head, name: &str, value: &str) {
    for field in &mut answer.fields {
        if field.0.eq_ignore_ascii_case(name) {
            value.clone_into(&mut field.1);
        }
    }
}

fn without(answer: &mut Head, name: &str) {
    answer
        .fields
        .retain(|(one, _)| !one.eq_ignore_ascii_case(name));
}

/// The answer with this value instead of its own.
fn changed(then: Then, name: &'static str, value: &'static str) -> Answer {
    Answer::head(then, move |_, answer| set(answer, name, value))
}

/// The answer without a field.
fn lacking(name: &'static str) -> Answer {
    Answer::head(Then::Refuse, move |_, answer| without(answer, name))
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = vec![
        Answer::head(Then::Take, |_, _| {})
            .case("answering.plain", "RFC 6455 4.2.2")
            .sent("101 with the three fields it needs"),
    ];
    cases.extend(accept_values());
    cases.extend(upgrade_and_connection());
    cases.extend(statuses());
    cases.extend(subprotocols_and_extensions());
    cases.extend(forms());
    cases.extend(endless());
    cases
}

/// Sec-WebSocket-Accept: section 4.1, item 4 of what a client checks.
fn accept_values() -> Vec<Case> {
    let section = "RFC 6455 4.1";
    vec![
        lacking(ACCEPT)
            .case("answering.accept-missing", section)
            .sent("101 without Sec-WebSocket-Accept"),
        changed(Then::Refuse, ACCEPT, "")
            .case("answering.accept-empty", section)
            .sent("101 with an empty Sec-WebSocket-Accept"),
        // The value that the RFC has as its example.
        changed(Then::Refuse, ACCEPT, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
            .case("answering.accept-of-another-key", section)
            .sent("101 with the Sec-WebSocket-Accept of another key"),
        Answer::head(Then::Refuse, |request, answer| {
            let key = request.get("Sec-WebSocket-Key").unwrap_or_default();
            set(answer, ACCEPT, key);
        })
        .case("answering.accept-is-the-key", section)
        .sent("101 with the key itself as Sec-WebSocket-Accept"),
        Answer::head(Then::Refuse, |_, answer| {
            let accept = answer.get(ACCEPT).unwrap_or_default().to_owned();
            let swap = |char: char| {
                if char.is_ascii_lowercase() {
                    char.to_ascii_uppercase()
                } else {
                    char.to_ascii_lowercase()
                }
            };
            set(
                answer,
                ACCEPT,
                &accept.chars().map(swap).collect::<String>(),
            );
        })
        .case("answering.accept-in-other-case", section)
        .sent("101 with the letters of Sec-WebSocket-Accept in the other case"),
        Answer::head(Then::Refuse, |_, answer| {
            let accept = answer.get(ACCEPT).unwrap_or_default().to_owned();
            answer.fields.push((ACCEPT.to_owned(), accept));
        })
        .case("answering.accept-doubled", "RFC 6455 11.3.3")
        .level(Level::Should)
        .sent("101 with the right Sec-WebSocket-Accept twice, which must not be"),
        Answer::head(Then::Refuse, |_, answer| {
            let wrong = accept_for_key("another");
            answer.fields.push((ACCEPT.to_owned(), wrong));
        })
        .case("answering.accept-right-and-wrong", "RFC 6455 11.3.3")
        .level(Level::Should)
        .sent("101 with the right Sec-WebSocket-Accept and a wrong one"),
        Answer::head(Then::Take, |_, answer| {
            let accept = answer.get(ACCEPT).unwrap_or_default().to_owned();
            set(answer, ACCEPT, &format!("  {accept}\t "));
        })
        .case("answering.accept-in-white-space", section)
        .sent("101 with white space around Sec-WebSocket-Accept"),
    ]
}

/// Items 2 and 3 of what a client checks.
fn upgrade_and_connection() -> Vec<Case> {
    let case = |(name, what, level, answer): (&str, &str, Level, Answer)| {
        answer
            .case(format!("answering.{name}"), "RFC 6455 4.1")
            .level(level)
            .sent(format!("101 {what}"))
    };
    let rows = upgrade_values().into_iter().chain(connection_values());
    rows.map(case).collect()
}

/// The name of a case, what is sent, how much it binds, and the answer.
type Row = (&'static str, &'static str, Level, Answer);

fn upgrade_values() -> Vec<Row> {
    let (good, bad) = (Then::Take, Then::Refuse);
    vec![
        (
            "upgrade-missing",
            "without Upgrade",
            Level::Must,
            lacking("Upgrade"),
        ),
        (
            "upgrade-wrong",
            "with Upgrade: h2c",
            Level::Must,
            changed(bad, "Upgrade", "h2c"),
        ),
        (
            "upgrade-empty",
            "with an empty Upgrade",
            Level::Must,
            changed(bad, "Upgrade", ""),
        ),
        (
            "upgrade-longer",
            "with Upgrade: websockets",
            Level::Must,
            changed(bad, "Upgrade", "websockets"),
        ),
        (
            "upgrade-in-other-case",
            "with Upgrade: WebSocket",
            Level::Must,
            changed(good, "Upgrade", "WebSocket"),
        ),
        (
            // Unlike Connection it is compared as a whole.
            "upgrade-list",
            "with Upgrade: h2c, websocket",
            Level::Should,
            changed(bad, "Upgrade", "h2c, websocket"),
        ),
    ]
}

fn connection_values() -> Vec<Row> {
    let (good, bad) = (Then::Take, Then::Refuse);
    vec![
        (
            "connection-missing",
            "without Connection",
            Level::Must,
            lacking("Connection"),
        ),
        (
            "connection-wrong",
            "with Connection: keep-alive",
            Level::Must,
            changed(bad, "Connection", "keep-alive"),
        ),
        (
            "connection-longer",
            "with Connection: upgraded",
            Level::Must,
            changed(bad, "Connection", "upgraded"),
        ),
        (
            "connection-in-other-case",
            "with Connection: uPGRADE",
            Level::Must,
            changed(good, "Connection", "uPGRADE"),
        ),
        (
            "connection-list",
            "with Connection: keep-alive, Upgrade",
            Level::Must,
            changed(good, "Connection", "keep-alive, Upgrade"),
        ),
        (
            "connection-in-two-fields",
            "with Connection: keep-alive and Connection: Upgrade",
            Level::Must,
            Answer::head(good, |_, answer| {
                answer
                    .fields
                    .insert(0, ("Connection".to_owned(), "keep-alive".to_owned()));
            }),
        ),
        (
            "names-in-lower-case",
            "with the fields' names in lower case",
            Level::Must,
            Answer::head(good, |_, answer| {
                for (name, _) in &mut answer.fields {
                    name.make_ascii_lowercase();
                }
            }),
        ),
        (
            "further-fields",
            "with fields that no RFC defines",
            Level::Must,
            Answer::with(good, "X-Further", "a: b, \"c\"; d"),
        ),
    ]
}

/// Item 1 of what a client checks.
fn statuses() -> Vec<Case> {
    let section = "RFC 6455 4.1";
    let refusals = [
        ("200", "200 OK", ""),
        ("201", "201 Created", ""),
        ("400", "400 Bad Request", ""),
        (
            "401",
            "401 Unauthorized",
            "WWW-Authenticate: Basic realm=\"here\"\r\n",
        ),
        ("403", "403 Forbidden", ""),
        ("302", "302 Found", "Location: /\r\n"),
        ("503", "503 Service Unavailable", "Retry-After: 1\r\n"),
    ];
    let mut cases: Vec<Case> = refusals
        .into_iter()
        .map(|(name, status, further)| {
            Answer::bytes(Then::GiveUp, move |_| {
                format!(
                    "HTTP/1.1 {status}\r\n{further}Content-Type: text/plain\r\n\
                     Content-Length: 5\r\nConnection: close\r\n\r\nHello"
                )
                .into_bytes()
            })
            .case(format!("answering.status-{name}"), section)
            .sent(format!("{status} with a body, then the end of the stream"))
        })
        .collect();
    cases.push(
        // All is as a 101 has it, but that; a client that takes it echoes.
        Answer::bytes(Then::GiveUp, |request| {
            let mut answer = accepting(request);
            "HTTP/1.1 200 OK".clone_into(&mut answer.first_line);
            let mut bytes = answer.encode();
            bytes.extend_from_slice(&Frame::new(Opcode::TEXT, "is it open?").encode());
            bytes
        })
        .case("answering.status-200-with-upgrade", section)
        .sent("200 with all the fields of an acceptance, and a message behind it"),
    );
    cases.push(
        Answer::head(Then::Refuse, |_, answer| {
            "HTTP/1.0 101 Switching Protocols".clone_into(&mut answer.first_line);
        })
        .case("answering.http-1.0", "RFC 9110 7.8")
        .level(Level::Info)
        .sent("101 in HTTP/1.0, which has no Upgrade"),
    );
    cases
}

/// Items 5 and 6 of what a client checks, without those about permessage-deflate.
fn subprotocols_and_extensions() -> Vec<Case> {
    let section = "RFC 6455 4.1";
    let unoffered = |request: &Head| {
        let none = request.get(PROTOCOL).is_none();
        none.then_some("the client did not offer the subprotocols it was told to")
    };
    let asking = |answer: Answer, id: &str| {
        answer
            .unless(unoffered)
            .case(format!("answering.{id}"), section)
            .asking_for_subprotocols(NAMES)
    };
    vec![
        Answer::with(Then::Refuse, PROTOCOL, "unasked")
            .case("answering.subprotocol-not-offered", section)
            .sent("101 with a subprotocol, where none was offered"),
        asking(
            Answer::with(Then::Take, PROTOCOL, "superchat"),
            "subprotocol-offered",
        )
        .sent("101 with the second of the subprotocols offered"),
        asking(Answer::head(Then::Take, |_, _| {}), "subprotocol-none")
            // Browsers fail the connection, the RFC does not ask for it.
            .level(Level::Info)
            .sent("101 without a subprotocol, where some were offered"),
        asking(
            Answer::with(Then::Refuse, PROTOCOL, "other"),
            "subprotocol-other",
        )
        .sent("101 with a subprotocol that is not among those offered"),
        asking(
            Answer::with(Then::Refuse, PROTOCOL, "chat, superchat"),
            "subprotocol-two",
        )
        .sent("101 with both subprotocols, where one is to be chosen"),
        asking(
            Answer::with(Then::Refuse, PROTOCOL, "CHAT"),
            "subprotocol-in-other-case",
        )
        .sent("101 with a subprotocol in another case than the one offered"),
        Answer::with(Then::Refuse, "Sec-WebSocket-Extensions", "x-unasked")
            .case("answering.extension-not-offered", section)
            .sent("101 with an extension that was not offered"),
    ]
}

/// How the answer is written.
fn forms() -> Vec<Case> {
    let encoded = |request: &Head| accepting(request).encode();
    vec![
        Answer::head(Then::Take, |_, _| {})
            .chopped(1)
            .case("answering.chopped", "RFC 6455 4.1")
            .sent("101, a byte at a time"),
        Case::client("answering.frame-behind", "RFC 6455 4.1", |client| {
            Box::pin(frame_behind(client))
        })
        .sent("101 and a message in the same write")
        .expected("the message is echoed"),
        Answer::bytes(Then::Take, move |request| {
            [b"HTTP/1.1 100 Continue\r\n\r\n".to_vec(), encoded(request)].concat()
        })
        .case("answering.100-before", "RFC 9110 15.2")
        .level(Level::Should)
        .sent("100 Continue, then 101"),
        Answer::bytes(Then::Take, |request| {
            let accept = accept_for_key(request.get("Sec-WebSocket-Key").unwrap_or_default());
            format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 X-Folded: a\r\n b\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
            )
            .into_bytes()
        })
        .case("answering.folded-line", "RFC 9112 5.2")
        .level(Level::Info)
        .sent("101 with a field over two lines, which no server may send any more"),
        Answer::bytes(Then::Take, move |request| {
            let text = String::from_utf8_lossy(&encoded(request)).replace("\r\n", "\n");
            text.into_bytes()
        })
        .case("answering.bare-line-feeds", "RFC 9112 2.2")
        .level(Level::Info)
        .sent("101 whose lines end with LF alone, which a client may take"),
        Answer::bytes(Then::Take, move |request| {
            let text = String::from_utf8_lossy(&encoded(request)).into_owned();
            text.replace("101 Switching Protocols", "101 ").into_bytes()
        })
        .case("answering.no-reason", "RFC 9112 4")
        .sent("101 without a reason phrase"),
        Answer::bytes(Then::Refuse, |_| {
            b"\x16\x03\x01 this is no HTTP at all\r\n\r\n\r\n\r\n".to_vec()
        })
        .case("answering.garbage", "RFC 6455 4.1")
        .sent("bytes that are no HTTP"),
        Answer::bytes(Then::GiveUp, |request| {
            let whole = accepting(request).encode();
            whole[..whole.len() - 2].to_vec()
        })
        .case("answering.cut-off", "RFC 6455 4.1")
        .sent("101 without the empty line at its end, then the end of the stream"),
        Answer::bytes(Then::GiveUp, |_| Vec::new())
            .case("answering.nothing", "RFC 6455 4.1")
            .sent("the end of the stream instead of an answer"),
    ]
}

async fn frame_behind(client: &Client) -> Outcome {
    let arrival = match client.comes().await {
        Ok(arrival) => arrival,
        Err(absent) => return absent.into(),
    };
    let mut bytes = accepting(&arrival.head).encode();
    bytes.extend_from_slice(&Frame::new(Opcode::TEXT, "right behind").encode());
    let mut session = client.answer(arrival, &bytes, None, None).await;
    let outcome = echoes_what_was_behind(&mut session).await;
    client.keep_log(session.log);
    outcome
}

async fn echoes_what_was_behind(session: &mut Session) -> Outcome {
    step!(session.echo_of(Opcode::TEXT, b"right behind").await);
    session.is_taken().await
}

/// Bytes of an endless head that a client may read.
const MOST_ENDLESS: usize = 8 << 20;

/// How many times the peer's time is waited for an answer that never comes.
const WAITS: u32 = 3;

/// Answers that never end.
fn endless() -> Vec<Case> {
    vec![
        Case::client("answering.endless-fields", "RFC 6455 10.4", |client| {
            Box::pin(endless_head(client, b"X-Endless: and on and on and on\r\n"))
        })
        .level(Level::Info)
        .sent("101 whose fields never end, up to 8 MiB")
        .expected("the client hangs up before it has read all that"),
        Case::client("answering.endless-line", "RFC 6455 10.4", |client| {
            Box::pin(endless_head(client, b"and on and on and on"))
        })
        .level(Level::Info)
        .sent("101 with one line that never ends, up to 8 MiB")
        .expected("the client hangs up before it has read all that"),
        Case::client("answering.never", "RFC 6455 4.1", |client| {
            Box::pin(never(client))
        })
        .level(Level::Info)
        .sent("no answer at all")
        .expected("the client gives up after a while"),
    ]
}

async fn endless_head(client: &Client, piece: &'static [u8]) -> Outcome {
    let arrival = match client.comes().await {
        Ok(arrival) => arrival,
        Err(absent) => return absent.into(),
    };
    let start = b"HTTP/1.1 101 Switching Protocols\r\nX-First: ";
    let mut session = client.answer(arrival, start, None, None).await;
    let chunk = piece.repeat(MOST_ENDLESS / 128 / piece.len());
    let mut sent = 0;
    while sent < MOST_ENDLESS && !session.has_ended() {
        session.send_bytes("more of the head", &chunk).await;
        sent += chunk.len();
        if !matches!(
            session.hear_within(std::time::Duration::ZERO).await,
            Heard::Silence
        ) {
            break;
        }
    }
    let outcome = if sent < MOST_ENDLESS {
        let kib = sent >> 10;
        Outcome::Info(format!("the client hung up within {kib} KiB"))
    } else {
        match session.hear().await {
            Heard::End | Heard::Reset(_) => {
                Outcome::Info("the client read 8 MiB, then hung up".to_owned())
            }
            _ => Outcome::Info("the client read 8 MiB and waits for more".to_owned()),
        }
    };
    client.keep_log(session.log);
    outcome
}

async fn never(client: &Client) -> Outcome {
    let arrival = match client.comes().await {
        Ok(arrival) => arrival,
        Err(absent) => return absent.into(),
    };
    let began = Instant::now();
    let mut session = client.answer(arrival, b"", None, None).await;
    let heard = session.hear_within(client.patience() * WAITS).await;
    let seconds = began.elapsed().as_secs_f64();
    client.keep_log(session.log);
    match heard {
        Heard::End | Heard::Reset(_) => {
            Outcome::Info(format!("the client gave up after {seconds:.1} s"))
        }
        Heard::Silence => Outcome::Info(format!("the client still waited after {seconds:.1} s")),
        heard @ Heard::Item(_) => Outcome::Info(format!("expected nothing, got {}", heard.shown())),
    }
}
