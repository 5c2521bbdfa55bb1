//! What a client's own request and frames look like (RFC 6455 sections 4.1 and
//! 5.3).

use std::collections::HashSet;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::AsyncReadExt as _;

use super::answering::NAMES;
use crate::check::accept::{accepting, has_token, offers};
use crate::check::case::Case;
use crate::check::client::Client;
use crate::check::expect::step;
use crate::check::outcome::Outcome;
use crate::check::session::Session;
use crate::wire::{Frame, Head, Opcode};

const SECTION: &str = "RFC 6455 4.1";

const PROTOCOL: &str = "Sec-WebSocket-Protocol";

/// How long an answer is held back, to see whether the client waits for it.
const HELD_BACK: Duration = Duration::from_millis(300);

/// Messages whose masking keys are compared.
const MESSAGES: usize = 20;

pub(crate) fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = [
        ("line", "GET with a path, in HTTP/1.1", line as Judge),
        ("host", "Host once, as the URL has it", host),
        ("upgrade", "Upgrade with websocket in it", upgrade),
        ("connection", "Connection with Upgrade in it", connection),
        ("key", "Sec-WebSocket-Key once, 16 bytes in Base64", key),
        ("version", "Sec-WebSocket-Version: 13 once", version),
        (
            "no-body",
            "no Content-Length above 0, no Transfer-Encoding",
            no_body,
        ),
        ("origin-once", "Origin at most once", origin),
    ]
    .into_iter()
    .map(|(name, expected, judge)| about_the_request(name, expected, judge))
    .collect();
    cases.push(
        about_the_request(
            "deflate-offer",
            "an offer as RFC 7692 has it",
            deflate_offer,
        )
        .asking_for_compression(),
    );
    cases.push(
        about_the_request(
            "subprotocols",
            "chat and superchat, in this order",
            subprotocols,
        )
        .asking_for_subprotocols(NAMES),
    );
    cases.push(
        Case::client("request.key-fresh", SECTION, |client| {
            Box::pin(keys_are_fresh(client))
        })
        .sent("two handshakes, one after the other")
        .expected("another Sec-WebSocket-Key in each"),
    );
    cases.push(
        Case::client("request.waits", SECTION, |client| Box::pin(waits(client)))
            .sent("101, but only after a while")
            .expected("no byte behind the request before the answer is there"),
    );
    cases.push(
        Case::client("request.masking-keys", "RFC 6455 5.3", |client| {
            Box::pin(masking_keys(client))
        })
        .sent("messages to be echoed, in two connections")
        .expected("a masking key for each frame that nobody can foretell"),
    );
    cases
}

/// What is wrong with a request.
type Judge = fn(&Head, &Client) -> Outcome;

fn about_the_request(name: &str, expected: &'static str, judge: Judge) -> Case {
    Case::client(format!("request.{name}"), SECTION, move |client| {
        Box::pin(async move {
            let arrival = match client.comes().await {
                Ok(arrival) => arrival,
                Err(absent) => return absent.into(),
            };
            let outcome = judge(&arrival.head, client);
            let mut answer = accepting(&arrival.head);
            // There are clients that insist on one of what they offer.
            if let Some(name) = offered_subprotocols(&arrival.head).first() {
                let field = (PROTOCOL.to_owned(), (*name).to_owned());
                answer.fields.push(field);
            }
            let mut session = client.accept(arrival, &answer).await;
            let closed = session.close().await;
            client.keep_log(session.log);
            step!(outcome);
            closed
        })
    })
    .sent("101 and a Close frame; the request is looked at")
    .expected(expected)
}

fn unless(good: bool, expected: &str, got: impl std::fmt::Debug) -> Outcome {
    if good {
        return Outcome::Pass;
    }
    Outcome::Fail(format!("expected {expected}, got {got:?}"))
}

fn line(request: &Head, _: &Client) -> Outcome {
    let words: Vec<&str> = request.first_line.split(' ').collect();
    let good = matches!(words[..], ["GET", target, "HTTP/1.1"]
        if target.starts_with('/') && !target.contains('#'));
    unless(good, "GET /path HTTP/1.1", &request.first_line)
}

fn host(request: &Head, client: &Client) -> Outcome {
    let hosts: Vec<&str> = request.all("Host").collect();
    let address = client.address();
    unless(hosts == [address], &format!("Host: {address}"), &hosts)
}

fn upgrade(request: &Head, _: &Client) -> Outcome {
    let good = has_token(request, "Upgrade", "websocket");
    unless(good, "Upgrade: websocket", request.get("Upgrade"))
}

fn connection(request: &Head, _: &Client) -> Outcome {
    let good = has_token(request, "Connection", "upgrade");
    unless(good, "Connection: Upgrade", request.get("Connection"))
}

fn key(request: &Head, _: &Client) -> Outcome {
    let keys: Vec<&str> = request.all("Sec-WebSocket-Key").collect();
    let is_nonce = |key: &str| STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == 16);
    let good = matches!(keys[..], [key] if is_nonce(key));
    unless(good, "one Sec-WebSocket-Key of 16 bytes in Base64", &keys)
}

fn version(request: &Head, _: &Client) -> Outcome {
    let versions: Vec<&str> = request.all("Sec-WebSocket-Version").collect();
    unless(
        versions == ["13"],
        "Sec-WebSocket-Version: 13 once",
        &versions,
    )
}

fn no_body(request: &Head, _: &Client) -> Outcome {
    let length = request
        .get("Content-Length")
        .filter(|length| *length != "0");
    let encoding = request.get("Transfer-Encoding");
    let good = length.is_none() && encoding.is_none();
    unless(good, "a request without a body", (length, encoding))
}

fn origin(request: &Head, _: &Client) -> Outcome {
    let origins: Vec<&str> = request.all("Origin").collect();
    unless(origins.len() <= 1, "Origin at most once", &origins)
}

fn offered_subprotocols(request: &Head) -> Vec<&str> {
    request
        .all(PROTOCOL)
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect()
}

fn subprotocols(request: &Head, _: &Client) -> Outcome {
    let names = offered_subprotocols(request);
    if names.is_empty() {
        return Outcome::Skip(
            "the client did not offer the subprotocols it was told to".to_owned(),
        );
    }
    let expected = format!("{PROTOCOL}: {}", NAMES.join(", "));
    unless(names == NAMES, &expected, &names)
}

/// RFC 7692 section 7.1: known parameters, each once, with values that they can
/// have.
fn deflate_offer(request: &Head, _: &Client) -> Outcome {
    let offers = offers(request);
    if offers.is_empty() {
        return Outcome::Skip("the client did not offer permessage-deflate".to_owned());
    }
    for offer in &offers {
        let mut names = HashSet::new();
        for (name, value) in offer.parameters() {
            let is_bits = |value: &str| {
                !value.starts_with('0')
                    && value.bytes().all(|byte| byte.is_ascii_digit())
                    && value.parse().is_ok_and(|bits: u8| (8..=15).contains(&bits))
            };
            let good = match *name {
                "server_no_context_takeover" | "client_no_context_takeover" => value.is_none(),
                "server_max_window_bits" => value.is_some_and(is_bits),
                "client_max_window_bits" => value.is_none_or(is_bits),
                _ => false,
            };
            if !good || !names.insert(*name) {
                let got = request.get("Sec-WebSocket-Extensions");
                return Outcome::Fail(format!(
                    "expected the parameters of RFC 7692, each once, got {name:?} in {got:?}"
                ));
            }
        }
    }
    Outcome::Pass
}

async fn keys_are_fresh(client: &Client) -> Outcome {
    let mut keys = Vec::new();
    for _ in 0..2 {
        let mut session = match client.open(None).await {
            Ok(session) => session,
            Err(outcome) => return outcome,
        };
        let key = session.head.get("Sec-WebSocket-Key").map(str::to_owned);
        keys.push(key);
        let closed = session.close().await;
        client.keep_log(session.log);
        step!(closed);
    }
    let good = matches!(&keys[..], [one, another] if one != another);
    unless(good, "another Sec-WebSocket-Key in each request", &keys)
}

async fn waits(client: &Client) -> Outcome {
    let mut arrival = match client.comes().await {
        Ok(arrival) => arrival,
        Err(absent) => return absent.into(),
    };
    let mut early = std::mem::take(&mut arrival.unread);
    let mut chunk = [0; 64];
    let read = tokio::time::timeout(HELD_BACK, arrival.stream.read(&mut chunk)).await;
    let hung_up = matches!(read, Ok(Ok(0) | Err(_)));
    if let Ok(Ok(len)) = read {
        early.extend_from_slice(&chunk[..len]);
    }
    let answer = accepting(&arrival.head);
    let mut session = client.accept(arrival, &answer).await;
    let outcome = if hung_up {
        let time = HELD_BACK.as_millis();
        Outcome::Fail(format!("expected the client to wait {time} ms, it hung up"))
    } else if early.is_empty() {
        session.is_taken().await
    } else {
        let shown = String::from_utf8_lossy(&early).into_owned();
        Outcome::Fail(format!("expected nothing before the answer, got {shown:?}"))
    };
    client.keep_log(session.log);
    outcome
}

async fn masking_keys(client: &Client) -> Outcome {
    let mut seen = Vec::new();
    for _ in 0..2 {
        let mut session = match client.open(None).await {
            Ok(session) => session,
            Err(outcome) => return outcome,
        };
        let keys = keys_of_echoes(&mut session).await;
        client.keep_log(session.log);
        match keys {
            Ok(keys) => seen.extend(keys),
            Err(outcome) => return outcome,
        }
    }
    let different: HashSet<_> = seen.iter().collect();
    // Two of 32 bits that are the same by chance: once in ten million runs.
    let keys: Vec<String> = seen.iter().map(|key| format!("{key:08x}")).collect();
    unless(
        different.len() == seen.len() && !seen.contains(&0),
        "masking keys that are all different",
        keys.join(" "),
    )
}

/// The masking keys of what a client echoes.
async fn keys_of_echoes(session: &mut Session) -> Result<Vec<u32>, Outcome> {
    for number in 0..MESSAGES {
        let text = format!("message {number}");
        session.send(Frame::new(Opcode::TEXT, text.clone())).await;
        match session.echo_of(Opcode::TEXT, text.as_bytes()).await {
            Outcome::Pass => {}
            other => return Err(other),
        }
    }
    let frames = session.take_frames();
    match session.close().await {
        Outcome::Pass => {}
        other => return Err(other),
    }
    let key = |frame: &Frame| frame.masking_key.map(u32::from_be_bytes);
    let keys: Option<Vec<u32>> = frames.iter().map(key).collect();
    keys.ok_or_else(|| Outcome::Fail("expected a masking key on each frame, got none".to_owned()))
}
